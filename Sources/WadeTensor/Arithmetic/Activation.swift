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
        var y = x
        unsafe y.withMutableValues { values in
            switch self {
            case .gelu:
                for i in 0..<values.count {
                    let x = unsafe values[i]
                    unsafe values[i] = 0.5 * x * (1 + erff(x * Float(0.5).squareRoot()))
                }
            case .geluTanh:
                let scale = Float((2 / Double.pi).squareRoot())
                for i in 0..<values.count {
                    let x = unsafe values[i]
                    unsafe values[i] = 0.5 * x * (1 + tanhf(scale * (x + 0.044715 * x * x * x)))
                }
            case .quickGELU:
                for i in 0..<values.count {
                    let x = unsafe values[i]
                    unsafe values[i] = x / (1 + expf(-1.702 * x))
                }
            case .silu:
                for i in 0..<values.count {
                    let x = unsafe values[i]
                    unsafe values[i] = x / (1 + expf(-x))
                }
            case .relu:
                for i in 0..<values.count { unsafe values[i] = max(values[i], 0) }
            case .squaredReLU:
                for i in 0..<values.count {
                    let x = unsafe max(values[i], 0)
                    unsafe values[i] = x * x
                }
            }
        }
        return y
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
