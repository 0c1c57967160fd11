// Loops over rows that compilers vectorise.
//
// Where the loader can choose between versions of a function (glibc on x86-64) and the compiler knows these versions
// (GCC 12 and later), such a loop is compiled for wider registers as well; elsewhere the macro is empty and the code
// the same. Sanitizers start too late for such a choice. (`__restrict`, known to all three compilers, tells them that
// what is written is not what is read: without it these loops stay scalar.)
#pragma once

#include <cstddef>  // for __GLIBC__

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && __GNUC__ >= 12 && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TOPOPRIOR_WIDER_REGISTERS __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define TOPOPRIOR_WIDER_REGISTERS
#endif
