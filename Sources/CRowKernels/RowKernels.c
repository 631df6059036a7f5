// The kernels of Kernels.inc for three kinds of processors, and the choice among them.
#include "CRowKernels.h"

#include <string.h>

// Fused multiplications would round differently on processors that have them.
#pragma clang fp contract(off)
// Vectors never leave a function here: those that take or return them are inlined always.
#pragma clang diagnostic ignored "-Wpsabi"

#define KERNEL(name) plain_##name
#include "Kernels.inc"
#undef KERNEL

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define KERNEL(name) avx2_##name
#include "Kernels.inc"
#undef KERNEL
#pragma clang attribute pop

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#define KERNEL(name) avx512_##name
#include "Kernels.inc"
#undef KERNEL
#pragma clang attribute pop

#define CHOOSE(name, ...)                                                                      \
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")                \
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))           \
        avx512_##name(__VA_ARGS__);                                                            \
    else if (__builtin_cpu_supports("avx2")) avx2_##name(__VA_ARGS__);                         \
    else plain_##name(__VA_ARGS__)
#else
#define CHOOSE(name, ...) plain_##name(__VA_ARGS__)
#endif

void row_layer_norm(
    const float *x, row_layout layout, const float *weight, const float *bias, float epsilon,
    float *line, uint16_t *halves, int8_t *integers, float *scales) {
    CHOOSE(layer_norm, x, layout, weight, bias, epsilon, line, halves, integers, scales);
}

void row_round(const float *x, row_layout layout, uint16_t *halves) {
    CHOOSE(round, x, layout, halves);
}

void row_quantize(
    const float *x, const uint16_t *halves, row_layout layout, int8_t *integers, float *scales) {
    CHOOSE(quantize, x, halves, layout, integers, scales);
}

void row_finish(const row_outcome *outcome) { CHOOSE(finish, outcome); }

void row_softmax(
    float *scores, size_t rows, size_t columns, float scale, uint16_t *weights, size_t stride) {
    CHOOSE(softmax, scores, rows, columns, scale, weights, stride);
}
