//! Reverse-mode gradients: what was computed from watched tensors, and how to go back from a loss.

/// A record of operations on watched tensors, in the order in which they ran. One thread uses it; the tensors it has seen may live on.
///
/// `@unchecked Sendable`: a tape belongs to the one thread that computes with its tensors, as a file handle does.
package final class Tape: @unchecked Sendable {
    /// Takes the gradient of an operation's result and hands its inputs theirs, through `add` or `accumulate`.
    typealias Backward = (Tensor, Tape) -> Void

    private struct Entry {
        let shape: Shape
        /// Nil for a leaf.
        var backward: Backward?
    }

    private var entries: [Entry] = []
    /// The gradient gathered so far for each entry.
    private var sums: [Tensor?] = []
    private var isConsumed = false

    /// A tape that has seen nothing.
    package init() {}

    /// The same values as a leaf: what is computed from them is recorded, and `gradients` can be asked for theirs.
    package func watch(_ tensor: Tensor) -> Tensor {
        tensor.attached(to: enter(Entry(shape: tensor.shape, backward: nil)))
    }

    /// ∂loss/∂leaf of each leaf, with its shape; zeros where the loss does not depend on it. `loss` is one number.
    /// Consumes the tape: nothing more can be recorded on it.
    package func gradients(of loss: Tensor, for leaves: [Tensor]) -> [Tensor] {
        precondition(loss.count == 1, "gradients of \(loss.shape), not of one number")
        precondition(!isConsumed, "gradients: the tape is consumed")
        isConsumed = true
        let places = leaves.map { leaf -> Int in
            guard let node = leaf.node, node.tape === self, entries[node.index].backward == nil
            else { preconditionFailure("gradients: \(leaf.shape) is no leaf of this tape") }
            return node.index
        }
        if let node = loss.node {
            precondition(node.tape === self, "gradients: the loss is of another tape")
            sums[node.index] = Tensor(repeating: 1, shape: loss.shape)
            for index in stride(from: node.index, through: 0, by: -1) {
                goBack(from: index)
            }
        }
        defer { (entries, sums) = ([], []) }
        return zip(places, leaves).map { place, leaf in
            sums[place]?.reshaped(leaf.shape) ?? Tensor.zeros(leaf.shape)
        }
    }

    /// Runs one entry's backward and lets go of everything it held.
    private func goBack(from index: Int) {
        guard let backward = entries[index].backward else { return }
        entries[index].backward = nil
        guard let sum = sums[index] else { return }
        sums[index] = nil
        backward(sum.reshaped(entries[index].shape), self)
    }

    private func enter(_ entry: Entry) -> Node {
        precondition(!isConsumed, "the tape is consumed; a new step needs a new tape")
        entries.append(entry)
        sums.append(nil)
        return Node(tape: self, index: entries.count - 1)
    }
}

/// A tensor's place on its tape.
struct Node: Sendable {
    let tape: Tape
    let index: Int
}

/// For the operations: how they record themselves and hand gradients back.
extension Tape {
    /// The tape of the inputs that are watched; nil when none is, and then nothing is recorded.
    static func recording(_ inputs: Tensor?...) -> Tape? { recording(inputs) }

    static func recording(_ inputs: [Tensor?]) -> Tape? {
        var found: Tape?
        for case let input? in inputs {
            guard let tape = input.node?.tape else { continue }
            precondition(found == nil || found === tape, "tensors of two tapes meet")
            found = tape
        }
        return found
    }

    /// `result` as the outcome of an operation. `backward` must hold no watched tensor, only places and detached ones:
    /// else the tape would keep itself alive.
    func record(_ result: Tensor, _ backward: @escaping Backward) -> Tensor {
        result.attached(to: enter(Entry(shape: result.shape, backward: backward)))
    }

    /// Adds `gradient` to what the entry at `place` has; nothing happens for an input that is not watched.
    func add(_ gradient: Tensor, to place: Int?) {
        guard let place else { return }
        guard sums[place] != nil else {
            sums[place] = gradient
            return
        }
        unsafe accumulate(into: place) { sum, _ in
            unsafe gradient.withValues { values in
                guard let values = values.baseAddress else { return }
                for i in 0..<gradient.count { unsafe sum[i] += values[i] }
            }
        }
    }

    /// Lets `body` add to the gradient of the entry at `place`. The memory holds nothing yet where `keep` is 0 and must be
    /// written completely; where it is 1, `body` adds.
    func accumulate(
        into place: Int?, _ body: (_ sum: UnsafeMutablePointer<Float>, _ keep: Float) -> Void
    ) {
        guard let place else { return }
        let isFirst = sums[place] == nil
        var sum =
            unsafe sums[place] ?? Tensor(uninitialized: entries[place].shape) { _ in }
        // The tape's own reference would make the sum shared and every addition a copy.
        sums[place] = nil
        unsafe sum.withMutableValues { values in
            guard let base = values.baseAddress else { return }
            unsafe body(base, isFirst ? 0 : 1)
        }
        sums[place] = sum
    }

    /// As `accumulate`, for a body that touches only a part: memory that holds nothing yet is filled with zeros first.
    func accumulatePart(into place: Int?, _ body: (UnsafeMutablePointer<Float>) -> Void) {
        guard let place else { return }
        let count = entries[place].shape.elementCount
        unsafe accumulate(into: place) { sum, keep in
            if keep == 0 { unsafe sum.update(repeating: 0, count: count) }
            unsafe body(sum)
        }
    }
}

extension Tensor {
    /// Whether the tensor is on a tape.
    package var isWatched: Bool { node != nil }

    /// The same values off the tape: constants.
    package var detached: Tensor { attached(to: nil) }

    /// The index on the tape; nil for a constant.
    var place: Int? { node?.index }

    /// Traps for an operation whose gradient nobody has written.
    func requireUnwatched(_ operation: String) {
        precondition(node == nil, "no gradient of \(operation)")
    }
}
