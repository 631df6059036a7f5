//! OpenFlamingo and Otter: which published files hold what, and the sizes that follow from them.

internal import WadeImage
package import WadeTensor

/// The published parts of an OpenFlamingo model, or the one file of an Otter model.
package struct FlamingoParts: Sendable {
    /// The language model's own file; nil for Otter, whose checkpoint holds everything.
    package var language: TensorArchive?
    /// The vision tower's own file; nil for Otter.
    package var vision: TensorArchive?
    /// `checkpoint.pt`: resampler, gated blocks, resized embeddings; or all of an Otter model.
    package var checkpoint: TensorArchive
    package var languageConfiguration: PublishedLanguageConfiguration
    /// The file that was read, for messages.
    package var languageConfigurationPath: String
    package var visionConfiguration: PublishedVisionConfiguration
    /// The tower, where it is no transformer but a normalizer-free network.
    package var nfnet: NFNetVisionConfiguration?
    package var name: String
    package var tokens: SpecialTokens
    /// Sizes that no file tells; the released models have the defaults.
    package var unwritten = UnwrittenSizes()
    /// Sizes that a configuration tells although the tensors' shapes tell them too.
    package var written = WrittenSizes()

    package init(
        language: TensorArchive?, vision: TensorArchive?, checkpoint: TensorArchive,
        languageConfiguration: PublishedLanguageConfiguration, languageConfigurationPath: String,
        visionConfiguration: PublishedVisionConfiguration, name: String, tokens: SpecialTokens
    ) {
        self.language = language
        self.vision = vision
        self.checkpoint = checkpoint
        self.languageConfiguration = languageConfiguration
        self.languageConfigurationPath = languageConfigurationPath
        self.visionConfiguration = visionConfiguration
        self.name = name
        self.tokens = tokens
    }

    /// Sizes that are written in the original code only.
    package struct UnwrittenSizes: Sendable {
        /// Width of a head in the resampler and in cross-attention.
        package var resamplerHeadWidth = 64
        package var crossAttentionHeadWidth = 64
        package var visibility = MediaVisibility.lastMedia
        package var activation = Activation.gelu

        package init() {}
    }

    /// Sizes that must agree with the shapes; nil where no file tells them.
    package struct WrittenSizes: Sendable {
        /// A gated block stands before every n-th decoder layer; any regular spacing when nil.
        package var everyNLayers: Int?
        /// The resampler's depth; the released models have 6.
        package var resamplerLayers: Int? = 6
        /// Rows of the temporal embedding.
        package var frames: Int?

        package init() {}

        /// Throws `FlamingoError.configuration` for a part that is missing from the files or contradicts the configuration.
        func check(_ found: FlamingoConfiguration) throws {
            let layers = found.crossAttention.layers
            let every = everyNLayers ?? layers.first.map { $0 + 1 } ?? 1
            let expected = stride(from: every - 1, to: found.language.layers, by: max(every, 1))
            try require(
                every > 0 && layers == Array(expected), "cross_attn_every_n_layers",
                "gated blocks before layers \(layers)",
                "before every \(every)th of \(found.language.layers)")
            if let resamplerLayers {
                try require(
                    found.resampler.layers == resamplerLayers, "perceiver",
                    "\(found.resampler.layers) layers", "\(resamplerLayers)")
            }
            if let frames {
                try require(
                    found.resampler.frames == frames, "max_num_frames",
                    found.resampler.frames.map { "\($0) rows of frame_embs" } ?? "no frame_embs",
                    "\(frames)")
            }
        }
    }

    /// The parameters under Wade's names and the configuration that their shapes imply.
    package func converted() throws -> (FlamingoConfiguration, [CheckpointParameter]) {
        let architecture = try architecture()
        var gathered = Checkpoint()
        if let vision { try gathered.add(vision, try visionTable(vision)) }
        if let language {
            try gathered.add(language, RenameTable(RenameTable.language(architecture)))
        }
        try gathered.add(checkpoint, checkpointTable(architecture))
        dropUnusedNorm(&gathered)
        let configuration = try configuration(of: gathered)
        if configuration.language.tiedEmbedding { gathered.remove("language.head.weight") }
        return (configuration, try gathered.parameters(heads: configuration.language.heads))
    }

    private func visionTable(_ vision: TensorArchive) throws -> RenameTable {
        if nfnet != nil { return RenameTable(RenameTable.nfnet) }
        guard vision.tensors["class_embedding"] == nil else {
            throw FlamingoError.file(
                path: vision.file, found: "a vision tower without prefix",
                expected: "names that start with visual. or vision_model.")
        }
        let isOpenCLIP = vision.tensors["visual.class_embedding"] != nil
        return RenameTable(
            isOpenCLIP
                ? RenameTable.openCLIP : RenameTable.huggingFaceCLIP(prefix: "vision_model."))
    }

    private func architecture() throws -> LanguageConfiguration.Architecture {
        try languageConfiguration.configuration(vocabularySize: 1, path: languageConfigurationPath)
            .architecture
    }

    private func checkpointTable(_ architecture: LanguageConfiguration.Architecture) -> RenameTable
    {
        let layers = "lang_encoder." + RenameTable.layers(of: architecture) + "{i}."
        return RenameTable(
            RenameTable.resampler(prefix: "perceiver.")
                + RenameTable.gatedCrossAttention(prefix: layers + "gated_cross_attn_layer.")
                + RenameTable.language(
                    architecture, prefix: "lang_encoder.", layer: "decoder_layer.")
                + RenameTable.huggingFaceCLIP(prefix: "vision_encoder.vision_model.")
                // Otter keeps the decoder's blocks a second time under names of its own.
                + [
                    .leaveOut("lang_encoder.old_decoder_blocks.{*}"),
                    .leaveOut("lang_encoder.gated_cross_attn_layers.{*}"),
                ])
    }

    /// A tower may come with its final norm but without the projection that would use it (Otter, CLIPVisionModel).
    private func dropUnusedNorm(_ gathered: inout Checkpoint) {
        guard !gathered.contains("vision.projection.weight") else { return }
        gathered.remove("vision.post_norm.weight")
        gathered.remove("vision.post_norm.bias")
    }

    private func configuration(of gathered: Checkpoint) throws -> FlamingoConfiguration {
        let reader = ShapeReader(gathered: gathered, file: checkpoint.file)
        let embedding = try reader.shape("language.token_embedding.weight", rank: 2)
        let language = try languageConfiguration.configuration(
            vocabularySize: embedding[0], path: languageConfigurationPath)
        let vision = try visionConfiguration(reader)
        let resampler = try resampler(reader)
        let configuration = FlamingoConfiguration(
            name: name, family: self.language == nil ? .otter : .openFlamingo, vision: vision,
            resampler: resampler, crossAttention: try crossAttention(reader, gathered),
            language: language, tokens: tokens)
        try configuration.validate()
        try written.check(configuration)
        return configuration
    }

    private func visionConfiguration(_ reader: ShapeReader) throws -> VisionConfiguration {
        if let nfnet { return .nfnet(nfnet) }
        let width = try reader.shape("vision.class_embedding", rank: 1)[0]
        let patch = try reader.shape("vision.patch_embedding.weight", rank: 4)[3]
        let positions = try reader.shape("vision.position_embedding", rank: 2)[0]
        let side = Int(Double(positions - 1).squareRoot().rounded())
        guard positions > 1, side * side == positions - 1, patch > 0 else {
            throw FlamingoError.configuration(
                field: "vision.position_embedding", found: "\(positions) rows",
                expected: "one more than a square")
        }
        let mlp = try reader.shape("vision.layers.0.mlp.up.weight", rank: 2)
        let projection = try? reader.shape("vision.projection.weight", rank: 2)
        try visionConfiguration.check(
            width: width, layers: reader.count("vision.layers."), mlpWidth: mlp[0],
            imageSize: side * patch, patchSize: patch)
        return .transformer(
            VisionTransformerConfiguration(
                imageSize: side * patch, patchSize: patch, width: width,
                layers: reader.count("vision.layers."),
                heads: visionConfiguration.heads ?? max(width / 64, 1), mlpWidth: mlp[0],
                activation: visionConfiguration.activation,
                normEpsilon: visionConfiguration.normEpsilon,
                projectionWidth: projection.map { $0[0] == width ? $0[1] : $0[0] },
                preprocessing: try visionConfiguration.preprocessing(imageSize: side * patch)))
    }

    private func resampler(_ reader: ShapeReader) throws -> ResamplerConfiguration {
        let latents = try reader.shape("resampler.latents", rank: 2)
        let query = try reader.shape("resampler.layers.0.attention.to_q.weight", rank: 2)[0]
        let up = try reader.shape("resampler.layers.0.feed_forward.up.weight", rank: 2)[0]
        let frames = try? reader.shape("resampler.temporal_embeddings", rank: 2)[0]
        let media = try? reader.shape("resampler.media_embeddings", rank: 3)[0]
        return ResamplerConfiguration(
            width: latents[1], layers: reader.count("resampler.layers."),
            heads: try heads(query, unwritten.resamplerHeadWidth, "resampler"),
            headWidth: unwritten.resamplerHeadWidth, latents: latents[0], mlpWidth: up,
            activation: unwritten.activation, frames: frames, frameEmbedding: .indexed,
            media: media)
    }

    private func crossAttention(
        _ reader: ShapeReader, _ gathered: Checkpoint
    ) throws -> CrossAttentionConfiguration {
        let layers = gathered.indices(after: "cross_attention.").sorted()
        guard let first = layers.first else {
            throw TensorError.missing(name: "gated_cross_attn_layer", file: checkpoint.file)
        }
        let name = "cross_attention.\(first)."
        let query = try reader.shape(name + "attention.to_q.weight", rank: 2)[0]
        let up = try reader.shape(name + "feed_forward.up.weight", rank: 2)[0]
        return CrossAttentionConfiguration(
            layers: layers,
            heads: try heads(query, unwritten.crossAttentionHeadWidth, "cross_attention"),
            headWidth: unwritten.crossAttentionHeadWidth, mlpWidth: up,
            activation: unwritten.activation, visibility: unwritten.visibility)
    }

    private func heads(_ rows: Int, _ headWidth: Int, _ part: String) throws -> Int {
        guard headWidth > 0, rows % headWidth == 0 else {
            throw FlamingoError.configuration(
                field: "\(part).head_width", found: "\(headWidth)",
                expected: "a divisor of the \(rows) rows of to_q")
        }
        return rows / headWidth
    }
}

/// Sizes read off published shapes.
private struct ShapeReader {
    let gathered: Checkpoint
    let file: String

    func shape(_ name: String, rank: Int) throws -> Shape {
        guard let shape = gathered.publishedShape(name) else {
            throw TensorError.missing(name: name, file: file)
        }
        guard shape.rank == rank else {
            throw FlamingoError.file(
                path: file, found: "\(name) of shape \(shape)", expected: "\(rank) axes")
        }
        return shape
    }

    /// The number of layers below `prefix`.
    func count(_ prefix: String) -> Int { gathered.indices(after: prefix).count }
}
