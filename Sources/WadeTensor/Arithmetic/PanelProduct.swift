//! A product of rows with one panel of a matrix of low precision, as oneDNN computes it.

internal import COneDNN

/// One oneDNN primitive for a number of rows and a panel.
///
/// `@unchecked Sendable`: oneDNN allows a primitive with a caller's scratchpad to run on several threads at once.
@safe final class PanelProduct: @unchecked Sendable {
    private let matmul: UnsafeMutablePointer<wade_matmul>
    let weightBytes: Int
    let scratchBytes: Int

    init?(
        engine: dnnl_engine_t, rows: Int, _ shape: PanelShape, _ precision: Precision,
        accumulates: Bool, like: PanelProduct?
    ) {
        unsafe matmul = .allocate(capacity: 1)
        unsafe matmul.initialize(to: wade_matmul())
        let likeness: UnsafeMutablePointer<wade_matmul>? = unsafe like.map { unsafe $0.matmul }
        let status = unsafe wade_panel_create(
            matmul, engine, precision == .int8 ? 1 : 0, dnnl_dim_t(rows),
            dnnl_dim_t(shape.columns), dnnl_dim_t(shape.inputs), accumulates ? 1 : 0, likeness)
        guard status == dnnl_success else {
            (weightBytes, scratchBytes) = (0, 0)
            return nil
        }
        weightBytes = unsafe wade_matmul_bytes(matmul, dnnl_query_weights_md)
        scratchBytes = unsafe wade_matmul_bytes(matmul, dnnl_query_scratchpad_md)
    }

    deinit {
        unsafe wade_matmul_destroy(matmul)
        unsafe matmul.deallocate()
    }

    /// What oneDNN calls the code.
    var implementation: String {
        unsafe String(cString: wade_matmul_implementation(matmul))
    }

    /// Where the elements of a panel lie; nil when oneDNN does not say.
    var order: PanelOrder? {
        let found = unsafe wade_matmul_layout(matmul)
        guard found.is_known != 0 else { return nil }
        let count = Int(found.blocks)
        let sizes = unsafe withUnsafeBytes(of: found.sizes) {
            unsafe Array($0.bindMemory(to: Int64.self).prefix(count))
        }
        let axes = unsafe withUnsafeBytes(of: found.axes) {
            unsafe Array($0.bindMemory(to: Int64.self).prefix(count))
        }
        return PanelOrder(
            strides: [Int(found.strides.0), Int(found.strides.1)],
            blocks: zip(sizes, axes).map { .init(size: Int($0), axis: Int($1)) },
            byteCount: Int(found.bytes))
    }

    func pack(
        _ panel: UnsafeRawPointer, _ shape: PanelShape, _ precision: Precision,
        _ engine: dnnl_engine_t, into packed: UnsafeMutableRawPointer
    ) -> Bool {
        unsafe wade_panel_pack(
            matmul, engine, precision == .int8 ? 1 : 0, dnnl_dim_t(shape.columns),
            dnnl_dim_t(shape.inputs), panel, packed) == dnnl_success
    }

    func run(
        engine: dnnl_engine_t, source: UnsafeRawPointer, weights: UnsafeRawPointer,
        sums: UnsafeMutableRawPointer, scratchpad: UnsafeMutableRawPointer
    ) -> Bool {
        unsafe wade_matmul_run(matmul, engine, source, weights, nil, sums, scratchpad)
            == dnnl_success
    }
}
