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

static float plain_from_half(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static uint16_t plain_to_half(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (uint16_t)((x == x ? bits + 0x7FFF + ((bits >> 16) & 1) : bits | 0x00400000) >> 16);
}

uint16_t row_four_bits(const float *weights, size_t count, int8_t *integers) {
    static const float shares[] = {1.0f, 0.92f, 0.85f, -1.142857f};
    float extreme = 0, best = __builtin_inff();
    uint16_t chosen = 0;
    int8_t tried[256];
    memset(integers, 0, count);
    for (size_t i = 0; i < count; i++)
        if (__builtin_fabsf(weights[i]) > __builtin_fabsf(extreme)) extreme = weights[i];
    for (size_t share = 0; share < 4 && extreme != 0; share++) {
        float inverse = -8.0f / (extreme * shares[share]), product = 0, square = 0, error = 0;
        for (size_t i = 0; i < count; i++) {
            // Adding 1.5 * 2^23 rounds what is small enough to nearest even; the rest is beyond the ends.
            float scaled = weights[i] * inverse;
            float nearest = scaled > -16 && scaled < 16 ? scaled + 12582912.0f - 12582912.0f : scaled;
            float whole = nearest >= 7 ? 7 : nearest <= -8 ? -8 : nearest == nearest ? nearest : 0;
            tried[i] = (int8_t)whole;
            product += weights[i] * whole;
            square += whole * whole;
        }
        uint16_t bits = plain_to_half(square > 0 ? product / square : 0);
        float scale = plain_from_half(bits);
        for (size_t i = 0; i < count; i++) {
            float apart = weights[i] - plain_from_half(plain_to_half((float)tried[i] * scale));
            error += apart * apart;
        }
        if (error < best) {
            best = error;
            chosen = bits;
            memcpy(integers, tried, count);
        }
    }
    return chosen;
}

void row_unpack(
    const void *integers, const void *scales, size_t pairs, size_t pairs_per_group,
    const int64_t *places, uint16_t *halves) {
    CHOOSE(unpack, integers, scales, pairs, pairs_per_group, places, halves);
}

void row_softmax(
    float *scores, size_t rows, size_t columns, float scale, uint16_t *weights, size_t stride) {
    CHOOSE(softmax, scores, rows, columns, scale, weights, stride);
}
