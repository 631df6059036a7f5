//! A weight matrix of four bits a weight, groups of which share a scale: little more than a quarter of bfloat16's memory.

internal import CRowKernels

/// Weights (N, K) as integers from -8 to 7 with a scale for every 32 inputs that follow one another in a row. A weight is its integer
/// times its scale, rounded to bfloat16, and is multiplied as that: panels are unpacked for every product.
///
/// Sixteen outputs stand side by side. For each pair of inputs there is a byte for every output, the even input in its lower half, and
/// for each group of inputs a bfloat16 for every output. No machine wants them otherwise.
///
/// `@unchecked Sendable`: written by whoever makes it, read-only afterwards.
@safe final class FourBitWeights: @unchecked Sendable {
    /// The sizes of the parts of a matrix (N, K).
    struct Layout: Equatable {
        let outputs: Int
        let inputs: Int

        /// Outputs with those that fill up a panel's columns.
        var filledOutputs: Int {
            (outputs + PanelMatrix.columnTile - 1) / PanelMatrix.columnTile * PanelMatrix.columnTile
        }
        private var filledInputs: Int { max(inputs, PanelMatrix.leastInputs) }
        /// Pairs of inputs, the last one filled up.
        var pairs: Int { (filledInputs + 1) / 2 }
        /// Groups of inputs, the last one filled up.
        var groups: Int { (filledInputs + FourBitWeights.group - 1) / FourBitWeights.group }
        /// Bytes of the integers.
        var byteCount: Int { filledOutputs * pairs }
        /// How many scales there are.
        var scaleCount: Int { filledOutputs * groups }

        /// The byte of pair `pair` of an output.
        func byte(output: Int, pair: Int) -> Int {
            (output / FourBitWeights.lanes * pairs + pair) * FourBitWeights.lanes
                + output % FourBitWeights.lanes
        }

        /// The scale of group `group` of an output.
        func scale(output: Int, group: Int) -> Int {
            (output / FourBitWeights.lanes * groups + group) * FourBitWeights.lanes
                + output % FourBitWeights.lanes
        }
    }

    /// Inputs that share a scale; a panel begins at a multiple of it.
    static let group = 32
    /// Outputs side by side.
    static let lanes = 16

    let layout: Layout
    private let integers: UnsafeRawPointer
    private let scales: UnsafeRawPointer
    /// The file that both are windows into; nil for memory of our own.
    private let files: [MappedFile]

    /// Rounds row-major weights (outputs, inputs).
    init(_ rowMajor: UnsafePointer<Float>, outputs: Int, inputs: Int) {
        let layout = Layout(outputs: outputs, inputs: inputs)
        self.layout = layout
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: layout.byteCount, alignment: 64)
        let halves = UnsafeMutablePointer<UInt16>.allocate(capacity: layout.scaleCount)
        // Fillers are 0, which is kept as 8.
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0x88, count: layout.byteCount)
        unsafe halves.initialize(repeating: 0, count: layout.scaleCount)
        unsafe withUnsafeTemporaryAllocation(of: Int8.self, capacity: Self.group) { rounded in
            guard let rounded = rounded.baseAddress else { return }
            for output in 0..<outputs {
                for first in stride(from: 0, to: inputs, by: Self.group) {
                    let count = min(Self.group, inputs - first)
                    let place = layout.scale(output: output, group: first / Self.group)
                    unsafe halves[place] = unsafe row_four_bits(
                        rowMajor + output * inputs + first, count, rounded)
                    var byte = layout.byte(output: output, pair: first / 2)
                    for index in stride(from: 0, to: count, by: 2) {
                        let even = unsafe UInt8(rounded[index] + 8)
                        let odd = unsafe index + 1 < count ? UInt8(rounded[index + 1] + 8) : 8
                        unsafe bytes.storeBytes(
                            of: even | odd << 4, toByteOffset: byte, as: UInt8.self)
                        byte += Self.lanes
                    }
                }
            }
        }
        unsafe integers = UnsafeRawPointer(bytes)
        unsafe scales = UnsafeRawPointer(halves)
        files = []
    }

    /// Weights that were rounded before, where they lie in files; nil when they would leave them.
    init?(
        _ layout: Layout, integers: (file: MappedFile, offset: Int),
        scales: (file: MappedFile, offset: Int)
    ) {
        guard integers.offset >= 0, layout.byteCount <= integers.file.count - integers.offset,
            scales.offset >= 0, 2 * layout.scaleCount <= scales.file.count - scales.offset
        else { return nil }
        self.layout = layout
        unsafe self.integers = integers.file.address + integers.offset
        unsafe self.scales = scales.file.address + scales.offset
        files = [integers.file, scales.file]
    }

    deinit {
        guard files.isEmpty else { return }
        unsafe integers.deallocate()
        unsafe scales.deallocate()
    }

    /// Whether the weights are windows into files.
    var isMapped: Bool { !files.isEmpty }

    /// The integers' bytes.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: integers, count: layout.byteCount)
    }

    /// The scales' bytes, little-endian bfloat16.
    var scaleBytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: scales, count: 2 * layout.scaleCount)
    }

    /// Writes a panel's weights as bfloat16 where the processor wants them.
    func unpack(
        _ part: PanelLayout.Part, _ places: PanelPlaces, into panel: UnsafeMutablePointer<UInt16>
    ) {
        for (tile, column) in places.columns.enumerated() {
            let first = part.firstColumn + tile * Self.lanes
            let byte = layout.byte(output: first, pair: part.firstInput / 2)
            let scale = 2 * layout.scale(output: first, group: part.firstInput / Self.group)
            unsafe places.pairs.withUnsafeBufferPointer { pairs in
                unsafe row_unpack(
                    integers + byte, scales + scale, pairs.count, Self.group / 2,
                    pairs.baseAddress, panel + column)
            }
        }
    }

    /// The weights (N, K) as float32, one by one: what a product multiplies.
    var values: Tensor {
        let (outputs, inputs) = (layout.outputs, layout.inputs)
        return unsafe Tensor(uninitialized: [outputs, inputs]) { out in
            for output in 0..<outputs {
                for input in 0..<inputs {
                    let place = layout.scale(output: output, group: input / Self.group)
                    let scale = unsafe float32(
                        bfloat16Bits: scales.loadUnaligned(
                            fromByteOffset: 2 * place, as: UInt16.self))
                    let byte = layout.byte(output: output, pair: input / 2)
                    let both = unsafe integers.load(fromByteOffset: byte, as: UInt8.self)
                    let integer = Int(input % 2 == 0 ? both & 15 : both >> 4) - 8
                    unsafe out[output * inputs + input] = RoundedGroup.value(integer, scale)
                }
            }
        }
    }
}

/// A group of weights as integers and a scale: the definition of rounding to four bits, which `row_four_bits` computes to the bit.
struct RoundedGroup {
    /// -8 to 7, one for each weight.
    let integers: [Int]
    /// bfloat16.
    let scaleBits: UInt16

    /// Of the weight farthest from zero, the shares that become -8; less cuts that one off and serves the others better.
    private static let shares: [Float] = [1, 0.92, 0.85, -1.142857]

    /// Of a few scales the one with the least squared error, made to fit its integers best.
    init(_ weights: UnsafeBufferPointer<Float>) {
        var (extreme, best): (Float, Float) = (0, .infinity)
        for i in 0..<weights.count where unsafe abs(weights[i]) > abs(extreme) {
            unsafe extreme = weights[i]
        }
        var chosen = (integers: [Int](repeating: 0, count: weights.count), scaleBits: UInt16(0))
        var integers = chosen.integers
        for share in extreme == 0 ? [] : Self.shares {
            let inverse = -8 / (extreme * share)
            var (product, square): (Float, Float) = (0, 0)
            for i in 0..<weights.count {
                let nearest = unsafe (weights[i] * inverse).rounded(.toNearestOrEven)
                // What is no number becomes 0.
                let whole = nearest >= 7 ? 7 : nearest <= -8 ? -8 : nearest == nearest ? nearest : 0
                integers[i] = Int(whole)
                unsafe product += weights[i] * whole
                square += whole * whole
            }
            let bits = bfloat16Bits(square > 0 ? product / square : 0)
            let scale = float32(bfloat16Bits: bits)
            var error: Float = 0
            for i in 0..<weights.count {
                let apart = unsafe weights[i] - Self.value(integers[i], scale)
                error += apart * apart
            }
            if error < best { (chosen, best) = ((integers, bits), error) }
        }
        self.integers = chosen.integers
        scaleBits = chosen.scaleBits
    }

    /// A weight: its integer times its scale, rounded to bfloat16.
    static func value(_ integer: Int, _ scale: Float) -> Float {
        float32(bfloat16Bits: bfloat16Bits(Float(integer) * scale))
    }

    /// The weights that are multiplied.
    var values: [Float] {
        let scale = float32(bfloat16Bits: scaleBits)
        return integers.map { Self.value($0, scale) }
    }
}

/// Where a panel's weights go, by pairs of inputs and by sixteen columns: a place is the sum of both.
struct PanelPlaces {
    /// Places of the pairs of inputs, in values.
    let pairs: [Int64]
    /// Places of every sixteen columns, in values.
    let columns: [Int]
    /// Bytes of the panel.
    let byteCount: Int
    /// Whether there are places that no weight goes to.
    let hasHoles: Bool

    /// Nil where two inputs of sixteen columns do not stand side by side.
    init?(_ shape: PanelShape, _ order: PanelOrder) {
        guard order.blocks.count >= 2, let last = order.blocks.last, last.axis == 0, last.size == 2
        else { return nil }
        let columns = order.blocks[order.blocks.count - 2]
        guard columns.axis == 1, columns.size % FourBitWeights.lanes == 0,
            shape.columns % FourBitWeights.lanes == 0
        else { return nil }
        pairs = stride(from: 0, to: shape.inputs, by: 2).map {
            Int64(order.place(input: $0, column: 0))
        }
        self.columns = stride(from: 0, to: shape.columns, by: FourBitWeights.lanes).map {
            order.place(input: 0, column: $0)
        }
        byteCount = order.byteCount
        hasHoles = order.byteCount != 2 * shape.columns * shape.inputs
    }
}
