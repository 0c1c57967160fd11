// Stable sorting of records by a 30-bit key: (key << 32 | record) in three passes of ten bits.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "topoprior/memory.hpp"

namespace topoprior {

// Sorts by the upper half, in which only the lowest 30 bits may be set; equal ones keep their order, which is that of
// the lower half when records are numbered as they come. Returns the sorted array: `records` or `spare`.
inline std::uint64_t* sort_by_key(std::uint64_t* records, std::uint64_t* spare, std::size_t count) {
    if (count < 128) {  // measured: below this the histograms cost more than comparisons
        std::sort(records, records + count);
        return records;
    }
    constexpr unsigned kBits = 10;
    constexpr std::size_t kBuckets = std::size_t{1} << kBits;
    std::array<std::array<std::uint32_t, kBuckets>, 3> histogram{};
    for (std::size_t i = 0; i < count; ++i)
        for (unsigned pass = 0; pass < 3; ++pass)
            ++histogram[pass][records[i] >> (32 + kBits * pass) & (kBuckets - 1)];
    for (unsigned pass = 0; pass < 3; ++pass) {
        const unsigned shift = 32 + kBits * pass;
        auto& bucket = histogram[pass];
        if (bucket[records[0] >> shift & (kBuckets - 1)] == count) continue;  // all alike in these bits
        std::uint32_t begin = 0;
        for (std::uint32_t& entry : bucket) {
            const std::uint32_t size = entry;
            entry = begin;
            begin += size;
        }
        for (std::size_t i = 0; i < count; ++i)
            spare[bucket[records[i] >> shift & (kBuckets - 1)]++] = records[i];
        std::swap(records, spare);
    }
    return records;
}

}  // namespace topoprior
