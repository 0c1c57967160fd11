// One arbitrary input for the core: bytes become a shape, options and values; whatever they are, the answer must be a
// barcode whose alternating sum is the Euler number of the mask, at every threshold.
//
// core_tests drives this with random bytes. With clang, `-fsanitize=fuzzer` finds the entry point in fuzz_target.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "topoprior/persistence.hpp"

namespace topoprior::tests {

inline void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::abort();
}

// Euler number of the pixels `present`, counted cell by cell. T: the cells of closed pixels. V: a cell belongs to the
// mask if all of its pixels do. `shape` has three sides, of which the last `dimension` count.
inline long euler_number(const std::vector<bool>& present, const std::vector<std::size_t>& shape,
                         Construction construction) {
    std::size_t side[3] = {1, 1, 1};
    const std::size_t dimension = shape.size();
    for (std::size_t axis = 0; axis < dimension; ++axis)
        side[3 - dimension + axis] = shape[axis];
    // Cells live on a grid of 2n + 1 places along each axis that counts: odd places are pixels, even ones lie between.
    long sum = 0;
    std::size_t places[3];
    for (std::size_t axis = 0; axis < 3; ++axis)
        places[axis] = axis + dimension < 3 ? 1 : 2 * side[axis] + 1;
    for (std::size_t z = 0; z < places[0]; ++z)
        for (std::size_t y = 0; y < places[1]; ++y)
            for (std::size_t x = 0; x < places[2]; ++x) {
                const std::size_t place[3] = {z, y, x};
                std::size_t between = 0;
                for (std::size_t axis = 3 - dimension; axis < 3; ++axis)
                    between += place[axis] % 2 == 0 ? 1 : 0;
                bool any = false;
                bool all = true;
                for (unsigned corner = 0; corner < 8; ++corner) {
                    std::size_t pixel[3] = {0, 0, 0};
                    bool inside = true;
                    bool counts = true;
                    for (std::size_t axis = 0; axis < 3; ++axis) {
                        const bool upper = (corner >> axis & 1) != 0;
                        const bool even = axis + dimension >= 3 && place[axis] % 2 == 0;
                        if (upper && !even) counts = false;  // the same pixel again
                        const std::size_t index = place[axis] / 2;
                        const bool outside = even && (upper ? index >= side[axis] : index == 0);
                        if (outside) inside = false;
                        pixel[axis] = even && !upper ? index - 1 : index;
                    }
                    if (!counts) continue;
                    const bool here = inside && present[(pixel[0] * side[1] + pixel[1]) * side[2] + pixel[2]];
                    any = any || here;
                    all = all && here;
                }
                // T: the cell has dimension d - between. V: it spans `between` axes, and needs all of its pixels.
                const bool belongs = construction == Construction::T ? any : all;
                const std::size_t cell = construction == Construction::T ? dimension - between : between;
                if (belongs) sum += cell % 2 == 0 ? 1 : -1;
            }
    return sum;
}

inline void fuzz_one(const std::uint8_t* data, std::size_t size) {
    if (size < 8) return;
    std::vector<std::size_t> shape;
    const std::size_t dimension = 1 + data[0] % 3;
    const std::size_t longest = dimension == 1 ? 40 : dimension == 2 ? 12 : 6;
    std::size_t pixels = 1;
    for (std::size_t axis = 0; axis < dimension; ++axis) {
        shape.push_back(1 + data[1 + axis] % longest);
        pixels *= shape.back();
    }
    const Options options{data[4] % 2 == 0 ? Construction::T : Construction::V,
                          data[5] % 2 == 0 ? Boundary::background : Boundary::foreground, 7};
    const int levels = 1 << data[6] % 4;  // few levels: ties; powers of two: lengths are exact in both precisions
    std::vector<float> values(pixels);
    for (std::size_t i = 0; i < pixels; ++i)
        values[i] = static_cast<float>(data[7 + i % (size - 7)] % (levels + 1)) / static_cast<float>(levels);

    const auto bars = BatchPersistence<float>(shape, options).run(values.data(), 1, 2).front();
    const std::vector<double> doubles(values.begin(), values.end());
    const auto same = BatchPersistence<double>(shape, options).run(doubles.data(), 1, 1).front();
    for (std::size_t k = 0; k < 3; ++k) {
        require(bars[k].size() == same[k].size(), "float and double give the same number of bars");
        for (std::size_t i = 0; i < bars[k].size(); ++i)
            require(bars[k][i].birth == same[k][i].birth && bars[k][i].death == same[k][i].death,
                    "float and double give the same bars");
    }
    if (options.boundary == Boundary::foreground) return;  // the sphere is tested against a complex, in Python
    for (int level = 0; level <= levels; ++level) {
        const float threshold = static_cast<float>(level) / static_cast<float>(levels);
        long sum = 0;
        for (std::size_t k = 0; k < 3; ++k)
            for (const Bar bar : bars[k]) {
                const bool born = values[bar.birth] >= threshold;
                const bool dead = bar.death != kNoPixel && values[bar.death] >= threshold;
                if (born && !dead) sum += k % 2 == 0 ? 1 : -1;
            }
        std::vector<bool> present(pixels);
        for (std::size_t i = 0; i < pixels; ++i)
            present[i] = values[i] >= threshold;
        require(sum == euler_number(present, shape, options.construction), "bars add up to the Euler number");
    }
}

}  // namespace topoprior::tests
