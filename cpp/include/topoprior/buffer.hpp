// Working memory that is not initialised, and only grows.
//
// std::vector would write zeros over every page before the algorithm writes its own values. A Buffer hands out raw
// storage, keeps it for the next image of a batch, and asks for zeroed pages only where the algorithm reads before
// it writes (the operating system then supplies them lazily, so that untouched pages cost nothing).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>

namespace topoprior {

template <class T>
class Buffer {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    // Room for `count` values of unspecified content.
    T* get(std::size_t count) {
        if (count > capacity_) reallocate(count, false);
        return data_.get();
    }

    // Room for `count` values, all of them zero bytes.
    T* zeroed(std::size_t count) {
        if (count > capacity_) {
            reallocate(count, true);
        } else if (count > 0) {
            std::memset(data_.get(), 0, count * sizeof(T));
        }
        return data_.get();
    }

    void release() {
        data_.reset();
        capacity_ = 0;
    }

private:
    struct Free {
        void operator()(T* pointer) const { std::free(pointer); }
    };

    void reallocate(std::size_t count, bool zero) {
        release();
        void* memory = zero ? std::calloc(count, sizeof(T)) : std::malloc(count * sizeof(T));
        if (memory == nullptr) throw std::bad_alloc();
        data_.reset(static_cast<T*>(memory));
        capacity_ = count;
    }

    std::unique_ptr<T, Free> data_;
    std::size_t capacity_ = 0;
};

}  // namespace topoprior
