//! Rung 2: the resampler and the gated block alone against open_flamingo's.
import Foundation
import Testing
import WadeTensor
import WadeTestSupport

@testable import WadeFlamingo

@Suite("Parity: resampler and gated cross-attention")
struct ModuleParityTests {
    @Test(
        "the resampler computes what open_flamingo's computes",
        arguments: Fixtures.folders(in: "perceiver-resampler"), Precision.ofSeeing)
    func resampler(folder: String, precision: Precision) throws {
        let path = "perceiver-resampler/\(folder)"
        let config = try Fixtures.json("\(path)/config.json")
        let configuration = try resamplerConfiguration(config["params"] as? [String: Any] ?? [:])
        let table = RenameTable(RenameTable.resampler(prefix: "perceiver."))
        let weights = try canonical(Fixtures.tensors("\(path)/weights.safetensors"), table)
        let resampler = try PerceiverResampler(
            weights["resampler"], configuration, arithmetic: .every(precision))
        try weights.requireAllRead()
        let cases = try Fixtures.tensors("\(path)/cases.safetensors")
        let names = cases.names.filter { $0.hasSuffix(".input") }.map { $0.dropLast(6) }
        #expect(!names.isEmpty)
        for name in names {
            let (input, expected) = (
                try cases.float("\(name).input"), try cases.float("\(name).output")
            )
            for row in 0..<input.shape[0] {
                for media in 0..<input.shape[1] {
                    let found = try resampler(input[row][media], media: media)
                    expectNear(
                        found, expected[row][media], within: .module(precision),
                        "\(path) \(name)[\(row)][\(media)]")
                }
            }
        }
    }

    @Test(
        "the gated block computes what open_flamingo's computes",
        arguments: Fixtures.folders(in: "gated-xattn"), Precision.allCases)
    func gatedCrossAttention(folder: String, precision: Precision) throws {
        let path = "gated-xattn/\(folder)"
        let config = try Fixtures.json("\(path)/config.json")
        let parameters = config["params"] as? [String: Any] ?? [:]
        let configuration = try crossAttentionConfiguration(parameters)
        let table = RenameTable(RenameTable.gatedCrossAttention(prefix: "", to: ""))
        let weights = try canonical(Fixtures.tensors("\(path)/weights.safetensors"), table)
        let block = try GatedCrossAttention(
            weights, configuration, width: parameters["dim"] as? Int ?? 0,
            visualWidth: parameters["dim_visual"] as? Int ?? 0, arithmetic: .every(precision))
        try weights.requireAllRead()
        let cases = try Fixtures.tensors("\(path)/cases.safetensors")
        let described = config["cases"] as? [String: [String: Any]] ?? [:]
        #expect(!described.isEmpty)
        for (name, sizes) in described {
            let cached = sizes["use_cached_media"] as? Bool ?? false
            try check(
                block, configuration, cases, name: name, cached: cached, path: path,
                within: .block(precision))
        }
    }

    private func check(
        _ block: GatedCrossAttention, _ configuration: CrossAttentionConfiguration,
        _ cases: TensorArchive, name: String, cached: Bool, path: String,
        within tolerance: VerificationTolerance
    ) throws {
        let (x, media) = (try cases.float("\(name).x"), try cases.float("\(name).media"))
        let expected = try cases.float("\(name).output")
        let locations = try cases.integers("\(name).media_locations").map { $0 != 0 }
        let (rows, mediaCount, latents) = (x.shape[0], media.shape[1], media.shape[2])
        let length = locations.count / rows
        for row in 0..<rows {
            let flags = Array(locations[row * length..<(row + 1) * length])
            // With cached media the text lies after everything that was remembered.
            let mask =
                cached
                ? MediaMask(
                    isMedia: Array(repeating: false, count: x.shape[1]),
                    mediaBefore: flags.filter { $0 }.count, visibility: configuration.visibility)
                : MediaMask(isMedia: flags, visibility: configuration.visibility)
            let found = block(
                x[row], media: [block.keysAndValues(of: media[row])],
                windows: mask.windows(mediaCount: mediaCount, latents: latents))
            expectNear(found, expected[row], within: tolerance, "\(path) \(name)[\(row)]")
        }
    }
}

/// The fixture's constructor arguments as our configuration.
func resamplerConfiguration(_ parameters: [String: Any]) throws -> ResamplerConfiguration {
    guard let width = parameters["dim"] as? Int, let depth = parameters["depth"] as? Int,
        let heads = parameters["heads"] as? Int, let headWidth = parameters["dim_head"] as? Int,
        let latents = parameters["num_latents"] as? Int, let times = parameters["ff_mult"] as? Int
    else { throw FixtureError.missing("resampler parameters") }
    return ResamplerConfiguration(
        width: width, layers: depth, heads: heads, headWidth: headWidth, latents: latents,
        mlpWidth: width * times, activation: .gelu, frames: parameters["max_num_frames"] as? Int,
        frameEmbedding: .indexed, media: parameters["max_num_media"] as? Int)
}

/// The fixture's constructor arguments as our configuration.
func crossAttentionConfiguration(
    _ parameters: [String: Any], layers: [Int] = []
) throws -> CrossAttentionConfiguration {
    guard let heads = parameters["heads"] as? Int, let headWidth = parameters["dim_head"] as? Int,
        let times = parameters["ff_mult"] as? Int, let width = parameters["dim"] as? Int
    else { throw FixtureError.missing("cross-attention parameters") }
    let immediate = parameters["only_attend_immediate_media"] as? Bool ?? true
    return CrossAttentionConfiguration(
        layers: layers, heads: heads, headWidth: headWidth, mlpWidth: width * times,
        activation: .gelu, visibility: immediate ? .lastMedia : .allPreviousMedia)
}

/// Published tensors under Wade's names; only for tables that rename without changing values.
func canonical(_ archive: TensorArchive, _ table: RenameTable) throws -> Weights {
    var tensors: [String: StoredTensor] = [:]
    for (name, tensor) in archive.tensors {
        guard case .parameter(let canonical, _, .none) = table.outcome(for: name) else {
            throw FixtureError.missing("a name for \(name)")
        }
        tensors[canonical] = tensor
    }
    return Weights(tensors, file: archive.file)
}
