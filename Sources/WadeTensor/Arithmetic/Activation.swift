//! The activations of the models that Wade runs.

#if canImport(Glibc)
    internal import Glibc
#endif

/// An elementwise activation, named as in the published configurations.
package enum Activation: String, Sendable, Codable, CaseIterable {
    /// x · Φ(x), with the error function (Hendrycks & Gimpel, arXiv 1606.08415).
    case gelu
    /// The tanh approximation of `gelu`.
    case geluTanh = "gelu_tanh"
    /// x · σ(1.702 x), as OpenAI's CLIP has it.
    case quickGELU = "quick_gelu"
    /// x · σ(x), the swish of SwiGLU.
    case silu
    /// max(0, x).
    case relu
    /// max(0, x)², the feed-forward of the Flamingo paper.
    case squaredReLU = "squared_relu"

    /// Applies the activation to every value.
    package func callAsFunction(_ x: Tensor) -> Tensor {
        let y = unsafe Tensor(uninitialized: x.shape) { y in
            unsafe x.withValues { x in
                guard let x = x.baseAddress, let target = y.baseAddress else { return }
                unsafe apply(x, count: y.count, into: target)
            }
        }
        guard let tape = Tape.recording(x) else { return y }
        let (x, place) = (x.detached, x.place)
        return tape.record(y) { dy, tape in
            let dx = unsafe Tensor(uninitialized: x.shape) { dx in
                unsafe x.withValues { x in
                    unsafe dy.withValues { dy in
                        guard let x = x.baseAddress, let dy = dy.baseAddress,
                            let target = dx.baseAddress
                        else { return }
                        unsafe applyDerivative(x, dy, count: dx.count, into: target)
                    }
                }
            }
            tape.add(dx, to: place)
        }
    }

    /// What oneDNN calls the activation; nil for those that take one instruction.
    private var function: ElementwiseFunction? {
        switch self {
        case .gelu: .gelu
        case .geluTanh: .geluTanh
        case .quickGELU: .swish(slope: 1.702)
        case .silu: .swish(slope: 1)
        case .relu, .squaredReLU: nil
        }
    }

    private func apply(
        _ x: UnsafePointer<Float>, count: Int, into y: UnsafeMutablePointer<Float>
    ) {
        if let function { return unsafe function.apply(x, count: count, into: y) }
        let squares = self == .squaredReLU
        for i in 0..<count {
            let positive = unsafe max(x[i], 0)
            unsafe y[i] = squares ? positive * positive : positive
        }
    }

    private func applyDerivative(
        _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, count: Int,
        into dx: UnsafeMutablePointer<Float>
    ) {
        if let function { return unsafe function.applyDerivative(x, dy, count: count, into: dx) }
        let squares = self == .squaredReLU
        for i in 0..<count {
            let slope: Float = unsafe squares ? 2 * max(x[i], 0) : (x[i] > 0 ? 1 : 0)
            unsafe dx[i] = slope * dy[i]
        }
    }

    /// The definition for one value, in double precision; the oracle of the tests.
    package func naive(_ x: Double) -> Double {
        switch self {
        case .gelu: return 0.5 * x * (1 + erf(x / 2.0.squareRoot()))
        case .geluTanh:
            let inner = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
            return 0.5 * x * (1 + tanh(inner))
        case .quickGELU: return x / (1 + exp(-1.702 * x))
        case .silu: return x / (1 + exp(-x))
        case .relu: return max(x, 0)
        case .squaredReLU: return max(x, 0) * max(x, 0)
        }
    }
}
