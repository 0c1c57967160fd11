// Dimension 0 and, upside down, the top dimension: components that merge, paired under the elder rule.
//
// Looking down, the nodes are the minima of the keys, and the components of a pixel's lower link say which of them
// merge there. Looking up, the nodes are the maxima, and the regions of the complement of the link merge. Both are the
// same procedure: find the extremum that every side of a critical pixel leads to, sort the critical pixels, and join.
// O(n) for the walks, O(c log c) for c critical pixels; 4 bytes per pixel for the labels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "topoprior/buffer.hpp"
#include "topoprior/grid.hpp"
#include "topoprior/lower_link.hpp"
#include "topoprior/sorting.hpp"

namespace topoprior {

// Two pixels of a bar, in whichever order the filtration calls birth and death; padded indices.
struct Pair {
    Index earlier;
    Index later;
};

// At pixel `at`, the sides that lead to extremum `first` and to extremum `second` meet.
struct Merge {
    Index at;
    Index first;
    Index second;
};

enum class Looking { down, up };

// The next pixel on a way down or up from a pixel that is no extremum.
template <Looking kLooking>
inline unsigned next_bit(Link2 link) {
    if constexpr (kLooking == Looking::down) return static_cast<unsigned>(std::countr_zero(link));
    const unsigned axis = ~static_cast<unsigned>(link) & kVertices2;
    return static_cast<unsigned>(std::countr_zero(axis != 0 ? axis : ~static_cast<unsigned>(link)));
}

template <Looking kLooking>
inline unsigned next_bit(Link3 link) {
    return static_cast<unsigned>(std::countr_zero(kLooking == Looking::down ? link : ~link));
}

// Node 1 is the padding, where that is an extremum; the others are pixels. Node 0 stands for "not known yet".
inline constexpr Index kUnknown = 0;
inline constexpr Index kFrame = 1;

template <Looking kLooking>
class MergeTree {
public:
    std::vector<Merge> merges;  // to be filled by the caller, in the order of the pixels

    // Begins with the extrema of an image; `frame` says whether the padding is one of them.
    void begin(const Grid& grid, const Key* key, const std::vector<Index>& extrema, bool frame) {
        label_ = labels_.zeroed(grid.cells);
        merges.clear();
        order_.assign(2, kLooking == Looking::down ? 0 : ~std::uint64_t{0});
        order_.reserve(extrema.size() + 2);
        if (frame) mark_frame(grid);
        for (const Index pixel : extrema) {
            label_[pixel] = static_cast<Index>(order_.size());
            order_.push_back(packed(key[pixel], pixel));
        }
    }

    // The extremum that a pixel leads to. Every pixel is walked over at most once: the way is labelled afterwards.
    template <class Link, class Offsets>
    Index extremum(Index pixel, const Link* link, const Offsets& offset) {
        Index end = pixel;
        while (label_[end] == kUnknown) end += static_cast<Index>(offset[next_bit<kLooking>(link[end])]);
        const Index node = label_[end];
        while (label_[pixel] == kUnknown) {
            label_[pixel] = node;
            pixel += static_cast<Index>(offset[next_bit<kLooking>(link[pixel])]);
        }
        return node;
    }

    // Joins in the given order (looking up: from its end), appends the pairs of non-zero length, and tells
    // `joined(position, merge)` for every merge whether it joined two components.
    template <class Joined>
    void join(const std::uint64_t* sorted, std::vector<Pair>& pairs, Joined&& joined) {
        parent_.resize(order_.size());
        for (std::size_t node = 0; node < order_.size(); ++node) parent_[node] = static_cast<Index>(node);
        const std::size_t count = merges.size();
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t position = kLooking == Looking::down ? i : count - 1 - i;
            const auto record = static_cast<Index>(sorted[position]);
            const Merge merge = merges[record];
            const Index first = find(merge.first);
            const Index second = find(merge.second);
            joined(position, record, first != second);
            if (first == second) continue;
            const bool first_is_elder = kLooking == Looking::down ? order_[first] < order_[second] : order_[first] > order_[second];
            const Index younger = first_is_elder ? second : first;
            parent_[younger] = first_is_elder ? first : second;
            const auto extremum = static_cast<Index>(order_[younger]);
            const bool has_length = (order_[younger] >> 32) != (sorted[position] >> 32) + 1;
            if (!has_length) continue;
            if constexpr (kLooking == Looking::down) {
                pairs.push_back({extremum, merge.at});
            } else {
                pairs.push_back({merge.at, extremum});
            }
        }
    }

    Index* labels() { return label_; }

    void release() {
        labels_.release();
        std::vector<std::uint64_t>().swap(order_);
        std::vector<Index>().swap(parent_);
    }

private:
    // The root of a component is its eldest extremum, so no ranks are kept; path halving is fast enough.
    Index find(Index node) {
        while (parent_[node] != node) {
            parent_[node] = parent_[parent_[node]];
            node = parent_[node];
        }
        return node;
    }

    void mark_frame(const Grid& grid) {
        const auto fill = [this](Index begin, Index end) {
            for (Index cell = begin; cell < end; ++cell) label_[cell] = kFrame;
        };
        const Index planes = grid.cells / grid.stride_z;
        for (Index z = 0; z < planes; ++z) {
            const Index begin = z * grid.stride_z;
            if (grid.dimension == 3 && (z == 0 || z + 1 == planes)) {
                fill(begin, begin + grid.stride_z);
                continue;
            }
            fill(begin, begin + grid.stride_y);
            fill(begin + grid.stride_z - grid.stride_y, begin + grid.stride_z);
            for (Index row = begin; row < begin + grid.stride_z; row += grid.stride_y)
                label_[row] = label_[row + grid.stride_y - 1] = kFrame;
        }
    }

    Buffer<Index> labels_;
    Index* label_ = nullptr;
    std::vector<std::uint64_t> order_;  // of the extremum of each node
    std::vector<Index> parent_;
};

// Merges sorted by the key of their pixel; merges of one pixel keep their order.
class SortedMerges {
public:
    const std::uint64_t* sort(const std::vector<Merge>& merges, const Key* key) {
        std::uint64_t* records = first_.get(merges.size());
        for (std::size_t i = 0; i < merges.size(); ++i)
            records[i] = static_cast<std::uint64_t>(static_cast<std::uint32_t>(key[merges[i].at])) << 32 | i;
        return sort_by_key(records, second_.get(merges.size()), merges.size());
    }

    void release() {
        first_.release();
        second_.release();
    }

private:
    Buffer<std::uint64_t> first_;
    Buffer<std::uint64_t> second_;
};

}  // namespace topoprior
