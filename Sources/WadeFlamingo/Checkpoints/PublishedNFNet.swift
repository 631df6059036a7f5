//! timm's files of a normalizer-free network, where one is a Flamingo's vision tower.

package import Foundation
internal import WadeImage

extension RenameTable {
    /// timm's names are Wade's; the classifier of ImageNet is left out.
    static let nfnet: [RenameRule] = [
        .leaveOut("head.fc.{*}"), .rename("{*}", "vision.{*}"),
    ]
}

extension NFNetVisionConfiguration {
    /// Whether a `config.json` is timm's of a normalizer-free network.
    package static func describes(_ json: Data) -> Bool {
        struct Kind: Decodable { let architecture: String? }
        let kind = try? JSONDecoder().decode(Kind.self, from: json)
        return kind?.architecture?.hasPrefix("dm_nfnet") ?? false
    }

    /// Reads timm's `config.json`: the network by timm's formulas and, from `pretrained_cfg`, how timm prepares pictures for it (both
    /// sides to the size divided by `crop_pct`, then a centre crop); `path` is for messages. The features are those of the last stage.
    package init(timm json: Data, path: String) throws {
        let network = try NFNetConfiguration(timm: json, path: path, rule: .timm, tap: .lastStage)
        let file = try decodeConfiguration(TimmPreprocessing.self, json, path: path)
            .pretrained_cfg
        let size = file?.test_input_size ?? file?.input_size
        guard let size, size.count == 3, size[0] == 3, size[1] == size[2],
            (1...4096).contains(size[1])
        else {
            throw FlamingoError.file(
                path: path, found: size.map { "an input size \($0)" } ?? "no input size",
                expected: "pretrained_cfg.input_size of three colours and a square")
        }
        let share = file?.crop_pct ?? 1
        guard share > 0.5, share <= 1 else {
            throw FlamingoError.file(
                path: path, found: "crop_pct \(share)", expected: "a number above 0.5, at most 1")
        }
        let fields = Fields(path: path)
        try fields.require(file?.interpolation ?? "bicubic", "interpolation", equals: "bicubic")
        try fields.require(file?.crop_mode ?? "squash", "crop_mode", equals: "squash")
        self.init(
            network: network,
            preprocessing: try Preprocessing(
                imageSize: size[1],
                resizedSize: Int((Double(size[1]) / share).rounded(.down)), fit: .squash,
                mean: file?.mean ?? Preprocessing.imageNetMean,
                standardDeviation: file?.std ?? Preprocessing.imageNetDeviation))
    }
}

/// The part of timm's file that says how pictures are prepared.
private struct TimmPreprocessing: Decodable {
    let pretrained_cfg: Facts?

    struct Facts: Decodable {
        let input_size: [Int]?
        let test_input_size: [Int]?
        let crop_pct: Double?
        let crop_mode: String?
        let interpolation: String?
        let mean: [Float]?
        let std: [Float]?
    }
}

extension Preprocessing {
    /// Mean and deviation of ImageNet's red, green and blue, by which normalizer-free networks were trained.
    package static let imageNetMean: [Float] = [0.485, 0.456, 0.406]
    package static let imageNetDeviation: [Float] = [0.229, 0.224, 0.225]
}
