// Images with one axis: the components of super-level sets of a path, or of a circle closed by the outside.
//
// T and V agree here: neighbouring pixels are connected. Sorting all pixels is fast enough for signals.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "topoprior/grid.hpp"
#include "topoprior/memory.hpp"

namespace topoprior {

template <class Bar, class Value>
Array<Bar> path_bars(const Value* values, std::size_t count, bool outside_is_foreground) {
    const auto outside = static_cast<Index>(count);  // a further node, joined to both ends if it is foreground
    constexpr Index kNobody = ~Index{0};
    std::vector<Index> order(count);
    for (std::size_t i = 0; i < count; ++i)
        order[i] = static_cast<Index>(i);
    std::stable_sort(order.begin(), order.end(), [values](Index a, Index b) { return values[a] > values[b]; });
    std::vector<Index> parent(count + 1, kNobody);  // nobody: not entered yet
    std::vector<Index> age(count + 1, 0);           // place in the order; the outside is the eldest
    if (outside_is_foreground) parent[outside] = outside;
    const auto find = [&parent](Index node) {
        while (parent[node] != node)
            node = parent[node] = parent[parent[node]];
        return node;
    };
    Array<Bar> bars;
    for (std::size_t i = 0; i < count; ++i) {
        const Index pixel = order[i];
        parent[pixel] = pixel;
        age[pixel] = static_cast<Index>(i + 1);
        for (const Index neighbour : {pixel == 0 ? outside : pixel - 1, pixel + 1}) {
            if (parent[neighbour] == kNobody) continue;
            const Index a = find(pixel);
            const Index b = find(neighbour);
            if (a == b) continue;
            const Index younger = age[a] > age[b] ? a : b;
            parent[younger] = younger == a ? b : a;
            if (values[younger] != values[pixel]) bars.push_back({younger, pixel});
        }
    }
    bars.push_back({outside_is_foreground ? kNobody : order[0], kNobody});
    return bars;
}

}  // namespace topoprior
