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
    const wade_matmul *matmul, dnnl_engine_t engine, const void *source, const void *weights,
    const float *bias, void *destination, void *scratchpad) {
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

// Makes the product of one panel of narrow weights: sums (M, N) = source (M, K) * weights (K, N), or sums += where `accumulates`;
// bfloat16 with float32 sums, or 8-bit integers with 32-bit sums. Weights take the layout of `like` when given.
static inline dnnl_status_t wade_panel_create(
    wade_matmul *out, dnnl_engine_t engine, int integers, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k,
    int accumulates, const wade_matmul *like) {
    const dnnl_dims_t source_dims = {m, k}, weights_dims = {k, n}, sums_dims = {m, n};
    const dnnl_data_type_t type = integers ? dnnl_s8 : dnnl_bf16;
    const dnnl_data_type_t sum_type = integers ? dnnl_s32 : dnnl_f32;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t post_ops = NULL;
    out->primitive = NULL;
    out->description = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && accumulates) {
        status = dnnl_post_ops_create(&post_ops);
#if DNNL_VERSION_MAJOR >= 3
        if (status == dnnl_success)
            status = dnnl_post_ops_append_sum(post_ops, 1, 0, dnnl_data_type_undef);
#else
        if (status == dnnl_success) status = dnnl_post_ops_append_sum(post_ops, 1);
#endif
        if (status == dnnl_success)
            status = dnnl_primitive_attr_set_post_ops(attributes, post_ops);
    }
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t source = NULL, weights = NULL, sums = NULL;
    dnnl_memory_desc_create_with_tag(&source, 2, source_dims, type, dnnl_ab);
    dnnl_memory_desc_create_with_tag(&weights, 2, weights_dims, type, dnnl_format_tag_any);
    dnnl_memory_desc_create_with_tag(&sums, 2, sums_dims, sum_type, dnnl_ab);
    if (status == dnnl_success)
        status = dnnl_matmul_primitive_desc_create(
            &out->description, engine, source,
            like ? wade_matmul_query(like, dnnl_query_weights_md) : weights, NULL, sums, attributes);
    dnnl_memory_desc_destroy(source);
    dnnl_memory_desc_destroy(weights);
    dnnl_memory_desc_destroy(sums);
#else
    dnnl_memory_desc_t source, weights, sums;
    dnnl_memory_desc_init_by_tag(&source, 2, source_dims, type, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&weights, 2, weights_dims, type, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&sums, 2, sums_dims, sum_type, dnnl_ab);
    dnnl_matmul_desc_t operation;
    if (status == dnnl_success)
        status = dnnl_matmul_desc_init(
            &operation, &source, like ? wade_matmul_query(like, dnnl_query_weights_md) : &weights,
            NULL, &sums);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&out->description, &operation, attributes, engine, NULL);
#endif
    if (post_ops) dnnl_post_ops_destroy(post_ops);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    if (status == dnnl_success) status = dnnl_primitive_create(&out->primitive, out->description);
    return status;
}

// Makes out (M, N) = a (M, K) * b (K, N) of bfloat16 windows with float32 sums: rows of `a` and of `out` are strides apart, and so are
// neighbours of `b` along both axes, one of which is 1.
static inline dnnl_status_t wade_window_product_create(
    wade_matmul *out, dnnl_engine_t engine, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k,
    dnnl_dim_t a_stride, dnnl_dim_t b_row_stride, dnnl_dim_t b_column_stride,
    dnnl_dim_t out_stride) {
    const dnnl_dims_t a_dims = {m, k}, b_dims = {k, n}, out_dims = {m, n};
    const dnnl_dims_t a_strides = {a_stride, 1}, b_strides = {b_row_stride, b_column_stride},
                      out_strides = {out_stride, 1};
    dnnl_primitive_attr_t attributes = NULL;
    out->primitive = NULL;
    out->description = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t a = NULL, b = NULL, result = NULL;
    dnnl_memory_desc_create_with_strides(&a, 2, a_dims, dnnl_bf16, a_strides);
    dnnl_memory_desc_create_with_strides(&b, 2, b_dims, dnnl_bf16, b_strides);
    dnnl_memory_desc_create_with_strides(&result, 2, out_dims, dnnl_f32, out_strides);
    if (status == dnnl_success)
        status = dnnl_matmul_primitive_desc_create(
            &out->description, engine, a, b, NULL, result, attributes);
    dnnl_memory_desc_destroy(a);
    dnnl_memory_desc_destroy(b);
    dnnl_memory_desc_destroy(result);
#else
    dnnl_memory_desc_t a, b, result;
    dnnl_memory_desc_init_by_strides(&a, 2, a_dims, dnnl_bf16, a_strides);
    dnnl_memory_desc_init_by_strides(&b, 2, b_dims, dnnl_bf16, b_strides);
    dnnl_memory_desc_init_by_strides(&result, 2, out_dims, dnnl_f32, out_strides);
    dnnl_matmul_desc_t operation;
    if (status == dnnl_success)
        status = dnnl_matmul_desc_init(&operation, &a, &b, NULL, &result);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&out->description, &operation, attributes, engine, NULL);
#endif
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    if (status == dnnl_success) status = dnnl_primitive_create(&out->primitive, out->description);
    return status;
}

// What oneDNN calls the code that runs the product, such as `brg:avx512_core_amx_int8`; its slow definitions say `ref`.
static inline const char *wade_matmul_implementation(const wade_matmul *matmul) {
    const char *name = NULL;
    dnnl_status_t status =
        dnnl_primitive_desc_query(matmul->description, dnnl_query_impl_info_str, 0, (void *)&name);
    return status == dnnl_success && name ? name : "unknown";
}

// Where oneDNN wants element (row, column) of a (K, N) panel, in words that outlive the program: a block of `sizes` along `axes` is
// dense, the last axis fastest; blocks are `strides` elements apart. What follows the elements belongs to oneDNN.
typedef struct {
    int is_known;
    int64_t padded[2];
    int64_t strides[2];
    int blocks;
    int64_t sizes[12];
    int64_t axes[12];
    int64_t bytes;
} wade_panel_layout;

static inline wade_panel_layout wade_matmul_layout(const wade_matmul *matmul) {
    wade_panel_layout layout = {0};
    wade_memory_desc weights = wade_matmul_query(matmul, dnnl_query_weights_md);
    if (!weights) return layout;
    layout.bytes = (int64_t)dnnl_memory_desc_get_size(weights);
#if DNNL_VERSION_MAJOR >= 3
    dnnl_dims_t padded, strides, sizes, axes;
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    dnnl_memory_desc_query(weights, dnnl_query_format_kind, &kind);
    dnnl_memory_desc_query(weights, dnnl_query_padded_dims, &padded);
    dnnl_memory_desc_query(weights, dnnl_query_strides, &strides);
    int count = 0;
    dnnl_memory_desc_query(weights, dnnl_query_inner_nblks_s32, &count);
    dnnl_memory_desc_query(weights, dnnl_query_inner_blks, &sizes);
    dnnl_memory_desc_query(weights, dnnl_query_inner_idxs, &axes);
#else
    const dnnl_format_kind_t kind = weights->format_kind;
    const dnnl_dim_t *padded = weights->padded_dims;
    const dnnl_dim_t *strides = weights->format_desc.blocking.strides;
    const int count = weights->format_desc.blocking.inner_nblks;
    const dnnl_dim_t *sizes = weights->format_desc.blocking.inner_blks;
    const dnnl_dim_t *axes = weights->format_desc.blocking.inner_idxs;
#endif
    layout.is_known = kind == dnnl_blocked && count <= 12;
    if (!layout.is_known) return layout;
    layout.blocks = count;
    for (int i = 0; i < 2; i++) layout.padded[i] = padded[i], layout.strides[i] = strides[i];
    for (int i = 0; i < count; i++) layout.sizes[i] = sizes[i], layout.axes[i] = axes[i];
    return layout;
}

// Copies a panel of dense row-major weights (N, K) into the layout of `matmul`.
static inline dnnl_status_t wade_panel_pack(
    const wade_matmul *matmul, dnnl_engine_t engine, int integers, dnnl_dim_t n, dnnl_dim_t k,
    const void *row_major, void *packed) {
    const dnnl_dims_t dims = {k, n};
    const dnnl_data_type_t type = integers ? dnnl_s8 : dnnl_bf16;
    wade_memory_desc target = wade_matmul_query(matmul, dnnl_query_weights_md);
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t status;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t plain = NULL;
    status = dnnl_memory_desc_create_with_tag(&plain, 2, dims, type, dnnl_ba);
    const wade_memory_desc source = plain;
#else
    dnnl_memory_desc_t plain;
    status = dnnl_memory_desc_init_by_tag(&plain, 2, dims, type, dnnl_ba);
    const wade_memory_desc source = &plain;
#endif
    if (status == dnnl_success) status = dnnl_memory_create(&from, source, engine, (void *)row_major);
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
    if (plain) dnnl_memory_desc_destroy(plain);
#endif
    return status;
}

// Copies a row-major window of `rows` x `columns` values into dense rows of another type.
static inline dnnl_status_t wade_convert(
    dnnl_engine_t engine, dnnl_stream_t stream, dnnl_dim_t rows, dnnl_dim_t columns,
    const void *source, dnnl_data_type_t source_type, dnnl_dim_t stride, void *target,
    dnnl_data_type_t target_type) {
    const dnnl_dims_t dims = {rows, columns}, strides = {stride, 1};
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t status;
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t window = NULL, dense = NULL;
    status = dnnl_memory_desc_create_with_strides(&window, 2, dims, source_type, strides);
    if (status == dnnl_success)
        status = dnnl_memory_desc_create_with_tag(&dense, 2, dims, target_type, dnnl_ab);
    const wade_memory_desc window_desc = window, dense_desc = dense;
#else
    dnnl_memory_desc_t window, dense;
    status = dnnl_memory_desc_init_by_strides(&window, 2, dims, source_type, strides);
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_tag(&dense, 2, dims, target_type, dnnl_ab);
    const wade_memory_desc window_desc = &window, dense_desc = &dense;
#endif
    if (status == dnnl_success)
        status = dnnl_memory_create(&from, window_desc, engine, (void *)source);
    if (status == dnnl_success) status = dnnl_memory_create(&to, dense_desc, engine, target);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(
            &description, window_desc, engine, dense_desc, engine, NULL);
    if (status == dnnl_success) status = dnnl_primitive_create(&reorder, description);
    if (status == dnnl_success) {
        const dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
        status = dnnl_primitive_execute(reorder, stream, 2, arguments);
    }
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    if (reorder) dnnl_primitive_destroy(reorder);
    if (description) dnnl_primitive_desc_destroy(description);
    if (from) dnnl_memory_destroy(from);
    if (to) dnnl_memory_destroy(to);
#if DNNL_VERSION_MAJOR >= 3
    if (window) dnnl_memory_desc_destroy(window);
    if (dense) dnnl_memory_desc_destroy(dense);
#endif
    return status;
}

// Rounds a row-major window to bfloat16 and back to float32, dense; `half` holds as many values.
static inline dnnl_status_t wade_round_to_bfloat16(
    dnnl_dim_t rows, dnnl_dim_t columns, const float *source, dnnl_dim_t stride, void *half,
    float *rounded) {
    dnnl_engine_t engine = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (status == dnnl_success) status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = wade_convert(
            engine, stream, rows, columns, source, dnnl_f32, stride, half, dnnl_bf16);
    if (status == dnnl_success)
        status = wade_convert(
            engine, stream, rows, columns, half, dnnl_bf16, columns, rounded, dnnl_f32);
    if (stream) dnnl_stream_destroy(stream);
    if (engine) dnnl_engine_destroy(engine);
    return status;
}

// Describes out (M, N) = scale * a (M, K) * b (K, N) + keep * out with bfloat16 operands, each dense in memory or the
// transpose of what is dense there, and sums and result in float32.
static inline dnnl_status_t wade_bfloat16_product_describe(
    dnnl_primitive_desc_t *out, dnnl_engine_t engine, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k,
    int a_transposed, int b_transposed, dnnl_dim_t out_stride, float scale, float keep) {
    const dnnl_dims_t a_dims = {m, k}, b_dims = {k, n}, out_dims = {m, n},
                      out_strides = {out_stride, 1};
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t post_ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success) status = dnnl_post_ops_create(&post_ops);
#if DNNL_VERSION_MAJOR >= 3
    if (status == dnnl_success && scale != 1)
        status = dnnl_post_ops_append_eltwise(post_ops, dnnl_eltwise_linear, scale, 0);
    if (status == dnnl_success && keep != 0)
        status = dnnl_post_ops_append_sum(post_ops, keep, 0, dnnl_data_type_undef);
#else
    if (status == dnnl_success && scale != 1)
        status = dnnl_post_ops_append_eltwise(post_ops, 1, dnnl_eltwise_linear, scale, 0);
    if (status == dnnl_success && keep != 0) status = dnnl_post_ops_append_sum(post_ops, keep);
#endif
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attributes, post_ops);
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_t a = NULL, b = NULL, result = NULL;
    dnnl_memory_desc_create_with_tag(&a, 2, a_dims, dnnl_bf16, a_transposed ? dnnl_ba : dnnl_ab);
    dnnl_memory_desc_create_with_tag(&b, 2, b_dims, dnnl_bf16, b_transposed ? dnnl_ba : dnnl_ab);
    dnnl_memory_desc_create_with_strides(&result, 2, out_dims, dnnl_f32, out_strides);
    if (status == dnnl_success)
        status = dnnl_matmul_primitive_desc_create(out, engine, a, b, NULL, result, attributes);
    dnnl_memory_desc_destroy(a);
    dnnl_memory_desc_destroy(b);
    dnnl_memory_desc_destroy(result);
#else
    dnnl_memory_desc_t a, b, result;
    dnnl_memory_desc_init_by_tag(&a, 2, a_dims, dnnl_bf16, a_transposed ? dnnl_ba : dnnl_ab);
    dnnl_memory_desc_init_by_tag(&b, 2, b_dims, dnnl_bf16, b_transposed ? dnnl_ba : dnnl_ab);
    dnnl_memory_desc_init_by_strides(&result, 2, out_dims, dnnl_f32, out_strides);
    dnnl_matmul_desc_t operation;
    if (status == dnnl_success)
        status = dnnl_matmul_desc_init(&operation, &a, &b, NULL, &result);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(out, &operation, attributes, engine, NULL);
#endif
    if (post_ops) dnnl_post_ops_destroy(post_ops);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    return status;
}

// out (M, N) = scale * a (M, K) * b (K, N) + keep * out: the float32 operands, row-major windows or their transposes, are
// rounded to bfloat16 in `a_rounded` and `b_rounded` (2 bytes a value); sums are float32.
// oneDNN keeps the compiled code of a description by itself, so making it anew costs little.
static inline dnnl_status_t wade_bfloat16_product(
    dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, float scale, const float *a, dnnl_dim_t a_stride,
    int a_transposed, void *a_rounded, const float *b, dnnl_dim_t b_stride, int b_transposed,
    void *b_rounded, float keep, float *out, dnnl_dim_t out_stride) {
    dnnl_engine_t engine = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_exec_arg_t arguments[3] = {
        {DNNL_ARG_SRC, NULL}, {DNNL_ARG_WEIGHTS, NULL}, {DNNL_ARG_DST, NULL}};
    const dnnl_query_t queries[3] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md};
    void *const data[3] = {a_rounded, b_rounded, out};
    dnnl_status_t status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = wade_bfloat16_product_describe(
            &description, engine, m, n, k, a_transposed, b_transposed, out_stride, scale, keep);
    if (status == dnnl_success) status = dnnl_primitive_create(&primitive, description);
    if (status == dnnl_success) status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = wade_convert(
            engine, stream, a_transposed ? k : m, a_transposed ? m : k, a, dnnl_f32, a_stride,
            a_rounded, dnnl_bf16);
    if (status == dnnl_success)
        status = wade_convert(
            engine, stream, b_transposed ? n : k, b_transposed ? k : n, b, dnnl_f32, b_stride,
            b_rounded, dnnl_bf16);
    for (int i = 0; i < 3 && status == dnnl_success; i++)
        status = dnnl_memory_create(
            &arguments[i].memory, dnnl_primitive_desc_query_md(description, queries[i], 0), engine,
            data[i]);
    if (status == dnnl_success) status = dnnl_primitive_execute(primitive, stream, 3, arguments);
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    for (int i = 0; i < 3; i++)
        if (arguments[i].memory) dnnl_memory_destroy(arguments[i].memory);
    if (stream) dnnl_stream_destroy(stream);
    if (primitive) dnnl_primitive_destroy(primitive);
    if (description) dnnl_primitive_desc_destroy(description);
    if (engine) dnnl_engine_destroy(engine);
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
