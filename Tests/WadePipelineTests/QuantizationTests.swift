//! Bundles of low precision: what `wade model quantize` writes is used like any other bundle, and answers like the one it was made of.
import Foundation
import Testing
import WadeFlamingo
import WadeTensor
import WadeTestSupport
import WadeVideo

@testable import WadePipeline

@Suite("Quantised bundles")
struct QuantizationTests {
    static let precisions: [Precision] = [.bfloat16, .int8, .int4]

    private static func isFast(_ precision: Precision) -> Bool {
        Arithmetic(precision: precision).isNarrow
    }

    static var canQuantize: Bool { precisions.allSatisfy(isFast) }

    /// Three frames that differ, of the tiny model's size.
    private func pixels(_ model: Flamingo) -> Tensor {
        let size = model.configuration.vision.imageSize
        let values = (0..<3 * 3 * size * size).map { Float(sin(Double($0) * 0.013)) }
        return Tensor(values, shape: [3, 3, size, size])
    }

    private func bits(_ tensor: Tensor) -> [UInt32] { tensor.values.map(\.bitPattern) }

    @Test(
        "a quantised bundle is checked, inspected and counted like its source, and computes the same bits",
        .enabled(if: canQuantize), arguments: precisions)
    func sameBits(precision: Precision) throws {
        let tiny = try TinyBundle()
        let folder = try TemporaryFolder()
        let path = folder("small").text
        let bundle = try ModelQuantization(
            tiny.bundle, precision: precision, leastInt8Weights: 0
        ).write(to: path)
        #expect(bundle.configuration.storedPrecision == precision)
        try bundle.check()
        let (card, original) = (try ModelCard(bundle), try ModelCard(tiny.bundle))
        #expect(card.parts == original.parts)
        let inspection = try ModelInspection(bundle).text(withTensors: true)
        #expect(inspection.contains("language.layers.0.mlp.up.weight \(precision.rawValue) ["))
        #expect(inspection.contains("\(precision.rawValue)"))
        let text = try String(contentsOfFile: path + "/card.md", encoding: .utf8)
        #expect(text.contains("Quantised by `wade model quantize`"))
        let identity = try ModelLocation(path).identity()
        #expect(identity.storedPrecision == precision)

        let arithmetic = Arithmetic(precision: precision, leastInt8Weights: 0)
        let (small, large) = (try bundle.model(arithmetic), try tiny.bundle.model(arithmetic))
        let pixels = pixels(large)
        #expect(bits(try small.visualTokens(pixels)) == bits(try large.visualTokens(pixels)))
        let ids = [large.configuration.tokens.image, 5, 6, 7]
        let states = try [small, large].map { model in
            var sequence = model.sequence(media: model.media([tiny.visualTokens(1)]))
            let hidden = try model(ids, sequence: &sequence)
            return bits(hidden) + bits(model.language.logits(hidden))
        }
        #expect(states[0] == states[1])
    }

    @Test(
        "a quantised bundle in float32 arithmetic is its rounded weights",
        .enabled(if: canQuantize), arguments: precisions)
    func dequantized(precision: Precision) throws {
        let tiny = try TinyBundle()
        let folder = try TemporaryFolder()
        let bundle = try ModelQuantization(
            tiny.bundle, precision: precision, leastInt8Weights: 0
        ).write(to: folder("small").text)
        let name = "language.layers.0.mlp.up.weight"
        let original = try #require(tiny.bundle.weights.tensors[name]).float32()
        let packed = try #require(try bundle.weights.packed(name))
        expectClose(
            try packed.float32(), original.rounded(to: precision), within: 0, "\(precision)")
        // What was rounded is not rounded once more where it cannot be multiplied as it lies.
        let layer = Weights(bundle.weights)["language.layers.0.mlp.up"]
        let kept = try Linear(
            layer, "weight", from: original.shape[1], to: original.shape[0],
            arithmetic: Arithmetic(engine: .openBLAS, precision: precision, leastInt8Weights: 0))
        let identity = Tensor(
            (0..<original.shape[1]).flatMap { row in
                (0..<original.shape[1]).map { $0 == row ? Float(1) : 0 }
            }, shape: [original.shape[1], original.shape[1]])
        expectClose(
            kept(identity).transposed(), try packed.float32(),
            within: precision == .int8 ? 1e-6 : 0,
            "\(precision) kept")
        // Both libraries multiply the same float32 weights: rounding of sums in another order.
        let models = try MatrixEngine.allCases.map { try bundle.model(Arithmetic(engine: $0)) }
        let pixels = pixels(models[0])
        expectClose(
            try models[0].visualTokens(pixels), try models[1].visualTokens(pixels), within: 1e-4,
            "\(precision)")
    }

    @Test(
        "a quantised bundle computes what float32 makes of its rounded weights, but for rounded rows",
        .enabled(if: canQuantize), arguments: zip(precisions, [Float(0.02), 0.06, 0.06]))
    func arithmetic(precision: Precision, share: Float) throws {
        let tiny = try TinyBundle()
        let folder = try TemporaryFolder()
        let bundle = try ModelQuantization(tiny.bundle, precision: precision, leastInt8Weights: 0)
            .write(to: folder("small").text)
        let states = try [precision, .float32].map { arithmetic in
            let model = try bundle.model(
                Arithmetic(precision: arithmetic, leastInt8Weights: 0))
            var sequence = model.sequence(media: model.media([tiny.visualTokens(1)]))
            let ids = [model.configuration.tokens.image, 5, 6, 7, 200, 31]
            return model.language.logits(try model(ids, sequence: &sequence))
        }
        #expect(Comparison(states[0], states[1]).relative < share, "\(precision)")
    }

    @Test("what is quantised cannot be quantised, and float32 is no low precision")
    func refusals() throws {
        let tiny = try TinyBundle()
        let folder = try TemporaryFolder()
        #expect(throws: PipelineError.self) {
            _ = try ModelQuantization(tiny.bundle, precision: .float32)
        }
        guard Self.canQuantize else { return }
        let bundle = try ModelQuantization(tiny.bundle, precision: .int8)
            .write(to: folder("small").text)
        #expect(throws: PipelineError.self) { _ = try ModelQuantization(bundle, precision: .int8) }
        #expect(throws: FlamingoError.self) {
            _ = try ModelQuantization(tiny.bundle, precision: .int8).write(to: folder("small").text)
        }
    }

    @Test(
        "damaged descriptions of packed weights are errors that name the tensor",
        .enabled(if: canQuantize),
        arguments: [
            ("int8 ", "int7 "), ("int8 ", "float32 "), ("i64c4i", "i640c4i"), ("i64c4i", "i64c4"),
            ("/4096,", "/-4096,"), ("64x64:", "64x65:"),
        ])
    func damage(text: String, other: String) throws {
        try damage(.int8, text: text, other: other)
    }

    @Test(
        "damaged descriptions of four-bit weights are errors that name the tensor",
        .enabled(if: canQuantize),
        arguments: [
            ("group32", "group64"), ("group32", ""), ("int4 160x40", "int4 160x80"),
            ("int4 160x40", "int4 0x40"), ("\"BF16\"", "\"F16\""),
        ])
    func fourBitDamage(text: String, other: String) throws {
        try damage(.int4, text: text, other: other)
    }

    private func damage(_ precision: Precision, text: String, other: String) throws {
        let tiny = try TinyBundle()
        let folder = try TemporaryFolder()
        let path = folder("small").text
        _ = try ModelQuantization(tiny.bundle, precision: precision, leastInt8Weights: 0)
            .write(to: path)
        let file = URL(fileURLWithPath: path + "/model.safetensors")
        var bytes = try Data(contentsOf: file)
        let length = bytes.prefix(8).enumerated().reduce(0) {
            $0 | Int($1.element) << (8 * $1.offset)
        }
        var header = String(decoding: bytes[8..<8 + length], as: UTF8.self)
        guard let place = header.range(of: text) else {
            Issue.record("no \(text) in the header")
            return
        }
        header.replaceSubrange(place, with: other)
        // The header keeps its length, so that nothing else is wrong.
        let spaces = length - header.utf8.count
        if spaces < 0 { header.removeLast(-spaces) }
        header += String(repeating: " ", count: max(spaces, 0))
        bytes.replaceSubrange(8..<8 + length, with: Data(header.utf8))
        try bytes.write(to: file)
        #expect {
            try ModelBundle(path: path).check()
        } throws: { "\($0)".contains("weight") && "\($0)".contains("expected") }
    }

    @Test(
        "a frame's features have the same bits alone and among others",
        arguments: Precision.allCases)
    func frames(precision: Precision) throws {
        let model = try TinyBundle().bundle.model(
            Arithmetic(precision: precision, leastInt8Weights: 0))
        let pixels = pixels(model)
        let together = try model.features(pixels)
        for frame in 0..<3 {
            let alone = try model.features(pixels[frame..<frame + 1])
            #expect(bits(alone[0]) == bits(together[frame]), "\(precision) \(frame)")
        }
    }

    @Test("a model of low precision computes nearly what float32 does", arguments: precisions)
    func nearness(precision: Precision) throws {
        let tiny = try TinyBundle()
        let (narrow, exact) = (
            try tiny.bundle.model(
                Arithmetic(precision: precision, leastInt8Weights: 0)),
            try tiny.bundle.model(Arithmetic())
        )
        let pixels = pixels(exact)
        let (found, expected) = (try narrow.visualTokens(pixels), try exact.visualTokens(pixels))
        // Visual tokens come out of a norm, so they are about 1; a product's operands have errors of 1/512 (bfloat16) or, of rows
        // whose largest value is 4 deviations, 1/64 of a deviation (int8), and a few layers add them up.
        // Groups of weights have 15 steps from their smallest to their largest: errors of 1/30 of 4 deviations.
        let (most, share): (Float, Float) =
            switch precision {
            case .float32, .bfloat16: (0.1, 0.015)
            case .int8: (0.5, 0.05)
            case .int4: (2, 0.3)
            }
        expectClose(found, expected, within: most, "\(precision)")
        let distance = zip(found.values, expected.values).reduce(0) {
            $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
        }
        let size = expected.values.reduce(0) { $0 + $1 * $1 }
        #expect((distance / size).squareRoot() < share, "\(precision)")
    }

    @Test("nothing chosen is what the weights are kept in; auto is what the processor has")
    func choices() {
        #expect(PrecisionChoice.resolve(nil, stored: .float32) == .float32)
        #expect(PrecisionChoice.resolve(nil, stored: .int8) == .int8)
        #expect(PrecisionChoice.resolve(.auto, stored: .int8) == .int8)
        #expect(PrecisionChoice.resolve(.float32, stored: .int8) == .float32)
        let fast: Precision = Self.isFast(.bfloat16) ? .bfloat16 : .float32
        #expect(PrecisionChoice.resolve(.auto, stored: .float32) == fast)
        let recipes = Precision.allCases.map(\.recipeName)
        #expect(Set(recipes).count == 4 && recipes[0] == "float32")
    }
}
