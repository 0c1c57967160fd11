// A padded grid of integer keys, and the one place where values become an order.
//
// Everything downstream works on the V-construction of the *sub*-level sets of a padded array of keys; a pixel enters
// before another if its pair (key, index) is smaller. Keys are integers in [0, 2^30), so comparisons are exact, cheap
// and vectorise on any processor:
//
//   V-construction of super-level sets of S:  key = order of -S, read forwards;
//   T-construction of super-level sets of S:  key = order of  S, read backwards (Alexander duality, persistence.hpp).
//
// Reading backwards makes ties break alike in both: pixels enter from high to low value, equal values in C order.
// One layer of padding surrounds the pixels. Its key lies below or above all others; which, says what the outside is.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace topoprior {

using Key = std::int32_t;
using Index = std::uint32_t;

inline constexpr Key kLowestKey = -1;                                // padding that enters before every pixel
inline constexpr Key kHighestKey = std::numeric_limits<Key>::max();  // padding that enters after every pixel
inline constexpr Key kOneKey = std::bit_cast<Key>(1.0F);         // bits of 1.0: floats in [0, 1] sort like their bits
inline constexpr std::size_t kMostCells = std::size_t{1} << 29;  // so that (key, index, 5 bits) packs into 64 bits

// Shape and strides of a 2-D or 3-D image with one layer of padding. Sides are (x, y, z), x fastest.
struct Grid {
    int dimension;
    std::array<Index, 3> side;
    Index stride_y;
    Index stride_z;
    Index cells;   // padded pixels
    Index origin;  // padded index of the first pixel
    double inverse_y;
    double inverse_z;

    Grid(int dimension_, std::array<Index, 3> side_) : dimension(dimension_), side(side_) {
        const Index padded_z = dimension == 3 ? side[2] + 2 : 1;
        stride_y = side[0] + 2;
        stride_z = stride_y * (side[1] + 2);
        cells = stride_z * padded_z;
        origin = (dimension == 3 ? stride_z : 0) + stride_y + 1;
        inverse_y = 1.0 / stride_y;
        inverse_z = 1.0 / stride_z;
    }

    Index pixels() const { return side[0] * side[1] * side[2]; }
    Index rows() const { return side[1] * side[2]; }

    // Padded index of the first pixel of row r, rows counted over y, then z.
    Index row_begin(Index row) const {
        const Index z = row / side[1];
        const Index y = row - z * side[1];
        return origin + z * stride_z + y * stride_y;
    }

    // Flat index of a padded one. Multiplying by an inverse is exact below 2^30 and several times faster than dividing.
    Index flat(Index padded) const {
        const Index offset = padded - origin;
        const Index z = static_cast<Index>((offset + 0.5) * inverse_z);
        const Index rest = offset - z * stride_z;
        const Index y = static_cast<Index>((rest + 0.5) * inverse_y);
        return (z * side[1] + y) * side[0] + (rest - y * stride_y);
    }
};

// (key, index) as one number that sorts like the pair.
inline std::uint64_t packed(Key key, Index index) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(key) + 1U) << 32) | index;
}

}  // namespace topoprior
