// Loops over rows that compilers vectorise.
//
// Where the loader can choose between versions of a function, such a loop is compiled for wider registers as well;
// elsewhere the macro is empty and the code the same. (`__restrict`, known to all three compilers, tells them that what
// is written is not what is read: without it these loops stay scalar.) Sanitizers start too late for such a choice.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TOPOPRIOR_WIDER_REGISTERS __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define TOPOPRIOR_WIDER_REGISTERS
#endif
