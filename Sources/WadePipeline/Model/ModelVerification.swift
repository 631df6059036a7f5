//! `wade model verify`: runs what the originals ran and compares number by number.

internal import Foundation
internal import WadeFlamingo
package import WadeTensor
internal import WadeTokenizer

/// One thing that was compared.
package struct VerificationCheck: Sendable, CustomStringConvertible {
    /// Case and quantity, such as `image_3shot logits`.
    package let name: String
    package let passed: Bool
    /// The worst difference, or what was found and expected.
    package let detail: String
    /// The difference of a numeric comparison, as its tolerance measures it; 0 for equal texts and ids.
    package let difference: Float

    package var description: String { "\(passed ? "ok  " : "FAIL") \(name): \(detail)" }

    static func close(
        _ name: String, _ found: Tensor, _ expected: Tensor, within tolerance: VerificationTolerance
    ) -> VerificationCheck {
        let comparison = Comparison(found, expected)
        let (difference, limit) = tolerance.measured(found, expected)
        let detail =
            switch tolerance {
            case .largest: "\(comparison), tolerance \(limit)"
            case .relative: "relative \(difference), tolerance \(limit); \(comparison)"
            }
        return VerificationCheck(
            name: name, passed: comparison.count > 0 && difference <= limit, detail: detail,
            difference: difference)
    }

    static func equal<Value: Equatable>(
        _ name: String, _ found: Value, _ expected: Value
    ) -> VerificationCheck {
        let same = found == expected
        return VerificationCheck(
            name: name, passed: same,
            detail: same ? "equal" : "found \(found), expected \(expected)", difference: 0)
    }
}

/// A folder of a whole published model with the inputs and outputs of its original: imports it, runs every case, compares.
package struct ModelVerification {
    private let folder: String
    private let bundle: ModelBundle
    private let model: Flamingo
    private let tokenizer: Tokenizer
    private let expected: ExpectedCases
    private let isOtter: Bool
    private let precision: Precision

    /// Imports the fixture at `folder` into a bundle below `scratch`, quantises it where `arithmetic` is of low precision, and loads it;
    /// or loads `bundle`, which must be made of the same model.
    package init(
        folder: String, scratch: String, arithmetic: Arithmetic, bundle: ModelBundle? = nil
    ) throws {
        self.folder = folder
        let fixture = try FixtureConfiguration(folder: folder)
        isOtter = fixture.isOtter
        precision = arithmetic.precision
        self.bundle =
            try bundle
            ?? Self.bundle(of: fixture.modelImport(folder), scratch: scratch, arithmetic)
        model = try self.bundle.model(arithmetic)
        tokenizer = try self.bundle.tokenizer()
        let path = folder + "/expected.json"
        expected = try decodeConfiguration(
            ExpectedCases.self, try contents(of: path), path: path)
    }

    /// Imports the parts into a bundle below `scratch`, and makes one of low precision of it where the processor has such products; elsewhere
    /// weights are rounded when they are loaded.
    static func bundle(of parts: ModelImport, scratch: String, _ arithmetic: Arithmetic) throws
        -> ModelBundle
    {
        let bundle = try parts.write(to: scratch + "/bundle")
        guard arithmetic.isNarrow else { return bundle }
        return try ModelQuantization(
            bundle, precision: arithmetic.precision, leastInt8Weights: arithmetic.leastInt8Weights
        ).write(to: scratch + "/quantized")
    }

    /// Imports into a scratch folder of its own, or takes `bundle`, runs every case, and removes the folder again.
    package static func run(
        folder: String, arithmetic: Arithmetic, bundle: ModelBundle? = nil
    ) throws -> [VerificationCheck] {
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-verify-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        if IDEFICSVerification.applies(to: folder) {
            return try IDEFICSVerification(
                folder: folder, scratch: scratch, arithmetic: arithmetic, bundle: bundle
            ).run()
        }
        return try ModelVerification(
            folder: folder, scratch: scratch, arithmetic: arithmetic, bundle: bundle
        ).run()
    }

    /// Runs all cases in order of their names.
    package func run() throws -> [VerificationCheck] {
        guard !expected.cases.isEmpty else {
            throw FlamingoError.file(
                path: folder + "/expected.json", found: "no cases", expected: "at least one")
        }
        var checks: [VerificationCheck] = []
        for (name, facts) in expected.cases.sorted(by: { $0.key < $1.key }) {
            let file = "\(folder)/cases/\(name).safetensors"
            let tensors = CaseTensors(try Safetensors.read(path: file))
            checks += try run(name, facts, tensors)
        }
        return checks
    }

    private func run(
        _ name: String, _ facts: ExpectedCase, _ tensors: CaseTensors
    ) throws -> [VerificationCheck] {
        var checks: [VerificationCheck] = []
        let rows = try tensors.textRows()
        let pixels = try tensors.float("pixel_values")
        guard pixels.shape.rank == 6, pixels.count > 0, pixels.shape[0] == rows.count else {
            throw FlamingoError.pixels(
                found: "\(name) pixel_values \(pixels.shape)",
                expected: "[\(rows.count), T, F, 3, Y, X]")
        }
        for (row, ids) in rows.enumerated() {
            guard !ids.isEmpty else {
                throw FlamingoError.request(
                    found: "\(name) row \(row) without a token", expected: "a prompt")
            }
            let label = rows.count > 1 ? "\(name)[\(row)]" : name
            if let prompt = facts.prompt(row: row) {
                let found = tokenizer.encode(prompt, applyingTemplate: true)
                checks.append(.equal("\(label) input_ids", found, ids))
            }
            let place = BatchRow(label: label, row: row, rows: rows.count)
            let (media, seen) = try seenMedia(pixels[row], tensors, place)
            checks += seen
            checks += try forward(ids, media, tensors, place)
            checks += try generated(ids, media, facts, tensors, label: label, row: row)
            if let choices = facts.class_token_ids {
                checks += try ranked(choices, ids, media, tensors, label: label)
            }
        }
        // What nobody compared would pass whatever it holds.
        for unread in tensors.unread {
            checks.append(.equal("\(name) \(unread)", "not compared", "a quantity that is known"))
        }
        return checks
    }

    /// Where in a batch a prompt stands.
    private struct BatchRow {
        let label: String
        let row: Int
        let rows: Int
    }

    /// Pixels (T, F, 3, Y, X) to media, checked on the way.
    private func seenMedia(
        _ pixels: Tensor, _ tensors: CaseTensors, _ place: BatchRow
    ) throws -> (Media, [VerificationCheck]) {
        var checks: [VerificationCheck] = []
        var (features, tokens, embeddings): ([Tensor], [Tensor], [Tensor]) = ([], [], [])
        for media in 0..<pixels.shape[0] {
            if let tower = model.vision.transformer,
                let embedding = tower.embedding(try tower.tokens(pixels[media]))
            {
                embeddings.append(embedding)
            }
            let patches = try model.vision(pixels[media])
            features.append(patches)
            tokens.append(try model.resampler?(patches, media: media) ?? patches[0])
        }
        let found = [
            ("vision_tokens", features), ("resampled", tokens),
            ("clip_image_embed_normalised", embeddings),
        ]
        for (name, values) in found where !values.isEmpty {
            guard let expected = try tensors.optional(name, row: place.row, of: place.rows) else {
                continue
            }
            checks.append(
                .close(
                    "\(place.label) \(name)", .concatenated(values), expected,
                    within: tolerance(.visual)))
        }
        return (model.media(tokens), checks)
    }

    /// Hidden states and logits of the prompt.
    private func forward(
        _ ids: [Int], _ media: Media, _ tensors: CaseTensors, _ place: BatchRow
    ) throws -> [VerificationCheck] {
        let label = place.label
        var checks: [VerificationCheck] = []
        var states: [(String, Tensor)] = []
        var sequence = model.sequence(media: media)
        let hidden = try model(ids, sequence: &sequence) { states.append(($0, $1)) }
        for (name, state) in states {
            guard let expected = try tensors.optional(name, row: place.row, of: place.rows) else {
                continue
            }
            checks.append(.close("\(label) \(name)", state, expected, within: tolerance(.state)))
        }
        let logits = model.language.logits(hidden)
        if let expected = try tensors.optional("logits_last", row: place.row, of: place.rows) {
            let last = logits[logits.rows - 1..<logits.rows]
            checks.append(
                .close("\(label) logits_last", last, expected, within: tolerance(.logits)))
        }
        if let expected = try tensors.optional("logits", row: place.row, of: place.rows) {
            let positions = try tensors.integers("logits_positions")
            guard positions.allSatisfy({ (0..<logits.rows).contains($0) }) else {
                throw FlamingoError.request(
                    found: "logits_positions \(positions)", expected: "below \(logits.rows)")
            }
            checks.append(
                .close(
                    "\(label) logits", logits.gathered(positions), expected,
                    within: tolerance(.logits)))
        }
        return checks
    }

    /// Every list of generated ids that the case holds.
    private func generated(
        _ ids: [Int], _ media: Media, _ facts: ExpectedCase, _ tensors: CaseTensors, label: String,
        row: Int
    ) throws -> [VerificationCheck] {
        var checks: [VerificationCheck] = []
        let generator = Generator(model)
        for name in tensors.names where name.hasSuffix("_ids") && name != "input_ids" {
            let kind = String(name.dropLast(4))
            guard VerificationTolerance.comparesTokens(in: precision) else {
                tensors.skip(name, kind + "_score")
                continue
            }
            let lists = try tensors.rows(name)
            guard row < lists.count else {
                throw FlamingoError.request(
                    found: "\(label) \(name) with \(lists.count) rows", expected: "a row per prompt"
                )
            }
            let expected = lists[row]
            let request = try GenerationRequest(
                kind, facts, endOfChunk: model.configuration.tokens.endOfChunk, path: folder)
            let found = try generator(
                ids, behind: model.sequence(media: media), options: request.options,
                generatedTokens: request.generatedTokens)
            // A row that ended early is filled up; nothing stands behind its end token.
            let end = expected.firstIndex { request.options.endTokens.contains($0) }
            let wanted = end.map { Array(expected[...$0]) } ?? expected
            checks.append(.equal("\(label) \(name)", found.ids, wanted))
            if kind == "greedy" || kind == "greedy_recompute", rowsAreOne(facts),
                let text = facts.greedy_text ?? facts.greedy_recompute_text
            {
                // Embeddings may have more rows than there are tokens; the originals decode those to nothing.
                let known = found.ids.filter { tokenizer.token(of: $0) != nil }
                let decoded = try tokenizer.decode(known, skipSpecialTokens: false)
                checks.append(.equal("\(label) \(kind) text", decoded, text))
            }
            if let scores = try tensors.optional("\(kind)_score"), let score = found.score {
                guard row < scores.count else {
                    throw FlamingoError.request(
                        found: "\(label) \(kind)_score with \(scores.count) values",
                        expected: "one per row")
                }
                let expected = scores.values[row]
                checks.append(
                    .close(
                        "\(label) \(kind)_score", Tensor([Float(score)], shape: [1]),
                        Tensor([expected], shape: [1]), within: scoreTolerance(upTo: abs(expected)))
                )
            }
        }
        return checks
    }

    private func rowsAreOne(_ facts: ExpectedCase) -> Bool { facts.prompts == nil }

    private func ranked(
        _ choices: [[Int]], _ ids: [Int], _ media: Media, _ tensors: CaseTensors, label: String
    ) throws -> [VerificationCheck] {
        let scores = try Generator(model).scores(
            of: choices, after: ids, behind: model.sequence(media: media))
        let kinds = [
            ("logprob_mean", scores.map { Float($0.mean) }),
            ("logprob_sum", scores.map { Float($0.sum) }),
        ]
        return try kinds.map { name, values in
            let expected = try tensors.float(name)
            let largest = expected.values.map(abs).max() ?? 0
            return .close(
                "\(label) \(name)", Tensor(values, shape: [values.count]), expected,
                within: scoreTolerance(upTo: largest))
        }
    }

    private func tolerance(_ quantity: VerifiedQuantity) -> VerificationTolerance {
        .of(quantity, in: precision, family: bundle.configuration.family)
    }

    /// Sums of many log-probabilities are as exact as a float32 of their size.
    private func scoreTolerance(upTo largest: Float) -> VerificationTolerance {
        guard case .largest(let limit) = tolerance(.score), largest > 100 else {
            return tolerance(.score)
        }
        return .largest(max(limit, largest * 1e-5))
    }
}
