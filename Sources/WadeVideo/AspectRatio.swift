//! Samples that are not square: the size in which their picture is shown.

/// Width over height of one sample of a picture; both at least 1.
struct AspectRatio: Equatable {
    let numerator: Int
    let denominator: Int

    /// The size at which a picture of `width` × `height` samples is shown: the side that is too short is lengthened, none
    /// shortened. Ratios beyond 16 are damage, and results beyond `maximumPixels` are not made: both keep the coded size.
    func displayedSize(width: Int, height: Int, maximumPixels: Int) -> (width: Int, height: Int) {
        let ratio = Double(numerator) / Double(denominator)
        guard ratio != 1, ratio >= 1.0 / 16, ratio <= 16 else { return (width, height) }
        let wide = ratio > 1 ? Int((Double(width) * ratio).rounded()) : width
        let high = ratio < 1 ? Int((Double(height) / ratio).rounded()) : height
        let (pixels, overflow) = wide.multipliedReportingOverflow(by: high)
        return overflow || pixels > maximumPixels ? (width, height) : (wide, high)
    }
}
