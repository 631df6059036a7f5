//! Attention of a whole sequence to itself in bfloat16: a vision encoder's frame.

internal import COneDNN
internal import CRowKernels

extension Attention {
    /// softmax(q·kᵀ·scale)·v per head, where q, k and v, (T, H·d) each, are what `layer` makes of `x` side by side and every query sees
    /// every key; the result is (T, H·d). Queries, keys, values and the softmax's weights are rounded to bfloat16, sums are float32.
    /// Nil where the layer multiplies float32 or the processor no bfloat16.
    package func rounded(_ x: LayerInput, through layer: Linear) -> Tensor? {
        guard alibiSlopes == nil, let qkv = layer.halves(x), qkv.layout.rows > 0,
            let products = HeadProducts(
                tokens: qkv.layout.rows, width: layer.outputs / 3, heads: heads)
        else { return nil }
        return unsafe Tensor(uninitialized: [products.tokens, products.width]) { out in
            guard let target = out.baseAddress else { return }
            for head in 0..<heads {
                unsafe products.attend(
                    qkv.halves, head: head, scale: scale, into: target)
            }
        }
    }
}

/// The two products of a head, and room for what is between them.
@safe private final class HeadProducts {
    let tokens: Int
    let width: Int
    private let depth: Int
    /// Rows of weights are this far apart, so that they begin at whole cache lines.
    private let stride: Int
    private var engine: dnnl_engine_t?
    private var scoring = unsafe wade_matmul()
    private var weighing = unsafe wade_matmul()
    private let scores: UnsafeMutablePointer<Float>
    private let weights: UnsafeMutablePointer<UInt16>
    private let scratchpad: UnsafeMutableRawPointer

    /// Nil when oneDNN has no fast product of that kind.
    init?(tokens: Int, width: Int, heads: Int) {
        self.tokens = tokens
        self.width = width
        depth = width / heads
        stride = (tokens + 31) / 32 * 32
        unsafe scores = .allocate(capacity: tokens * tokens)
        unsafe weights = .allocate(capacity: tokens * stride)
        let (count, inner) = (dnnl_dim_t(tokens), dnnl_dim_t(depth))
        let (row, out) = (dnnl_dim_t(3 * width), dnnl_dim_t(width))
        var made: dnnl_engine_t?
        var status = unsafe dnnl_engine_create(&made, dnnl_cpu, 0)
        unsafe engine = unsafe made
        if status == dnnl_success {
            status = unsafe wade_window_product_create(
                &scoring, made, count, count, inner, row, 1, row, count)
        }
        if status == dnnl_success {
            status = unsafe wade_window_product_create(
                &weighing, made, count, inner, count, dnnl_dim_t(stride), row, 1, out)
        }
        var bytes = 64
        if status == dnnl_success {
            bytes = unsafe max(
                bytes, wade_matmul_bytes(&scoring, dnnl_query_scratchpad_md),
                wade_matmul_bytes(&weighing, dnnl_query_scratchpad_md))
        }
        unsafe scratchpad = .allocate(byteCount: bytes, alignment: 64)
        guard status == dnnl_success else { return nil }
        let names = unsafe [
            String(cString: wade_matmul_implementation(&scoring)),
            String(cString: wade_matmul_implementation(&weighing)),
        ]
        guard !names.contains(where: { $0.contains("ref") }) else { return nil }
    }

    deinit {
        unsafe wade_matmul_destroy(&scoring)
        unsafe wade_matmul_destroy(&weighing)
        if let engine = unsafe engine { unsafe dnnl_engine_destroy(engine) }
        unsafe scores.deallocate()
        unsafe weights.deallocate()
        unsafe scratchpad.deallocate()
    }

    /// One head of dense rows of queries, keys and values: 1. scores, 2. softmax, 3. weighted sum of the values.
    func attend(
        _ qkv: UnsafePointer<UInt16>, head: Int, scale: Float, into out: UnsafeMutablePointer<Float>
    ) {
        let first = head * depth
        var status = unsafe wade_matmul_run(
            &scoring, engine, qkv + first, qkv + width + first, nil, scores, scratchpad)
        precondition(status == dnnl_success, "oneDNN failed on scores of \(tokens) tokens")
        unsafe row_softmax(scores, tokens, tokens, scale, weights, stride)
        status = unsafe wade_matmul_run(
            &weighing, engine, weights, qkv + 2 * width + first, nil, out + first, scratchpad)
        precondition(status == dnnl_success, "oneDNN failed on values of \(tokens) tokens")
    }
}
