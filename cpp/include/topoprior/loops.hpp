// Dimension 1 in 3-D: the critical edges that open loops, paired with the critical squares that close them.
//
// Dimensions 0 and 2 have told which critical edges open loops (they join nothing) and which critical squares close
// them (they join nothing either, looking up). What is left is a matrix with one column per closing square and one row
// per opening edge, and every column has a pivot. It is built and reduced in two steps.
//
// 1. Boundaries. Every closing square is followed along the matching inside the lower stars, recomputed from the links,
//    down to opening edges. Edges are visited from late to early, so those of one voxel come together, as six bits; a
//    set of edges of a lower star is pushed along the spanning forest of the link to the roots. Squares are independent
//    of each other: this step runs on all threads. It stops once it knows the latest row and has visited kPatience
//    voxels: the rest of the surface (in smooth volumes it can be large) stays as a list of edges, the tail, and is
//    followed only as far as the reduction needs it.
// 2. Reduction over F2, latest edge as pivot. Rows are numbered in the order of the filtration, so that the column
// being
//    reduced is a set of small integers; it is kept as bits with a tree of occupied words above. Reduced columns are
//    stored sorted and without cancelled pairs, as plain lists; so are their tails.
//
// The reduction runs on all threads as well (Morozov and Nigmetov, "Towards lockfree persistent homology", SPAA 2020).
// A column is only ever added to later ones; whoever finds its pivot owned by a later column takes the pivot over and
// goes on with that column instead. The pairs do not depend on who comes first.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "topoprior/grid.hpp"
#include "topoprior/lower_link.hpp"
#include "topoprior/memory.hpp"
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
    std::vector<Array<std::uint64_t>> levels_;
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
    LoopReduction(const Key* key, const Link3* link, const std::array<std::int32_t, 26>& offset,
                  const Index* first_merge, const Array<Index>& loop)
        : key_(key), link_(link), offset_(offset), first_merge_(first_merge), loop_(loop) {}

    // `squares` as they come in the image, with `closes[i]` where square i closes a loop; `sorted` lists them in the
    // order of the filtration; `opening[row]` is the voxel of a row. Appends the pairs of non-zero length.
    void run(const Array<Square>& squares, const Array<std::uint8_t>& closes, const std::uint64_t* sorted,
             const Array<Index>& opening, Team& team, Array<Pair>& pairs) {
        boundaries(squares, closes, team);
        reduce(squares, closes, sorted, opening, team, pairs);
    }

private:
    // A column as two lists in one: rows, latest first, then the tail of edges still to be followed.
    struct Column {
        const Index* data;
        Index rows;
        Index tail;  // entries, each two Index wide
    };

    // Measured on noise, where nearly every surface ends within this many voxels, and on smooth volumes, where it may
    // go on for thousands.
    static constexpr unsigned kPatience = 64;

    // Entries sort by (key, voxel); the lowest three bits name the direction of the edge.
    using Entry = std::uint64_t;
    static Entry entry(Key key, Index voxel, unsigned direction) {
        return static_cast<Entry>(static_cast<std::uint32_t>(key)) << 32 | static_cast<Entry>(voxel) << 3 | direction;
    }

    void boundaries(const Array<Square>& squares, const Array<std::uint8_t>& closes, Team& team) {
        const std::size_t pieces = 4 * team.slabs();
        const std::size_t size = (squares.size() + pieces - 1) / pieces;
        columns_.assign(squares.size(), Column{nullptr, 0, 0});
        stores_.resize(pieces);
        team.loop(pieces, [&](std::size_t piece, std::size_t) {
            Array<Entry> heap;
            Array<Index> rows;
            Array<Index>& store = stores_[piece];
            const std::size_t begin = std::min(piece * size, squares.size());
            const std::size_t end = std::min(begin + size, squares.size());
            for (std::size_t i = begin; i < end; ++i) {
                if (closes[i] == 0) continue;
                boundary(squares[i], heap, rows);
                columns_[i] = write(rows, heap, store);
            }
            const Index* next = store.data();
            for (std::size_t i = begin; i < end; ++i) {
                columns_[i].data = next;
                next += columns_[i].rows + 2 * columns_[i].tail;
            }
        });
    }

    // The latest row of a square's boundary, further ones as far as patience goes, and the tail as a heap.
    void boundary(Square square, Array<Entry>& heap, Array<Index>& rows) const {
        heap.clear();
        rows.clear();
        const auto row = [&rows](Index value) { rows.push_back(value); };
        push_far_edges(square.at, square.edge, heap);
        flow(square.at, 1U << kEdges[square.edge].first | 1U << kEdges[square.edge].second, heap, row);
        for (unsigned visited = 0; !heap.empty() && (rows.empty() || visited < kPatience); ++visited)
            flow_latest(heap, row);
    }

    // Takes all edges of the latest voxel from the heap, and follows those that do not cancel.
    template <class Row>
    void flow_latest(Array<Entry>& heap, Row&& row) const {
        const Entry owner = heap.front() >> 3;
        unsigned directions = 0;
        while (!heap.empty() && heap.front() >> 3 == owner) {
            directions ^= 1U << (heap.front() & 7);
            std::pop_heap(heap.begin(), heap.end());
            heap.pop_back();
        }
        if (directions != 0) flow(static_cast<Index>(owner & (kMostCells - 1)), directions, heap, row);
    }

    // Pushes a set of edges of a lower star to the roots of the link's forest. The squares passed on the way leave
    // their far edges on the heap; the root of the first component is matched with the voxel itself, the others are
    // critical.
    template <class Row>
    void flow(Index voxel, unsigned directions, Array<Entry>& heap, Row&& row) const {
        const Link3 link = link_[voxel];
        unsigned squares = 0;
        unsigned roots = 0;
        for (unsigned left = directions; left != 0; left &= left - 1) {
            auto vertex = static_cast<unsigned>(std::countr_zero(left));
            for (unsigned up = kLinkTable.parent(link, vertex); up != LinkTable::kRoot;
                 up = kLinkTable.parent(link, vertex)) {
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
                merge += (link >> v & 1) && kLinkTable.parent(link, v) == LinkTable::kRoot ? 1U : 0U;
            if (loop_[merge] != kNone) row(loop_[merge]);
        }
    }

    // The two edges of a square that do not touch the voxel whose lower star it lies in.
    void push_far_edges(Index voxel, unsigned edge, Array<Entry>& heap) const {
        const unsigned a = kEdges[edge].first;
        const unsigned b = kEdges[edge].second;
        const Index beside_a = voxel + static_cast<Index>(offset_[a]);
        const Index beside_b = voxel + static_cast<Index>(offset_[b]);
        const Index corner = beside_a + static_cast<Index>(offset_[b]);
        push_edge(beside_a, corner, b, heap);
        push_edge(beside_b, corner, a, heap);
    }

    void push_edge(Index from, Index to, unsigned direction, Array<Entry>& heap) const {
        const bool from_is_later = key_[from] != key_[to] ? key_[from] > key_[to] : from > to;
        const Index owner = from_is_later ? from : to;
        if (key_[owner] == kLowestKey) return;  // inside the padding, which is one contractible piece
        // It will be followed before long, and what that reads lies all over the memory.
        prefetch(link_ + owner);
        for (unsigned beside = 2; beside < 6; ++beside)
            prefetch(key_ + owner + offset_[beside]);
        heap.push_back(entry(key_[owner], owner, from_is_later ? direction : direction ^ 1U));
        std::push_heap(heap.begin(), heap.end());
    }

    // What a thread needs to reduce columns: the one at hand, and room for those that are done.
    struct Worker {
        BitTree rows;
        Array<Entry> tail;  // a heap
        Array<Index> scratch;
        std::vector<Array<Index>> blocks;  // never moved once written
        std::deque<Column> columns;

        void add(const Column& column) {
            const Index* next = column.data;
            for (Index i = 0; i < column.rows; ++i)
                rows.toggle(*next++);
            for (Index i = 0; i < column.tail; ++i, next += 2) {
                tail.push_back(static_cast<Entry>(next[0]) << 32 | next[1]);
                std::push_heap(tail.begin(), tail.end());
            }
        }

        // The column at hand as a list; nothing is at hand afterwards.
        const Column* finish() {
            scratch.clear();
            while (!rows.empty()) {
                scratch.push_back(rows.maximum());
                rows.toggle(scratch.back());
            }
            const std::size_t most = scratch.size() + 2 * tail.size();
            if (blocks.empty() || blocks.back().capacity() - blocks.back().size() < most) {
                blocks.emplace_back();
                blocks.back().reserve(std::max(kBlockSize, most));
            }
            const std::size_t begin = blocks.back().size();
            columns.push_back(write(scratch, tail, blocks.back()));
            columns.back().data = blocks.back().data() + begin;
            return &columns.back();
        }
    };
    static constexpr std::size_t kBlockSize = std::size_t{1} << 16;

    void reduce(const Array<Square>& squares, const Array<std::uint8_t>& closes, const std::uint64_t* sorted,
                const Array<Index>& opening, Team& team, Array<Pair>& pairs) {
        Array<std::atomic<Index>> owner(opening.size());  // of each pivot: a position in the order of the squares
        for (auto& none : owner)
            none.store(kNone, std::memory_order_relaxed);
        Array<std::atomic<const Column*>> columns(squares.size());
        for (std::size_t i = 0; i < squares.size(); ++i)
            columns[i].store(&columns_[static_cast<Index>(sorted[i])], std::memory_order_relaxed);
        std::vector<Worker> workers(team.size());
        for (Worker& worker : workers)
            worker.rows.reset(opening.size());
        const std::size_t pieces = (squares.size() + kPiece - 1) / kPiece;
        team.loop(pieces, [&](std::size_t piece, std::size_t worker) {
            const std::size_t end = std::min((piece + 1) * kPiece, squares.size());
            for (std::size_t position = piece * kPiece; position < end; ++position)
                if (closes[static_cast<Index>(sorted[position])] != 0)
                    reduce_from(static_cast<Index>(position), owner, columns, opening, workers[worker]);
        });
        for (std::size_t row = 0; row < opening.size(); ++row) {
            const Index opens = opening[row];
            const Index shuts = squares[static_cast<Index>(sorted[owner[row].load(std::memory_order_relaxed)])].at;
            if (key_[opens] != key_[shuts]) pairs.push_back({opens, shuts});
        }
    }
    static constexpr std::size_t kPiece = 64;

    // Reduces a column, then the later one whose pivot it took, and so on until a pivot was free.
    void reduce_from(Index column, Array<std::atomic<Index>>& owner, Array<std::atomic<const Column*>>& columns,
                     const Array<Index>& opening, Worker& worker) const {
        Index pivot = columns[column].load(std::memory_order_acquire)->data[0];
        bool at_hand = false;  // the column is in the worker, and differs from what is stored
        for (;;) {
            Index other = owner[pivot].load(std::memory_order_acquire);
            if (other < column) {
                if (!at_hand) worker.add(*columns[column].load(std::memory_order_acquire));
                at_hand = true;
                worker.add(*columns[other].load(std::memory_order_acquire));
                pivot = latest_row(opening, worker);
                continue;
            }
            if (at_hand) columns[column].store(worker.finish(), std::memory_order_release);
            at_hand = false;
            if (!owner[pivot].compare_exchange_strong(other, column, std::memory_order_acq_rel)) continue;
            if (other == kNone) return;
            column = other;
        }
    }

    // Follows the tail until none of it can be later than the latest row.
    Index latest_row(const Array<Index>& opening, Worker& worker) const {
        for (;;) {
            if (worker.tail.empty()) return worker.rows.maximum();
            if (!worker.rows.empty()) {
                const Index row = worker.rows.maximum();
                if (worker.tail.front() < entry(key_[opening[row]], opening[row], 0)) return row;
            }
            flow_latest(worker.tail, [&worker](Index row) { worker.rows.toggle(row); });
        }
    }

    // Writes rows and tail, cancelled pairs left out, to the end of a store; the tail is empty afterwards. Where the
    // store begins is for the caller to note, once it does not move any more.
    static Column write(const Array<Index>& rows, Array<Entry>& tail, Array<Index>& store) {
        Column column{nullptr, static_cast<Index>(rows.size()), 0};
        store.insert(store.end(), rows.begin(), rows.end());
        std::sort(tail.begin(), tail.end());
        for (std::size_t i = 0; i < tail.size(); ++i) {
            if (i + 1 < tail.size() && tail[i] == tail[i + 1]) {
                ++i;
                continue;
            }
            store.push_back(static_cast<Index>(tail[i] >> 32));
            store.push_back(static_cast<Index>(tail[i]));
            ++column.tail;
        }
        tail.clear();
        return column;
    }

    const Key* key_;
    const Link3* link_;
    const std::array<std::int32_t, 26>& offset_;
    const Index* first_merge_;
    const Array<Index>& loop_;
    Array<Column> columns_;
    std::vector<Array<Index>> stores_;  // of the boundaries, one for each piece of the parallel loop
};

}  // namespace topoprior
