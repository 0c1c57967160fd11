// Dimension 1 in 3-D: the critical edges that open loops, paired with the critical squares that close them.
//
// Dimensions 0 and 2 have told which critical edges open loops (they join nothing) and which critical squares close them
// (they join nothing either, looking up). What is left is a matrix with one column per closing square and one row per
// opening edge, and every column has a pivot. It is built and reduced in two steps.
//
// 1. Boundaries. Every closing square is followed along the matching inside the lower stars, recomputed from the links,
//    until only opening edges are left. Edges are visited from late to early, so those of one voxel come together, as
//    six bits; a set of edges of a lower star is pushed along the spanning forest of the link to the roots. Squares are
//    independent of each other: this step runs on all threads.
// 2. Reduction over F2, columns in the order of the filtration, latest edge as pivot. Rows are numbered in that order, so
//    that the column being reduced is a set of small integers; it is kept as bits with a tree of occupied words above.
//    Reduced columns are stored sorted and without cancelled pairs, as plain lists.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "topoprior/grid.hpp"
#include "topoprior/lower_link.hpp"
#include "topoprior/merge_tree.hpp"
#include "topoprior/threads.hpp"

namespace topoprior {

// A set of integers below a bound that finds its maximum quickly: 64 bits per word, and a bit per occupied word above.
class BitTree {
public:
    void reset(std::size_t bound) {
        levels_.clear();
        do {
            bound = (bound + 63) / 64;
            levels_.emplace_back(bound, 0);
        } while (bound > 1);
    }

    void toggle(Index value) {
        std::size_t position = value;
        for (auto& level : levels_) {
            std::uint64_t& word = level[position >> 6];
            const bool was_empty = word == 0;
            word ^= std::uint64_t{1} << (position & 63);
            if (!was_empty && word != 0) return;
            position >>= 6;
        }
    }

    bool empty() const { return levels_.back()[0] == 0; }

    Index maximum() const {
        std::size_t position = 0;
        for (std::size_t level = levels_.size(); level-- > 0;)
            position = position << 6 | static_cast<std::size_t>(63 - std::countl_zero(levels_[level][position]));
        return static_cast<Index>(position);
    }

private:
    std::vector<std::vector<std::uint64_t>> levels_;
};

class LoopReduction {
public:
    // A critical square of the lower star of voxel `at`: an edge of its link.
    struct Square {
        Index at;
        std::uint8_t edge;
    };

    static constexpr Index kNone = std::numeric_limits<Index>::max();

    // `loop[i]`: row of the i-th sorted merge of dimension 0, or kNone if it joined components.
    // `first_merge[v]`: position of the first merge of voxel v in that order.
    LoopReduction(const Key* key, const Link3* link, const std::array<std::int32_t, 26>& offset, const Index* first_merge,
                  const std::vector<Index>& loop)
        : key_(key), link_(link), offset_(offset), first_merge_(first_merge), loop_(loop) {}

    // `squares` as they come in the image, with `closes[i]` where square i closes a loop; `sorted` lists them in the order
    // of the filtration; `opening[row]` is the voxel of a row. Appends the pairs of non-zero length.
    void run(const std::vector<Square>& squares, const std::vector<std::uint8_t>& closes, const std::uint64_t* sorted,
             const std::vector<Index>& opening, std::size_t threads, std::vector<Pair>& pairs) {
        boundaries(squares, closes, threads);
        reduce(squares, closes, sorted, opening, pairs);
    }

private:
    struct Column {
        const Index* begin;
        Index size;
    };

    // Entries sort by (key, voxel); the lowest three bits name the direction of the edge.
    using Entry = std::uint64_t;
    static Entry entry(Key key, Index voxel, unsigned direction) {
        return static_cast<Entry>(static_cast<std::uint32_t>(key)) << 32 | static_cast<Entry>(voxel) << 3 | direction;
    }

    void boundaries(const std::vector<Square>& squares, const std::vector<std::uint8_t>& closes, std::size_t threads) {
        const std::size_t pieces = threads == 1 ? 1 : 16 * threads;
        const std::size_t size = (squares.size() + pieces - 1) / pieces;
        columns_.resize(squares.size());
        stores_.assign(pieces, {});
        parallel_for(threads, pieces, [&](std::size_t piece, std::size_t) {
            std::vector<Entry> heap;
            std::vector<Index>& store = stores_[piece];
            const std::size_t begin = std::min(piece * size, squares.size());
            const std::size_t end = std::min(begin + size, squares.size());
            for (std::size_t i = begin; i < end; ++i) {
                const std::size_t before = store.size();
                if (closes[i] != 0) boundary(squares[i], heap, store);
                columns_[i] = {nullptr, static_cast<Index>(store.size() - before)};
            }
            const Index* next = store.data();
            for (std::size_t i = begin; i < end; ++i) {
                columns_[i].begin = next;
                next += columns_[i].size;
            }
        });
    }

    // Appends the rows of a square's boundary, latest first.
    void boundary(Square square, std::vector<Entry>& heap, std::vector<Index>& rows) const {
        heap.clear();
        const unsigned a = kEdges[square.edge].first;
        const unsigned b = kEdges[square.edge].second;
        push_far_edges(square.at, square.edge, heap);
        flow(square.at, 1U << a | 1U << b, heap, rows);
        while (!heap.empty()) {
            const auto voxel = static_cast<Index>(heap.front() >> 3 & (kMostCells - 1));
            const Entry owner = heap.front() >> 3;
            unsigned directions = 0;
            while (!heap.empty() && heap.front() >> 3 == owner) {
                directions ^= 1U << (heap.front() & 7);
                std::pop_heap(heap.begin(), heap.end());
                heap.pop_back();
            }
            if (directions != 0) flow(voxel, directions, heap, rows);
        }
    }

    // Pushes a set of edges of a lower star to the roots of the link's forest. The squares passed on the way leave their
    // far edges on the heap; the root of the first component is matched with the voxel itself, the others are critical.
    void flow(Index voxel, unsigned directions, std::vector<Entry>& heap, std::vector<Index>& rows) const {
        const Link3 link = link_[voxel];
        unsigned squares = 0;
        unsigned roots = 0;
        for (unsigned left = directions; left != 0; left &= left - 1) {
            auto vertex = static_cast<unsigned>(std::countr_zero(left));
            for (unsigned up = kLinkTable.parent(link, vertex); up != LinkTable::kRoot; up = kLinkTable.parent(link, vertex)) {
                squares ^= 1U << kEdgeBetween[vertex][up];
                vertex = up;
            }
            roots ^= 1U << vertex;
        }
        for (; squares != 0; squares &= squares - 1)
            push_far_edges(voxel, static_cast<unsigned>(std::countr_zero(squares)), heap);
        const auto first = static_cast<unsigned>(std::countr_zero(link));
        roots &= ~(1U << first);
        while (roots != 0) {
            const auto root = static_cast<unsigned>(std::bit_width(roots) - 1);
            roots ^= 1U << root;
            Index merge = first_merge_[voxel];
            for (unsigned v = first + 1; v < root; ++v)
                merge += (link >> v & 1) && kLinkTable.parent(link, v) == LinkTable::kRoot ? 1 : 0;
            if (loop_[merge] != kNone) rows.push_back(loop_[merge]);
        }
    }

    // The two edges of a square that do not touch the voxel whose lower star it lies in.
    void push_far_edges(Index voxel, unsigned edge, std::vector<Entry>& heap) const {
        const unsigned a = kEdges[edge].first;
        const unsigned b = kEdges[edge].second;
        const Index beside_a = voxel + static_cast<Index>(offset_[a]);
        const Index beside_b = voxel + static_cast<Index>(offset_[b]);
        const Index corner = beside_a + static_cast<Index>(offset_[b]);
        push_edge(beside_a, corner, b, heap);
        push_edge(beside_b, corner, a, heap);
    }

    void push_edge(Index from, Index to, unsigned direction, std::vector<Entry>& heap) const {
        const bool from_is_later = key_[from] != key_[to] ? key_[from] > key_[to] : from > to;
        const Index owner = from_is_later ? from : to;
        if (key_[owner] == kLowestKey) return;  // inside the padding, which is one contractible piece
        heap.push_back(entry(key_[owner], owner, from_is_later ? direction : direction ^ 1U));
        std::push_heap(heap.begin(), heap.end());
    }

    void reduce(const std::vector<Square>& squares, const std::vector<std::uint8_t>& closes, const std::uint64_t* sorted,
                const std::vector<Index>& opening, std::vector<Pair>& pairs) {
        std::vector<Index> owner(opening.size(), kNone);
        BitTree bits;
        bits.reset(opening.size());
        for (std::size_t position = 0; position < squares.size(); ++position) {
            const auto record = static_cast<Index>(sorted[position]);
            if (closes[record] == 0) continue;
            Column& column = columns_[record];
            Index pivot = column.begin[0];
            if (owner[pivot] != kNone) {
                for (Index i = 0; i < column.size; ++i) bits.toggle(column.begin[i]);
                while (owner[pivot] != kNone) {
                    const Column other = columns_[owner[pivot]];
                    for (Index i = 0; i < other.size; ++i) bits.toggle(other.begin[i]);
                    pivot = bits.maximum();
                }
                column = store(bits);
            }
            owner[pivot] = record;
            const Index opens = opening[pivot];
            const Index shuts = squares[record].at;
            if (key_[opens] != key_[shuts]) pairs.push_back({opens, shuts});
        }
    }

    // Empties the set into a list, latest first, in memory that does not move.
    Column store(BitTree& bits) {
        scratch_.clear();
        while (!bits.empty()) {
            const Index value = bits.maximum();
            bits.toggle(value);
            scratch_.push_back(value);
        }
        if (arena_.empty() || arena_.back().capacity() - arena_.back().size() < scratch_.size()) {
            arena_.emplace_back();
            arena_.back().reserve(std::max<std::size_t>(std::size_t{1} << 18, scratch_.size()));
        }
        std::vector<Index>& block = arena_.back();
        const std::size_t begin = block.size();
        block.insert(block.end(), scratch_.begin(), scratch_.end());
        return {block.data() + begin, static_cast<Index>(scratch_.size())};
    }

    const Key* key_;
    const Link3* link_;
    const std::array<std::int32_t, 26>& offset_;
    const Index* first_merge_;
    const std::vector<Index>& loop_;
    std::vector<Column> columns_;
    std::vector<std::vector<Index>> stores_;
    std::vector<std::vector<Index>> arena_;
    std::vector<Index> scratch_;
};

}  // namespace topoprior
