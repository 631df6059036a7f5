//! Position tables for pictures of another size than the vision tower was trained on.

package import WadeTensor

/// Whose way of resizing a position table is meant. The class token's row stays as it is in all of them.
package enum PositionInterpolation: String, Sendable, CaseIterable {
    /// PyTorch's `interpolate(size:, mode: "bicubic")`: a = −0.75, no antialiasing (CLIP in Hugging Face's transformers).
    case huggingFace = "hugging_face"
    /// The same by scale factor, where the new grid counts 0.1 more than it has: samples lie closer together (IDEFICS).
    case idefics
    /// PyTorch's `interpolate(antialias: true)`: a = −0.5, the kernel as wide as the scale when shrinking (open_clip).
    case openCLIP = "open_clip"

    /// A table (1 + V, D) of a square grid to one (1 + rows · columns, D).
    package func callAsFunction(_ table: Tensor, rows: Int, columns: Int) throws -> Tensor {
        let side = Int(Double(max(table.rows - 1, 0)).squareRoot().rounded())
        guard side > 0, side * side == table.rows - 1, rows > 0, columns > 0 else {
            throw FlamingoError.pixels(
                found: "\(table.rows) positions for \(rows)x\(columns) patches",
                expected: "one more position than a square, and at least one patch")
        }
        if rows == side, columns == side { return table }
        let (across, down) = (taps(from: side, to: columns), taps(from: side, to: rows))
        // Along each row of the grid first, then along its columns, as PyTorch does.
        let grid = (0..<side).map { y in
            across.map { $0.sum(of: (0..<side).map { x in table[1 + y * side + x] }) }
        }
        let resized = down.flatMap { tap in
            (0..<columns).map { x in tap.sum(of: grid.map { $0[x] }) }
        }
        return Tensor.concatenated(
            [table[0..<1]] + resized.map { $0.reshaped([1, table.width]) })
    }

    /// The places of an old axis that one place of the new axis is made of.
    private struct Tap {
        var shares: [(place: Int, weight: Float)] = []

        func sum(of rows: [Tensor]) -> Tensor {
            var sum = Tensor.zeros(rows[0].shape)
            for (place, weight) in shares { sum.add(rows[place], scaledBy: weight) }
            return sum
        }
    }

    private func taps(from old: Int, to new: Int) -> [Tap] {
        let step = Double(old) / (self == .idefics ? Double(new) + 0.1 : Double(new))
        return (0..<new).map { index in
            let center = step * (Double(index) + 0.5)
            return self == .openCLIP
                ? antialiased(center: center, step: step, count: old)
                : plain(center: center, count: old)
        }
    }

    /// Four neighbours; those beyond the border count as the border's.
    private func plain(center: Double, count: Int) -> Tap {
        let place = center - 0.5
        let first = Int(place.rounded(.down)) - 1
        return Tap(
            shares: (first...first + 3).map { neighbour in
                let weight = cubic(Double(neighbour) - place, a: -0.75)
                return (min(max(neighbour, 0), count - 1), Float(weight))
            })
    }

    /// All neighbours within two (widened) steps; weights are made to sum to one, none lies beyond the border.
    private func antialiased(center: Double, step: Double, count: Int) -> Tap {
        let scale = max(step, 1)
        let first = max(Int(center - 2 * scale + 0.5), 0)
        let end = min(Int(center + 2 * scale + 0.5), count)
        let weights = (first..<end).map { cubic((Double($0) - center + 0.5) / scale, a: -0.5) }
        let total = weights.reduce(0, +)
        return Tap(shares: zip(first..<end, weights).map { ($0, Float($1 / total)) })
    }

    /// Keys' cubic convolution kernel (IEEE Trans. ASSP 29, 1981).
    private func cubic(_ distance: Double, a: Double) -> Double {
        let x = abs(distance)
        if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
        return 0
    }
}
