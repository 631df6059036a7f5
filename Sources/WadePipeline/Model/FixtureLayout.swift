//! The layout of a fixture folder: a published model, the prompts that its original ran, and what came out.

internal import Foundation
internal import WadeFlamingo
internal import WadeTensor

/// The fixture's own description; for OpenFlamingo it stands in `config.json`, for Otter in `fixture.json`.
struct FixtureConfiguration {
    let isOtter: Bool
    private let file: File

    private struct File: Decodable {
        let name: String?
        let family: String
        let vision: Vision?
        let resampler: Part
        let xattn: Part
    }

    private struct Vision: Decodable {
        let heads: Int
    }

    private struct Part: Decodable {
        let dim_head: Int
        let depth: Int?
        let only_attend_immediate_media: Bool?
    }

    init(folder: String) throws {
        let own = folder + "/fixture.json"
        let path =
            FileManager.default.fileExists(atPath: own) ? own : folder + "/config.json"
        file = try decodeConfiguration(File.self, try contents(of: path), path: path)
        switch file.family {
        case "otter": isOtter = true
        case "openflamingo": isOtter = false
        default:
            throw FlamingoError.file(
                path: path, found: "family \"\(file.family)\"", expected: "openflamingo or otter")
        }
    }

    /// `checkpoint.pt` as published, or a folder of the same tensors in shards.
    private static func checkpoint(in folder: String) -> String {
        let file = folder + "/checkpoint.pt"
        return FileManager.default.fileExists(atPath: file) ? file : folder + "/checkpoint"
    }

    /// How the folder's parts are imported.
    func modelImport(_ folder: String) -> ModelImport {
        let name = file.name ?? (folder as NSString).lastPathComponent
        var parts =
            isOtter
            ? ModelImport(checkpoint: folder, language: nil, vision: nil, name: name)
            : ModelImport(
                checkpoint: Self.checkpoint(in: folder), language: folder + "/lm",
                vision: folder + "/vision", name: name)
        parts.visionHeads = file.vision?.heads
        if let depth = file.resampler.depth { parts.resamplerLayers = depth }
        parts.unwritten.resamplerHeadWidth = file.resampler.dim_head
        parts.unwritten.crossAttentionHeadWidth = file.xattn.dim_head
        if file.xattn.only_attend_immediate_media == false {
            parts.unwritten.visibility = .allPreviousMedia
        }
        return parts
    }
}

/// `expected.json`: facts about each case that are not tensors.
struct ExpectedCases: Decodable {
    let cases: [String: ExpectedCase]
}

/// One case's prompt and the settings of its runs.
struct ExpectedCase: Decodable {
    let prompt: String?
    let prompts: [String]?
    let greedy_text: String?
    let greedy_recompute_text: String?
    let greedy_stop_token: Int?
    let beam3_eos_token: Int?
    let class_token_ids: [[Int]]?
    let beam: Beam?

    struct Beam: Decodable {
        let num_beams: Int
        let max_new_tokens: Int
        let no_repeat_ngram_size: Int
        let length_penalty: Double
        let bad_words_ids: [[Int]]
    }

    func prompt(row: Int) -> String? {
        if let prompts { return row < prompts.count ? prompts[row] : nil }
        return row == 0 ? prompt : nil
    }
}

/// What a list of generated ids was made with, told by its name.
struct GenerationRequest {
    let options: DecodingOptions
    let generatedTokens: Generator.GeneratedTokens

    /// `kind` is the name without `_ids`: `greedy`, `greedy_stop`, `greedy_kvcache`, `beam3_lp1`, `beam3_eos_lp-1`, …
    init(
        _ kind: String, _ facts: ExpectedCase, endOfChunk: Int, path: String
    ) throws {
        var (end, strategy, count) = (endOfChunk, DecodingStrategy.greedy, 20)
        var (forbidden, noRepeat): ([[Int]], Int) = ([], 0)
        var penalty = 0.0
        switch kind {
        case "greedy", "greedy_kvcache", "greedy_recompute": break
        case "greedy_stop":
            end = try Fields(path: path).present(facts.greedy_stop_token, "greedy_stop_token")
        case "beam3_lp0", "beam3_lp1":
            penalty = kind.hasSuffix("1") ? 1 : 0
            strategy = .beam(count: 3, lengthPenalty: penalty)
            count = 12
        case "beam3_eos_lp0", "beam3_eos_lp1", "beam3_eos_lp-1":
            penalty = kind.hasSuffix("-1") ? -1 : kind.hasSuffix("1") ? 1 : 0
            strategy = .beam(count: 3, lengthPenalty: penalty)
            end = try Fields(path: path).present(facts.beam3_eos_token, "beam3_eos_token")
            count = 16
        case "beam3_kvcache", "beam3_recompute":
            let beam = try Fields(path: path).present(facts.beam, "beam")
            penalty = beam.length_penalty
            count = beam.max_new_tokens
            strategy = .beam(count: beam.num_beams, lengthPenalty: penalty)
            (forbidden, noRepeat) = (beam.bad_words_ids, beam.no_repeat_ngram_size)
        default:
            throw FlamingoError.file(
                path: path, found: "generated ids of kind \(kind)", expected: "a known kind")
        }
        options = DecodingOptions(
            strategy: strategy, maximumTokens: count, endTokens: [end], forbidden: forbidden,
            noRepeatNGram: noRepeat)
        generatedTokens = kind.hasSuffix("_kvcache") ? .areBlindAfterTheFirst : .seeMedia
    }
}

/// A case's tensors by name.
struct CaseTensors {
    private let archive: TensorArchive
    private let seen = SeenTensors()

    private final class SeenTensors {
        var names: Set<String> = []
    }

    init(_ archive: TensorArchive) {
        self.archive = archive
    }

    /// Tensors that nobody asked for; margins say how sure the original was and are nothing to compare.
    var unread: [String] {
        names.filter { !seen.names.contains($0) && !$0.hasSuffix("_margin") }
    }

    /// Takes tensors for seen that cannot be compared.
    func skip(_ names: String...) { seen.names.formUnion(names) }

    private func stored(_ name: String) -> StoredTensor? {
        seen.names.insert(name)
        return archive.tensors[name]
    }

    /// The share of batch row `row` of `rows` in a tensor whose outermost axis runs over all rows.
    func optional(_ name: String, row: Int, of rows: Int) throws -> Tensor? {
        guard let tensor = try optional(name) else { return nil }
        guard tensor.shape.rank > 0, rows > 0, tensor.shape[0] % rows == 0 else { return tensor }
        let share = tensor.shape[0] / rows
        return tensor[row * share..<(row + 1) * share]
    }

    var names: [String] { archive.names }

    func float(_ name: String) throws -> Tensor {
        guard let tensor = stored(name) else {
            throw TensorError.missing(name: name, file: archive.file)
        }
        return try tensor.float32()
    }

    func optional(_ name: String) throws -> Tensor? {
        try stored(name)?.float32()
    }

    func integers(_ name: String) throws -> [Int] {
        guard let tensor = stored(name) else {
            throw TensorError.missing(name: name, file: archive.file)
        }
        return try tensor.int64()
    }

    /// An integer matrix as rows.
    func rows(_ name: String) throws -> [[Int]] {
        let values = try integers(name)
        let count = archive.tensors[name]?.shape.sizes.first ?? 1
        guard count > 0, !values.isEmpty else { return [] }
        let width = values.count / count
        return (0..<count).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }

    /// The prompts' ids without the padding on their left.
    func textRows() throws -> [[Int]] {
        let ids = try rows("input_ids")
        guard archive.tensors["attention_mask"] != nil else { return ids }
        let mask = try rows("attention_mask")
        return zip(ids, mask).map { ids, mask in
            zip(ids, mask).filter { $0.1 != 0 }.map(\.0)
        }
    }
}
