// The lower link of a pixel: which neighbours enter before it, and what that says about topology.
//
// All cells of a pixel's lower star enter together, so any acyclic matching inside the star leaves the bars of
// non-zero length unchanged, and only the Betti numbers of the link matter:
//   empty link -> a minimum; one component and no loop -> regular, nothing happens (the vast majority);
//   c components -> c - 1 critical edges; h loops -> h critical squares; the whole sphere -> a maximum.
//
// 2-D: the link lies in a 4-cycle. Its vertices are the axis neighbours, its edges the diagonal ones:
//
//        5 6 7            bit i of the pattern, counted around the pixel. A bit of a diagonal counts
//        4 . 0            only if both axis neighbours beside it count.
//        3 2 1
//
// 3-D: the link lies in the surface of an octahedron: 6 vertices (axis neighbours), 12 edges (diagonals in a plane),
// 8 triangles (corners). Bits 0-5 are +x -x +y -y +z -z, so that `direction ^ 1` is the opposite one; bits 6-17 the
// edges, bits 18-25 the triangles. An edge counts only if both of its ends do, a triangle only if its three edges do.
// Hence the first zero bit always names a neighbour that really enters later: that is the way up. The first one bit
// is a way down.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "topoprior/grid.hpp"
#include "topoprior/wider_registers.hpp"

namespace topoprior {

using Link2 = std::uint8_t;
using Link3 = std::uint32_t;

inline constexpr Link2 kFullLink2 = 0xFF;
inline constexpr Link3 kFullLink3 = (Link3{1} << 26) - 1;
inline constexpr Link2 kVertices2 = 0x55;
inline constexpr Link3 kVertices3 = 0x3F;

// ---------------------------------------------------------------------------------------------------- 2-D

// Link of every pixel of a run, and whether it is not regular. Neighbours with a larger index are earlier only if
// their key is smaller; those with a smaller index also if it is equal.
TOPOPRIOR_WIDER_REGISTERS
inline void link_run(const Key* up, const Key* middle, const Key* down, std::size_t count, Link2* __restrict link,
                     std::uint8_t* __restrict critical) {
    for (std::size_t x = 0; x < count; ++x) {
        const Key own = middle[x];
        const int east = middle[x + 1] < own ? 1 : 0;
        const int south_east = down[x + 1] < own ? 1 : 0;
        const int south = down[x] < own ? 1 : 0;
        const int south_west = down[x - 1] < own ? 1 : 0;
        const int west = middle[x - 1] <= own ? 1 : 0;
        const int north_west = up[x - 1] <= own ? 1 : 0;
        const int north = up[x] <= own ? 1 : 0;
        const int north_east = up[x + 1] <= own ? 1 : 0;
        const int e1 = east & south_east & south;
        const int e3 = south & south_west & west;
        const int e5 = west & north_west & north;
        const int e7 = north & north_east & east;
        link[x] =
            static_cast<Link2>(east | e1 << 1 | south << 2 | e3 << 3 | west << 4 | e5 << 5 | north << 6 | e7 << 7);
        const int euler = east + south + west + north - e1 - e3 - e5 - e7;
        critical[x] = static_cast<std::uint8_t>(euler != 1 ? 1 : 0);
    }
}

// Vertices where a component of the link begins, going around.
inline constexpr unsigned component_begins(Link2 link) {
    return kVertices2 & link & ~static_cast<unsigned>(std::rotl(link, 1));
}

// How many merges each link stands for: its components less one. A table, since not every processor counts bits.
inline constexpr std::array<std::uint8_t, 256> kMerges = [] {
    std::array<std::uint8_t, 256> table{};
    for (unsigned link = 0; link < 256; ++link) {
        const int components = std::popcount(component_begins(static_cast<Link2>(link)));
        table[link] = static_cast<std::uint8_t>(components > 0 ? components - 1 : 0);
    }
    return table;
}();

// What a pixel with each link is; 1: minimum, 2: maximum, 4: saddle, 0: regular.
inline constexpr std::array<std::uint8_t, 256> kKinds = [] {
    std::array<std::uint8_t, 256> table{};
    for (unsigned link = 0; link < 256; ++link)
        table[link] = static_cast<std::uint8_t>((link & kVertices2) == 0 ? 1
                                                : link == kFullLink2     ? 2
                                                : kMerges[link] > 0      ? 4
                                                                         : 0);
    return table;
}();

// A neighbour that enters later in every gap between two components, going around: the axis neighbour after the end of
// a component if that is later, else the diagonal one between.
inline unsigned component_gaps(Link2 link) {
    const unsigned ends = kVertices2 & link & ~(static_cast<unsigned>(link) >> 1);
    const unsigned next = std::rotl(static_cast<Link2>(ends), 2);
    return (next & ~static_cast<unsigned>(link)) | static_cast<unsigned>(std::rotr(static_cast<Link2>(next & link), 1));
}

// ---------------------------------------------------------------------------------------------------- 3-D

// The two ends of each edge of the octahedron, and the two triangles beside it.
struct OctahedronEdge {
    std::uint8_t first, second;
};

inline constexpr std::array<OctahedronEdge, 12> kEdges = {
    {{0, 2}, {0, 3}, {1, 2}, {1, 3}, {0, 4}, {0, 5}, {1, 4}, {1, 5}, {2, 4}, {2, 5}, {3, 4}, {3, 5}}};

// Triangle t has the corners +-x, +-y, +-z with a minus where bit 0, 1, 2 of t is set.
struct OctahedronTriangle {
    std::uint8_t vertex[3];
    std::uint8_t edge[3];
};

namespace detail {

inline constexpr std::array<std::array<std::uint8_t, 6>, 6> edge_between() {
    std::array<std::array<std::uint8_t, 6>, 6> table{};
    for (std::uint8_t e = 0; e < 12; ++e) {
        table[kEdges[e].first][kEdges[e].second] = e;
        table[kEdges[e].second][kEdges[e].first] = e;
    }
    return table;
}

}  // namespace detail

inline constexpr auto kEdgeBetween = detail::edge_between();

namespace detail {

inline constexpr std::array<OctahedronTriangle, 8> triangles() {
    std::array<OctahedronTriangle, 8> table{};
    for (std::uint8_t t = 0; t < 8; ++t) {
        const auto x = static_cast<std::uint8_t>(t & 1);
        const auto y = static_cast<std::uint8_t>(2 + (t >> 1 & 1));
        const auto z = static_cast<std::uint8_t>(4 + (t >> 2 & 1));
        table[t] = {{x, y, z}, {kEdgeBetween[x][y], kEdgeBetween[x][z], kEdgeBetween[y][z]}};
    }
    return table;
}

inline constexpr std::array<std::array<std::uint8_t, 2>, 12> triangles_beside() {
    std::array<std::array<std::uint8_t, 2>, 12> table{};
    std::array<int, 12> found{};
    const auto all = triangles();
    for (std::uint8_t t = 0; t < 8; ++t)
        for (const std::uint8_t e : all[t].edge)
            table[e][static_cast<std::size_t>(found[e]++)] = t;
    return table;
}

}  // namespace detail

inline constexpr auto kTriangles = detail::triangles();
inline constexpr auto kTrianglesBeside = detail::triangles_beside();

inline constexpr Link3 edge_bit(unsigned edge) {
    return Link3{1} << (6 + edge);
}
inline constexpr Link3 triangle_bit(unsigned triangle) {
    return Link3{1} << (18 + triangle);
}

// Padded index offset of the neighbour that each of the 26 bits stands for.
inline std::array<std::int32_t, 26> neighbour_offsets(const Grid& grid) {
    const auto sy = static_cast<std::int32_t>(grid.stride_y);
    const auto sz = static_cast<std::int32_t>(grid.stride_z);
    std::array<std::int32_t, 26> offset{1, -1, sy, -sy, sz, -sz};
    for (unsigned e = 0; e < 12; ++e)
        offset[6 + e] = offset[kEdges[e].first] + offset[kEdges[e].second];
    for (unsigned t = 0; t < 8; ++t)
        offset[18 + t] =
            offset[kTriangles[t].vertex[0]] + offset[kTriangles[t].vertex[1]] + offset[kTriangles[t].vertex[2]];
    return offset;
}

// Link of every voxel of a run, and whether it may not be regular: Euler characteristic other than 1, or two
// components with one loop, which the Euler characteristic cannot see. The latter needs 4, 5 or 6 vertices and at most
// 0, 1 or 3 triangles (an isolated vertex beside a loop leaves no room for more), a test that smooth images never pass.
// `row[3 * (dz + 1) + dy + 1]` points at the run displaced by (dy, dz).
TOPOPRIOR_WIDER_REGISTERS
inline void link_run(const Key* const* row, std::size_t count, Link3* __restrict link,
                     std::uint8_t* __restrict critical) {
    const Key *mm = row[0], *zm = row[1], *pm = row[2];  // z - 1, with y - 1, y, y + 1
    const Key *mz = row[3], *zz = row[4], *pz = row[5];  // z
    const Key *mp = row[6], *zp = row[7], *pp = row[8];  // z + 1
    for (std::size_t x = 0; x < count; ++x) {
        const Key own = zz[x];
        const auto later = [own](Key key) { return key < own ? -1 : 0; };     // neighbour with a larger index
        const auto earlier = [own](Key key) { return key <= own ? -1 : 0; };  // neighbour with a smaller index
        const int v0 = later(zz[x + 1]), v1 = earlier(zz[x - 1]);
        const int v2 = later(pz[x]), v3 = earlier(mz[x]);
        const int v4 = later(zp[x]), v5 = earlier(zm[x]);
        const int e0 = v0 & v2 & later(pz[x + 1]), e1 = v0 & v3 & earlier(mz[x + 1]);
        const int e2 = v1 & v2 & later(pz[x - 1]), e3 = v1 & v3 & earlier(mz[x - 1]);
        const int e4 = v0 & v4 & later(zp[x + 1]), e5 = v0 & v5 & earlier(zm[x + 1]);
        const int e6 = v1 & v4 & later(zp[x - 1]), e7 = v1 & v5 & earlier(zm[x - 1]);
        const int e8 = v2 & v4 & later(pp[x]), e9 = v2 & v5 & earlier(pm[x]);
        const int e10 = v3 & v4 & later(mp[x]), e11 = v3 & v5 & earlier(mm[x]);
        const int t0 = e0 & e4 & e8 & later(pp[x + 1]), t1 = e2 & e6 & e8 & later(pp[x - 1]);
        const int t2 = e1 & e4 & e10 & later(mp[x + 1]), t3 = e3 & e6 & e10 & later(mp[x - 1]);
        const int t4 = e0 & e5 & e9 & earlier(pm[x + 1]), t5 = e2 & e7 & e9 & earlier(pm[x - 1]);
        const int t6 = e1 & e5 & e11 & earlier(mm[x + 1]), t7 = e3 & e7 & e11 & earlier(mm[x - 1]);
        const int bits = (v0 & 1 << 0) | (v1 & 1 << 1) | (v2 & 1 << 2) | (v3 & 1 << 3) | (v4 & 1 << 4) | (v5 & 1 << 5) |
                         (e0 & 1 << 6) | (e1 & 1 << 7) | (e2 & 1 << 8) | (e3 & 1 << 9) | (e4 & 1 << 10) |
                         (e5 & 1 << 11) | (e6 & 1 << 12) | (e7 & 1 << 13) | (e8 & 1 << 14) | (e9 & 1 << 15) |
                         (e10 & 1 << 16) | (e11 & 1 << 17) | (t0 & 1 << 18) | (t1 & 1 << 19) | (t2 & 1 << 20) |
                         (t3 & 1 << 21) | (t4 & 1 << 22) | (t5 & 1 << 23) | (t6 & 1 << 24) | (t7 & 1 << 25);
        link[x] = static_cast<Link3>(bits);
        const int vertices = -(v0 + v1 + v2 + v3 + v4 + v5);
        const int edges = -(e0 + e1 + e2 + e3 + e4 + e5 + e6 + e7 + e8 + e9 + e10 + e11);
        const int triangles = -(t0 + t1 + t2 + t3 + t4 + t5 + t6 + t7);
        const int odd = vertices - edges + triangles != 1 ? 1 : 0;
        const int hidden = (vertices >= 4 ? 1 : 0) & (2 * triangles <= 3 * vertices - 12 ? 1 : 0);
        critical[x] = static_cast<std::uint8_t>(odd | hidden);
    }
}

// Components of every possible link and a spanning forest of each: 2^18 (vertex, edge) patterns, of which some six
// thousand can occur.
class LinkTable {
public:
    static constexpr unsigned kRoot = 7;

    LinkTable() {
        for (unsigned vertices = 0; vertices < 64; ++vertices) {
            Link3 possible = 0;
            for (unsigned e = 0; e < 12; ++e)
                if ((vertices >> kEdges[e].first & 1) && (vertices >> kEdges[e].second & 1)) possible |= edge_bit(e);
            for (Link3 edges = possible;; edges = (edges - 1) & possible) {
                entry_[vertices | edges] = forest(vertices, edges);
                if (edges == 0) break;
            }
        }
    }

    unsigned components(Link3 link) const { return entry_[link & kPattern] & 7; }

    // The vertex through which this one is matched, or kRoot for the first vertex of a component.
    unsigned parent(Link3 link, unsigned vertex) const { return entry_[link & kPattern] >> (3 + 3 * vertex) & 7; }

private:
    static constexpr Link3 kPattern = (Link3{1} << 18) - 1;

    // Breadth-first, from the lowest direction of each component.
    static std::uint32_t forest(unsigned vertices, Link3 edges) {
        std::uint32_t entry = 0;
        unsigned components = 0;
        for (unsigned unseen = vertices; unseen != 0;) {
            const auto root = static_cast<unsigned>(std::countr_zero(unseen));
            std::array<unsigned, 6> queue{root};
            std::size_t size = 1;
            unseen &= ~(1U << root);
            entry |= kRoot << (3 + 3 * root);
            ++components;
            for (std::size_t i = 0; i < size; ++i)
                for (unsigned v = 0; v < 6; ++v) {
                    const bool joined = (unseen >> v & 1) && (edges & edge_bit(kEdgeBetween[queue[i]][v])) != 0;
                    if (!joined || v == (queue[i] ^ 1U)) continue;
                    unseen &= ~(1U << v);
                    entry |= queue[i] << (3 + 3 * v);
                    queue[size++] = v;
                }
        }
        return entry | components;
    }

    std::array<std::uint32_t, 1 << 18> entry_{};
};

// Immutable, and built once when the library is loaded (about a millisecond).
inline const LinkTable kLinkTable;

inline int euler_characteristic(Link3 link) {
    return std::popcount(link & kVertices3) - std::popcount(link >> 6 & 0xFFFU) + std::popcount(link >> 18);
}

// A critical square of a voxel's lower star: an edge of its link that is matched with nothing. In the complement of the
// link it joins two regions; each is given by one of its missing triangles.
struct CriticalSquare {
    std::uint8_t edge;
    std::uint8_t region[2];
};

// The critical squares of a link that has loops and is not the whole sphere; returns how many there are (at most 7).
//
// The triangles are joined through the edges outside the spanning forest. Every component of missing triangles is a
// region; a triangle of the link is collapsed towards one region. An edge between two regions stays unmatched.
inline unsigned critical_squares(Link3 link, std::array<CriticalSquare, 7>& square) {
    std::array<std::uint8_t, 8> parent{0, 1, 2, 3, 4, 5, 6, 7};
    const auto find = [&parent](std::uint8_t t) {
        while (parent[t] != t)
            t = parent[t];
        return t;
    };
    // A component that holds a missing triangle is represented by one, so that its region can be read off the root.
    const auto missing = [link](std::uint8_t t) { return (link & triangle_bit(t)) == 0; };
    unsigned count = 0;
    std::array<std::array<std::uint8_t, 2>, 12> candidate;
    for (unsigned e = 0; e < 12; ++e) {
        const bool present = (link & edge_bit(e)) != 0;
        if (present && (kLinkTable.parent(link, kEdges[e].first) == kEdges[e].second ||
                        kLinkTable.parent(link, kEdges[e].second) == kEdges[e].first))
            continue;
        candidate[count] = {static_cast<std::uint8_t>(e), static_cast<std::uint8_t>(present)};
        ++count;
    }
    unsigned squares = 0;
    // Absent edges first: they join missing triangles, so that every region is whole before it is asked for.
    for (unsigned i = 0; i < count; ++i) {
        if (candidate[i][1] != 0) continue;
        const auto [a, b] = kTrianglesBeside[candidate[i][0]];
        parent[find(a)] = find(b);
    }
    for (unsigned i = 0; i < count; ++i) {
        if (candidate[i][1] == 0) continue;
        const std::uint8_t e = candidate[i][0];
        const std::uint8_t a = find(kTrianglesBeside[e][0]);
        const std::uint8_t b = find(kTrianglesBeside[e][1]);
        if (missing(a) && missing(b)) {
            square[squares++] = {e, {a, b}};
        } else if (missing(b)) {
            parent[a] = b;
        } else {
            parent[b] = a;
        }
    }
    for (unsigned i = 0; i < squares; ++i)
        for (std::uint8_t& region : square[i].region)
            region = find(region);
    return squares;
}

// The bit of a neighbour beyond a missing triangle that enters later than the voxel itself.
inline unsigned upper_neighbour(Link3 link, unsigned triangle) {
    for (const std::uint8_t v : kTriangles[triangle].vertex)
        if ((link >> v & 1) == 0) return v;
    for (const std::uint8_t e : kTriangles[triangle].edge)
        if ((link & edge_bit(e)) == 0) return 6U + e;
    return 18 + triangle;
}

}  // namespace topoprior
