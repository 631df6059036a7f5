//! Layers of low precision: exactly the products of rounded operands, whatever is fused into them.
import Testing
import WadeTestSupport

@testable import WadeTensor

@Suite("Products of low precision")
struct NarrowProductTests {
    static let precisions: [Precision] = [.bfloat16, .int8, .int4]

    /// Rows, inputs and outputs: single values, filled-up tiles, several runs of inputs and several panels.
    static let sizes = [
        (1, 1, 1), (3, 5, 7), (17, 64, 300), (2, 588, 70), (33, 1500, 65), (20, 2100, 516),
        (257, 96, 200),
    ]

    /// Sums of up to 2100 products below one, in another order; a row's largest value is below 30.
    private func tolerance(_ inputs: Int) -> Float { 1e-6 * Float(inputs) + 2e-6 }

    @Test(
        "a layer is that of the rounded operands, on processors with and without instructions for it",
        arguments: precisions, MatrixEngine.allCases)
    func products(precision: Precision, engine: MatrixEngine) {
        for (rows, inputs, outputs) in Self.sizes {
            let (x, w) = (noise([rows, inputs]), noise([outputs, inputs], seed: 2))
            for bias in [noise([outputs], seed: 3), nil] {
                let layer = Linear(
                    weight: w, bias: bias,
                    arithmetic: Arithmetic(engine: engine, precision: precision))
                #expect(
                    layer.isNarrow == (engine == .oneDNN && MatrixEngine.multiplies(precision)))
                let expected = Linear.naive(
                    x.rounded(to: precision.ofRows), weight: w.rounded(to: precision), bias: bias)
                for kind in [Rows.together, .apart] {
                    expectClose(
                        layer(x, rows: kind), expected, within: tolerance(inputs),
                        "\(precision) \(engine) \(rows)x\(inputs)x\(outputs) \(kind)")
                }
            }
        }
    }

    @Test(
        "activation and residual are those of float32 values", arguments: precisions,
        Activation.allCases)
    func fused(precision: Precision, activation: Activation) {
        for (rows, inputs, outputs) in [(5, 40, 33), (18, 1100, 300)] {
            let (x, w) = (noise([rows, inputs]) * 3, noise([outputs, inputs], seed: 2))
            let (b, r) = (noise([outputs], seed: 3), noise([rows, outputs], seed: 4))
            let layer = Linear(weight: w, bias: b, arithmetic: Arithmetic(precision: precision))
            let plain = layer(x)
            let active = Tensor(
                plain.values.map { Float(activation.naive(Double($0))) }, shape: plain.shape)
            // Squares of sums, and the error function to 4e-7.
            let tolerance: Float = activation == .squaredReLU ? 5e-3 : 2e-5
            expectClose(
                layer(layer.input(x), activation: activation, addedTo: r), r + active,
                within: tolerance, "\(precision) \(activation)")
            expectClose(
                layer(layer.input(x), addedTo: r), r + plain, within: 2e-5, "\(precision) residual")
        }
    }

    @Test("a hidden layer is rounded as its reader rounds it", arguments: precisions)
    func hidden(precision: Precision) {
        let arithmetic = Arithmetic(precision: precision)
        for (rows, inputs, middle, outputs) in [
            (4, 30, 20, 9), (19, 130, 1300, 70), (3, 64, 4100, 5),
        ] {
            let up = Linear(
                weight: noise([middle, inputs], seed: 2), bias: noise([middle], seed: 3),
                arithmetic: arithmetic)
            let down = Linear(weight: noise([outputs, middle], seed: 4), arithmetic: arithmetic)
            let x = noise([rows, inputs])
            for kind in [Rows.together, .apart] {
                let found = down(
                    up.hidden(up.input(x), activation: .gelu, for: down, rows: kind), rows: kind)
                // Between two layers values are bfloat16, then what the second reads.
                let between = up(up.input(x), activation: .gelu, rows: kind).rounded(to: .bfloat16)
                let isNarrow = up.isNarrow
                let expected = isNarrow ? down(between, rows: kind) : down(up(x, rows: kind))
                expectClose(found, expected, within: 1e-4, "\(precision) \(rows) \(kind)")
            }
        }
    }

    @Test("a norm in front of a layer is the norm, rounded", arguments: precisions)
    func norms(precision: Precision) {
        for (rows, width) in [(1, 1), (3, 7), (5, 48), (18, 1500)] {
            for bias in [noise([width], seed: 6), nil] {
                let norm = LayerNorm(
                    weight: noise([width], seed: 5), bias: bias, epsilon: 1e-5)
                let layer = Linear(
                    weight: noise([40, width], seed: 2),
                    arithmetic: Arithmetic(precision: precision))
                let x = noise([rows, width]) * 4
                guard case .narrow(let found) = layer.input(x, norm: norm) else { continue }
                let exact = LayerNorm.naive(
                    x, weight: norm.weight, bias: bias, epsilon: norm.epsilon)
                // Half a step of the rounding, and rounding of the norm itself.
                let largest = exact.values.map(abs).max() ?? 0
                let step = precision == .int8 ? largest / 254 : largest / 256
                expectClose(
                    found.rows.values, exact, within: step + 1e-5, "\(precision) \(rows)x\(width)")
            }
        }
    }

    @Test("rounding rows is its definition to the bit", arguments: [Precision.bfloat16, .int8])
    func rounding(precision: Precision) {
        for (rows, width) in [(1, 1), (2, 17), (40, 64), (3, 2500)] {
            let x = noise([rows, width]) * 100
            let run = PanelMatrix.run(inputs: width, precision: precision)
            let found = NarrowRows(
                x,
                NarrowRows.Layout(
                    rows: rows, width: width, precision: precision, run: run,
                    filledWidth: max(width, PanelMatrix.leastInputs))
            ).values
            #expect(
                found.values == x.rounded(to: precision).values, "\(precision) \(rows)x\(width)")
        }
        #expect(Tensor.zeros([2, 3]).rounded(to: precision).values == [0, 0, 0, 0, 0, 0])
    }

    @Test(
        "no row count falls to oneDNN's slow definitions",
        .enabled(if: MatrixEngine.multiplies(.bfloat16) && MatrixEngine.multiplies(.int8)),
        arguments: precisions)
    func implementations(precision: Precision) throws {
        for (inputs, outputs) in [(3, 7), (192, 64), (588, 1024), (4096, 192)] {
            let matrix = try #require(noise([outputs, inputs]).packedInPanels(precision))
            for rows in [16, 32, 48, 64, 144, 272, 512] {
                let name = matrix.implementation(rows: rows)
                #expect(
                    name.contains("brg") || name.contains("gemm"),
                    "\(precision) \(rows)x\(inputs)x\(outputs): \(name)")
            }
        }
    }

    @Test(
        "packed weights can be read again, and their layout survives as text",
        arguments: [Precision.bfloat16, .int8])
    func layouts(precision: Precision) throws {
        for (inputs, outputs) in [(3, 7), (64, 300), (588, 70), (2500, 65)] {
            let w = noise([outputs, inputs])
            guard let matrix = w.packedInPanels(precision) else { continue }
            let text = matrix.layout.text
            let layout = try #require(
                PanelLayout(text, outputs: outputs, inputs: inputs, precision: precision))
            #expect(layout == matrix.layout, "\(text)")
            expectClose(
                layout.weights(
                    matrix.bytes, scales: matrix.scales, outputs: outputs, inputs: inputs,
                    precision: precision), w.rounded(to: precision), within: 0, text)
        }
        for text in [
            "", "256x64", "64x64:16i64c4i/4096,4096", "64x64:16i64c4i/4096,4096/9",
            "64x64:0i64c/1,1/99999", "64x64:16i64c4i/-1,4096/99999", "64x64:16i64/1,1/99999",
            "128x64:16i64c4i/4096,4096/99999", "64x64:/9223372036854775807,1/99999",
            "64x64:1048576i1048576c1048576i1048576c/1,1/99999",
        ] {
            #expect(PanelLayout(text, outputs: 7, inputs: 3, precision: .int8) == nil, "\(text)")
        }
    }

    @Test(
        "packed weights of a file are used where they lie, and packed anew where they lie otherwise"
    )
    func files() throws {
        let folder = try TemporaryFolder()
        let (outputs, inputs) = (70, 96)
        let w = noise([outputs, inputs])
        let x = noise([5, inputs], seed: 9)
        let arithmetic = Arithmetic(precision: .int8)
        let layer = Linear(weight: w, arithmetic: arithmetic)
        let scales = w.values.indices.filter { $0 % inputs == 0 }.map { start in
            (w.values[start..<start + inputs].map(abs).max() ?? 0) / 127
        }
        // Row-major columns, filled up to 128: no library's layout, but one that can be described.
        var bytes = [UInt8](repeating: 0, count: 128 * inputs)
        for column in 0..<outputs {
            for input in 0..<inputs {
                let value = w.values[column * inputs + input] / scales[column]
                bytes[column * inputs + input] = UInt8(
                    bitPattern: Int8(value.rounded(.toNearestOrEven)))
            }
        }
        var writer = SafetensorsWriter(metadata: [
            "packed:layer.weight":
                "int8 \(outputs)x\(inputs) 128x\(inputs):/1,\(inputs)/\(bytes.count)"
        ])
        writer.add("layer.weight", bytes: bytes, elementType: .uint8, shape: [bytes.count])
        writer.add("layer.weight.scales", Tensor(scales, shape: [outputs]))
        try writer.write(to: folder.path("foreign"))
        var files = ["foreign"]
        if case .panels = layer.weights {
            let parts = PackedParts()
            Weights(parameters: [:], file: "none").telling(parts).note("layer.weight", layer)
            var own = SafetensorsWriter(metadata: parts.metadata, alignment: 64)
            parts.write(to: &own)
            try own.write(to: folder.path("own"))
            files.append("own")
        }
        for file in files {
            let archive = try Safetensors.read(path: folder.path(file))
            #expect(try archive.parameters().map(\.shape) == [[outputs, inputs]])
            let weights = Weights(archive)
            let read = try Linear(
                weights["layer"], "weight", from: inputs, to: outputs, arithmetic: arithmetic)
            try weights.requireAllRead()
            expectClose(read(x), layer(x), within: 0, file)
            if case .panels(let matrix) = read.weights {
                #expect(matrix.isMapped == (file == "own"))
            }
        }
    }

    @Test("sums of the largest integers do not overflow")
    func largestSums() {
        let layer = Linear(
            weight: Tensor(repeating: 1, shape: [64, 5000]),
            arithmetic: Arithmetic(precision: .int8))
        let y = layer(Tensor(repeating: -1, shape: [3, 5000]))
        #expect(y.values.allSatisfy { abs($0 + 5000) < 0.01 }, "\(y.values[0])")
    }
}

@Suite("Attention in bfloat16")
struct RoundedAttentionTests {
    @Test(
        "a sequence that attends to itself is the definition, rounded",
        .enabled(if: MatrixEngine.multiplies(.bfloat16)), arguments: NarrowProductTests.precisions)
    func definition(precision: Precision) throws {
        for (tokens, heads, width) in [(1, 1, 8), (17, 2, 64), (50, 3, 192), (257, 2, 128)] {
            let layer = Linear(
                weight: noise([3 * width, width], seed: 2), bias: noise([3 * width], seed: 3),
                arithmetic: Arithmetic(precision: precision))
            let attention = Attention(heads: heads, scale: 0.3, engine: .oneDNN)
            let input = layer.input(noise([tokens, width]))
            let qkv = layer(input).rounded(to: .bfloat16)
            let expected = Attention.naive(
                qkv.columns(0..<width), keys: qkv.columns(width..<2 * width),
                values: qkv.columns(2 * width..<3 * width), heads: heads, scale: 0.3
            ) { _, _ in true }
            let found = try #require(attention.rounded(input, through: layer))
            // Weights of the softmax keep 8 bits: 1/512 of values that are at most this large.
            let largest = qkv.values.map(abs).max() ?? 0
            expectClose(
                found, expected, within: largest / 300, "\(precision) \(tokens) \(heads) \(width)")
        }
    }

    @Test("float32 layers, and those of processors without bfloat16, have no rounded attention")
    func absent() {
        let layer = Linear(weight: noise([24, 8]), arithmetic: Arithmetic())
        let attention = Attention(heads: 2, scale: 1, engine: .oneDNN)
        #expect(attention.rounded(layer.input(noise([3, 8])), through: layer) == nil)
    }
}
