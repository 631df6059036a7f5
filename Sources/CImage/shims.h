// The two inner loops of the resize with the processor's widest integers. Swift compiles for the oldest processor of its architecture
// and cannot choose at run time; the naive loops in Resize.swift define what these compute, bit for bit.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

// Whether processor and system have AVX2.
static inline int image_has_wide_integers(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27))) return 0;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 6) != 6) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 5)) != 0;
}

// One pixel of interleaved RGB: the sum of `count` pixels at `source` times `weights`, plus `half`, less `bits` bits of fraction, clamped
// to bytes. `readable` bytes may be read at `source`.
__attribute__((target("avx2"))) static inline void image_filter_pixel(
    const uint8_t *source, size_t readable, const int32_t *weights, size_t count, int32_t half,
    int bits, uint8_t *out) {
    // Two pixels at a time: red, green, blue and nothing of each.
    const __m128i apart = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i twice = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    __m256i sums = _mm256_setzero_si256();
    size_t t = 0;
    for (; t + 2 <= count && 3 * t + 8 <= readable; t += 2) {
        __m128i bytes = _mm_loadl_epi64((const __m128i *)(source + 3 * t));
        __m256i pixels = _mm256_cvtepu8_epi32(_mm_shuffle_epi8(bytes, apart));
        __m128i pair = _mm_loadl_epi64((const __m128i *)(weights + t));
        __m256i both = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(pair), twice);
        sums = _mm256_add_epi32(sums, _mm256_mullo_epi32(pixels, both));
    }
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    for (; t < count; t++) {
        __m128i pixel = _mm_setr_epi32(source[3 * t], source[3 * t + 1], source[3 * t + 2], 0);
        sum = _mm_add_epi32(sum, _mm_mullo_epi32(pixel, _mm_set1_epi32(weights[t])));
    }
    sum = _mm_sra_epi32(_mm_add_epi32(sum, _mm_set1_epi32(half)), _mm_cvtsi32_si128(bits));
    uint32_t bytes =
        (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(_mm_packs_epi32(sum, sum), sum));
    out[0] = (uint8_t)bytes;
    out[1] = (uint8_t)(bytes >> 8);
    out[2] = (uint8_t)(bytes >> 16);
}

// One row: pixel x of `out` from `counts[x]` pixels of `source` on from `starts[x]`, with `taps` weights for each pixel of which the first
// `counts[x]` count.
__attribute__((target("avx2"))) static inline void image_filter_row(
    const uint8_t *source, size_t bytes, const ptrdiff_t *starts, const ptrdiff_t *counts,
    const int32_t *weights, size_t taps, size_t width, int32_t half, int bits, uint8_t *out) {
    for (size_t x = 0; x < width; x++) {
        size_t first = 3 * (size_t)starts[x];
        image_filter_pixel(
            source + first, bytes - first, weights + x * taps, (size_t)counts[x], half, bits,
            out + 3 * x);
    }
}

// sums[i] += source[i] * weight
__attribute__((target("avx2"))) static inline void image_accumulate(
    const uint8_t *source, size_t count, int32_t weight, int32_t *sums) {
    const __m256i weights = _mm256_set1_epi32(weight);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i values = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(source + i)));
        __m256i sum = _mm256_loadu_si256((const __m256i *)(sums + i));
        sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(values, weights));
        _mm256_storeu_si256((__m256i *)(sums + i), sum);
    }
    for (; i < count; i++) sums[i] += source[i] * weight;
}

#else

static inline int image_has_wide_integers(void) { return 0; }

static inline void image_filter_row(
    const uint8_t *source, size_t bytes, const ptrdiff_t *starts, const ptrdiff_t *counts,
    const int32_t *weights, size_t taps, size_t width, int32_t half, int bits, uint8_t *out) {}

static inline void image_accumulate(
    const uint8_t *source, size_t count, int32_t weight, int32_t *sums) {}

#endif
