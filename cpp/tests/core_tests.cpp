// Tests of the core without Python, for a debug build with address and undefined-behaviour sanitizers. Exactness
// against oracles is tested from Python; here it is memory, threads, odd shapes, and sums that must come out right.
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fuzz_target.hpp"

namespace {

using topoprior::Bar;
using topoprior::Bars;
using topoprior::BatchPersistence;
using topoprior::Boundary;
using topoprior::Construction;
using topoprior::Options;
using topoprior::tests::require;

std::vector<float> noise(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> uniform(0.0F, 1.0F);
    std::vector<float> values(count);
    for (float& value : values)
        value = uniform(generator);
    return values;
}

bool equal(const Bars& a, const Bars& b) {
    for (std::size_t k = 0; k < 3; ++k) {
        if (a[k].size() != b[k].size()) return false;
        for (std::size_t i = 0; i < a[k].size(); ++i)
            if (a[k][i].birth != b[k][i].birth || a[k][i].death != b[k][i].death) return false;
    }
    return true;
}

void known_shapes() {
    // A ring: one component, one loop, born at 1 and filled at 0.
    const std::vector<float> ring = {1, 1, 1, 1, 0, 1, 1, 1, 1};
    const auto bars = BatchPersistence<float>({3, 3}, {}).run(ring.data(), 1, 1).front();
    require(bars[0].size() == 1 && bars[1].size() == 1 && bars[2].empty(), "a ring has one component and one loop");
    require(bars[1][0].death == 4, "its loop is filled by the centre");
    // A shell: one component, one cavity, no loop.
    std::vector<float> shell(27, 1.0F);
    shell[13] = 0.0F;
    const auto solid = BatchPersistence<float>({3, 3, 3}, {}).run(shell.data(), 1, 1).front();
    require(solid[0].size() == 1 && solid[1].empty() && solid[2].size() == 1,
            "a shell has one component and one cavity");
}

void threads_do_not_matter() {
    const std::pair<std::vector<std::size_t>, std::size_t> cases[] = {
        {{61, 70, 53}, 1}, {{400, 301}, 1}, {{64, 63}, 37}, {{70000}, 3}};
    for (const auto& [shape, images] : cases) {
        std::size_t pixels = images;
        for (const std::size_t side : shape)
            pixels *= side;
        const auto values = noise(pixels, 7);
        for (const auto construction : {Construction::T, Construction::V})
            for (const auto boundary : {Boundary::background, Boundary::foreground}) {
                const BatchPersistence<float> batch(shape, {construction, boundary, 7});
                const auto one = batch.run(values.data(), images, 1);
                for (const std::size_t threads : {2U, 3U, 8U}) {
                    const auto many = batch.run(values.data(), images, threads);
                    for (std::size_t i = 0; i < images; ++i)
                        require(equal(one[i], many[i]), "any number of threads gives the same bars");
                }
            }
    }
}

void chosen_dimensions_are_those_of_all() {
    const auto values = noise(19 * 23 * 17, 3);
    for (const auto construction : {Construction::T, Construction::V}) {
        const auto all = BatchPersistence<float>({19, 23, 17}, {construction, Boundary::background, 7})
                             .run(values.data(), 1, 1)
                             .front();
        for (unsigned wanted = 0; wanted < 8; ++wanted) {
            auto expected = all;
            for (std::size_t k = 0; k < 3; ++k)
                if ((wanted >> k & 1) == 0) expected[k].clear();
            const auto some = BatchPersistence<float>({19, 23, 17}, {construction, Boundary::background, wanted})
                                  .run(values.data(), 1, 1)
                                  .front();
            require(equal(expected, some), "a chosen dimension has the bars it has among all");
        }
    }
}

// A corridor that winds through the image, falling all the way, with a side branch on every wall: ways of tens of
// thousands of steps, asked for again and again.
void long_ways_stay_linear() {
    const std::size_t side = 257;
    std::vector<float> values(side * side, 0.0F);
    std::size_t step = 0;
    const auto next = [&] { return 1.0F - static_cast<float>(step++) / static_cast<float>(side * side); };
    for (std::size_t y = 0; y < side; y += 2) {
        const bool rightwards = y / 2 % 2 == 0;
        for (std::size_t x = 0; x < side; ++x)
            values[y * side + (rightwards ? x : side - 1 - x)] = next();
        if (y + 1 < side) values[(y + 1) * side + (rightwards ? side - 1 : 0)] = next();
    }
    for (std::size_t y = 1; y < side; y += 2)
        for (std::size_t x = 2; x + 2 < side; x += 4)
            values[y * side + x] = 1e-5F;
    for (const auto construction : {Construction::T, Construction::V}) {
        const BatchPersistence<float> batch({side, side}, {construction, Boundary::background, 7});
        const auto once = batch.run(values.data(), 1, 1).front();
        std::vector<float> twice(values);
        twice.insert(twice.end(), values.begin(), values.end());
        const auto both = batch.run(twice.data(), 2, 1);
        require(equal(once, both[0]) && equal(once, both[1]), "a workspace used again gives the same bars");
    }
}

template <class Run>
void refuses(Run&& run, const std::string& part) {
    try {
        run();
    } catch (const std::invalid_argument& error) {
        require(std::string(error.what()).find(part) != std::string::npos, error.what());
        return;
    }
    require(false, ("nothing was thrown: " + part).c_str());
}

void bad_input_is_refused() {
    refuses([] { BatchPersistence<float>({}, {}); }, "1, 2 or 3 spatial axes");
    refuses([] { BatchPersistence<float>({1, 1, 1, 1}, {}); }, "got 4");
    refuses([] { BatchPersistence<float>({3, 0}, {}); }, "got 0");
    refuses([] { BatchPersistence<float>({std::size_t{1} << 15, std::size_t{1} << 15}, {}); }, "2^29");
    for (const float bad :
         {-0.5F, 1.5F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        std::vector<float> values(60, 0.5F);
        values[37] = bad;
        for (const auto construction : {Construction::T, Construction::V}) {
            refuses(
                [&] {
                    BatchPersistence<float>({6, 10}, {construction, Boundary::background, 7}).run(values.data(), 1, 1);
                },
                "at pixel 37");
            const std::vector<double> doubles(values.begin(), values.end());
            refuses(
                [&] {
                    BatchPersistence<double>({60}, {construction, Boundary::background, 7}).run(doubles.data(), 1, 1);
                },
                "at pixel 37");
        }
    }
}

void random_bytes() {
    std::mt19937 generator(2022);
    std::vector<std::uint8_t> bytes;
    for (int round = 0; round < 4000; ++round) {
        bytes.resize(8 + generator() % 240);
        for (auto& byte : bytes)
            byte = static_cast<std::uint8_t>(generator());
        topoprior::tests::fuzz_one(bytes.data(), bytes.size());
    }
}

}  // namespace

int main() {
    known_shapes();
    bad_input_is_refused();
    chosen_dimensions_are_those_of_all();
    long_ways_stay_linear();
    random_bytes();
    threads_do_not_matter();
    std::puts("core: 6 passed, 0 failed");
    return 0;
}
