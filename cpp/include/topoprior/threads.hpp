// The two forms of parallel work the core needs: a loop over pieces, and two tasks side by side.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace topoprior {

// Calls work(piece, worker) for every piece in [0, pieces), on at most `threads` threads numbered from 0. The first
// exception is rethrown.
template <class Work>
void parallel_for(std::size_t threads, std::size_t pieces, Work&& work) {
    if (threads <= 1 || pieces <= 1) {
        for (std::size_t i = 0; i < pieces; ++i) work(i, std::size_t{0});
        return;
    }
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex failure_lock;
    const auto run = [&](std::size_t worker) {
        try {
            for (std::size_t i = next++; i < pieces; i = next++) work(i, worker);
        } catch (...) {
            const std::scoped_lock lock(failure_lock);
            if (!failure) failure = std::current_exception();
            next = pieces;
        }
    };
    {
        std::vector<std::jthread> team;
        const std::size_t size = threads < pieces ? threads : pieces;
        team.reserve(size - 1);
        for (std::size_t i = 1; i < size; ++i) team.emplace_back(run, i);
        run(0);
    }
    if (failure) std::rethrow_exception(failure);
}

template <class First, class Second>
void side_by_side(std::size_t threads, First&& first, Second&& second) {
    parallel_for(threads, 2, [&](std::size_t i, std::size_t) { i == 0 ? first() : second(); });
}

}  // namespace topoprior
