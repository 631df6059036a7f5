//! A weight matrix in oneDNN's own blocked layout, and the products made for it.

internal import COneDNN
internal import Synchronization

/// Weights (N, K) packed once for oneDNN; products are made per number of rows and kept.
///
/// `@unchecked Sendable`: the packed weights are never written after `init`; the table of products has its lock.
@safe final class PackedMatrix: @unchecked Sendable {
    private let outputs: Int
    private let inputs: Int
    private let hasBias: Bool
    private let engine: dnnl_engine_t
    private let weights: UnsafeMutableRawPointer
    private let layout: Product
    private let products = Mutex<[Int: Product]>([:])

    /// How many row counts to keep a product for; prompts have many lengths, and each product holds little.
    private static let productLimit = 256
    /// The row count whose preferred layout the weights take: a frame's worth of tokens.
    private static let layoutRows = 256

    /// Packs row-major weights (outputs, inputs); nil when oneDNN cannot be used on this machine.
    init?(_ rowMajor: UnsafePointer<Float>, outputs: Int, inputs: Int, hasBias: Bool) {
        var made: dnnl_engine_t?
        guard unsafe dnnl_engine_create(&made, dnnl_cpu, 0) == dnnl_success,
            let made = unsafe made
        else { return nil }
        unsafe engine = unsafe made
        self.outputs = outputs
        self.inputs = inputs
        self.hasBias = hasBias
        guard
            let layout = unsafe Product(
                engine: made, rows: Self.layoutRows, outputs: outputs, inputs: inputs,
                hasBias: hasBias, like: nil)
        else {
            unsafe dnnl_engine_destroy(made)
            return nil
        }
        self.layout = layout
        let bytes = layout.bytes(of: dnnl_query_weights_md)
        let packed = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
        let status = unsafe layout.pack(
            rowMajor, outputs: outputs, inputs: inputs, engine: made, into: packed)
        unsafe weights = unsafe packed
        precondition(status, "oneDNN could not pack \(outputs)x\(inputs) weights")
    }

    deinit {
        unsafe weights.deallocate()
        unsafe dnnl_engine_destroy(engine)
    }

    /// destination (rows, N) = source (rows, K) · weightsᵀ + bias.
    func multiply(
        _ source: UnsafePointer<Float>, rows: Int, bias: UnsafePointer<Float>?,
        into destination: UnsafeMutablePointer<Float>
    ) {
        let product = product(rows: rows)
        let bytes = product.bytes(of: dnnl_query_scratchpad_md)
        let scratchpad = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
        defer { unsafe scratchpad.deallocate() }
        let done = unsafe product.run(
            engine: engine, source: source, weights: weights, bias: bias,
            destination: destination, scratchpad: scratchpad)
        precondition(done, "oneDNN failed on \(rows)x\(inputs)x\(outputs)")
    }

    private func product(rows: Int) -> Product {
        if rows == Self.layoutRows { return layout }
        if let kept = products.withLock({ $0[rows] }) { return kept }
        guard
            let made = unsafe Product(
                engine: engine, rows: rows, outputs: outputs, inputs: inputs, hasBias: hasBias,
                like: layout)
        else { preconditionFailure("oneDNN has no product \(rows)x\(inputs)x\(outputs)") }
        products.withLock { table in
            if table.count >= Self.productLimit { table.removeAll(keepingCapacity: true) }
            table[rows] = made
        }
        return made
    }

    /// One oneDNN primitive and its description.
    ///
    /// `@unchecked Sendable`: oneDNN allows a primitive with a caller's scratchpad to run on several threads at once.
    @safe private final class Product: @unchecked Sendable {
        private let matmul: UnsafeMutablePointer<wade_matmul>

        init?(
            engine: dnnl_engine_t, rows: Int, outputs: Int, inputs: Int, hasBias: Bool,
            like: Product?
        ) {
            unsafe matmul = .allocate(capacity: 1)
            unsafe matmul.initialize(to: wade_matmul())
            let likeness: UnsafeMutablePointer<wade_matmul>? = unsafe like.map { unsafe $0.matmul }
            let status = unsafe wade_matmul_create(
                matmul, engine, dnnl_dim_t(rows), dnnl_dim_t(outputs), dnnl_dim_t(inputs),
                hasBias ? 1 : 0, likeness)
            guard status == dnnl_success else { return nil }
        }

        deinit {
            unsafe wade_matmul_destroy(matmul)
            unsafe matmul.deallocate()
        }

        func bytes(of query: dnnl_query_t) -> Int {
            unsafe wade_matmul_bytes(matmul, query)
        }

        func pack(
            _ rowMajor: UnsafePointer<Float>, outputs: Int, inputs: Int, engine: dnnl_engine_t,
            into packed: UnsafeMutableRawPointer
        ) -> Bool {
            unsafe wade_matmul_pack(
                matmul, engine, dnnl_dim_t(outputs), dnnl_dim_t(inputs), rowMajor, packed)
                == dnnl_success
        }

        func run(
            engine: dnnl_engine_t, source: UnsafePointer<Float>, weights: UnsafeRawPointer,
            bias: UnsafePointer<Float>?, destination: UnsafeMutablePointer<Float>,
            scratchpad: UnsafeMutableRawPointer
        ) -> Bool {
            unsafe wade_matmul_run(
                matmul, engine, source, weights, bias, destination, scratchpad) == dnnl_success
        }
    }
}
