// Exact persistent homology over F2 of images with 1, 2 or 3 axes, super-level sets, T- and V-construction.
//
// Both constructions run on one algorithm, for sub-level sets of a padded array of keys (grid.hpp). A bar of the
// V-construction comes out as it is. A bar (a, b) of dimension k of the reversed problem is, by Alexander duality, a
// bar of dimension d - 1 - k of the T-construction with birth b and death a. The padding plays the outside:
//
//                      boundary = background           boundary = foreground
//   V-construction     enters last                     enters first: one component, the eldest
//   T-construction     enters first: no hole is open   enters last: the eldest component, seen from above
//
// Time: O(n) for n pixels, O(c log c) for c critical ones, and in 3-D the reduction of loops.hpp. Memory above the
// input: 4 bytes per pixel for keys, 1 (2-D) or 4 (3-D) for links, and 4 for labels, which both trees share.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "topoprior/grid.hpp"
#include "topoprior/image_persistence.hpp"
#include "topoprior/keys.hpp"
#include "topoprior/memory.hpp"
#include "topoprior/path.hpp"
#include "topoprior/sorting.hpp"
#include "topoprior/threads.hpp"

namespace topoprior {

enum class Construction { T, V };
enum class Boundary { background, foreground };

struct Options {
    Construction construction = Construction::T;
    Boundary boundary = Boundary::background;
    unsigned dimensions = 7;  // bit k: dimension k is wanted
};

// Flat indices of the pixels that give birth and death; kNoPixel where no pixel does.
inline constexpr Index kNoPixel = ~Index{0};
struct Bar {
    Index birth;
    Index death;
};

// The bars of one image, per dimension, longest first.
using Bars = std::array<Array<Bar>, 3>;

namespace detail {

// Longest first, equal lengths by birth, then death index; kNoPixel counts as the index before the first.
template <class Value>
void sort_bars(const Value* values, bool outside_is_one, Array<Bar>& bars) {
    const auto birth_value = [&](const Bar& bar) {
        return bar.birth == kNoPixel ? Value(outside_is_one ? 1 : 0) : values[bar.birth];
    };
    const auto length = [&](const Bar& bar) {
        return static_cast<Value>(birth_value(bar) - (bar.death == kNoPixel ? Value{0} : values[bar.death]));
    };
    const auto by_index = [](const Bar& a, const Bar& b) {
        return a.birth != b.birth ? a.birth + 1 < b.birth + 1 : a.death + 1 < b.death + 1;
    };
    if constexpr (std::is_same_v<Value, float>) {
        Array<std::uint64_t> records(bars.size());
        Array<std::uint64_t> spare(bars.size());
        for (std::size_t i = 0; i < bars.size(); ++i)
            records[i] =
                static_cast<std::uint64_t>(static_cast<std::uint32_t>(kOneKey - order_of(length(bars[i])))) << 32 | i;
        const std::uint64_t* sorted = sort_by_key(records.data(), spare.data(), bars.size());
        Array<Bar> result(bars.size());
        for (std::size_t i = 0; i < bars.size(); ++i)
            result[i] = bars[static_cast<Index>(sorted[i])];
        for (std::size_t begin = 0; begin < bars.size();) {
            std::size_t end = begin + 1;
            while (end < bars.size() && sorted[end] >> 32 == sorted[begin] >> 32)
                ++end;
            if (end - begin > 1)
                std::sort(result.begin() + static_cast<std::ptrdiff_t>(begin),
                          result.begin() + static_cast<std::ptrdiff_t>(end), by_index);
            begin = end;
        }
        bars = std::move(result);
    } else {
        std::sort(bars.begin(), bars.end(), [&](const Bar& a, const Bar& b) {
            const Value x = length(a);
            const Value y = length(b);
            return x != y ? x > y : by_index(a, b);
        });
    }
}

}  // namespace detail

// The bars of a batch of images of equal shape, one entry per image. `shape` is (z, y, x), (y, x) or (x).
template <class Value>
class BatchPersistence {
public:
    BatchPersistence(std::vector<std::size_t> shape, Options options) : shape_(std::move(shape)), options_(options) {
        if (shape_.empty() || shape_.size() > 3)
            throw std::invalid_argument("images must have 1, 2 or 3 spatial axes, got " +
                                        std::to_string(shape_.size()));
        std::size_t padded = 1;
        for (const std::size_t side : shape_) {
            if (side == 0) throw std::invalid_argument("every side of an image must be at least 1, got 0");
            if (side >= kMostCells || padded > kMostCells / (side + 2))
                throw std::invalid_argument("an image must have at most 2^29 pixels including one layer of padding");
            padded *= side + 2;
            pixels_ *= side;
        }
    }

    std::size_t dimension() const { return shape_.size(); }

    // How many of the given threads are worth their cost. Independent images share one loop; one image has many.
    std::size_t useful_threads(std::size_t images, std::size_t threads) const {
        const std::size_t share = images >= threads ? kPixelsShared : shape_.size() == 3 ? kVoxelsAlone : kPixelsAlone;
        return std::max<std::size_t>(1, std::min(threads, pixels_ * images / share));
    }

    std::vector<Bars> run(const Value* values, std::size_t images, Team& team) const {
        std::vector<Bars> bars(images);
        if (shape_.size() == 1) {
            team.loop(images, [&](std::size_t image, std::size_t) { run_path(values + image * pixels_, bars[image]); });
        } else if (shape_.size() == 2) {
            run_images<2>(values, bars, team);
        } else {
            run_images<3>(values, bars, team);
        }
        return bars;
    }

    std::vector<Bars> run(const Value* values, std::size_t images, std::size_t threads) const {
        Team team(useful_threads(images, threads));
        return run(values, images, team);
    }

    // Where the bars of every (image, dimension) begin in a table of all of them, and where the last ones end.
    std::vector<std::int64_t> offsets(const std::vector<Bars>& bars) const {
        std::vector<std::int64_t> begin{0};
        begin.reserve(bars.size() * dimension() + 1);
        for (const Bars& image : bars)
            for (std::size_t k = 0; k < dimension(); ++k)
                begin.push_back(begin.back() + static_cast<std::int64_t>(image[k].size()));
        return begin;
    }

    // Seven rows of as many numbers as there are bars: birth index, death index (-1: no pixel), dimension, image, rank
    // (the place among the bars of that image and dimension), and the two indices counted through the whole batch, 0
    // where there is no pixel.
    void tabulate(const std::vector<Bars>& bars, const std::vector<std::int64_t>& begin, Team& team,
                  std::int64_t* table) const {
        const auto count = static_cast<std::size_t>(begin.back());
        const std::size_t groups = bars.size() * dimension();
        const auto number = [](Index index) { return index == kNoPixel ? -1 : static_cast<std::int64_t>(index); };
        team.loop(
            groups,
            [&](std::size_t group, std::size_t) {
                const std::size_t image = group / dimension();
                const std::size_t k = group % dimension();
                std::int64_t* out = table + begin[group];
                std::int64_t rank = 0;
                const auto first = static_cast<std::int64_t>(image * pixels_);
                for (const Bar bar : bars[image][k]) {
                    out[0] = number(bar.birth);
                    out[count] = number(bar.death);
                    out[2 * count] = static_cast<std::int64_t>(k);
                    out[3 * count] = static_cast<std::int64_t>(image);
                    out[4 * count] = rank++;
                    out[5 * count] = bar.birth == kNoPixel ? 0 : first + static_cast<std::int64_t>(bar.birth);
                    out[6 * count] = bar.death == kNoPixel ? 0 : first + static_cast<std::int64_t>(bar.death);
                    ++out;
                }
            },
            count >= Team::kFew);
    }

private:
    // Pixels for each thread that repay what it costs to start and to keep informed.
    static constexpr std::size_t kPixelsShared = std::size_t{1} << 14;
    static constexpr std::size_t kPixelsAlone = std::size_t{1} << 16;
    static constexpr std::size_t kVoxelsAlone = std::size_t{1} << 14;

    bool vertex() const { return options_.construction == Construction::V; }
    bool foreground() const { return options_.boundary == Boundary::foreground; }

    void run_path(const Value* values, Bars& bars) const {
        check_values(values, pixels_);
        if ((options_.dimensions & 1) == 0) return;
        bars[0] = path_bars<Bar>(values, pixels_, foreground());
        detail::sort_bars(values, foreground(), bars[0]);
    }

    // Enough images: a thread each. Otherwise one after the other, all threads on each.
    template <int kDimension>
    void run_images(const Value* values, std::vector<Bars>& bars, Team& team) const {
        const std::array<Index, 3> side = {static_cast<Index>(shape_[kDimension - 1]),
                                           static_cast<Index>(shape_[kDimension - 2]),
                                           static_cast<Index>(kDimension == 3 ? shape_[0] : 1)};
        const Grid grid(kDimension, side);
        const bool together = bars.size() < team.size();
        std::vector<ImagePersistence<kDimension>> workspace(together ? 1 : std::min(team.size(), bars.size()));
        if (together) {
            for (std::size_t image = 0; image < bars.size(); ++image)
                run_image(grid, values + image * pixels_, workspace[0], team, bars[image]);
            return;
        }
        team.loop(bars.size(), [&](std::size_t image, std::size_t worker) {
            Team alone(1);
            run_image(grid, values + image * pixels_, workspace[worker], alone, bars[image]);
        });
    }

    template <int kDimension>
    void run_image(const Grid& grid, const Value* values, ImagePersistence<kDimension>& image, Team& team,
                   Bars& bars) const {
        constexpr unsigned kTop = kDimension - 1;
        const auto wants = [this](unsigned dimension) { return options_.dimensions >> dimension & 1; };
        const unsigned minima = vertex() ? 0 : kTop;
        const unsigned maxima = kTop - minima;
        const unsigned wanted = wants(minima) | (kDimension == 3 ? wants(1) << 1 : 0) | wants(maxima) << 2;
        image.run(grid, values, vertex(), foreground() == vertex() ? kLowestKey : kHighestKey, wanted, team);
        const auto last = static_cast<Index>(pixels_ - 1);
        if (wants(0)) bars[0].push_back({essential_birth(grid, image, last), kNoPixel});
        const std::array<std::pair<unsigned, const Array<Pair>*>, 3> found = {
            {{minima, &image.minima_pairs}, {maxima, &image.maxima_pairs}, {1U, &image.loop_pairs}}};
        team.loop(
            kDimension,
            [&](std::size_t i, std::size_t) {
                const auto [dimension, pairs] = found[i];
                if (!wants(dimension)) return;
                Array<Bar>& out = bars[dimension];
                const std::size_t begin = out.size();
                out.resize(begin + pairs->size());
                std::transform(pairs->begin(), pairs->end(), out.begin() + static_cast<std::ptrdiff_t>(begin),
                               [&](Pair pair) {
                                   const Index earlier = grid.flat(pair.earlier);
                                   const Index later = grid.flat(pair.later);
                                   return vertex() ? Bar{earlier, later} : Bar{last - later, last - earlier};
                               });
                detail::sort_bars(values, foreground(), bars[dimension]);
            },
            image.minima_pairs.size() + image.maxima_pairs.size() + image.loop_pairs.size() >= Team::kFew);
    }

    template <int kDimension>
    Index essential_birth(const Grid& grid, ImagePersistence<kDimension>& image, Index last) const {
        if (foreground()) return kNoPixel;
        return vertex() ? grid.flat(image.lowest_pixel(image.keys()))
                        : last - grid.flat(image.highest_pixel(image.keys()));
    }

    std::vector<std::size_t> shape_;
    Options options_;
    std::size_t pixels_ = 1;
};

}  // namespace topoprior
