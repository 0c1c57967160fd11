// From pixel values in [0, 1] to the integer keys of a padded grid.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "topoprior/grid.hpp"

namespace topoprior {

// The order of floats in [0, 1] is the order of their bits. Adding zero turns -0 into +0.
inline Key order_of(float value) { return std::bit_cast<Key>(value + 0.0F); }
inline Key order_of(std::uint8_t value) { return value != 0 ? kOneKey : 0; }

template <class Value>
bool in_unit_interval(Value value) {
    return value >= Value{0} && value <= Value{1};  // false for NaN
}

[[noreturn]] inline void refuse_value(double value, std::size_t pixel) {
    throw std::invalid_argument("values must be finite and lie in [0, 1], got " + std::to_string(value) + " at pixel " +
                                std::to_string(pixel));
}

// Copies `order(i)` of pixel i into the padded grid: forwards and negated (V), or backwards as it is (T).
template <class Order>
void fill_keys(const Grid& grid, bool vertex_construction, Key padding, Order&& order, Key* key) {
    const std::size_t width = grid.side[0];
    const std::size_t pixels = grid.pixels();
    std::fill(key, key + grid.origin, padding);
    Index end = grid.origin;
    for (Index row = 0; row < grid.rows(); ++row) {
        const Index begin = grid.row_begin(row);
        std::fill(key + end, key + begin, padding);
        Key* out = key + begin;
        const std::size_t first = row * width;
        if (vertex_construction) {
            for (std::size_t x = 0; x < width; ++x) out[x] = kOneKey - order(first + x);
        } else {
            for (std::size_t x = 0; x < width; ++x) out[x] = order(pixels - 1 - first - x);
        }
        end = begin + static_cast<Index>(width);
    }
    std::fill(key + end, key + grid.cells, padding);
}

template <class Value>
void check_values(const Value* values, std::size_t count) {
    if constexpr (std::is_floating_point_v<Value>) {
        bool good = true;
        for (std::size_t i = 0; i < count; ++i) good &= in_unit_interval(values[i]);
        if (good) return;
        for (std::size_t i = 0; i < count; ++i)
            if (!in_unit_interval(values[i])) refuse_value(static_cast<double>(values[i]), i);
    }
}

// Ranks of doubles, equal values sharing one. Only needed where single precision would merge values.
inline std::vector<Key> ranks(const double* values, std::size_t count) {
    std::vector<Index> sorted(count);
    for (std::size_t i = 0; i < count; ++i) sorted[i] = static_cast<Index>(i);
    std::sort(sorted.begin(), sorted.end(), [values](Index a, Index b) { return values[a] < values[b]; });
    std::vector<Key> rank(count);
    Key next = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0 && values[sorted[i]] != values[sorted[i - 1]]) ++next;
        rank[sorted[i]] = next;
    }
    return rank;
}

template <class Value>
void load_keys(const Grid& grid, const Value* values, bool vertex_construction, Key padding, Key* key) {
    const std::size_t count = grid.pixels();
    check_values(values, count);
    const auto direct = [values](std::size_t i) { return order_of(static_cast<std::conditional_t<std::is_same_v<Value, std::uint8_t>, std::uint8_t, float>>(values[i])); };
    if constexpr (std::is_same_v<Value, double>) {
        const bool exact = std::all_of(values, values + count, [](double v) { return static_cast<double>(static_cast<float>(v)) == v; });
        if (!exact) {
            const std::vector<Key> rank = ranks(values, count);
            fill_keys(grid, vertex_construction, padding, [&rank](std::size_t i) { return rank[i]; }, key);
            return;
        }
    }
    fill_keys(grid, vertex_construction, padding, direct, key);
}

}  // namespace topoprior
