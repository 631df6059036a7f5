//! Rungs 3 to 5 for IDEFICS: published folders, imported, bundled, loaded, and run against Hugging Face's code.
import Foundation
import Testing
import WadeFlamingo
import WadePipeline
import WadeTensor
import WadeTestSupport

@Suite("Parity: IDEFICS")
struct IDEFICSParityTests {
    /// The folders with a model. Those that are too large to be bundled are only there where `WADE_FIXTURES` has them.
    static let folders = Fixtures.folders(in: "idefics").map { "idefics/\($0)" }.filter {
        FileManager.default.fileExists(atPath: Fixtures.url($0 + "/config.json").path)
    }

    @Test(
        "a published model computes what its original computed, imported, and quantised in a bundle",
        arguments: folders, Precision.allCases)
    func model(folder: String, precision: Precision) throws {
        let path = Fixtures.url(folder).path
        #expect(IDEFICSVerification.applies(to: path))
        // Both libraries multiply float32; a bundle of low precision is oneDNN's.
        for engine in MatrixEngine.allCases where precision == .float32 || engine == .oneDNN {
            let checks = try ModelVerification.run(
                folder: path,
                arithmetic: Arithmetic(
                    engine: engine, precision: precision, leastInt8Weights: 0))
            #expect(checks.count >= 15, "\(folder): only \(checks.count) comparisons")
            for check in checks where !check.passed {
                Issue.record("\(folder) on \(engine.rawValue) in \(precision): \(check)")
            }
        }
    }

    /// The bundled model, imported.
    private func bundledModel() throws -> Flamingo {
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-idefics-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let folder = Fixtures.bundled.appendingPathComponent("idefics/base").path
        return try ModelImport(checkpoint: folder, language: nil, vision: nil, name: "tiny")
            .write(to: scratch).model(Arithmetic())
    }

    @Test("a clip's frames are media of their own, one after the other")
    func frames() throws {
        let model = try bundledModel()
        let side = model.configuration.vision.imageSize
        let values = (0..<2 * 3 * side * side).map { Float($0 % 17) / 17 }
        let clip = Tensor(values, shape: [2, 3, side, side])
        let tokens = try model.visualTokens(clip)
        #expect(model.media([tokens, tokens]).count == 4)
        #expect(model.configuration.mediaCount(ofFrames: 2) == 2)
        let frames = try (0..<2).map { try model.visualTokens(clip[$0..<$0 + 1]) }
        expectClose(tokens, Tensor.concatenated(frames), within: 1e-5, "both frames")
    }

    @Test("a generated end of text hides nothing, one in the prompt hides the media before it")
    func generatedEndOfText() throws {
        let model = try bundledModel()
        let (ids, side) = (model.configuration.tokens, model.configuration.vision.imageSize)
        let picture = try model.visualTokens(Tensor(repeating: 0.5, shape: [1, 3, side, side]))
        func hidden(generates: Bool, _ last: [Int]) throws -> Tensor {
            var sequence = model.sequence(media: model.media([picture]))
            _ = try model([ids.beginningOfText ?? 1, ids.image, 5], sequence: &sequence)
            if generates { model.beginGenerating(&sequence) }
            return try model(last, sequence: &sequence)
        }
        let (read, written) = (
            try hidden(generates: false, [ids.endOfText, 5]),
            try hidden(generates: true, [ids.endOfText, 5])
        )
        // Positions with equal windows are multiplied together, so that sums round differently.
        expectClose(written[0], read[0], within: 1e-5, "the end of text itself")
        #expect(Comparison(written[1], read[1]).difference > 0.01)
        expectClose(
            try hidden(generates: true, [6]), try hidden(generates: false, [6]), within: 0, "text")
    }

    @Test("there is at least one model to compare")
    func thereAreModels() {
        #expect(!Self.folders.isEmpty)
    }
}
