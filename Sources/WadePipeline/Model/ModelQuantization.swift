//! `wade model quantize`: a bundle whose weights are packed once and for all.

internal import Foundation
internal import WadeFlamingo
package import WadeTensor

/// Turns a bundle into one of low precision. Its weights lie in the file as this machine multiplies them, so that a start maps
/// them and reads nothing; a machine that wants them otherwise packs them anew when it loads them.
package struct ModelQuantization: Sendable {
    private let source: ModelBundle
    private let precision: Precision
    private let leastInt8Weights: Int

    /// `source` must hold its weights as they were published. Layers of fewer than `leastInt8Weights` weights become bfloat16 in any case.
    package init(
        _ source: ModelBundle, precision: Precision,
        leastInt8Weights: Int = Arithmetic.leastInt8Weights
    ) throws {
        guard source.configuration.storedPrecision == .float32 else {
            throw PipelineError.request(
                found:
                    "\(source.path), which is \(source.configuration.storedPrecision.rawValue) already",
                expected: "a bundle with its weights as they were published")
        }
        try Self.requireProcessor(for: precision)
        self.source = source
        self.precision = precision
        self.leastInt8Weights = leastInt8Weights
    }

    /// Throws where the processor has no products of `precision`, and weights cannot be packed for them.
    package static func requireProcessor(for precision: Precision) throws {
        guard !Arithmetic(precision: precision).isNarrow else { return }
        throw PipelineError.request(
            found: "a processor that does not multiply \(precision.rawValue)",
            expected: precision == .int8
                ? "one with AVX512-VNNI or AMX" : "one with AVX512-BF16 or AMX")
    }

    /// Writes the bundle into the folder `output`, which must not exist yet and appears whole or not at all. Norms, embeddings, gates
    /// and biases keep their numbers.
    package func write(to output: String) throws -> ModelBundle {
        var output = output
        while output.count > 1, output.hasSuffix("/") { output.removeLast() }
        guard !output.isEmpty, !FileManager.default.fileExists(atPath: output) else {
            throw FlamingoError.file(
                path: output, found: output.isEmpty ? "no name" : "something that is there already",
                expected: "a folder that does not exist yet")
        }
        let unfinished = output + ".unfinished-\(UUID().uuidString)"
        do {
            try FileManager.default.createDirectory(
                atPath: unfinished, withIntermediateDirectories: true)
            try write(into: unfinished)
            try FileManager.default.moveItem(atPath: unfinished, toPath: output)
        } catch {
            try? FileManager.default.removeItem(atPath: unfinished)
            throw error
        }
        return try ModelBundle(path: output)
    }

    private func write(into folder: String) throws {
        let parts = PackedParts()
        _ = try source.model(
            Arithmetic(precision: precision, leastInt8Weights: leastInt8Weights), listener: parts)
        let packed = Set(parts.names)
        var metadata = source.weights.metadata
        metadata.merge(parts.metadata) { _, new in new }
        var writer = SafetensorsWriter(metadata: metadata, alignment: 64)
        parts.write(to: &writer)
        for name in source.weights.names where !packed.contains(name) {
            if let tensor = source.weights.tensors[name] { writer.add(name, tensor) }
        }
        let weights = folder + "/" + ModelBundle.FileName.weights
        try writer.write(to: weights)
        var configuration = source.configuration
        configuration.precision = precision
        configuration.weightsSHA256 = try sha256(ofFile: weights)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(configuration).write(
            to: URL(fileURLWithPath: folder + "/" + ModelBundle.FileName.configuration))
        try FileManager.default.copyItem(
            atPath: source.path + "/" + ModelBundle.FileName.tokenizer,
            toPath: folder + "/" + ModelBundle.FileName.tokenizer)
        try Data(try card().utf8).write(
            to: URL(fileURLWithPath: folder + "/" + ModelBundle.FileName.card))
        try ModelBundle(path: folder).check()
    }

    /// The source's card and what has been done to its weights.
    private func card() throws -> String {
        let path = source.path + "/" + ModelBundle.FileName.card
        let card =
            FileManager.default.fileExists(atPath: path)
            ? String(decoding: try contents(of: path), as: UTF8.self) : try ModelCard(source).text
        let small = "in layers of fewer than \(leastInt8Weights) weights to bfloat16"
        let rounding =
            switch precision {
            case .float32, .bfloat16: "bfloat16, activations likewise"
            case .int8:
                "8-bit integers with one scale for each output, activations to 8-bit integers with one scale for each row; \(small)"
            case .int4:
                "4-bit integers with a scale for every 32 inputs of an output, activations to bfloat16, those of vision encoder and resampler to 8-bit integers; \(small)"
            }
        return card + """

            ## Precision

            Quantised by `wade model quantize`: the weights of linear layers are rounded to \(rounding). Norms, embeddings, \
            gates and biases are unchanged. The weights that this was made of have the SHA-256 \(try sourceDigest()).

            """
    }

    private func sourceDigest() throws -> String {
        let recorded = source.configuration.weightsSHA256
        return recorded.isEmpty ? try ModelLocation(source.path).identity().weightsSHA256 : recorded
    }
}
