//! The seam to the two libraries that multiply matrices.

internal import COneDNN
internal import COpenBLAS

/// Who multiplies matrices: oneDNN for throughput, OpenBLAS as the portable float32 reference.
package enum MatrixEngine: String, Sendable, CaseIterable {
    case oneDNN = "onednn"
    case openBLAS = "openblas"

    /// The libraries, their versions and the instructions that they use on this machine. Elementwise functions are oneDNN's whoever
    /// multiplies.
    package var version: String {
        let number = unsafe dnnl_version().pointee
        let (major, minor, patch) = unsafe (number.major, number.minor, number.patch)
        let instructions = dnnl_get_effective_cpu_isa().rawValue
        let oneDNN = "onednn \(major).\(minor).\(patch) isa \(instructions)"
        guard self == .openBLAS else { return oneDNN }
        let openBLAS = unsafe String(cString: openblas_get_config())
        return "\(oneDNN) \(openBLAS)"
    }

    /// Sets how many threads the calling thread's products may use (OpenBLAS: all threads' products). Results are the same bytes
    /// only for the same count, so a run uses one thread per worker and lets the number of workers vary.
    package func useThreads(_ count: Int) {
        let threads = Int32(clamping: max(count, 1))
        // Elementwise functions are oneDNN's whoever multiplies.
        omp_set_num_threads(threads)
        if self == .openBLAS { openblas_set_num_threads(threads) }
    }
}

/// One operand of a product: a row-major window with a row stride, read as it stands or transposed.
@safe struct MatrixOperand {
    /// The first element.
    let base: UnsafePointer<Float>
    /// The distance between rows in memory, in elements.
    let stride: Int
    /// Whether the operand is the transpose of what lies in memory.
    let transposed: Bool

    init(_ base: UnsafePointer<Float>, stride: Int, transposed: Bool = false) {
        unsafe self.base = base
        self.stride = stride
        self.transposed = transposed
    }
}

extension MatrixEngine {
    /// out (m, n) = scale · a (m, k) · b (k, n) + keep · out, row-major with row strides; in float32 throughout, or with the operands
    /// rounded to bfloat16 first. Small products, which rounding would only slow down, are float32 always.
    func multiply(
        m: Int, n: Int, k: Int, scale: Float = 1, _ a: MatrixOperand, _ b: MatrixOperand,
        keep: Float = 0, into out: UnsafeMutablePointer<Float>, stride: Int,
        precision: Precision = .float32
    ) {
        guard m > 0, n > 0 else { return }
        guard k > 0 else {
            for row in 0..<m {
                for column in 0..<n { unsafe out[row * stride + column] *= keep }
            }
            return
        }
        if precision == .bfloat16, m * n * k >= Self.smallProduct {
            return unsafe multiplyRounded(
                m: m, n: n, k: k, scale: scale, a, b, keep: keep, into: out, stride: stride)
        }
        switch self {
        case .oneDNN:
            let flag = { (operand: MatrixOperand) -> CChar in
                CChar(UInt8(ascii: operand.transposed ? "T" : "N"))
            }
            let status = unsafe dnnl_sgemm(
                flag(a), flag(b), dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k), scale,
                a.base, dnnl_dim_t(a.stride), b.base, dnnl_dim_t(b.stride), keep,
                out, dnnl_dim_t(stride))
            precondition(status == dnnl_success, "oneDNN refused a product \(m)x\(k)x\(n)")
        case .openBLAS:
            unsafe cblas_sgemm(
                CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
                b.transposed ? CblasTrans : CblasNoTrans, Int32(m), Int32(n), Int32(k), scale,
                a.base, Int32(a.stride), b.base, Int32(b.stride), keep, out, Int32(stride))
        }
    }

    /// m·n·k of products that take about as long as rounding their operands.
    private static let smallProduct = 1 << 20

    /// Whether oneDNN multiplies bfloat16 here; elsewhere rounded operands are multiplied in float32, which differs in the order of
    /// additions only.
    private static let multipliesBFloat16 = hasInstructions(dnnl_cpu_isa_avx512_core)

    /// Whether the processor, as far as oneDNN may use it, has the instructions.
    static func hasInstructions(_ instructions: dnnl_cpu_isa_t) -> Bool {
        let wanted = instructions.rawValue
        return dnnl_get_effective_cpu_isa().rawValue & wanted == wanted
    }

    /// Whether the processor multiplies numbers of `precision`: without VNNI, sums of 8-bit products overflow 16 bits; without
    /// AVX512-BF16, bfloat16 is slower than float32.
    static func multiplies(_ precision: Precision) -> Bool {
        switch precision {
        case .float32: false
        case .bfloat16, .int4: hasInstructions(dnnl_cpu_isa_avx512_core_bf16)
        case .int8: hasInstructions(dnnl_cpu_isa_avx512_core_vnni)
        }
    }

    /// The fastest precision whose answers are nearly those of float32: bfloat16 where the processor multiplies it. int8 is faster
    /// still, but changes more answers, so it is never chosen unasked.
    package static var fastPrecision: Precision { multiplies(.bfloat16) ? .bfloat16 : .float32 }

    private func multiplyRounded(
        m: Int, n: Int, k: Int, scale: Float, _ a: MatrixOperand, _ b: MatrixOperand, keep: Float,
        into out: UnsafeMutablePointer<Float>, stride: Int
    ) {
        let half = MemoryLayout<UInt16>.size
        unsafe withUnsafeTemporaryAllocation(byteCount: (m + n) * k * half, alignment: 64) {
            halves in
            guard let aHalf = halves.baseAddress else { return }
            let bHalf = unsafe aHalf + m * k * half
            if self == .oneDNN, Self.multipliesBFloat16 {
                let status = unsafe wade_bfloat16_product(
                    dnnl_dim_t(m), dnnl_dim_t(n), dnnl_dim_t(k), scale, a.base,
                    dnnl_dim_t(a.stride), a.transposed ? 1 : 0, aHalf, b.base,
                    dnnl_dim_t(b.stride), b.transposed ? 1 : 0, bHalf, keep, out,
                    dnnl_dim_t(stride))
                precondition(status == dnnl_success, "oneDNN refused a product \(m)x\(k)x\(n)")
                return
            }
            unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: (m + n) * k) { rounded in
                guard let aRounded = rounded.baseAddress else { return }
                let bRounded = unsafe aRounded + m * k
                let (aRows, bRows) = (a.transposed ? k : m, b.transposed ? n : k)
                let (aWidth, bWidth) = (m * k / aRows, n * k / bRows)
                let status = unsafe (
                    wade_round_to_bfloat16(
                        dnnl_dim_t(aRows), dnnl_dim_t(aWidth), a.base, dnnl_dim_t(a.stride), aHalf,
                        aRounded),
                    wade_round_to_bfloat16(
                        dnnl_dim_t(bRows), dnnl_dim_t(bWidth), b.base, dnnl_dim_t(b.stride), bHalf,
                        bRounded)
                )
                precondition(
                    status == (dnnl_success, dnnl_success), "oneDNN could not round operands")
                unsafe multiply(
                    m: m, n: n, k: k, scale: scale,
                    MatrixOperand(aRounded, stride: aWidth, transposed: a.transposed),
                    MatrixOperand(bRounded, stride: bWidth, transposed: b.transposed),
                    keep: keep, into: out, stride: stride)
            }
        }
    }
}
