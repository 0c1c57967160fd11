// Entry point for libFuzzer: clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Icpp/include
// cpp/tests/fuzz_target.cpp
#include "fuzz_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    topoprior::tests::fuzz_one(data, size);
    return 0;
}
