//! How language models tell positions apart: rotary embedding and ALiBi slopes.

#if canImport(Glibc)
    internal import Glibc
#endif

/// Rotary position embedding with half-split pairing, as GPT-NeoX and LLaMA have it (Su et al., arXiv 2104.09864).
package struct RotaryEmbedding: Sendable {
    /// How many of a head's first dimensions rotate; even.
    package let rotatedWidth: Int
    /// The base of the frequencies, usually 10000.
    package let base: Float

    package init(rotatedWidth: Int, base: Float) {
        precondition(rotatedWidth % 2 == 0, "rotary: odd width \(rotatedWidth)")
        self.rotatedWidth = rotatedWidth
        self.base = base
    }

    /// Rotates x (T, H·d) whose first row stands at `position`; dimension i pairs with i + rotatedWidth/2.
    package func callAsFunction(_ x: Tensor, heads: Int, position: Int) -> Tensor {
        self(x, heads: heads, positions: Array(position..<position + x.rows))
    }

    /// Rotates x (T, H·d) whose rows stand at `positions`.
    package func callAsFunction(_ x: Tensor, heads: Int, positions: [Int]) -> Tensor {
        precondition(
            x.width % heads == 0 && rotatedWidth <= x.width / heads && positions.count == x.rows,
            "rotary: \(rotatedWidth) of \(x.width / heads), \(positions.count) positions")
        let angles = Angles(self, positions: positions)
        let y = angles.rotated(x, heads: heads, backwards: false)
        guard let tape = Tape.recording(x) else { return y }
        let place = x.place
        // A rotation's transpose turns back.
        return tape.record(y) { dy, tape in
            tape.add(angles.rotated(dy, heads: heads, backwards: true), to: place)
        }
    }

    /// Cosine and sine per position and pair of dimensions.
    private struct Angles {
        let half: Int
        let cosines: [Float]
        let sines: [Float]

        init(_ rotary: RotaryEmbedding, positions: [Int]) {
            half = rotary.rotatedWidth / 2
            let frequencies = (0..<half).map { rotary.frequency(pair: $0) }
            let angles = positions.flatMap { position in
                frequencies.map { Float(position) * $0 }
            }
            cosines = angles.map { cosf($0) }
            sines = angles.map { sinf($0) }
        }

        func rotated(_ x: Tensor, heads: Int, backwards: Bool) -> Tensor {
            let (rows, width, depth, half) = (x.rows, x.width, x.width / heads, half)
            var y = x
            unsafe y.withMutableValues { values in
                guard let values = values.baseAddress else { return }
                unsafe cosines.withUnsafeBufferPointer { cosines in
                    unsafe sines.withUnsafeBufferPointer { sines in
                        for row in 0..<rows {
                            for head in 0..<heads {
                                let first = unsafe values + row * width + head * depth
                                let second = unsafe first + half
                                for i in 0..<half {
                                    let cosine = unsafe cosines[row * half + i]
                                    let turn = unsafe sines[row * half + i]
                                    let sine = backwards ? -turn : turn
                                    let (a, b) = unsafe (first[i], second[i])
                                    unsafe first[i] = a * cosine - b * sine
                                    unsafe second[i] = b * cosine + a * sine
                                }
                            }
                        }
                    }
                }
            }
            return y
        }
    }

    /// base^(−2·pair/rotatedWidth); the originals round the frequency first, then the product with the position.
    private func frequency(pair: Int) -> Float {
        1 / powf(base, Float(2 * pair) / Float(rotatedWidth))
    }

    /// The definition for one head's vector in double precision; the oracle of the tests.
    package func naive(_ head: [Double], position: Int) -> [Double] {
        var out = head
        let half = rotatedWidth / 2
        for i in 0..<half {
            let exponent = -2 * Double(i) / Double(rotatedWidth)
            let angle = Double(position) * pow(Double(base), exponent)
            out[i] = head[i] * cos(angle) - head[i + half] * sin(angle)
            out[i + half] = head[i + half] * cos(angle) + head[i] * sin(angle)
        }
        return out
    }
}

/// The slopes of attention with linear biases (Press et al., arXiv 2108.12409).
package enum ALiBi {
    /// Slopes 2^(−max·h/H), h = 1…H. For a number of heads that is no power of two MPT-7B's code takes those of the next
    /// power of two, the odd-numbered before the even-numbered (`interleaved`); MPT-1B's takes the formula as it is.
    package static func slopes(heads: Int, biasMaximum: Float, interleaved: Bool) -> [Float] {
        var power = 1
        while power < heads { power *= 2 }
        let count = interleaved ? power : heads
        let slopes = (1...count).map { powf(2, -Float($0) * biasMaximum / Float(count)) }
        guard interleaved, power != heads else { return slopes }
        let odd = stride(from: 1, to: count, by: 2).map { slopes[$0] }
        let even = stride(from: 0, to: count, by: 2).map { slopes[$0] }
        return Array((odd + even).prefix(heads))
    }
}
