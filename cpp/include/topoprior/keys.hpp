// From pixel values in [0, 1] to the integer keys of a padded grid.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "topoprior/grid.hpp"
#include "topoprior/memory.hpp"
#include "topoprior/threads.hpp"
#include "topoprior/wider_registers.hpp"

namespace topoprior {

// The order of floats in [0, 1] is the order of their bits. Adding zero turns -0 into +0; whatever lies outside, NaN
// included, has bits above those of one when they are read without a sign.
inline Key order_of(float value) {
    return std::bit_cast<Key>(value + 0.0F);
}
inline Key order_of(std::uint8_t value) {
    return value != 0 ? kOneKey : 0;
}
inline Key order_of(Key rank) {
    return rank;
}

// The opposite order; unsigned, since what will be refused in a moment may lie anywhere.
inline Key negated(Key order) {
    return static_cast<Key>(static_cast<std::uint32_t>(kOneKey) - static_cast<std::uint32_t>(order));
}

[[noreturn]] inline void refuse_value(double value, std::size_t pixel) {
    throw std::invalid_argument("values must be finite and lie in [0, 1], got " + std::to_string(value) + " at pixel " +
                                std::to_string(pixel));
}

template <class Value>
void check_values(const Value* values, std::size_t count) {
    if constexpr (std::is_floating_point_v<Value>) {
        for (std::size_t i = 0; i < count; ++i)
            if (!(values[i] >= Value{0} && values[i] <= Value{1})) refuse_value(static_cast<double>(values[i]), i);
    }
}

// Keys of a row, negated and forwards. Returns the largest order met, as an unsigned number.
TOPOPRIOR_WIDER_REGISTERS
inline std::uint32_t negated_row(const float* values, std::size_t count, Key* __restrict key) {
    std::uint32_t largest = 0;
    for (std::size_t x = 0; x < count; ++x) {
        const Key order = order_of(values[x]);
        largest = std::max(largest, static_cast<std::uint32_t>(order));
        key[x] = negated(order);
    }
    return largest;
}

// Keys of a row, backwards.
TOPOPRIOR_WIDER_REGISTERS
inline std::uint32_t reversed_row(const float* values, std::size_t count, Key* __restrict key) {
    std::uint32_t largest = 0;
    for (std::size_t x = 0; x < count; ++x) {
        const Key order = order_of(values[count - 1 - x]);
        largest = std::max(largest, static_cast<std::uint32_t>(order));
        key[x] = order;
    }
    return largest;
}

// Keys of a row from any other kind of order: bytes, or ranks.
template <class Order>
void write_row(const Order* order, std::size_t count, bool vertex_construction, Key* key) {
    for (std::size_t x = 0; x < count; ++x)
        key[x] = vertex_construction ? negated(order_of(order[x])) : order_of(order[count - 1 - x]);
}

// Fills the padded grid; `write(first, out)` writes the keys of the row whose first pixel has flat index `first`.
// The T-construction reads the image backwards: its rows come in reverse, each of them reversed.
template <class Write>
void fill_keys(const Grid& grid, bool vertex_construction, Key padding, Team& team, Write&& write, Key* key) {
    const std::size_t rows = grid.rows();
    const std::size_t slabs = std::min(team.slabs(), rows);
    team.loop(slabs, [&](std::size_t slab, std::size_t) {
        const std::size_t first = rows * slab / slabs;
        const std::size_t last = rows * (slab + 1) / slabs;
        Index padded = first == 0 ? 0 : grid.row_begin(static_cast<Index>(first - 1)) + grid.side[0];
        for (std::size_t row = first; row < last; ++row) {
            const Index begin = grid.row_begin(static_cast<Index>(row));
            std::fill(key + padded, key + begin, padding);
            write((vertex_construction ? row : rows - 1 - row) * grid.side[0], key + begin);
            padded = begin + grid.side[0];
        }
        if (last == rows) std::fill(key + padded, key + grid.cells, padding);
    });
}

// Ranks of doubles, equal values sharing one. Only needed where single precision would merge values.
inline std::vector<Key> ranks(const double* values, std::size_t count) {
    std::vector<Index> sorted(count);
    for (std::size_t i = 0; i < count; ++i)
        sorted[i] = static_cast<Index>(i);
    std::sort(sorted.begin(), sorted.end(), [values](Index a, Index b) { return values[a] < values[b]; });
    std::vector<Key> rank(count);
    Key next = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0 && values[sorted[i]] != values[sorted[i - 1]]) ++next;
        rank[sorted[i]] = next;
    }
    return rank;
}

inline void load_keys(const Grid& grid, const float* values, bool vertex_construction, Key padding, Team& team,
                      Key* key) {
    const std::size_t width = grid.side[0];
    std::atomic<bool> good = true;
    const auto write = [&](std::size_t first, Key* out) {
        const std::uint32_t largest =
            vertex_construction ? negated_row(values + first, width, out) : reversed_row(values + first, width, out);
        if (largest > static_cast<std::uint32_t>(kOneKey)) good = false;
    };
    fill_keys(grid, vertex_construction, padding, team, write, key);
    if (!good) check_values(values, grid.pixels());
}

template <class Order>
void load_orders(const Grid& grid, const Order* order, bool vertex_construction, Key padding, Team& team, Key* key) {
    const auto write = [&](std::size_t first, Key* out) {
        write_row(order + first, grid.side[0], vertex_construction, out);
    };
    fill_keys(grid, vertex_construction, padding, team, write, key);
}

inline void load_keys(const Grid& grid, const std::uint8_t* values, bool vertex_construction, Key padding, Team& team,
                      Key* key) {
    load_orders(grid, values, vertex_construction, padding, team, key);
}

inline void load_keys(const Grid& grid, const double* values, bool vertex_construction, Key padding, Team& team,
                      Key* key) {
    const std::size_t count = grid.pixels();
    check_values(values, count);
    if (std::all_of(values, values + count,
                    [](double value) { return static_cast<double>(static_cast<float>(value)) == value; })) {
        Buffer<float> single;
        std::transform(values, values + count, single.get(count),
                       [](double value) { return static_cast<float>(value); });
        load_keys(grid, single.get(count), vertex_construction, padding, team, key);
    } else {
        load_orders(grid, ranks(values, count).data(), vertex_construction, padding, team, key);
    }
}

}  // namespace topoprior
