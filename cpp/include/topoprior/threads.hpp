// A team of threads for the length of one call.
//
// Whoever calls also works, and never waits for a thread that has not begun: threads that are late find the work done.
// That matters because frameworks keep their own threads spinning for milliseconds after each of their parallel loops,
// on the very processors that ours would like to have. (Starting fresh threads for each loop and waiting for all of
// them took 13 ms inside a training step for 512x512 pixels; alone it took 1.5 ms.)
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace topoprior {

class Team {
public:
    // `size` threads including the caller's. They start with the first loop that has work for them.
    explicit Team(std::size_t size) : size_(size == 0 ? 1 : size) {}
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    ~Team() {
        {
            const std::scoped_lock lock(mutex_);
            closing_ = true;
        }
        open_.store(true, std::memory_order_release);
        wake_.notify_all();
        for (std::thread& thread : threads_)
            thread.join();
    }

    std::size_t size() const { return size_; }

    // Fewer records than this are done before another thread would have woken up.
    static constexpr std::size_t kFew = std::size_t{1} << 14;

    // Pieces for a loop that can be cut at will: several for each thread, so that a late one does not hold up the
    // others.
    std::size_t slabs() const { return size_ == 1 ? 1 : 4 * size_; }

    // Calls work(piece, worker) for every piece in [0, pieces), workers numbered from 0. The first exception is
    // rethrown.
    template <class Work>
    void loop(std::size_t pieces, Work&& work, bool worth_it = true) {
        if (size_ == 1 || pieces <= 1 || !worth_it) {
            for (std::size_t piece = 0; piece < pieces; ++piece)
                work(piece, std::size_t{0});
            return;
        }
        {
            const std::scoped_lock lock(mutex_);
            // Before there is a job: if the system grants no thread, nobody works on what is about to go.
            for (std::size_t worker = threads_.size() + 1; worker < size_; ++worker)
                threads_.emplace_back([this, worker] { serve(worker); });
            job_ = [](void* context, std::size_t piece, std::size_t worker) {
                (*static_cast<std::remove_reference_t<Work>*>(context))(piece, worker);
            };
            context_ = const_cast<void*>(static_cast<const void*>(&work));
            next_ = 0;
            pieces_ = pieces;
            failure_ = nullptr;
        }
        open_.store(true, std::memory_order_release);
        wake_.notify_all();
        std::unique_lock lock(mutex_);
        take_part(lock, 0);
        if (busy_ != 0) {
            lock.unlock();
            for (int look = 0; look < kLooks && idle_.load(std::memory_order_acquire) == false; ++look)
                std::this_thread::yield();
            lock.lock();
            done_.wait(lock, [this] { return busy_ == 0; });
        }
        job_ = nullptr;
        if (failure_) std::rethrow_exception(failure_);
    }

    template <class First, class Second>
    void side_by_side(First&& first, Second&& second) {
        loop(2, [&](std::size_t piece, std::size_t) { piece == 0 ? first() : second(); });
    }

private:
    using Job = void (*)(void*, std::size_t, std::size_t);

    void serve(std::size_t worker) {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return closing_ || (job_ != nullptr && next_ < pieces_); });
            if (closing_) return;
            take_part(lock, worker);
            if (busy_ == 0) done_.notify_one();
            lock.unlock();
            for (int look = 0; look < kLooks && !open_.load(std::memory_order_acquire); ++look)
                std::this_thread::yield();
            lock.lock();
        }
    }

    // Pieces are coarse, so one lock for each is cheap.
    void take_part(std::unique_lock<std::mutex>& lock, std::size_t worker) {
        ++busy_;
        idle_.store(false, std::memory_order_relaxed);
        while (next_ < pieces_) {
            const std::size_t piece = next_++;
            lock.unlock();
            std::exception_ptr failure;
            try {
                job_(context_, piece, worker);
            } catch (...) {
                failure = std::current_exception();
            }
            lock.lock();
            if (!failure) continue;
            if (!failure_) failure_ = failure;
            next_ = pieces_;
        }
        open_.store(false, std::memory_order_relaxed);  // nothing is left to take
        if (--busy_ == 0) idle_.store(true, std::memory_order_release);
    }

    static constexpr int kLooks = 200;

    std::size_t size_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    Job job_ = nullptr;  // with what follows: the loop being worked on, guarded by the mutex
    void* context_ = nullptr;
    std::size_t next_ = 0;
    std::size_t pieces_ = 0;
    std::size_t busy_ = 0;
    std::exception_ptr failure_;
    bool closing_ = false;
    std::atomic<bool> open_ = false;    // hints for those who look without the mutex: there are pieces to take,
    std::atomic<bool> idle_ = true;     // and nobody is at work
    std::vector<std::thread> threads_;  // std::jthread would join by itself, but not every macOS has it
};

}  // namespace topoprior
