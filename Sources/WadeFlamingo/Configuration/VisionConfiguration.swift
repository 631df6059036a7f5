//! Which vision encoder a Flamingo has, and what the rest of the program asks of it.
package import WadeImage

/// A vision encoder's sizes. In `config.json` a normalizer-free network is marked by `"kind": "nfnet"`; without a kind it is a transformer.
package enum VisionConfiguration: Sendable, Equatable {
    /// CLIP's tower: the released models, and Flaminglet.
    case transformer(VisionTransformerConfiguration)
    /// The paper's own.
    case nfnet(NFNetVisionConfiguration)

    /// The transformer; nil for another encoder.
    package var transformer: VisionTransformerConfiguration? {
        if case .transformer(let transformer) = self { transformer } else { nil }
    }

    /// Side of the square input, in pixels.
    package var imageSize: Int { preprocessing.imageSize }

    /// D of a feature.
    package var width: Int {
        switch self {
        case .transformer(let transformer): transformer.width
        case .nfnet(let nfnet): nfnet.network.featureWidth
        }
    }

    /// The number of features of a frame.
    package var features: Int {
        switch self {
        case .transformer(let transformer): transformer.features
        case .nfnet(let nfnet): nfnet.features
        }
    }

    /// How a picture becomes the input.
    package var preprocessing: Preprocessing {
        switch self {
        case .transformer(let transformer): transformer.preprocessing
        case .nfnet(let nfnet): nfnet.preprocessing
        }
    }

    /// The encoder in a few words.
    package var summary: String {
        switch self {
        case .transformer(let vision):
            "\(vision.layers) layers of \(vision.width), \(vision.imageSize) px, patches of \(vision.patchSize)"
        case .nfnet(let vision):
            "a normalizer-free network of \(vision.network.depths.map(String.init).joined(separator: ", ")) blocks, \(vision.imageSize) px, \(vision.features) features of \(vision.network.featureWidth)"
        }
    }

    /// Bytes of memory that encoding `frames` frames takes beside the weights, pixels included, by estimate.
    package func encodingBytes(frames: Int) -> Int {
        // A pixel as 8 bits, as float32, and once more as float32 in patches or windows.
        let pixels = 3 * imageSize * imageSize * 9
        switch self {
        case .transformer(let vision):
            // Of one layer: the state, its copy, queries, keys, values, and the feed-forward network's hidden state twice.
            let states = (vision.patches + 1) * (vision.width * 6 + vision.mlpWidth * 2) * 4
            return frames * (pixels + states)
        case .nfnet(let vision):
            // Frames go one by one; what stays of each is its features.
            let kept = vision.features * vision.network.featureWidth * 4
            return frames * (pixels + kept) + vision.network.largestMap(imageSize: imageSize) * 6
                * 4
        }
    }

    func validate() throws {
        switch self {
        case .transformer(let transformer): try transformer.validate()
        case .nfnet(let nfnet): try nfnet.validate()
        }
    }
}

extension VisionConfiguration: Codable {
    private enum Key: String, CodingKey { case kind }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try container.decodeIfPresent(String.self, forKey: .kind) {
        case nil: self = .transformer(try VisionTransformerConfiguration(from: decoder))
        case "nfnet": self = .nfnet(try NFNetVisionConfiguration(from: decoder))
        case let kind?:
            throw DecodingError.dataCorruptedError(
                forKey: .kind, in: container,
                debugDescription:
                    "a vision encoder of kind \"\(kind.prefix(100))\", expected nfnet, or no kind for a transformer"
            )
        }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        // What bundles have held from the start is written as it always was.
        case .transformer(let transformer): try transformer.encode(to: encoder)
        case .nfnet(let nfnet):
            try nfnet.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode("nfnet", forKey: .kind)
        }
    }
}

/// A normalizer-free network as a Flamingo's vision encoder: its final map of features, flattened over space.
package struct NFNetVisionConfiguration: Codable, Sendable, Equatable {
    package var network: NFNetConfiguration
    /// How a picture becomes the input.
    package var preprocessing: Preprocessing

    package init(network: NFNetConfiguration, preprocessing: Preprocessing) {
        self.network = network
        self.preprocessing = preprocessing
    }

    /// Side of the square input, in pixels.
    package var imageSize: Int { preprocessing.imageSize }

    /// V, the places of the final map: a 32nd of the input's side, rounded up, squared.
    package var features: Int {
        let side = (imageSize + 31) / 32
        return side * side
    }

    func validate() throws { try network.validate() }
}
