//! `wade model import`: published parts in, a bundle out.

internal import Foundation
package import WadeFlamingo
internal import WadeImage
internal import WadeTensor
internal import WadeTokenizer

/// Where the published parts of a model lie.
package struct ModelImport: Sendable {
    /// `checkpoint.pt` of OpenFlamingo or a folder of its tensors, or the folder of an Otter or
    /// IDEFICS model.
    package var checkpoint: String
    /// The language model's folder; nil for Otter and IDEFICS.
    package var language: String?
    /// The vision tower's file or folder; nil for Otter and IDEFICS.
    package var vision: String?
    /// What the model shall be called.
    package var name: String
    /// Sizes that no published file tells.
    package var unwritten = FlamingoParts.UnwrittenSizes()
    /// The resampler's depth; the released models have 6.
    package var resamplerLayers = 6
    /// The vision tower's number of heads, where neither a configuration nor the convention width/64 tells it.
    package var visionHeads: Int?

    package init(checkpoint: String, language: String?, vision: String?, name: String) {
        self.checkpoint = checkpoint
        self.language = language
        self.vision = vision
        self.name = name
    }

    /// Converts the parts into a bundle at `output`, a folder that must not exist yet. It appears whole or not at all.
    package func write(to output: String) throws -> ModelBundle {
        var output = output
        while output.count > 1, output.hasSuffix("/") { output.removeLast() }
        guard !output.isEmpty, !FileManager.default.fileExists(atPath: output) else {
            throw FlamingoError.file(
                path: output, found: output.isEmpty ? "no name" : "something that is there already",
                expected: "a folder that does not exist yet")
        }
        try requirePublishedFiles()
        let (tokenizerFile, tokenizer) = try publishedTokenizer()
        let (configuration, parameters) = try converted(tokenizer)
        // A half-written bundle never has the final name, and nothing that was there before is removed.
        let unfinished = output + ".unfinished-\(UUID().uuidString)"
        try createFolder(unfinished)
        do {
            try write(configuration, parameters, tokenizerFile, into: unfinished)
            try place(unfinished, as: output)
        } catch {
            try? FileManager.default.removeItem(atPath: unfinished)
            throw published(error, parameters)
        }
        return try ModelBundle(path: output)
    }

    private func place(_ unfinished: String, as output: String) throws {
        do {
            try FileManager.default.moveItem(atPath: unfinished, toPath: output)
        } catch {
            throw FlamingoError.file(
                path: output, found: error.localizedDescription,
                expected: "a place for the bundle")
        }
    }

    /// The error about a published file and tensor in place of the same about a bundle that will never be.
    private func published(_ error: any Error, _ parameters: [CheckpointParameter]) -> any Error {
        guard case .shapeMismatch(let name, let found, let expected, _) = error as? TensorError,
            let piece = parameters.first(where: { $0.name == name })?.pieces.first
        else { return error }
        return TensorError.shapeMismatch(
            name: "\(piece.name) (\(name))", found: found, expected: expected, file: piece.file)
    }

    /// Names what is missing before anything is read.
    private func requirePublishedFiles() throws {
        for path in [checkpoint, language, vision].compactMap({ $0 })
        where !FileManager.default.fileExists(atPath: path) {
            throw FlamingoError.file(
                path: path, found: "nothing there", expected: "a published file or folder")
        }
    }

    private func createFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
        } catch {
            throw FlamingoError.file(
                path: path, found: error.localizedDescription, expected: "a folder to write into")
        }
    }

    private func write(
        _ configuration: FlamingoConfiguration, _ parameters: [CheckpointParameter],
        _ tokenizer: Data, into folder: String
    ) throws {
        let weights = folder + "/" + ModelBundle.FileName.weights
        var writer = SafetensorsWriter(metadata: ["format": FlamingoConfiguration.currentFormat])
        for parameter in parameters {
            writer.add(parameter.name, pieces: parameter.pieces, shape: parameter.shape)
        }
        try writer.write(to: weights)
        var configuration = configuration
        configuration.weightsSHA256 = try sha256(ofFile: weights)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try place(
            try encoder.encode(configuration), folder + "/" + ModelBundle.FileName.configuration)
        try place(tokenizer, folder + "/" + ModelBundle.FileName.tokenizer)
        let card = ModelCard(configuration: configuration, parameters: parameters).text
        try place(Data(card.utf8), folder + "/" + ModelBundle.FileName.card)
        // Strict loading now, so that a bundle that lacks or doubts a tensor never gets its name.
        try ModelBundle(path: folder).check()
    }

    private func place(_ data: Data, _ path: String) throws {
        do {
            try data.write(to: URL(fileURLWithPath: path))
        } catch {
            throw FlamingoError.file(
                path: path, found: error.localizedDescription, expected: "a file to write")
        }
    }

    private func converted(
        _ tokenizer: Tokenizer
    ) throws -> (FlamingoConfiguration, [CheckpointParameter]) {
        if let parts = try ideficsParts(tokenizer) { return try parts.converted() }
        var parts = try self.parts(tokenizer)
        parts.unwritten = unwritten
        parts.written.resamplerLayers = resamplerLayers
        if let visionHeads { parts.visionConfiguration.heads = visionHeads }
        return try parts.converted()
    }

    private func parts(_ tokenizer: Tokenizer) throws -> FlamingoParts {
        if let language {
            let configurationPath = language + "/config.json"
            let languageConfiguration = try PublishedLanguageConfiguration(
                json: try contents(of: configurationPath), path: configurationPath)
            guard let vision else {
                throw FlamingoError.request(
                    found: "no vision tower", expected: "--vision FILE-OR-FOLDER")
            }
            var (tower, towerConfiguration, nfnet) = try visionTower(vision)
            // OpenFlamingo prepares pictures as open_clip does, wherever the tower's weights come from.
            towerConfiguration.fit = .shorterSideTorchvision
            var parts = FlamingoParts(
                language: try PublishedFiles(folder: language).weights(), vision: tower,
                checkpoint: try PublishedFiles.weights(at: checkpoint),
                languageConfiguration: languageConfiguration,
                languageConfigurationPath: configurationPath,
                visionConfiguration: towerConfiguration, name: name,
                tokens: try specialTokens(
                    tokenizer, adding: ["<|endofchunk|>", "<image>"], languageConfiguration))
            parts.nfnet = nfnet
            return parts
        }
        let path = checkpoint + "/config.json"
        let otter = try OtterConfiguration(json: try contents(of: path), path: path)
        var parts = FlamingoParts(
            language: nil, vision: nil,
            checkpoint: try PublishedFiles(folder: checkpoint).weights(),
            languageConfiguration: otter.language, languageConfigurationPath: path,
            visionConfiguration: otter.vision, name: name,
            tokens: try specialTokens(
                tokenizer, adding: ["<|endofchunk|>", "<image>", "<answer>"], otter.language))
        parts.written.everyNLayers = otter.everyNLayers
        parts.written.frames = otter.frames
        return parts
    }

    /// The tower's weights and what the configuration beside them tells, for a normalizer-free network timm's.
    private func visionTower(
        _ path: String
    ) throws -> (TensorArchive, PublishedVisionConfiguration, NFNetVisionConfiguration?) {
        let isFolder = PublishedFiles(folder: path).isFolder
        let folder = isFolder ? path : (path as NSString).deletingLastPathComponent
        let files = PublishedFiles(folder: folder.isEmpty ? "." : folder)
        let weights = try PublishedFiles.weights(at: path)
        for name in ["open_clip_config.json", "config.json"] where files.has(name) {
            let file = files.folder + "/" + name
            let json = try contents(of: file)
            if NFNetVisionConfiguration.describes(json) {
                return (weights, .openAI, try NFNetVisionConfiguration(timm: json, path: file))
            }
            var configuration = try PublishedVisionConfiguration(json: json, path: file)
            let preprocessor = files.folder + "/preprocessor_config.json"
            if name == "config.json", files.has("preprocessor_config.json") {
                try configuration.readPreprocessor(
                    json: try contents(of: preprocessor), path: preprocessor)
            }
            return (weights, configuration, nil)
        }
        // OpenAI's archives alone come without a configuration; this scalar marks them.
        guard weights.tensors["input_resolution"] != nil else {
            throw FlamingoError.file(
                path: path, found: "no open_clip_config.json or config.json beside it",
                expected: "one of them, or OpenAI's own archive")
        }
        return (weights, .openAI, nil)
    }

    /// The tokenizer's file as a bundle keeps it (JSON), and the tokenizer without the Flamingo tokens.
    private func publishedTokenizer() throws -> (Data, Tokenizer) {
        let folder = language ?? checkpoint
        let json = folder + "/tokenizer.json"
        if FileManager.default.fileExists(atPath: json) {
            return (try contents(of: json), try Tokenizer(path: json))
        }
        guard PublishedFiles(folder: folder).has("tokenizer.model") else {
            throw FlamingoError.file(
                path: folder, found: "no tokenizer", expected: "tokenizer.json or tokenizer.model")
        }
        let model = try SentencePieceModel(path: folder + "/tokenizer.model")
        return (Data(try model.tokenizerJSON(addingSpecialTokens: [])), try model.tokenizer())
    }

    /// The ids after the tokens are added in the originals' order; `<PAD>` is added only where the tokenizer names no padding token.
    private func specialTokens(
        _ tokenizer: Tokenizer, adding tokens: [String],
        _ language: PublishedLanguageConfiguration
    ) throws -> SpecialTokens {
        let padding = try publishedPadding() ?? "<PAD>"
        let added = tokenizer.id(of: padding) == nil ? tokens + [padding] : tokens
        let complete = tokenizer.addingSpecialTokens(added)
        func id(_ token: String) throws -> Int {
            guard let id = complete.id(of: token) else {
                throw FlamingoError.request(found: "no id for \(token)", expected: "an id")
            }
            return id
        }
        let ends = ["<|endoftext|>", "</s>"].compactMap { complete.id(of: $0) }
        let end = try ends.first ?? id("<|endofchunk|>")
        return SpecialTokens(
            image: try id("<image>"), endOfChunk: try id("<|endofchunk|>"), endOfText: end,
            beginningOfText: language.startsWithBeginning ? complete.id(of: "<s>") : nil,
            padding: try id(padding), answer: complete.id(of: "<answer>"), added: added)
    }

    /// The padding token that the published tokenizer names, a string or an object with `content`.
    private func publishedPadding() throws -> String? {
        let folder = language ?? checkpoint
        for name in ["special_tokens_map.json", "tokenizer_config.json"] {
            let path = folder + "/" + name
            guard FileManager.default.fileExists(atPath: path) else { continue }
            let file = try decodeConfiguration(
                TokenizerNames.self, try contents(of: path), path: path)
            if let padding = file.pad_token { return padding.content }
        }
        return nil
    }
}

/// The part of `special_tokens_map.json` and `tokenizer_config.json` that matters here.
private struct TokenizerNames: Decodable {
    let pad_token: Token?

    struct Token: Decodable {
        let content: String

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                content = text
            } else {
                content = try decoder.container(keyedBy: Keys.self)
                    .decode(String.self, forKey: .content)
            }
        }

        private enum Keys: String, CodingKey { case content }
    }
}

/// The weight files of a published folder, in the order in which they are looked for.
struct PublishedFiles {
    let folder: String

    var isFolder: Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: folder + "/")
        return attributes?[.type] as? FileAttributeType == .typeDirectory
    }

    func has(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: folder + "/" + name)
    }

    /// The weights of a file, whatever its name, or of a folder.
    static func weights(at path: String) throws -> TensorArchive {
        let files = PublishedFiles(folder: path)
        return files.isFolder ? try files.weights() : try CheckpointFile.read(path: path)
    }

    /// Safetensors before pickles, whole files before shards; a folder with one `.pt` file is that file.
    func weights() throws -> TensorArchive {
        for name in ["open_clip_model.safetensors", "model.safetensors"] where has(name) {
            return try Safetensors.read(path: folder + "/" + name)
        }
        if has("model.safetensors.index.json") {
            return try Safetensors.readSharded(index: folder + "/model.safetensors.index.json")
        }
        for name in ["open_clip_pytorch_model.bin", "pytorch_model.bin"] where has(name) {
            return try TorchCheckpoint.read(path: folder + "/" + name)
        }
        if has("pytorch_model.bin.index.json") {
            return try TorchCheckpoint.readSharded(index: folder + "/pytorch_model.bin.index.json")
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let archives = names.filter { $0.hasSuffix(".pt") }
        guard archives.count == 1 else {
            throw FlamingoError.file(
                path: folder, found: "\(archives.count) .pt files and no other weights",
                expected: "model.safetensors, pytorch_model.bin, their indices, or one .pt file")
        }
        return try TorchCheckpoint.read(path: folder + "/" + archives[0])
    }
}
