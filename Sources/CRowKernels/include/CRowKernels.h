// What stands between two products of low precision: rows are normalised and rounded, sums are scaled and activated.
//
// Every kernel exists for AVX-512, for AVX2 and for any processor, and the widest that the processor has is taken. All of them work on
// sixteen numbers at a time in the same order and without fused multiplications, so they agree to the bit; a row's result depends on
// nothing but the row. The naive definitions stand in Swift, beside the kernels' callers.
#ifndef WADE_ROW_KERNELS_H
#define WADE_ROW_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// Where narrow rows lie: columns in runs of `chunk`, the rows of the first run one after the other, then those of the next run.
// A product reads one run at a time, so that rows and weights stay in the cache. A row has `width` values and `padded` places.
typedef struct {
    size_t rows;
    size_t rows_with_filler;
    size_t width;
    size_t padded;
    size_t chunk;
} row_layout;

// f(x) of what comes out of a product.
typedef enum {
    row_identity = 0,
    row_gelu = 1,       // x * Phi(x)
    row_gelu_tanh = 2,  // its tanh approximation
    row_swish = 3,      // x / (1 + exp(-slope * x))
    row_relu = 4,
    row_squared_relu = 5,
} row_activation;

// What becomes of a product's sums: f(sum * row scale * column scale + bias) + residual.
typedef struct {
    const void *sums;           // dense rows of `stride` float32, or int32 where there are column scales
    size_t stride;
    size_t rows;
    size_t columns;
    const float *row_scales;    // by row, with column scales only
    const float *column_scales; // by column, or NULL
    const float *bias;          // by column, or NULL
    row_activation activation;
    float slope;
    const float *residual;      // rows of `wide_stride` float32, or NULL; may be `wide`
    float *wide;                // rows of `wide_stride` float32, or NULL
    size_t wide_stride;
    uint16_t *halves;           // rows of `halves_stride` bfloat16, where `wide` is NULL
    size_t halves_stride;
} row_outcome;

// y = (x - mean) / sqrt(variance + epsilon) * weight + bias of each dense row, rounded to bfloat16 in `halves` or, where that is
// NULL, to integers and scales; `bias` may be NULL, `line` has room for a row.
void row_layer_norm(
    const float *x, row_layout layout, const float *weight, const float *bias, float epsilon,
    float *line, uint16_t *halves, int8_t *integers, float *scales);

// Rounds dense rows of float32 to bfloat16, ties to even.
void row_round(const float *x, row_layout layout, uint16_t *halves);

// Rounds dense rows of float32, or of bfloat16 where `x` is NULL, to integers and a scale for each row: value = integer * scale, and
// the largest of a row becomes 127.
void row_quantize(
    const float *x, const uint16_t *halves, row_layout layout, int8_t *integers, float *scales);

// Finishes a product.
void row_finish(const row_outcome *outcome);

// Turns dense rows of scores into weights exp(scale * (x - largest)) / sum of them, as rows of `stride` bfloat16; `scale` is positive.
// The scores are overwritten.
void row_softmax(
    float *scores, size_t rows, size_t columns, float scale, uint16_t *weights, size_t stride);

// Rounds a group of at most 256 weights to integers from -8 to 7 times one scale, a bfloat16, which is returned. Of a few scales it is the
// one with the least squared error, made to fit its integers best.
uint16_t row_four_bits(const float *weights, size_t count, int8_t *integers);

// Weights of four bits as bfloat16: for every pair of inputs sixteen bytes, one for each of sixteen outputs, hold two integers from 0 to
// 15, the even input's in the lower half; less 8 they are multiplied with the bfloat16 scale of their output and of the group of
// `pairs_per_group` pairs. Sixteen pairs of values go to each of `places`.
void row_unpack(
    const void *integers, const void *scales, size_t pairs, size_t pairs_per_group,
    const int64_t *places, uint16_t *halves);

#endif
