// oneDNN's C interface, the differences between its versions 2 and 3, and the one function of the
// OpenMP runtime that Wade needs. No other file knows which version is installed.
#ifndef WADE_CONEDNN_H
#define WADE_CONEDNN_H

#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>
#include <stdlib.h>

// Sets the number of OpenMP threads of the calling thread only (OpenMP 5.0, section 3.2.1);
// declared here because omp.h belongs to the C compiler, not to the library.
void omp_set_num_threads(int count);

// A matrix product destination (M, N) = source (M, K) * weights (K, N) + bias (N), ready to run.
typedef struct {
    dnnl_primitive_t primitive;
    dnnl_primitive_desc_t description;
} wade_matmul;

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t wade_memory_desc;
#else
typedef const dnnl_memory_desc_t *wade_memory_desc;
#endif

static inline wade_memory_desc wade_matmul_query(const wade_matmul *matmul, dnnl_query_t what) {
    return dnnl_primitive_desc_query_md(matmul->description, what, 0);
}

static inline size_t wade_matmul_bytes(const wade_matmul *matmul, dnnl_query_t what) {
    wade_memory_desc description = wade_matmul_query(matmul, what);
    return description ? dnnl_memory_desc_get_size(description) : 0;
}

// Makes a product for M rows. Weights take the layout of `like` when given, else the one oneDNN prefers.
static inline dnnl_status_t wade_matmul_create(
    wade_matmul *out, dnnl_engine_t engine, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, int has_bias,
    const wade_matmul *like) {
    const dnnl_dims_t source_dims = {m, k}, weights_dims = {k, n}, bias_dims = {1, n},
                      destination_dims = {m, n};
    const dnnl_data_type_t type = dnnl_f32;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status != dnnl_success) return status;
    // The library's own scratchpad belongs to the thread that made the primitive; ours does not.
    dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    out->primitive = NULL;
    out->description = NULL;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t source = NULL, weights = NULL, bias = NULL, destination = NULL;
    dnnl_memory_desc_create_with_tag(&source, 2, source_dims, type, dnnl_ab);
    dnnl_memory_desc_create_with_tag(&weights, 2, weights_dims, type, dnnl_format_tag_any);
    dnnl_memory_desc_create_with_tag(&bias, 2, bias_dims, type, dnnl_ab);
    dnnl_memory_desc_create_with_tag(&destination, 2, destination_dims, type, dnnl_ab);
    status = dnnl_matmul_primitive_desc_create(
        &out->description, engine, source,
        like ? wade_matmul_query(like, dnnl_query_weights_md) : weights, has_bias ? bias : NULL,
        destination, attributes);
    dnnl_memory_desc_destroy(source);
    dnnl_memory_desc_destroy(weights);
    dnnl_memory_desc_destroy(bias);
    dnnl_memory_desc_destroy(destination);
#else
    dnnl_memory_desc_t source, weights, bias, destination;
    dnnl_memory_desc_init_by_tag(&source, 2, source_dims, type, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&weights, 2, weights_dims, type, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&bias, 2, bias_dims, type, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&destination, 2, destination_dims, type, dnnl_ab);
    dnnl_matmul_desc_t operation;
    status = dnnl_matmul_desc_init(
        &operation, &source, like ? wade_matmul_query(like, dnnl_query_weights_md) : &weights,
        has_bias ? &bias : NULL, &destination);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&out->description, &operation, attributes, engine, NULL);
#endif
    dnnl_primitive_attr_destroy(attributes);
    if (status == dnnl_success) status = dnnl_primitive_create(&out->primitive, out->description);
    return status;
}

static inline void wade_matmul_destroy(wade_matmul *matmul) {
    if (matmul->primitive) dnnl_primitive_destroy(matmul->primitive);
    if (matmul->description) dnnl_primitive_desc_destroy(matmul->description);
}

// Copies row-major weights (N, K), as PyTorch's Linear stores them, into the layout of `matmul`.
static inline dnnl_status_t wade_matmul_pack(
    const wade_matmul *matmul, dnnl_engine_t engine, dnnl_dim_t n, dnnl_dim_t k,
    const float *row_major, void *packed) {
    const dnnl_dims_t dims = {k, n};
    wade_memory_desc target = wade_matmul_query(matmul, dnnl_query_weights_md);
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t status;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t plain = NULL;
    dnnl_memory_desc_create_with_tag(&plain, 2, dims, dnnl_f32, dnnl_ba);
    wade_memory_desc source = plain;
#else
    dnnl_memory_desc_t plain;
    dnnl_memory_desc_init_by_tag(&plain, 2, dims, dnnl_f32, dnnl_ba);
    wade_memory_desc source = &plain;
#endif
    status = dnnl_memory_create(&from, source, engine, (void *)row_major);
    if (status == dnnl_success) status = dnnl_memory_create(&to, target, engine, packed);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(
            &description, source, engine, target, engine, NULL);
    if (status == dnnl_success) status = dnnl_primitive_create(&reorder, description);
    if (status == dnnl_success) status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
        status = dnnl_primitive_execute(reorder, stream, 2, arguments);
        if (status == dnnl_success) status = dnnl_stream_wait(stream);
    }
    if (stream) dnnl_stream_destroy(stream);
    if (reorder) dnnl_primitive_destroy(reorder);
    if (description) dnnl_primitive_desc_destroy(description);
    if (from) dnnl_memory_destroy(from);
    if (to) dnnl_memory_destroy(to);
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_destroy(plain);
#endif
    return status;
}

// Runs the product; `bias` may be NULL when it was made without one, `scratchpad` holds
// wade_matmul_bytes(matmul, dnnl_query_scratchpad_md) bytes.
static inline dnnl_status_t wade_matmul_run(
    const wade_matmul *matmul, dnnl_engine_t engine, const float *source, const void *weights,
    const float *bias, float *destination, void *scratchpad) {
    const struct { int argument; dnnl_query_t query; const void *data; } parts[5] = {
        {DNNL_ARG_SRC, dnnl_query_src_md, source},
        {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, weights},
        {DNNL_ARG_DST, dnnl_query_dst_md, destination},
        {DNNL_ARG_SCRATCHPAD, dnnl_query_scratchpad_md, scratchpad},
        {DNNL_ARG_BIAS, dnnl_query_weights_md, bias},
    };
    dnnl_exec_arg_t arguments[5];
    dnnl_stream_t stream = NULL;
    int count = 0;
    dnnl_status_t status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    for (int i = 0; i < 5 && status == dnnl_success; i++) {
        if (parts[i].argument == DNNL_ARG_BIAS && !bias) continue;
        wade_memory_desc description = dnnl_primitive_desc_query_md(
            matmul->description, parts[i].query, parts[i].argument == DNNL_ARG_BIAS ? 1 : 0);
        arguments[count].arg = parts[i].argument;
        arguments[count].memory = NULL;
        status = dnnl_memory_create(
            &arguments[count].memory, description, engine, (void *)parts[i].data);
        if (status == dnnl_success) count++;
    }
    if (status == dnnl_success) status = dnnl_primitive_execute(matmul->primitive, stream, count, arguments);
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    for (int i = 0; i < count; i++) dnnl_memory_destroy(arguments[i].memory);
    if (stream) dnnl_stream_destroy(stream);
    return status;
}

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t wade_row_desc;
static inline dnnl_status_t wade_row_create(wade_row_desc *row, dnnl_dim_t count) {
    const dnnl_dims_t dims = {count};
    return dnnl_memory_desc_create_with_tag(row, 1, dims, dnnl_f32, dnnl_a);
}
#define WADE_ROW(row) (row)
#define WADE_ROW_DESTROY(row) dnnl_memory_desc_destroy(row)
#else
typedef dnnl_memory_desc_t wade_row_desc;
static inline dnnl_status_t wade_row_create(wade_row_desc *row, dnnl_dim_t count) {
    const dnnl_dims_t dims = {count};
    return dnnl_memory_desc_init_by_tag(row, 1, dims, dnnl_f32, dnnl_a);
}
#define WADE_ROW(row) (&(row))
#define WADE_ROW_DESTROY(row) ((void)0)
#endif

// Makes the description of y = f(x), or of dx = f'(x) * dy given the one of y = f(x).
static inline dnnl_status_t wade_eltwise_describe(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, float alpha,
    wade_row_desc row, const_dnnl_primitive_desc_t forward) {
#if DNNL_VERSION_MAJOR >= 3
    return forward
        ? dnnl_eltwise_backward_primitive_desc_create(
              out, engine, algorithm, row, row, row, alpha, 0, forward, NULL)
        : dnnl_eltwise_forward_primitive_desc_create(
              out, engine, dnnl_forward_training, algorithm, row, row, alpha, 0, NULL);
#else
    dnnl_eltwise_desc_t operation;
    dnnl_status_t status = forward
        ? dnnl_eltwise_backward_desc_init(&operation, algorithm, &row, &row, alpha, 0)
        : dnnl_eltwise_forward_desc_init(
              &operation, dnnl_forward_training, algorithm, &row, alpha, 0);
    if (status != dnnl_success) return status;
    return dnnl_primitive_desc_create(out, &operation, NULL, engine, forward);
#endif
}

// Runs y = f(x) where `gradient` is NULL, else y = f'(x) * gradient, on `count` values.
// oneDNN keeps the compiled code of a description by itself, so making it anew costs little.
static inline dnnl_status_t wade_eltwise(
    dnnl_alg_kind_t algorithm, float alpha, dnnl_dim_t count, const float *x,
    const float *gradient, float *y) {
    dnnl_engine_t engine = NULL;
    dnnl_primitive_desc_t forward = NULL, backward = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_memory_t source = NULL, given = NULL, result = NULL;
    wade_row_desc row;
    dnnl_status_t status = wade_row_create(&row, count);
    if (status != dnnl_success) return status;
    status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = wade_eltwise_describe(&forward, engine, algorithm, alpha, row, NULL);
    if (status == dnnl_success && gradient)
        status = wade_eltwise_describe(&backward, engine, algorithm, alpha, row, forward);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&primitive, gradient ? backward : forward);
    if (status == dnnl_success) status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = dnnl_memory_create(&source, WADE_ROW(row), engine, (void *)x);
    if (status == dnnl_success && gradient)
        status = dnnl_memory_create(&given, WADE_ROW(row), engine, (void *)gradient);
    if (status == dnnl_success) status = dnnl_memory_create(&result, WADE_ROW(row), engine, y);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t arguments[3] = {
            {DNNL_ARG_SRC, source},
            {gradient ? DNNL_ARG_DIFF_SRC : DNNL_ARG_DST, result},
            {DNNL_ARG_DIFF_DST, given}};
        status = dnnl_primitive_execute(primitive, stream, gradient ? 3 : 2, arguments);
        if (status == dnnl_success) status = dnnl_stream_wait(stream);
    }
    if (result) dnnl_memory_destroy(result);
    if (given) dnnl_memory_destroy(given);
    if (source) dnnl_memory_destroy(source);
    if (stream) dnnl_stream_destroy(stream);
    if (primitive) dnnl_primitive_destroy(primitive);
    if (backward) dnnl_primitive_desc_destroy(backward);
    if (forward) dnnl_primitive_desc_destroy(forward);
    if (engine) dnnl_engine_destroy(engine);
    WADE_ROW_DESTROY(row);
    return status;
}

static inline dnnl_status_t wade_eltwise_forward(
    dnnl_alg_kind_t algorithm, float alpha, dnnl_dim_t count, const float *x, float *y) {
    return wade_eltwise(algorithm, alpha, count, x, NULL, y);
}

static inline dnnl_status_t wade_eltwise_backward(
    dnnl_alg_kind_t algorithm, float alpha, dnnl_dim_t count, const float *x, const float *gradient,
    float *y) {
    return wade_eltwise(algorithm, alpha, count, x, gradient, y);
}

#endif
