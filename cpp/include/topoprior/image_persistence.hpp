// One image of two or three axes: from values to pairs of pixels.
//
// Links of all pixels, the critical ones among them, then the trees of minima and of maxima side by side, then the
// loops between (3-D). The object is the working memory of a thread and is used for one image after the other.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "topoprior/grid.hpp"
#include "topoprior/keys.hpp"
#include "topoprior/loops.hpp"
#include "topoprior/lower_link.hpp"
#include "topoprior/memory.hpp"
#include "topoprior/merge_tree.hpp"
#include "topoprior/sorting.hpp"
#include "topoprior/threads.hpp"

namespace topoprior {

namespace detail {

struct CriticalPixels {
    Array<Index> minima;
    Array<Index> maxima;
    Array<Index> saddles;

    void clear() {
        minima.clear();
        maxima.clear();
        saddles.clear();
    }
    void append(const CriticalPixels& other) {
        minima.insert(minima.end(), other.minima.begin(), other.minima.end());
        maxima.insert(maxima.end(), other.maxima.begin(), other.maxima.end());
        saddles.insert(saddles.end(), other.saddles.begin(), other.saddles.end());
    }
};

}  // namespace detail

// The working memory of one thread, and the algorithm on one image of 2 or 3 axes.
template <int kDimension>
class ImagePersistence {
    using Link = std::conditional_t<kDimension == 2, Link2, Link3>;
    template <Looking kLooking>
    using Steps = std::conditional_t<kDimension == 2, Steps2<kLooking>, Steps3<kLooking>>;

public:
    // Pairs in padded indices, by what merges: minima (dimension 0 of the keys), loops (3-D), maxima (top dimension).
    Array<Pair> minima_pairs;
    Array<Pair> loop_pairs;
    Array<Pair> maxima_pairs;

    // Bars of one image. `wanted` has bit 0 for minima, bit 1 for loops, bit 2 for maxima.
    template <class Value>
    void run(const Grid& grid, const Value* values, bool vertex_construction, Key padding, unsigned wanted,
             Team& team) {
        Key* key = keys_.get(grid.cells);
        load_keys(grid, values, vertex_construction, padding, team, key);
        Link* link = links_.get(grid.cells);
        find_critical_pixels(grid, key, link, team);
        minima_pairs.clear();
        loop_pairs.clear();
        maxima_pairs.clear();
        const bool frame_is_lowest = padding == kLowestKey;
        if constexpr (kDimension == 2) {
            pair_2d(grid, key, link, frame_is_lowest, wanted, team);
        } else {
            pair_3d(grid, key, link, frame_is_lowest, wanted, team);
        }
    }

    // The pixel that enters last of all, and first: the essential component of T and of V.
    Index highest_pixel(const Key* key) const { return extreme(critical_.maxima, key, true); }
    Index lowest_pixel(const Key* key) const { return extreme(critical_.minima, key, false); }
    const Key* keys() { return keys_.get(0); }

private:
    static Index extreme(const Array<Index>& pixels, const Key* key, bool highest) {
        Index best = pixels.front();
        for (const Index pixel : pixels)
            if ((packed(key[pixel], pixel) > packed(key[best], best)) == highest) best = pixel;
        return best;
    }

    void find_critical_pixels(const Grid& grid, const Key* key, Link* link, Team& team) {
        const std::size_t rows = grid.rows();
        const std::size_t slabs = std::min(team.slabs(), rows);
        slabs_.resize(slabs);
        team.loop(slabs, [&](std::size_t slab, std::size_t) {
            const auto begin = static_cast<Index>(rows * slab / slabs);
            const auto end = static_cast<Index>(rows * (slab + 1) / slabs);
            slabs_[slab].clear();
            Array<std::uint8_t> critical;
            for (Index row = begin; row < end;) {
                // Several rows at once, the padding between them included: short rows would leave the registers half
                // empty.
                const Index last = std::min(end, row + std::max<Index>(1, kRun / grid.stride_y)) - 1;
                const Index first_cell = grid.row_begin(row);
                const Index cells = grid.row_begin(last) + grid.side[0] - first_cell;
                critical.resize(cells + 8);
                links_of_run(grid, key + first_cell, link + first_cell, cells, critical.data());
                for (; row <= last; ++row) {
                    const Index first = grid.row_begin(row);
                    collect(link, first, grid.side[0], critical.data() + (first - first_cell), slabs_[slab]);
                }
            }
        });
        critical_.clear();
        for (const auto& slab : slabs_)
            critical_.append(slab);
    }

    static constexpr Index kRun = 4096;

    static void links_of_run(const Grid& grid, const Key* run, Link* link, Index cells, std::uint8_t* critical) {
        const auto sy = static_cast<std::ptrdiff_t>(grid.stride_y);
        if constexpr (kDimension == 2) {
            link_run(run - sy, run, run + sy, cells, link, critical);
        } else {
            const auto sz = static_cast<std::ptrdiff_t>(grid.stride_z);
            const std::array<const Key*, 9> runs = {run - sz - sy, run - sz,      run - sz + sy, run - sy,     run,
                                                    run + sy,      run + sz - sy, run + sz,      run + sz + sy};
            link_run(runs.data(), cells, link, critical);
        }
    }

    // Eight flags at a time: in smooth images nearly all are zero. Where they are not, they are unpredictable, so every
    // pixel is written to all three lists, and the ends of the lists move by what it is.
    static void collect(const Link* link, Index first, Index width, const std::uint8_t* critical,
                        detail::CriticalPixels& found) {
        Index* minima = room(found.minima, width);
        Index* maxima = room(found.maxima, width);
        Index* saddles = room(found.saddles, width);
        for (Index block = 0; block < width; block += 8) {
            std::uint64_t flags;
            std::memcpy(&flags, critical + block, 8);
            if (flags == 0) continue;
            const Index end = std::min(block + 8, width);
            for (Index x = block; x < end; ++x) {
                const Index pixel = first + x;
                const unsigned kind = kDimension == 2 || critical[x] != 0 ? kind_of(link[pixel]) : 0;
                *minima = *maxima = *saddles = pixel;
                minima += kind & 1;
                maxima += kind >> 1 & 1;
                saddles += kind >> 2;
            }
        }
        found.minima.resize(static_cast<std::size_t>(minima - found.minima.data()));
        found.maxima.resize(static_cast<std::size_t>(maxima - found.maxima.data()));
        found.saddles.resize(static_cast<std::size_t>(saddles - found.saddles.data()));
    }

    static Index* room(Array<Index>& list, Index count) {
        const std::size_t size = list.size();
        if (list.capacity() < size + count + 1) list.reserve(2 * (size + count + 1));
        list.resize(size + count + 1);
        return list.data() + size;
    }

    // 1: minimum, 2: maximum, 4: saddle, 0: regular.
    static unsigned kind_of(Link2 link) { return kKinds[link]; }
    static unsigned kind_of(Link3 link) {
        if ((link & kVertices3) == 0) return 1;
        if (link == kFullLink3) return 2;
        return kLinkTable.components(link) != 1 || euler_characteristic(link) != 1 ? 4 : 0;
    }

    void pair_2d(const Grid& grid, const Key* key, Link* link, bool frame_is_lowest, unsigned wanted, Team& team) {
        const bool down = (wanted & 1) != 0;
        const bool up = (wanted & 4) != 0;
        // A saddle with c components below has c regions above: both trees have the same merges, so one order serves.
        std::uint64_t* sorted = nullptr;
        std::size_t count = 0;
        for (const Index pixel : critical_.saddles)
            count += kMerges[link[pixel]];
        Index* label = labels_.get(grid.cells);
        if (down && up && (team.size() == 1 || count < Team::kFew)) {
            pair_in_turn(grid, key, link, label, frame_is_lowest, count);
            return;
        }
        team.side_by_side(
            [&] {
                if (!down) return;
                minima_.begin(grid, key, link, label, critical_.minima, frame_is_lowest);
                minima_.merges.reserve(count);
                for (const Index pixel : critical_.saddles)
                    add_sides(minima_, pixel, component_begins(link[pixel]));
                minima_.flush();
                if (!up) sorted = edge_sort_.sort(minima_.merges, key);
            },
            [&] {
                if (!up) return;
                maxima_.begin(grid, key, link, label, critical_.maxima, !frame_is_lowest);
                maxima_.merges.reserve(count);
                for (const Index pixel : critical_.saddles)
                    add_sides(maxima_, pixel, component_gaps(link[pixel]));
                maxima_.flush();
                sorted = edge_sort_.sort(maxima_.merges, key);
            });
        const auto ignore = [](std::size_t, Index, bool) {};
        team.side_by_side(
            [&] {
                if (down) minima_.join(sorted, minima_pairs, ignore);
            },
            [&] {
                if (up) maxima_.join(sorted, maxima_pairs, ignore);
            });
    }

    // One tree after the other. A merge that joined two minima cannot join two maxima (an edge either connects or opens
    // a loop), so that the second tree has half the work. Where several merges share a pixel, all of them are kept.
    void pair_in_turn(const Grid& grid, const Key* key, Link* link, Index* label, bool frame_is_lowest,
                      std::size_t count) {
        minima_.begin(grid, key, link, label, critical_.minima, frame_is_lowest);
        minima_.merges.reserve(count);
        for (const Index pixel : critical_.saddles)
            add_sides(minima_, pixel, component_begins(link[pixel]));
        minima_.flush();
        std::uint64_t* sorted = edge_sort_.sort(minima_.merges, key);
        constexpr Index kDone = ~Index{0};
        number_.resize(count);  // of each merge in the second tree
        minima_.join(sorted, minima_pairs,
                     [this](std::size_t, Index record, bool joined) { number_[record] = joined ? kDone : 0; });
        maxima_.begin(grid, key, link, label, critical_.maxima, !frame_is_lowest);
        maxima_.merges.reserve(count);
        Index next = 0;
        Index record = 0;
        for (const Index pixel : critical_.saddles) {
            const Index merges = kMerges[link[pixel]];
            if (merges == 1 && number_[record] == kDone) {
                ++record;
                continue;
            }
            for (Index i = 0; i < merges; ++i)
                number_[record++] = next++;
            add_sides(maxima_, pixel, component_gaps(link[pixel]));
        }
        maxima_.flush();
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const Index number = number_[static_cast<Index>(sorted[i])];
            sorted[kept] = sorted[i] >> 32 << 32 | number;
            kept += number != kDone ? 1 : 0;
        }
        maxima_.join(sorted, maxima_pairs, [](std::size_t, Index, bool) {});
    }

    template <class Tree>
    static void add_sides(Tree& tree, Index pixel, unsigned bits) {
        tree.add_saddle(pixel, static_cast<unsigned>(std::countr_zero(bits)));
        for (bits &= bits - 1; bits != 0; bits &= bits - 1)
            tree.further(static_cast<unsigned>(std::countr_zero(bits)));
    }

    void pair_3d(const Grid& grid, const Key* key, Link* link, bool frame_is_lowest, unsigned wanted, Team& team) {
        const auto offset = neighbour_offsets(grid);
        const bool loops = (wanted & 2) != 0;
        const bool down = loops || (wanted & 1) != 0;
        const bool up = loops || (wanted & 4) != 0;
        Index* label = labels_.get(grid.cells);
        const std::uint64_t* edge_order = nullptr;
        const std::uint64_t* square_order = nullptr;
        team.side_by_side(
            [&] {
                if (!down) return;
                minima_.begin(grid, key, link, label, critical_.minima, frame_is_lowest);
                for (const Index voxel : critical_.saddles)
                    add_edges(voxel, link[voxel]);
                minima_.flush();
                edge_order = edge_sort_.sort(minima_.merges, key);
                loop_.resize(minima_.merges.size());
                opening_.clear();
                minima_.join(edge_order, minima_pairs, [&](std::size_t position, Index record, bool joined) {
                    loop_[position] = joined ? LoopReduction::kNone : static_cast<Index>(opening_.size());
                    if (!joined) opening_.push_back(minima_.merges[record].at);
                });
            },
            [&] {
                if (!up) return;
                maxima_.begin(grid, key, link, label, critical_.maxima, !frame_is_lowest);
                squares_.clear();
                for (const Index voxel : critical_.saddles)
                    add_squares(voxel, link[voxel]);
                maxima_.flush();
                square_order = square_sort_.sort(maxima_.merges, key);
                closes_.resize(squares_.size());
                maxima_.join(square_order, maxima_pairs, [&](std::size_t, Index record, bool joined) {
                    closes_[record] = static_cast<std::uint8_t>(!joined);
                });
            });
        if (!loops) return;
        // The labels have done their work; their memory now tells where the merges of a voxel begin.
        Index* first_merge = label;
        for (std::size_t position = minima_.merges.size(); position-- > 0;)
            first_merge[minima_.merges[static_cast<Index>(edge_order[position])].at] = static_cast<Index>(position);
        LoopReduction(key, link, offset, first_merge, loop_)
            .run(squares_, closes_, square_order, opening_, team, loop_pairs);
    }

    void add_edges(Index voxel, Link3 link) {
        if (kLinkTable.components(link) < 2) return;
        unsigned roots = 0;
        for (unsigned left = link & kVertices3; left != 0; left &= left - 1) {
            const auto vertex = static_cast<unsigned>(std::countr_zero(left));
            if (kLinkTable.parent(link, vertex) == LinkTable::kRoot) roots |= 1U << vertex;
        }
        add_sides(minima_, voxel, roots);
    }

    void add_squares(Index voxel, Link3 link) {
        if (static_cast<int>(kLinkTable.components(link)) == euler_characteristic(link)) return;
        std::array<CriticalSquare, 7> square;
        const unsigned count = critical_squares(link, square);
        for (unsigned i = 0; i < count; ++i) {
            maxima_.add_saddle(voxel, upper_neighbour(link, square[i].region[0]));
            maxima_.further(upper_neighbour(link, square[i].region[1]));
            squares_.push_back({voxel, square[i].edge});
        }
    }

    Buffer<Key> keys_;
    Buffer<Link> links_;
    Buffer<Index> labels_;
    std::vector<detail::CriticalPixels> slabs_;
    detail::CriticalPixels critical_;
    MergeTree<Looking::down, Link, Steps<Looking::down>> minima_;
    MergeTree<Looking::up, Link, Steps<Looking::up>> maxima_;
    Array<Index> number_;
    SortedMerges edge_sort_;  // in 2-D of both trees
    SortedMerges square_sort_;
    Array<Index> loop_;
    Array<Index> opening_;
    Array<LoopReduction::Square> squares_;
    Array<std::uint8_t> closes_;
};

}  // namespace topoprior
