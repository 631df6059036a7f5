//! The frozen vision encoder, whichever a Flamingo has: pixels of frames to features.

package import WadeTensor

/// CLIP's transformer or the paper's normalizer-free network.
package enum VisionEncoder: Sendable {
    case transformer(CLIPVisionTransformer)
    case nfnet(NFNet)

    package init(
        _ weights: Weights, _ configuration: VisionConfiguration, arithmetic: Arithmetic
    ) throws {
        switch configuration {
        case .transformer(let sizes):
            self = .transformer(
                try CLIPVisionTransformer(weights, sizes, arithmetic: arithmetic))
        case .nfnet(let sizes):
            self = .nfnet(try NFNet(weights, sizes.network, arithmetic: arithmetic))
        }
    }

    /// Normalised pixels (F, 3, S, S) to features (F, V, D); each frame is encoded on its own.
    package func callAsFunction(_ pixels: Tensor) throws -> Tensor {
        switch self {
        case .transformer(let encoder): try encoder(pixels)
        case .nfnet(let encoder): try encoder(pixels)
        }
    }

    /// The transformer; nil for another encoder.
    package var transformer: CLIPVisionTransformer? {
        if case .transformer(let encoder) = self { encoder } else { nil }
    }
}
