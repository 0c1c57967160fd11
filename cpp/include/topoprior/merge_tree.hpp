// Dimension 0 and, upside down, the top dimension: components that merge, paired under the elder rule.
//
// Looking down, the nodes are the minima of the keys, and the components of a pixel's lower link say which of them
// merge there. Looking up, the nodes are the maxima, and the regions of the complement of the link merge. Both are the
// same procedure: find the extremum that every side of a critical pixel leads to, sort the critical pixels, and join.
// O(n) for the ways, O(c log c) for c critical pixels; 4 bytes per pixel for the labels, of which few are touched.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "topoprior/grid.hpp"
#include "topoprior/lower_link.hpp"
#include "topoprior/memory.hpp"
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

// Offsets to the next pixel on a way down or up, by link; 0 at an extremum, where the way ends.
template <Looking kLooking>
class Steps2 {
public:
    explicit Steps2(const Grid& grid) {
        const auto sy = static_cast<std::int32_t>(grid.stride_y);
        offset_ = {1, sy + 1, sy, sy - 1, -1, -sy - 1, -sy, -sy + 1};
        for (unsigned link = 0; link < 256; ++link) {
            const unsigned axis = kVertices2 & (kLooking == Looking::down ? link : ~link);
            const unsigned bits = axis != 0 || kLooking == Looking::down ? axis : ~link & 0xFF;
            step_[link] = bits == 0 ? 0 : offset_[static_cast<std::size_t>(std::countr_zero(bits))];
        }
    }
    Index next(Link2 link) const { return static_cast<Index>(step_[link]); }
    Index neighbour(Index pixel, unsigned bit) const { return pixel + static_cast<Index>(offset_[bit]); }

private:
    std::array<std::int32_t, 8> offset_;
    std::array<std::int32_t, 256> step_;
};

template <Looking kLooking>
class Steps3 {
public:
    explicit Steps3(const Grid& grid) {
        const auto offset = neighbour_offsets(grid);
        std::copy(offset.begin(), offset.end(), offset_.begin());
        end_ = kLooking == Looking::down ? 6 : 26;
    }
    Index next(Link3 link) const {
        const Link3 end = Link3{1} << end_;
        const auto bit =
            static_cast<unsigned>(std::countr_zero((kLooking == Looking::down ? link & (end - 1) : ~link) | end));
        return bit == end_ ? 0 : static_cast<Index>(offset_[bit]);
    }
    Index neighbour(Index voxel, unsigned bit) const { return voxel + static_cast<Index>(offset_[bit]); }

private:
    std::array<std::int32_t, 27> offset_{};
    unsigned end_;
};

// Node 0 is the padding, where that is an extremum; the others are pixels.
inline constexpr Index kFrame = 0;

template <Looking kLooking, class Link, class Steps>
class MergeTree {
public:
    Array<Merge> merges;  // in the order of the pixels

    // Begins with the extrema of an image; `frame` says whether the padding is one of them. Only their labels are
    // written and read, so that two trees can share the array.
    void begin(const Grid& grid, const Key* key, Link* link, Index* label, const Array<Index>& extrema, bool frame) {
        steps_.emplace(grid);
        link_ = link;
        cells_ = grid.cells;
        end_ = nullptr;
        label_ = label;
        merges.clear();
        nodes_.resize(extrema.size() + 1);
        nodes_[kFrame] = {kLooking == Looking::down ? 0 : ~std::uint64_t{0}, kFrame};
        if (frame) mark_frame(grid);
        for (std::size_t i = 0; i < extrema.size(); ++i) {
            const auto node = static_cast<Index>(i + 1);
            label_[extrema[i]] = node;
            nodes_[node] = {packed(key[extrema[i]], extrema[i]), node};
        }
        saddles_ = 0;
        sides_ = 0;
    }

    // The component of a saddle that holds its neighbour `bit` will meet, at the saddle, those added with `further`.
    void add_saddle(Index pixel, unsigned bit) {
        if (sides_ > kBlock) flush();
        saddle_[saddles_] = pixel;
        first_[saddles_++] = sides_;
        side_[sides_++] = steps_->neighbour(pixel, bit);
    }
    void further(unsigned bit) { side_[sides_++] = steps_->neighbour(saddle_[saddles_ - 1], bit); }

    // Follows the sides added so far to their extrema and appends their merges.
    void flush() {
        walk();
        std::size_t next = merges.size();
        merges.resize(next + sides_ - saddles_);
        first_[saddles_] = sides_;
        for (Index i = 0; i < saddles_; ++i)
            for (Index side = first_[i] + 1; side < first_[i + 1]; ++side)
                merges[next++] = {saddle_[i], side_[first_[i]], side_[side]};
        saddles_ = 0;
        sides_ = 0;
    }

    // Joins in the given order (looking up: from its end), keeps the pairs of non-zero length, and tells
    // `joined(position, merge)` for every merge whether it joined two components.
    template <class Joined>
    void join(const std::uint64_t* sorted, Array<Pair>& pairs, Joined&& joined) {
        const std::size_t count = merges.size();
        const auto position_of = [count](std::size_t i) { return kLooking == Looking::down ? i : count - 1 - i; };
        pairs.resize(count);
        std::size_t found = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t position = position_of(i);
            if (count > kCached && i + kAhead < count) {
                // The order is known, so that the next records can be on their way: they lie all over the memory.
                prefetch(&merges[static_cast<Index>(sorted[position_of(i + kAhead)])]);
                const Merge& soon = merges[static_cast<Index>(sorted[position_of(i + kAhead / 2)])];
                prefetch(&nodes_[soon.first]);
                prefetch(&nodes_[soon.second]);
            }
            const auto record = static_cast<Index>(sorted[position]);
            const Merge merge = merges[record];
            const Index first = find(merge.first);
            const Index second = find(merge.second);
            joined(position, record, first != second);
            // No processor can guess what follows, so there are no branches: a component joined to itself changes
            // nothing, and a pair that does not count is overwritten by the next.
            const bool first_is_elder = kLooking == Looking::down ? nodes_[first].order < nodes_[second].order
                                                                  : nodes_[first].order > nodes_[second].order;
            const Index younger = first_is_elder ? second : first;
            nodes_[younger].parent = first_is_elder ? first : second;
            const auto extremum = static_cast<Index>(nodes_[younger].order);
            const bool has_length = (nodes_[younger].order >> 32) != (sorted[position] >> 32) + 1;
            pairs[found] = kLooking == Looking::down ? Pair{extremum, merge.at} : Pair{merge.at, extremum};
            found += first != second && has_length ? 1 : 0;
        }
        pairs.resize(found);
    }

private:
    struct Node {
        std::uint64_t order;  // of its extremum
        Index parent;
    };

    // The root of a component is its eldest extremum, so no ranks are kept; path halving is fast enough.
    Index find(Index node) {
        while (nodes_[node].parent != node) {
            const Index above = nodes_[nodes_[node].parent].parent;
            nodes_[node].parent = above;
            node = above;
        }
        return node;
    }

    static constexpr std::size_t kAhead = 16;
    static constexpr std::size_t kCached = 1 << 13;  // so many merges stay in the nearest cache by themselves

    // Ways of a block are followed side by side, one step each in turn: a step waits for memory, and single ways end
    // where no processor expects it. Ways longer than kRounds, which only special images have, are remembered where
    // they went, so that the total stays O(n).
    static constexpr Index kBlock = 1024;
    static constexpr unsigned kRounds = 96;

    void walk() {
        for (Index i = 0; i < sides_; ++i)
            active_[i] = i;
        Index left = sides_;
        for (unsigned round = 0; round < kRounds && left > 0; ++round) {
            Index still = 0;
            for (Index i = 0; i < left; ++i) {
                const Index side = active_[i];
                const Index step = steps_->next(link_[side_[side]]);
                side_[side] += step;
                active_[still] = side;
                still += step != 0 ? 1 : 0;
            }
            left = still;
        }
        for (Index i = 0; i < left; ++i)
            side_[active_[i]] = walk_far(side_[active_[i]]);
        for (Index i = 0; i < sides_; ++i)
            side_[i] = label_[side_[i]];
    }

    Index walk_far(Index pixel) {
        if (end_ == nullptr) end_ = ends_.zeroed(cells_);
        Index last = pixel;
        while (end_[last] == 0) {
            const Index step = steps_->next(link_[last]);
            if (step == 0) end_[last] = last + 1;
            last += step;
        }
        const Index end = end_[last];
        while (end_[pixel] == 0) {
            end_[pixel] = end;
            pixel += steps_->next(link_[pixel]);
        }
        return end - 1;
    }

    // The padding becomes one extremum: ways end on it, and all of its cells carry one label.
    void mark_frame(const Grid& grid) {
        constexpr Link kEnd = kLooking == Looking::down ? Link{0} : std::numeric_limits<Link>::max();
        const auto fill = [&](Index begin, Index end) {
            std::fill(label_ + begin, label_ + end, kFrame);
            std::fill(link_ + begin, link_ + end, kEnd);
        };
        const Index planes = grid.cells / grid.stride_z;
        for (Index z = 0; z < planes; ++z) {
            const Index begin = z * grid.stride_z;
            if (grid.dimension == 3 && (z == 0 || z + 1 == planes)) {
                fill(begin, begin + grid.stride_z);
                continue;
            }
            for (Index row = begin; row < begin + grid.stride_z; row += grid.stride_y) {
                fill(row, row + 1);
                fill(row + grid.stride_y - 1, row + grid.stride_y);
            }
            fill(begin, begin + grid.stride_y);
            fill(begin + grid.stride_z - grid.stride_y, begin + grid.stride_z);
        }
    }

    std::optional<Steps> steps_;
    Link* link_ = nullptr;
    Index cells_ = 0;
    Index* label_ = nullptr;  // of extrema and the frame only
    Buffer<Index> ends_;
    Index* end_ = nullptr;  // of far ways, plus one; 0 where none has passed
    Array<Node> nodes_;

    // The block: saddles, where their sides begin, and where the sides have got to. A saddle has at most 6 sides.
    std::array<Index, kBlock + 8> saddle_;
    std::array<Index, kBlock + 8> first_;
    std::array<Index, kBlock + 8> side_;
    std::array<Index, kBlock + 8> active_;
    Index saddles_ = 0;
    Index sides_ = 0;
};

// Merges sorted by the key of their pixel; merges of one pixel keep their order.
class SortedMerges {
public:
    std::uint64_t* sort(const Array<Merge>& merges, const Key* key) {
        std::uint64_t* records = first_.get(merges.size());
        for (std::size_t i = 0; i < merges.size(); ++i)
            records[i] = static_cast<std::uint64_t>(static_cast<std::uint32_t>(key[merges[i].at])) << 32 | i;
        return sort_by_key(records, second_.get(merges.size()), merges.size());
    }

private:
    Buffer<std::uint64_t> first_;
    Buffer<std::uint64_t> second_;
};

}  // namespace topoprior
