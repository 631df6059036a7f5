//! The losses that Flaminglet is trained with.

#if canImport(Glibc)
    internal import Glibc
#endif

extension Tensor {
    /// Σ over rows of weight · −log softmax(row)[target], one number; self is logits (T, vocabulary).
    /// Rows of weight 0 cost nothing, and their targets do not matter.
    package func crossEntropy(targets: [Int], weights: [Float]) -> Tensor {
        let (rows, width) = (self.rows, self.width)
        precondition(
            targets.count == rows && weights.count == rows,
            "cross entropy: \(targets.count) targets, \(weights.count) weights for \(shape)")
        let counted = (0..<rows).filter { weights[$0] != 0 }
        var loss = 0.0
        // The softmax of the rows that count; its difference from the target is the gradient.
        let softmax = unsafe Tensor(uninitialized: [counted.count, width]) { out in
            unsafe withValues { logits in
                guard let logits = logits.baseAddress, let out = out.baseAddress else { return }
                for (place, row) in counted.enumerated() {
                    precondition(
                        (0..<width).contains(targets[row]), "cross entropy: target \(targets[row])")
                    let line = unsafe out + place * width
                    unsafe line.update(from: logits + row * width, count: width)
                    let target = unsafe line[targets[row]]
                    let largest = unsafe UnsafePointer(line).largest(count: width)
                    let sum = unsafe line.exponentiate(minus: largest, count: width)
                    unsafe line.scale(by: 1 / sum, count: width)
                    loss += Double(weights[row]) * (log(Double(sum)) - Double(target - largest))
                }
            }
        }
        let result = Tensor([Float(loss)], shape: [])
        guard let tape = Tape.recording(self) else { return result }
        let place = self.place
        return tape.record(result) { dy, tape in
            let slope = dy.values[0]
            unsafe tape.accumulatePart(into: place) { sum in
                unsafe softmax.withValues { softmax in
                    guard let softmax = softmax.baseAddress else { return }
                    for (index, row) in counted.enumerated() {
                        let (line, scale) = unsafe (sum + row * width, slope * weights[row])
                        unsafe line.addRows(
                            of: softmax + index * width, count: 1, width: width, scaledBy: scale)
                        unsafe line[targets[row]] -= scale
                    }
                }
            }
        }
    }

    /// Σ over rows of weight · Σ smooth L1 (self − target), one number: ½d² where |d| < 1, else |d| − ½.
    package func smoothL1(target: Tensor, weights: [Float]) -> Tensor {
        let (rows, width) = (self.rows, self.width)
        precondition(
            target.count == count && weights.count == rows,
            "smooth L1: target \(target.shape), \(weights.count) weights for \(shape)")
        target.requireUnwatched("the target of smooth L1")
        var (loss, slopes) = (0.0, self.detached - target)
        unsafe slopes.withMutableValues { values in
            for row in 0..<rows {
                for i in row * width..<(row + 1) * width {
                    let d = unsafe values[i]
                    let size = abs(d)
                    loss += Double(weights[row] * (size < 1 ? 0.5 * d * d : size - 0.5))
                    unsafe values[i] = weights[row] * min(max(d, -1), 1)
                }
            }
        }
        let result = Tensor([Float(loss)], shape: [])
        guard let tape = Tape.recording(self) else { return result }
        let (place, gradient) = (self.place, slopes)
        return tape.record(result) { dy, tape in tape.add(gradient * dy.values[0], to: place) }
    }
}
