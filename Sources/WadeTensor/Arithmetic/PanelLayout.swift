//! How packed weights lie in memory, in words that outlive the program, and how to read them where they lie otherwise.

/// The size of a panel: columns (outputs) and inputs, with what fills them up.
struct PanelShape: Hashable, CustomStringConvertible {
    let columns: Int
    let inputs: Int

    var description: String { "\(columns)x\(inputs)" }
}

/// Where the elements of a panel lie: element (input, column) stands inside dense blocks, the last one fastest, and the blocks are
/// strides apart. What follows the elements is the library's own.
struct PanelOrder: Hashable {
    struct Block: Hashable {
        let size: Int
        /// 0 for inputs, 1 for columns.
        let axis: Int
    }

    /// Elements between neighbouring blocks along inputs and columns.
    let strides: [Int]
    let blocks: [Block]
    /// Bytes of a panel.
    let byteCount: Int

    /// The element's place, in elements.
    func place(input: Int, column: Int) -> Int {
        var (rest, place, size) = ([input, column], 0, 1)
        for block in blocks.reversed() {
            place += rest[block.axis] % block.size * size
            rest[block.axis] /= block.size
            size *= block.size
        }
        return place + rest[0] * strides[0] + rest[1] * strides[1]
    }
}

/// The panels of a matrix in the order in which they lie, each range of columns with all its inputs.
struct PanelLayout: Equatable {
    struct Part: Equatable {
        let firstColumn: Int
        let firstInput: Int
        let shape: PanelShape
    }

    let grid: [Part]
    let orders: [PanelShape: PanelOrder]

    init(grid: [Part], orders: [PanelShape: PanelOrder]) {
        self.grid = grid
        self.orders = orders
    }

    /// The panels of a matrix (outputs, inputs).
    static func grid(outputs: Int, inputs: Int, precision: Precision) -> [Part] {
        let run = PanelMatrix.run(inputs: inputs, precision: precision)
        let filledInputs = max(inputs, PanelMatrix.leastInputs)
        let tile = PanelMatrix.columnTile
        let filledColumns = (outputs + tile - 1) / tile * tile
        var grid: [Part] = []
        for column in stride(from: 0, to: filledColumns, by: PanelMatrix.panelWidth) {
            for input in stride(from: 0, to: filledInputs, by: run) {
                grid.append(
                    Part(
                        firstColumn: column, firstInput: input,
                        shape: PanelShape(
                            columns: min(PanelMatrix.panelWidth, filledColumns - column),
                            inputs: min(run, filledInputs - input))))
            }
        }
        return grid
    }

    /// Bytes of all panels.
    var byteCount: Int { grid.reduce(0) { $0 + (orders[$1.shape]?.byteCount ?? 0) } }

    /// One word for each shape of panels, such as `256x1024:16i64c4i/4096,65536/262144`: blocks of inputs and columns, strides, bytes.
    var text: String {
        orders.map { shape, order in
            let blocks = order.blocks.map { "\($0.size)\($0.axis == 0 ? "i" : "c")" }.joined()
            let strides = order.strides.map(String.init).joined(separator: ",")
            return "\(shape):\(blocks)/\(strides)/\(order.byteCount)"
        }.sorted().joined(separator: " ")
    }

    /// Reads `text` for a matrix (outputs, inputs); nil when it does not describe all its panels, or elements outside them.
    init?(_ text: String, outputs: Int, inputs: Int, precision: Precision) {
        var orders: [PanelShape: PanelOrder] = [:]
        for word in text.split(separator: " ") {
            guard let (shape, order) = Self.order(word) else { return nil }
            orders[shape] = order
        }
        let grid = Self.grid(outputs: outputs, inputs: inputs, precision: precision)
        let width = precision == .int8 ? 1 : 2
        guard Set(grid.map(\.shape)) == Set(orders.keys) else { return nil }
        for (shape, order) in orders {
            // Places grow with both indices, block by block.
            let sizes = [0, 1].map { axis in
                order.blocks.filter { $0.axis == axis }.reduce(1) { $0 &* $1.size }
            }
            let dense = sizes[0].multipliedReportingOverflow(by: sizes[1])
            guard !dense.overflow, dense.partialValue > 0, sizes.allSatisfy({ $0 > 0 }) else {
                return nil
            }
            var last = dense.partialValue - 1
            for (axis, size) in [shape.inputs, shape.columns].enumerated() {
                let (reach, overflow) = ((size - 1) / sizes[axis]).multipliedReportingOverflow(
                    by: order.strides[axis])
                guard !overflow, reach >= 0, reach < 1 << 40 else { return nil }
                last += reach
            }
            guard order.byteCount >= 0, order.byteCount < 1 << 40, last < 1 << 40,
                (last + 1) * width <= order.byteCount
            else { return nil }
        }
        self.init(grid: grid, orders: orders)
    }

    private static func order(_ word: Substring) -> (PanelShape, PanelOrder)? {
        let parts = word.split(separator: ":")
        guard parts.count == 2 else { return nil }
        let sides = parts[0].split(separator: "x").compactMap { Int($0) }
        let rest = parts[1].split(separator: "/", omittingEmptySubsequences: false)
        guard sides.count == 2, rest.count == 3, let bytes = Int(rest[2]) else { return nil }
        let strides = rest[1].split(separator: ",").compactMap { Int($0) }
        guard strides.count == 2, strides.allSatisfy({ $0 >= 0 }) else { return nil }
        var (blocks, digits): ([PanelOrder.Block], String) = ([], "")
        for character in rest[0] {
            if character == "i" || character == "c" {
                guard let size = Int(digits), size > 0, size <= 1 << 20, blocks.count < 12 else {
                    return nil
                }
                blocks.append(.init(size: size, axis: character == "i" ? 0 : 1))
                digits = ""
            } else {
                digits.append(character)
            }
        }
        guard digits.isEmpty else { return nil }
        return (
            PanelShape(columns: sides[0], inputs: sides[1]),
            PanelOrder(strides: strides, blocks: blocks, byteCount: bytes)
        )
    }

    /// The rounded weights in row-major order, (outputs, inputs filled up with zeros), out of packed bytes that lie like this.
    func rowMajor(
        _ packed: UnsafeRawBufferPointer, outputs: Int, inputs: Int, precision: Precision,
        into out: UnsafeMutableRawPointer
    ) {
        let filled = max(inputs, PanelMatrix.leastInputs)
        let width = precision == .int8 ? 1 : 2
        precondition(packed.count == byteCount, "\(packed.count) bytes of packed weights")
        var start = 0
        for part in grid {
            guard let order = orders[part.shape] else { continue }
            // A place is the sum of what the input and what the column contribute.
            let inputPlaces = (0..<part.shape.inputs).map {
                start + order.place(input: $0, column: 0) * width
            }
            for column in 0..<min(part.shape.columns, outputs - part.firstColumn) {
                let columnPlace = order.place(input: 0, column: column) * width
                let to = ((part.firstColumn + column) * filled + part.firstInput) * width
                for (input, place) in inputPlaces.enumerated() {
                    let from = place + columnPlace
                    if width == 1 {
                        unsafe out.storeBytes(
                            of: packed[from], toByteOffset: to + input, as: UInt8.self)
                    } else {
                        let bits = unsafe packed.loadUnaligned(
                            fromByteOffset: from, as: UInt16.self)
                        unsafe out.storeBytes(
                            of: bits, toByteOffset: to + 2 * input, as: UInt16.self)
                    }
                }
            }
            start += order.byteCount
        }
    }
}

extension PanelLayout {
    /// The weights (outputs, inputs) as float32, out of packed bytes that lie like this.
    func weights(
        _ packed: UnsafeRawBufferPointer, scales: [Float], outputs: Int, inputs: Int,
        precision: Precision
    ) -> Tensor {
        let filled = max(inputs, PanelMatrix.leastInputs)
        let width = precision == .int8 ? 1 : 2
        return unsafe Tensor(uninitialized: [outputs, inputs]) { out in
            let count = outputs * filled * width
            unsafe withUnsafeTemporaryAllocation(byteCount: max(count, 1), alignment: 64) {
                narrow in
                guard let base = narrow.baseAddress else { return }
                unsafe rowMajor(
                    packed, outputs: outputs, inputs: inputs, precision: precision, into: base)
                for row in 0..<outputs {
                    for column in 0..<inputs {
                        let at = (row * filled + column) * width
                        unsafe out[row * inputs + column] =
                            precision == .int8
                            ? Float(base.load(fromByteOffset: at, as: Int8.self)) * scales[row]
                            : float32(
                                bfloat16Bits: base.load(fromByteOffset: at, as: UInt16.self))
                    }
                }
            }
        }
    }
}
