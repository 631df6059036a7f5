//! A weight matrix of low precision in oneDNN's own layout, cut into panels that stay in the cache while all rows go by.

internal import COneDNN
internal import CRowKernels
internal import Synchronization

/// Weights (N, K) as bfloat16, as 8-bit integers with a scale for each of the N outputs, or as 4-bit integers that become bfloat16
/// whenever they are multiplied.
///
/// `@unchecked Sendable`: the packed weights are never written after `init`; the table of products has its lock.
@safe final class PanelMatrix: @unchecked Sendable {
    let outputs: Int
    let inputs: Int
    /// What is multiplied: bfloat16 or int8.
    let precision: Precision
    /// One for each output, for integers only; those of filling columns are 0.
    let scales: [Float]
    /// How the panels lie, in words.
    let layout: PanelLayout
    private let memory: Memory
    private let engine: dnnl_engine_t
    private let shapes: [PanelShape: PanelProduct]
    /// The kinds of products that the panels need, and which of them each panel needs.
    private let uses: [(shape: PanelShape, accumulates: Bool)]
    private let useOfPart: [Int]
    private let products = Mutex<[ProductKey: PanelProduct]>([:])

    /// Where packed weights lie.
    @safe private enum Memory {
        case own(UnsafeRawPointer)
        /// A window into a file.
        case mapped(UnsafeRawPointer, MappedFile)
        /// Nowhere: panels are made when they are multiplied.
        case fourBit(FourBitWeights, [PanelShape: PanelPlaces])
    }

    private struct ProductKey: Hashable {
        let rows: Int
        let shape: PanelShape
        let accumulates: Bool
    }

    /// A product takes at least so many inputs: for fewer, oneDNN has other layouts.
    static let leastInputs = 64
    /// Columns of a panel. Measured on a Xeon with 2 MB of second-level cache: panels of half a megabyte are 1.5 to 4 times as fast
    /// as whole matrices of 257 rows.
    static let panelWidth = 256
    /// Panels are as wide as a multiple of this.
    static let columnTile = 64
    private static let productLimit = 256
    /// The row count whose preferred layout the weights take: a frame's worth of tokens.
    private static let layoutRows = 256

    /// Inputs that are multiplied at once; the rows of activations are cut likewise.
    static func run(inputs: Int, precision: Precision) -> Int {
        let filled = max(inputs, leastInputs)
        let most = precision == .int8 ? 2048 : 1024
        let pieces = (filled + most - 1) / most
        return pieces == 1
            ? filled : ((filled + pieces - 1) / pieces + columnTile - 1) / columnTile * columnTile
    }

    /// Rounds and packs row-major weights (outputs, inputs); nil when oneDNN has no fast product for them on this machine.
    convenience init?(
        _ rowMajor: UnsafePointer<Float>, outputs: Int, inputs: Int, precision: Precision
    ) {
        precondition(precision != .float32 && outputs > 0 && inputs > 0, "panels of \(precision)")
        let filled = max(inputs, Self.leastInputs)
        let rows = NarrowRows.Layout(
            rows: outputs, width: inputs, precision: precision, run: filled,
            filledWidth: filled)
        let narrow = NarrowRows(rows)
        let kernelLayout = row_layout(
            rows: outputs, rows_with_filler: rows.filledRows, width: inputs, padded: filled,
            chunk: filled)
        if precision == .int8 {
            unsafe row_quantize(rowMajor, nil, kernelLayout, narrow.integers, narrow.scales)
        } else {
            unsafe row_round(rowMajor, kernelLayout, narrow.halves)
        }
        let scales = (0..<outputs).map { unsafe narrow.scales[$0] }
        unsafe self.init(
            narrow.base, scales, outputs: outputs, inputs: inputs, precision: precision)
    }

    /// Packs rounded weights, row-major (outputs, filled inputs); nil when oneDNN has no fast product for them on this machine.
    convenience init?(
        _ narrow: UnsafeRawPointer, _ scales: [Float], outputs: Int, inputs: Int,
        precision: Precision
    ) {
        guard let plan = Plan(outputs: outputs, inputs: inputs, precision: precision) else {
            return nil
        }
        let byteCount = plan.layout.byteCount
        let packed = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
        let width = precision == .int8 ? 1 : 2
        let filled = max(inputs, Self.leastInputs)
        let largest = plan.layout.grid.map { $0.shape.columns * $0.shape.inputs * width }.max() ?? 0
        let panel = UnsafeMutableRawPointer.allocate(byteCount: max(largest, 64), alignment: 64)
        defer { unsafe panel.deallocate() }
        var offset = 0
        for part in plan.layout.grid {
            guard let product = plan.products[part.shape] else { return nil }
            let rowBytes = part.shape.inputs * width
            for column in 0..<part.shape.columns {
                let row = unsafe panel + column * rowBytes
                guard part.firstColumn + column < outputs else {
                    unsafe row.initializeMemory(as: UInt8.self, repeating: 0, count: rowBytes)
                    continue
                }
                let from = ((part.firstColumn + column) * filled + part.firstInput) * width
                unsafe row.copyMemory(from: narrow + from, byteCount: rowBytes)
            }
            let bytes = product.weightBytes
            // What a layout fills up is not always written.
            unsafe (packed + offset).initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
            guard
                unsafe product.pack(
                    panel, part.shape, precision, plan.engine, into: packed + offset)
            else {
                unsafe packed.deallocate()
                return nil
            }
            offset += bytes
        }
        unsafe self.init(
            plan, scales, outputs: outputs, inputs: inputs, precision: precision,
            memory: .own(packed))
    }

    /// Weights that were packed before, in bytes `offset`… of a file; nil when this machine wants another layout.
    convenience init?(
        _ file: MappedFile, offset: Int, layout: PanelLayout, scales: [Float], outputs: Int,
        inputs: Int, precision: Precision
    ) {
        guard let plan = Plan(outputs: outputs, inputs: inputs, precision: precision),
            plan.layout == layout, offset >= 0, layout.byteCount <= file.count - offset
        else { return nil }
        unsafe self.init(
            plan, scales, outputs: outputs, inputs: inputs, precision: precision,
            memory: .mapped(file.address + offset, file))
    }

    /// Weights of four bits; nil when oneDNN has no fast product of bfloat16 on this machine, or wants panels in an order in which
    /// they cannot be unpacked.
    convenience init?(_ weights: FourBitWeights) {
        let (outputs, inputs) = (weights.layout.outputs, weights.layout.inputs)
        guard let plan = Plan(outputs: outputs, inputs: inputs, precision: .bfloat16) else {
            return nil
        }
        var places: [PanelShape: PanelPlaces] = [:]
        for (shape, order) in plan.layout.orders {
            guard let own = PanelPlaces(shape, order) else { return nil }
            places[shape] = own
        }
        self.init(
            plan, [Float](repeating: 0, count: outputs), outputs: outputs, inputs: inputs,
            precision: .bfloat16, memory: .fourBit(weights, places))
    }

    private init(
        _ plan: Plan, _ scales: [Float], outputs: Int, inputs: Int, precision: Precision,
        memory: Memory
    ) {
        self.outputs = outputs
        self.inputs = inputs
        self.precision = precision
        let filled = (outputs + Self.columnTile - 1) / Self.columnTile * Self.columnTile
        self.scales = scales + [Float](repeating: 0, count: max(0, filled - scales.count))
        layout = plan.layout
        unsafe engine = unsafe plan.engine
        shapes = plan.products
        var uses: [(shape: PanelShape, accumulates: Bool)] = []
        useOfPart = plan.layout.grid.map { part in
            let accumulates = part.firstInput > 0
            if let known = uses.firstIndex(where: { $0 == (part.shape, accumulates) }) {
                return known
            }
            uses.append((part.shape, accumulates))
            return uses.count - 1
        }
        self.uses = uses
        self.memory = memory
        plan.isTaken = true
    }

    deinit {
        if case .own(let base) = memory { unsafe base.deallocate() }
        unsafe dnnl_engine_destroy(engine)
    }

    /// The bytes that a file keeps of the weights, without scales.
    var bytes: UnsafeRawBufferPointer {
        switch memory {
        case .own(let base), .mapped(let base, _):
            unsafe UnsafeRawBufferPointer(start: base, count: layout.byteCount)
        case .fourBit(let weights, _): unsafe weights.bytes
        }
    }

    /// The weights in four bits, where they are kept so.
    var fourBit: FourBitWeights? {
        if case .fourBit(let weights, _) = memory { weights } else { nil }
    }

    /// What the weights are kept in.
    var keptPrecision: Precision { fourBit == nil ? precision : .int4 }

    /// Whether the weights are a window into a file.
    var isMapped: Bool {
        switch memory {
        case .own: false
        case .mapped: true
        case .fourBit(let weights, _): weights.isMapped
        }
    }

    /// What oneDNN calls the code that multiplies `rows` rows with the first panel.
    func implementation(rows: Int) -> String {
        guard let shape = layout.grid.first?.shape else { return "none" }
        return product(rows: rows, shape, accumulates: false).implementation
    }

    /// How rows of this matrix's inputs are laid out.
    func rowLayout(rows: Int) -> NarrowRows.Layout {
        NarrowRows.Layout(
            rows: rows, width: inputs, precision: precision,
            run: Self.run(inputs: inputs, precision: precision),
            filledWidth: max(inputs, Self.leastInputs))
    }

    /// Multiplies `rows` with the weights, a panel of columns at a time, and has `finish` take the sums, (rows, columns) dense behind
    /// the first row: float32, or int32 for integers. With `apart` a row's sums do not depend on the number of rows.
    func multiply(
        _ rows: NarrowRows, apart: Bool,
        finish: (_ sums: UnsafeRawPointer, _ rows: Range<Int>, _ columns: Range<Int>, _ stride: Int)
            -> Void
    ) {
        let layout = rows.layout
        precondition(layout == rowLayout(rows: layout.rows), "rows of another layout")
        guard layout.rows > 0 else { return }
        let tile = apart && precision == .bfloat16 ? NarrowRows.tile : layout.filledRows
        let sumBytes = tile * Self.panelWidth * 4
        let sums = UnsafeMutableRawPointer.allocate(byteCount: sumBytes, alignment: 64)
        defer { unsafe sums.deallocate() }
        let products = uses.map { product(rows: tile, $0.shape, accumulates: $0.accumulates) }
        let scratchpad = UnsafeMutableRawPointer.allocate(
            byteCount: max(products.map(\.scratchBytes).max() ?? 0, 64), alignment: 64)
        defer { unsafe scratchpad.deallocate() }
        let unpacked = UnpackedColumns(memory, products: products, useOfPart, self.layout.grid)
        var (first, offset) = (0, 0)
        let grid = self.layout.grid
        while first < grid.count {
            // The panels of one range of columns follow one another.
            var end = first
            while end < grid.count, grid[end].firstColumn == grid[first].firstColumn { end += 1 }
            let panels = grid[first..<end]
            let weights: UnsafeRawPointer
            switch memory {
            case .own(let base), .mapped(let base, _): unsafe weights = unsafe base
            case .fourBit(let kept, let places):
                unsafe weights = unsafe unpacked.panels(panels, of: kept, places)
                offset = 0
            }
            let start = offset
            for row in stride(from: 0, to: layout.filledRows, by: tile) {
                offset = start
                for (part, use) in zip(panels, useOfPart[first..<end]) {
                    let product = products[use]
                    let place = layout.place(row: row, first: part.firstInput)
                    let source = unsafe rows.base + place * layout.bytesPerValue
                    let done = unsafe product.run(
                        engine: engine, source: source, weights: weights + offset, sums: sums,
                        scratchpad: scratchpad)
                    precondition(done, "oneDNN failed on \(tile) rows of \(part.shape)")
                    offset += product.weightBytes
                }
                let (column, width) = (grid[first].firstColumn, grid[first].shape.columns)
                unsafe finish(
                    sums, row..<min(row + tile, layout.rows),
                    column..<min(column + width, outputs), width)
            }
            first = end
        }
    }

    /// Room for the panels of a range of columns, where these are unpacked.
    @safe private final class UnpackedColumns {
        private let room: UnsafeMutableRawPointer

        /// As much as the widest range needs; nothing where panels are kept.
        init(
            _ memory: Memory, products: [PanelProduct], _ useOfPart: [Int],
            _ grid: [PanelLayout.Part]
        ) {
            var bytes = 64
            if case .fourBit = memory {
                var byColumn: [Int: Int] = [:]
                for (part, use) in zip(grid, useOfPart) {
                    byColumn[part.firstColumn, default: 0] += products[use].weightBytes
                }
                bytes = byColumn.values.max() ?? bytes
            }
            unsafe room = .allocate(byteCount: bytes, alignment: 64)
        }

        deinit { unsafe room.deallocate() }

        /// The panels of one range of columns, one after the other.
        func panels(
            _ parts: ArraySlice<PanelLayout.Part>, of weights: FourBitWeights,
            _ places: [PanelShape: PanelPlaces]
        ) -> UnsafeRawPointer {
            var offset = 0
            for part in parts {
                guard let own = places[part.shape] else { continue }
                let panel = unsafe room + offset
                if own.hasHoles {
                    unsafe panel.initializeMemory(
                        as: UInt8.self, repeating: 0, count: own.byteCount)
                }
                unsafe weights.unpack(part, own, into: panel.assumingMemoryBound(to: UInt16.self))
                offset += own.byteCount
            }
            return unsafe UnsafeRawPointer(room)
        }
    }

    private func product(rows: Int, _ shape: PanelShape, accumulates: Bool) -> PanelProduct {
        let key = ProductKey(rows: rows, shape: shape, accumulates: accumulates)
        if let kept = products.withLock({ $0[key] }) { return kept }
        guard let like = shapes[shape],
            let made = unsafe PanelProduct(
                engine: engine, rows: rows, shape, precision, accumulates: accumulates, like: like)
        else { preconditionFailure("oneDNN has no product of \(rows) rows with \(shape)") }
        products.withLock { table in
            if table.count >= Self.productLimit { table.removeAll(keepingCapacity: true) }
            table[key] = made
        }
        return made
    }

    /// How this machine packs weights of a size.
    @safe private final class Plan {
        let engine: dnnl_engine_t
        let products: [PanelShape: PanelProduct]
        let layout: PanelLayout
        var isTaken = false

        init?(outputs: Int, inputs: Int, precision: Precision) {
            var made: dnnl_engine_t?
            guard unsafe dnnl_engine_create(&made, dnnl_cpu, 0) == dnnl_success,
                let engine = unsafe made
            else { return nil }
            unsafe self.engine = unsafe engine
            let grid = PanelLayout.grid(outputs: outputs, inputs: inputs, precision: precision)
            var products: [PanelShape: PanelProduct] = [:]
            var orders: [PanelShape: PanelOrder] = [:]
            for shape in Set(grid.map(\.shape)) {
                let product = unsafe PanelProduct(
                    engine: engine, rows: PanelMatrix.layoutRows, shape, precision,
                    accumulates: false, like: nil)
                guard let product, !product.implementation.contains("ref"),
                    let order = product.order
                else {
                    unsafe dnnl_engine_destroy(engine)
                    return nil
                }
                products[shape] = product
                orders[shape] = order
            }
            self.products = products
            layout = PanelLayout(grid: grid, orders: orders)
        }

        deinit {
            if !isTaken { unsafe dnnl_engine_destroy(engine) }
        }
    }
}
