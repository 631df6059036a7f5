//! A fixed table that tells a frame's patches apart by where they are, added to what the vision encoder gives.

package import WadeTensor

#if canImport(Glibc)
    internal import Glibc
#endif

/// Sines and cosines of a patch's row and column. Flaminglet needs them: its small encoder's features say too little of
/// where a patch is for the resampler to find motion.
package struct SinePosition: Codable, Sendable, Equatable {
    /// The root mean square of the table's values.
    package var amplitude: Float

    package init(amplitude: Float) { self.amplitude = amplitude }

    /// The table (side · side, D), rows of patches from the top. D is a multiple of 8, and with n = D/4 a patch's vector is
    /// e(row), e(column), e(row) backwards, e(column) backwards, where e(i) = √2·[sin(i/side·f), cos(i/side·f)] for n/2
    /// frequencies f from ½π to 3π in equal steps.
    package func table(side: Int, width: Int) -> Tensor {
        precondition(width % 8 == 0, "sine positions of width \(width)")
        let count = width / 8
        let frequencies = (0..<count).map { index -> Double in
            (0.5 + 2.5 * Double(index) / Double(max(count - 1, 1))) * Double.pi
        }
        let scale = Double(amplitude) * 2.0.squareRoot()
        let codes = (0..<side).map { place -> [Float] in
            let angles = frequencies.map { Double(place) / Double(side) * $0 }
            return (angles.map { sin($0) } + angles.map { cos($0) }).map { Float(scale * $0) }
        }
        let rows = (0..<side * side).flatMap { patch -> [Float] in
            let (row, column) = (codes[patch / side], codes[patch % side])
            return row + column + row.reversed() + column.reversed()
        }
        return Tensor(rows, shape: [side * side, width])
    }
}
