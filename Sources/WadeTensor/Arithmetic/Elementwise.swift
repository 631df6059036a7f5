//! oneDNN's elementwise functions and their derivatives.

internal import COneDNN

/// A function of one number as oneDNN names it.
struct ElementwiseFunction: Sendable {
    /// Its number in oneDNN's list.
    private let algorithm: dnnl_alg_kind_t
    private let alpha: Float

    /// x · Φ(x)
    static let gelu = ElementwiseFunction(algorithm: dnnl_eltwise_gelu_erf, alpha: 0)
    /// The tanh approximation of x · Φ(x).
    static let geluTanh = ElementwiseFunction(algorithm: dnnl_eltwise_gelu_tanh, alpha: 0)

    /// x · σ(slope · x)
    static func swish(slope: Float) -> ElementwiseFunction {
        ElementwiseFunction(algorithm: dnnl_eltwise_swish, alpha: slope)
    }

    /// yᵢ = f(xᵢ); y and x may be the same memory.
    func apply(
        _ x: UnsafePointer<Float>, count: Int, into y: UnsafeMutablePointer<Float>
    ) {
        guard count > 0 else { return }
        let status = unsafe wade_eltwise_forward(algorithm, alpha, dnnl_dim_t(count), x, y)
        precondition(status == dnnl_success, "oneDNN has no elementwise function \(algorithm)")
    }

    /// dxᵢ = f′(xᵢ) · dyᵢ; dx and dy may be the same memory.
    func applyDerivative(
        _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, count: Int,
        into dx: UnsafeMutablePointer<Float>
    ) {
        guard count > 0 else { return }
        let status = unsafe wade_eltwise_backward(algorithm, alpha, dnnl_dim_t(count), x, dy, dx)
        precondition(status == dnnl_success, "oneDNN has no derivative of \(algorithm)")
    }
}
