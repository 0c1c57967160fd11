// Working memory: large blocks that are used again, and arrays that are not initialised.
//
// Images of a million pixels need tens of megabytes for a few milliseconds. Faulting that in anew costs a third of the
// whole computation (1024x1024, measured), so that on Linux large blocks come straight from the system in pages of 2
// MiB, where it grants them, and up to 128 MiB of them are kept for the next image. This cache is the one thing in the
// core that outlives a call; it holds no values, only room.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace topoprior {

namespace detail {

#if defined(__linux__)

inline constexpr std::size_t kHugePage = std::size_t{1} << 21;
inline constexpr std::size_t kLarge = std::size_t{1} << 17;  // smaller blocks are the heap's business

// Sizes in steps of a quarter of a power of two, so that blocks fit again. What is never touched costs nothing.
inline std::size_t block_size(std::size_t bytes) {
    const std::size_t step = std::max(bytes < kHugePage ? kLarge / 4 : kHugePage, std::bit_floor(bytes) / 4);
    return (bytes + step - 1) / step * step;
}

class BlockCache {
public:
    BlockCache() = default;
    BlockCache(const BlockCache&) = delete;
    BlockCache& operator=(const BlockCache&) = delete;
    ~BlockCache() {
        for (const Block block : blocks_)
            munmap(block.memory, block.size);
    }

    void* take(std::size_t bytes) {
        const std::size_t size = block_size(bytes);
        {
            const std::scoped_lock lock(mutex_);
            for (Block& block : blocks_) {
                if (block.size != size) continue;
                void* const memory = block.memory;
                block = blocks_.back();
                blocks_.pop_back();
                kept_ -= size;
                return memory;
            }
        }
        if (size < kHugePage) return map(size);
        // Ask for one page more, and give back what lies before and behind the aligned part.
        auto* const begin = static_cast<std::byte*>(map(size + kHugePage));
        const std::size_t before =
            (kHugePage - (reinterpret_cast<std::uintptr_t>(begin) & (kHugePage - 1))) & (kHugePage - 1);
        if (before != 0) munmap(begin, before);
        if (before != kHugePage) munmap(begin + before + size, kHugePage - before);
        madvise(begin + before, size, MADV_HUGEPAGE);  // a wish, not a need: its answer does not matter
        return begin + before;
    }

    void give(void* memory, std::size_t bytes) {
        const std::size_t size = block_size(bytes);
        {
            const std::scoped_lock lock(mutex_);
            if (kept_ + size <= kMost) {
                blocks_.push_back({memory, size});
                kept_ += size;
                return;
            }
        }
        munmap(memory, size);
    }

private:
    static void* map(std::size_t size) {
        void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        return memory;
    }

    static constexpr std::size_t kMost = std::size_t{128} << 20;
    struct Block {
        void* memory;
        std::size_t size;
    };
    std::mutex mutex_;
    std::vector<Block> blocks_;
    std::size_t kept_ = 0;
};

inline BlockCache block_cache;

#endif

// Memory of unspecified content.
inline void* allocate(std::size_t bytes) {
#if defined(__linux__)
    if (bytes >= kLarge) return block_cache.take(bytes);
#endif
    void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

inline void release(void* memory, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
    if (bytes >= kLarge) {
        block_cache.give(memory, bytes);
        return;
    }
#endif
    std::free(memory);
}

template <class T>
struct LargePages {
    using value_type = T;

    LargePages() = default;
    template <class Other>
    LargePages(const LargePages<Other>&) {}

    T* allocate(std::size_t count) { return static_cast<T*>(detail::allocate(count * sizeof(T))); }
    void deallocate(T* memory, std::size_t count) { release(memory, count * sizeof(T)); }

    // What resize() adds is left as it is: everything is written before it is read.
    template <class Other>
    void construct(Other* place) {
        ::new (static_cast<void*>(place)) Other;
    }
    template <class Other, class... Arguments>
    void construct(Other* place, Arguments&&... arguments) {
        ::new (static_cast<void*>(place)) Other(std::forward<Arguments>(arguments)...);
    }

    friend bool operator==(const LargePages&, const LargePages&) { return true; }
};

}  // namespace detail

// Asks for a cache line that will be needed soon, where the compiler knows how.
inline void prefetch([[maybe_unused]] const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#endif
}

// A std::vector in large pages, whose resize() does not write.
template <class T>
using Array = std::vector<T, detail::LargePages<T>>;

// Raw storage that grows but keeps no content: for an image of a batch, then for the next.
template <class T>
class Buffer {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    // Room for `count` values of unspecified content.
    T* get(std::size_t count) {
        if (count > capacity_) {
            data_.reset();
            data_ = Storage(static_cast<T*>(detail::allocate(count * sizeof(T))), Free{count * sizeof(T)});
            capacity_ = count;
        }
        return data_.get();
    }

    // Room for `count` values, all of them zero bytes.
    T* zeroed(std::size_t count) {
        get(count);
        if (count > 0) std::memset(data_.get(), 0, count * sizeof(T));
        return data_.get();
    }

private:
    struct Free {
        std::size_t bytes = 0;
        void operator()(T* memory) const { detail::release(memory, bytes); }
    };
    using Storage = std::unique_ptr<T, Free>;
    Storage data_;
    std::size_t capacity_ = 0;
};

}  // namespace topoprior
