//! The sizes of a normalizer-free network, and how published files state them.

package import Foundation

/// A normalizer-free ResNet (Brock et al., arXiv 2102.06171): the family of Flamingo's vision encoder.
package struct NFNetConfiguration: Codable, Sendable, Equatable {
    /// Blocks per stage.
    package var depths: [Int]
    /// Channels per stage.
    package var widths: [Int]
    /// Channels of the stem's last convolution.
    package var stemWidth: Int
    /// Channels after the final 1 × 1 convolution.
    package var finalWidth: Int
    /// Channels of one group of the 3 × 3 convolutions.
    package var groupWidth: Int
    /// The inner width of a block over its outer width.
    package var bottleneckRatio: Float
    /// The inner width of squeeze-and-excite over its outer width.
    package var squeezeRatio: Float
    /// α: how much of a branch is added to the shortcut.
    package var alpha: Float
    /// Whose formulas are computed.
    package var rule: Rule
    /// Which features the resampler takes.
    package var tap: Tap

    /// The two implementations differ by about 1% in deep layers; weights were trained with DeepMind's.
    package enum Rule: String, Codable, Sendable, CaseIterable {
        /// erf-GELU; weights divided by √(N·(var + 1e-5)).
        case timm
        /// tanh-GELU; weights divided by √max(N·var, 1e-4).
        case deepMind = "deepmind"
    }

    /// Where the features for the resampler are taken.
    package enum Tap: String, Codable, Sendable, CaseIterable {
        /// The last stage's output: 1536 channels, the width of the paper's resampler.
        case lastStage = "last_stage"
        /// The activated output of the final convolution.
        case finalConvolution = "final_convolution"
    }

    enum CodingKeys: String, CodingKey {
        case depths, widths, alpha, rule, tap
        case stemWidth = "stem_width"
        case finalWidth = "final_width"
        case groupWidth = "group_width"
        case bottleneckRatio = "bottleneck_ratio"
        case squeezeRatio = "squeeze_ratio"
    }

    /// F0 to F6 as published (their table 1): F*n* has (n + 1) · (1, 2, 6, 3) blocks. Nil for other numbers.
    package static func published(_ number: Int, rule: Rule, tap: Tap) -> NFNetConfiguration? {
        guard (0...6).contains(number) else { return nil }
        return NFNetConfiguration(
            depths: [1, 2, 6, 3].map { $0 * (number + 1) }, widths: [256, 512, 1536, 1536],
            stemWidth: 128, finalWidth: 3072, groupWidth: 128, bottleneckRatio: 0.5,
            squeezeRatio: 0.5, alpha: 0.2, rule: rule, tap: tap)
    }

    /// D of the features that the resampler takes.
    package var featureWidth: Int { tap == .lastStage ? widths[widths.count - 1] : finalWidth }

    /// Checks the sizes; throws `FlamingoError.configuration`.
    package func validate() throws {
        try require(
            depths.count == 4 && depths.allSatisfy { (1...1024).contains($0) }, "vision.depths",
            depths, "four numbers of blocks from 1 to 1024")
        try require(
            widths.count == 4 && widths.allSatisfy { (8...Self.largestWidth).contains($0) },
            "vision.widths", widths, "four widths from 8 to \(Self.largestWidth)")
        for (field, width) in [
            ("vision.stem_width", stemWidth), ("vision.final_width", finalWidth),
            ("vision.group_width", groupWidth),
        ] {
            try require(
                (8...Self.largestWidth).contains(width) && width % 8 == 0, field, width,
                "a multiple of 8 up to \(Self.largestWidth)")
        }
        for (field, ratio) in [
            ("vision.bottleneck_ratio", bottleneckRatio), ("vision.squeeze_ratio", squeezeRatio),
            ("vision.alpha", alpha),
        ] {
            try require(ratio > 0 && ratio <= 4, field, ratio, "a number above 0, at most 4")
        }
        for width in widths {
            try require(
                innerWidth(of: width) >= groupWidth, "vision.group_width", groupWidth,
                "at most the inner width \(innerWidth(of: width)) of a block of \(width)")
        }
    }

    /// A layer that multiplies: a convolution, or squeeze-and-excite's two products.
    struct Layer {
        /// Elements of its matrices, each of which a place of the map reads once.
        let weights: Int
        /// Places of the map that it computes.
        let places: Int
        /// Channels that come out.
        let outputs: Int
    }

    /// The layers between a square picture of side `imageSize` and the features, in the order of the forward pass.
    func layers(imageSize: Int) -> [Layer] {
        var (side, layers): (Int, [Layer]) = (imageSize, [])
        func add(from inputs: Int, to outputs: Int, kernel: Int = 1, groups: Int = 1) {
            layers.append(
                Layer(
                    weights: outputs * (inputs / groups) * kernel * kernel, places: side * side,
                    outputs: outputs))
        }
        let stem = [8, 4, 2, 1].map { stemWidth / $0 }
        for (index, widths) in zip(0..<4, zip([3] + stem, stem)) {
            if index == 0 || index == 3 { side = (side + 1) / 2 }
            add(from: widths.0, to: widths.1, kernel: 3)
        }
        var width = stemWidth
        for (stage, outputs) in widths.enumerated() {
            let inner = innerWidth(of: outputs)
            let groups = inner / groupWidth
            for block in 0..<depths[stage] {
                let isStrided = block == 0 && stage > 0
                add(from: width, to: inner)
                if isStrided { side = (side + 1) / 2 }
                add(from: inner, to: inner, kernel: 3, groups: groups)
                add(from: inner, to: inner, kernel: 3, groups: groups)
                add(from: inner, to: outputs)
                if isStrided || width != outputs { add(from: width, to: outputs) }
                layers.append(
                    Layer(
                        weights: 2 * outputs * squeezedWidth(of: outputs), places: 1,
                        outputs: outputs))
                width = outputs
            }
        }
        if tap == .finalConvolution { add(from: width, to: finalWidth) }
        return layers
    }

    /// Values of the largest map.
    func largestMap(imageSize: Int) -> Int {
        layers(imageSize: imageSize).reduce(0) { max($0, $1.places * $1.outputs) }
    }

    /// Beyond this no network's width lies; products of two stay far from overflow.
    private static let largestWidth = 1 << 16

    /// A block's inner width: whole groups, as timm rounds.
    func innerWidth(of width: Int) -> Int {
        Self.roundedToEight(Float(width) * bottleneckRatio) / groupWidth * groupWidth
    }

    /// The inner width of squeeze-and-excite over `width` channels.
    func squeezedWidth(of width: Int) -> Int { Self.roundedToEight(Float(width) * squeezeRatio) }

    /// The nearest multiple of eight, at least eight.
    private static func roundedToEight(_ width: Float) -> Int { max(8, (Int(width) + 4) / 8 * 8) }
}

extension NFNetConfiguration {
    /// Reads timm's `config.json`, which names a published model or carries the sizes; `path` is for messages.
    package init(timm json: Data, path: String, rule: Rule, tap: Tap) throws {
        let file = try decodeConfiguration(TimmFile.self, json, path: path)
        if let sizes = file.model_args {
            try sizes.requireSupported(path: path)
            self.init(
                depths: sizes.depths, widths: sizes.channels, stemWidth: sizes.stem_chs,
                finalWidth: sizes.num_features, groupWidth: sizes.group_size,
                bottleneckRatio: sizes.bottle_ratio, squeezeRatio: sizes.attn_kwargs.rd_ratio,
                alpha: sizes.alpha, rule: rule, tap: tap)
        } else if let number = file.architecture.wholeMatch(of: /dm_nfnet_f([0-6])/)?.output.1,
            let known = Int(number).flatMap({ Self.published($0, rule: rule, tap: tap) })
        {
            self = known
        } else {
            throw FlamingoError.file(
                path: path, found: "architecture \"\(file.architecture)\"",
                expected: "dm_nfnet_f0 to dm_nfnet_f6, or model_args")
        }
        try validate()
    }

    private struct TimmFile: Decodable {
        let architecture: String
        let model_args: Sizes?

        struct Sizes: Decodable {
            let depths: [Int]
            let channels: [Int]
            let stem_chs: Int
            let num_features: Int
            let group_size: Int
            let bottle_ratio: Float
            let alpha: Float
            let attn_kwargs: Squeeze
            // What every published NFNet has; nothing else is computed here.
            let stem_type: String?
            let attn_layer: String?
            let attn_gain: Float?
            let width_factor: Float?
            let ch_div: Int?
            let reg: Bool?
            let extra_conv: Bool?
            let gamma_in_act: Bool?
            let same_padding: Bool?
            let std_conv_eps: Float?
            let skipinit: Bool?
            let act_layer: String?

            func requireSupported(path: String) throws {
                let fields = Fields(path: path)
                try fields.require(stem_type ?? "deep_quad", "stem_type", equals: "deep_quad")
                try fields.require(attn_layer ?? "se", "attn_layer", equals: "se")
                try fields.require(attn_gain ?? 2, "attn_gain", equals: 2)
                try fields.require(width_factor ?? 1, "width_factor", equals: 1)
                try fields.require(ch_div ?? 8, "ch_div", equals: 8)
                try fields.require(reg ?? false, "reg", equals: false)
                try fields.require(extra_conv ?? true, "extra_conv", equals: true)
                try fields.require(gamma_in_act ?? true, "gamma_in_act", equals: true)
                try fields.require(same_padding ?? true, "same_padding", equals: true)
                try fields.require(std_conv_eps ?? 1e-5, "std_conv_eps", equals: 1e-5)
                try fields.require(skipinit ?? true, "skipinit", equals: true)
                try fields.require(act_layer ?? "gelu", "act_layer", equals: "gelu")
            }
        }

        struct Squeeze: Decodable {
            let rd_ratio: Float
        }
    }
}
