//! `wade model verify` for IDEFICS: every case that lies beside the published files.

internal import Foundation
internal import WadeFlamingo
package import WadeTensor
internal import WadeTokenizer

/// A published IDEFICS folder with inputs and outputs of its original: imports it, runs every case, compares.
package struct IDEFICSVerification {
    private let folder: String
    private let model: Flamingo
    private let tower: CLIPVisionTransformer
    private let tokenizer: Tokenizer
    private let precision: Precision

    /// Whether the folder holds an IDEFICS model.
    package static func applies(to folder: String) -> Bool {
        (try? contents(of: folder + "/config.json")).map(IDEFICSConfiguration.describes) ?? false
    }

    /// Imports the model at `folder` into a bundle below `scratch`, quantises it where `arithmetic` is of low precision, and loads it;
    /// or loads `bundle`, which must be made of the same model.
    package init(
        folder: String, scratch: String, arithmetic: Arithmetic, bundle: ModelBundle? = nil
    ) throws {
        self.folder = folder
        precision = arithmetic.precision
        let name = (folder as NSString).lastPathComponent
        let parts = ModelImport(checkpoint: folder, language: nil, vision: nil, name: name)
        let bundle =
            try bundle ?? ModelVerification.bundle(of: parts, scratch: scratch, arithmetic)
        model = try bundle.model(arithmetic)
        guard let tower = model.vision.transformer else {
            throw FlamingoError.file(
                path: folder, found: "another vision encoder", expected: "IDEFICS' transformer")
        }
        self.tower = tower
        tokenizer = try bundle.tokenizer()
    }

    /// Runs all cases in order of their names.
    package func run() throws -> [VerificationCheck] {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
            .filter { $0.hasSuffix(".inputs.safetensors") }.map { String($0.dropLast(19)) }
        guard !names.isEmpty else {
            throw FlamingoError.file(path: folder, found: "no cases", expected: "at least one")
        }
        return try names.sorted().flatMap(run) + resizedPositions()
    }

    private func run(_ name: String) throws -> [VerificationCheck] {
        let path = folder + "/" + name
        let facts = try decodeConfiguration(
            IDEFICSCase.self, try contents(of: path + ".json"), path: path + ".json")
        let inputs = CaseTensors(try Safetensors.read(path: path + ".inputs.safetensors"))
        let expected = CaseTensors(try Safetensors.read(path: path + ".expected.safetensors"))
        let (ids, mask) = (try inputs.rows("input_ids"), try inputs.rows("attention_mask"))
        let pixels = try inputs.float("pixel_values")
        guard pixels.shape.rank == 5, pixels.count > 0, pixels.shape[0] == ids.count,
            mask.map(\.count) == ids.map(\.count), facts.prompt.count == ids.count,
            facts.input_ids == ids, facts.decoded_prompt.count == ids.count,
            mask.allSatisfy({ $0.contains { $0 != 0 } })
        else {
            throw FlamingoError.pixels(
                found: "\(name) pixel_values \(pixels.shape)",
                expected: "[\(ids.count), M, 3, Y, X] and as many prompts")
        }
        var (checks, tokens) = try pictures(pixels, expected, name)
        for row in ids.indices {
            let label = ids.count > 1 ? "\(name)[\(row)]" : name
            let places = mask[row].indices.filter { mask[row][$0] != 0 }
            let case_ = Row(
                label: label, index: row, ids: places.map { ids[row][$0] }, places: places,
                media: model.media(tokens[row]))
            checks += try prompt(case_, facts, padded: ids[row])
            checks += [
                .equal(
                    "\(label) image_attention_mask", visibility(case_.ids, pixels.shape[1]),
                    try imageMask(
                        inputs, case_, shape: [ids.count, ids[row].count, pixels.shape[1]]))
            ]
            checks += try forward(case_, expected, shape: [ids.count, ids[row].count])
            checks += try generated(case_, facts, expected)
        }
        return checks
    }

    /// One prompt of a batch without its padding.
    private struct Row {
        let label: String
        let index: Int
        let ids: [Int]
        /// Where the ids stand in the padded row.
        let places: [Int]
        let media: Media
    }

    /// Pixels (B, M, 3, Y, X) to the visual tokens of each row's pictures, checked stage by stage.
    private func pictures(
        _ pixels: Tensor, _ expected: CaseTensors, _ label: String
    ) throws -> ([VerificationCheck], [[Tensor]]) {
        var stages: [String: [Tensor]] = [:]
        var tokens: [[Tensor]] = []
        for row in 0..<pixels.shape[0] {
            tokens.append([])
            for picture in 0..<pixels.shape[1] {
                let frame = pixels[row][picture..<picture + 1]
                let features = try tower.tokens(frame) { name, state in
                    stages[name.replacing("hidden.", with: "vision.hidden_"), default: []]
                        .append(state)
                }
                let seen = try model.resampler?(features) { name, added in
                    let part = name.hasPrefix("attention.") ? "attn_out" : "ff_out"
                    let block = name.split(separator: ".").last ?? ""
                    stages["perceiver.block_\(block).\(part)", default: []].append(added)
                }
                if let seen { stages["perceiver.out", default: []].append(seen) }
                stages["image_hidden_states", default: []].append(seen ?? features[0])
                tokens[row].append(try model.visualTokens(frame))
            }
        }
        let names = expected.names.filter {
            $0.hasPrefix("vision.") || $0.hasPrefix("perceiver.") || $0 == "image_hidden_states"
        }
        let checks = try names.map { name in
            let found = stages[name].map { Tensor.concatenated($0) } ?? Tensor.zeros([0])
            return VerificationCheck.close(
                "\(label) \(name)", found, try expected.float(name), within: tolerance(.visual))
        }
        return (checks, tokens)
    }

    private func prompt(
        _ row: Row, _ facts: IDEFICSCase, padded: [Int]
    ) throws -> [VerificationCheck] {
        let prompt = IDEFICSPrompt(facts.prompt[row.index].map(\.item))
        let text = prompt.text(endsUtterances: facts.add_end_of_utterance_token)
        let decoded = try tokenizer.decode(padded, skipSpecialTokens: false)
        return [
            .equal(
                "\(row.label) input_ids", tokenizer.encode(text, applyingTemplate: false), row.ids),
            .equal("\(row.label) decoded_prompt", decoded, facts.decoded_prompt[row.index]),
        ]
    }

    /// The pictures that each position sees, by the rule.
    private func visibility(_ ids: [Int], _ mediaCount: Int) -> [[Int]] {
        let tokens = model.configuration.tokens
        let rule = MediaMask(
            isMedia: ids.map { $0 == tokens.image }, endsText: ids.map { $0 == tokens.endOfText },
            visibility: model.configuration.crossAttention.visibility)
        return rule.windows(mediaCount: mediaCount, latents: 1).map { window in
            guard case .keys(let keys) = window else { return [] }
            return Array(keys)
        }
    }

    /// The pictures that each position of a row sees, by the processor's mask (B, T, M).
    private func imageMask(_ inputs: CaseTensors, _ row: Row, shape: [Int]) throws -> [[Int]] {
        let flags = try inputs.integers("image_attention_mask")
        guard flags.count == shape.reduce(1, *) else {
            throw FlamingoError.request(
                found: "\(row.label) image_attention_mask with \(flags.count) entries",
                expected: "\(shape)")
        }
        return row.places.map { place in
            let start = (row.index * shape[1] + place) * shape[2]
            return (0..<shape[2]).filter { flags[start + $0] != 0 }
        }
    }

    /// Every stage of the language model and the logits, at the positions that are not padding.
    private func forward(
        _ row: Row, _ expected: CaseTensors, shape: [Int]
    ) throws -> [VerificationCheck] {
        var stages: [String: Tensor] = [:]
        let layers = model.configuration.crossAttention.layers
        var sequence = model.sequence(media: row.media)
        let hidden = try model(row.ids, sequence: &sequence) { name, state in
            let number = name.split(separator: ".").last.flatMap { Int($0) } ?? 0
            switch name.split(separator: ".").first {
            case "embedded": stages["embeds"] = state
            case "xattn":
                let block = layers.firstIndex(of: number) ?? 0
                stages["lm.after_gated_xattn_\(block)"] = state
            default: stages["lm.after_layer_\(number)"] = state
            }
        }
        stages["lm.final_norm"] = hidden
        let seen = visibility(row.ids, row.media.count).map { Float($0.isEmpty ? 0 : 1) }
        stages["cross_attention_gate"] = Tensor(seen, shape: [seen.count, 1])
        stages["logits"] = model.language.logits(hidden)
        return try expected.names.filter { stages[$0] != nil || $0.hasPrefix("lm.after") }.map {
            name in
            let wanted = try unpadded(try expected.float(name), name, row, shape: shape)
            return .close(
                "\(row.label) \(name)", stages[name] ?? Tensor.zeros([0]), wanted,
                within: tolerance(name == "logits" ? .logits : .state))
        }
    }

    /// A row's values (T, …) at the positions that are not padding, out of a batch's (B, T, …).
    private func unpadded(
        _ padded: Tensor, _ name: String, _ row: Row, shape: [Int]
    ) throws -> Tensor {
        guard Array(padded.shape.sizes.prefix(2)) == shape else {
            throw FlamingoError.request(
                found: "\(row.label) \(name) of shape \(padded.shape)", expected: "\(shape)")
        }
        let width = padded.shape.sizes.dropFirst(2).reduce(1, *)
        return padded[row.index].reshaped([shape[1], width]).gathered(row.places)
    }

    /// The generated ids, the logits that decided them, and their text; rows of a batch were not generated from.
    private func generated(
        _ row: Row, _ facts: IDEFICSCase, _ expected: CaseTensors
    ) throws -> [VerificationCheck] {
        guard let greedy = facts.greedy_ids else { return [] }
        var checks: [VerificationCheck] = []
        if let logits = try expected.optional("greedy_logits") {
            checks.append(
                .close(
                    "\(row.label) greedy_logits", try self.logits(of: greedy, after: row), logits,
                    within: tolerance(.logits)))
        }
        guard VerificationTolerance.comparesTokens(in: precision) else { return checks }
        let generator = Generator(model)
        func ids(_ options: DecodingOptions) throws -> [Int] {
            try generator(row.ids, behind: model.sequence(media: row.media), options: options).ids
        }
        let found = try ids(DecodingOptions(maximumTokens: greedy.count, endTokens: []))
        checks.append(.equal("\(row.label) greedy_ids", found, greedy))
        let text = try tokenizer.decode(found, skipSpecialTokens: false)
        checks.append(.equal("\(row.label) greedy_text", text, facts.greedy_text ?? ""))
        if let wanted = facts.greedy_ids_bad_words, let forbidden = facts.bad_words,
            let end = facts.eos_for_bad_words_run
        {
            let options = DecodingOptions(
                maximumTokens: greedy.count, endTokens: [end], forbidden: forbidden)
            checks.append(.equal("\(row.label) greedy_ids_bad_words", try ids(options), wanted))
        }
        return checks
    }

    /// The logits that each of `ids` was chosen from, generated behind the row's prompt.
    private func logits(of ids: [Int], after row: Row) throws -> Tensor {
        var sequence = model.sequence(media: row.media)
        var last = try model(row.ids, sequence: &sequence)
        model.beginGenerating(&sequence)
        var logits: [Tensor] = []
        for id in ids {
            logits.append(model.language.logits(last[last.rows - 1..<last.rows]))
            last = try model([id], sequence: &sequence)
        }
        return Tensor.concatenated(logits)
    }

    private func tolerance(_ quantity: VerifiedQuantity) -> VerificationTolerance {
        .of(quantity, in: precision, family: .idefics)
    }

    /// The tower on pictures that are no square, where the fixture has them.
    private func resizedPositions() throws -> [VerificationCheck] {
        let path = folder + "/vision_interp.safetensors"
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        let tensors = CaseTensors(try Safetensors.read(path: path))
        let pixels = try tensors.float("pixel_values")
        let patch = model.configuration.vision.transformer?.patchSize ?? 1
        guard pixels.shape.rank == 4 else {
            throw FlamingoError.pixels(found: "\(pixels.shape)", expected: "[F, 3, Y, X]")
        }
        let table = try PositionInterpolation.idefics(
            tower.trainedPositions, rows: pixels.shape[2] / patch,
            columns: pixels.shape[3] / patch)
        return [
            .close(
                "vision_interp last_hidden_state",
                try tower.tokens(pixels, positions: table),
                // A resized position table adds an interpolation's rounding to the tower's.
                try tensors.float("last_hidden_state"), within: tolerance(.logits))
        ]
    }
}

/// `<case>.json`: what is no tensor.
private struct IDEFICSCase: Decodable {
    let prompt: [[Item]]
    let add_end_of_utterance_token: Bool
    let decoded_prompt: [String]
    let input_ids: [[Int]]
    let greedy_ids: [Int]?
    let greedy_text: String?
    let bad_words: [[Int]]?
    let eos_for_bad_words_run: Int?
    let greedy_ids_bad_words: [Int]?

    struct Item: Decodable {
        let type: String
        let text: String?

        var item: IDEFICSPrompt.Item { text.map { .text($0) } ?? .image }
    }
}
