//! Sine, exponential and logarithm from sums and products only: the C library's differ in the last bit between versions.

/// Elementary functions, correct to about 1e-5, the same bits on every machine.
enum Waves {
    /// The sine of `turns` whole turns.
    static func sine(_ turns: Float) -> Float {
        var part = turns - turns.rounded(.toNearestOrEven)
        if part > 0.25 { part = 0.5 - part }
        if part < -0.25 { part = -0.5 - part }
        let a = part * 6.283_185_3
        let s = a * a
        return a * (1 - s * (1 / 6 - s * (1 / 120 - s * (1 / 5040 - s * (1 / 362_880)))))
    }

    /// The cosine of `turns` whole turns.
    static func cosine(_ turns: Float) -> Float { sine(turns + 0.25) }

    /// e to the power of `x`, |x| at most about 2.
    static func exponential(_ x: Float) -> Float {
        let h = x * 0.25
        let small =
            1 + h * (1 + h / 2 * (1 + h / 3 * (1 + h / 4 * (1 + h / 5 * (1 + h / 6)))))
        let square = small * small
        return square * square
    }

    /// The natural logarithm of `x`, between about 1/3 and 3.
    static func logarithm(_ x: Float) -> Float {
        let u = (x - 1) / (x + 1)
        let s = u * u
        return 2 * u * (1 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9 + s / 11)))))
    }
}
