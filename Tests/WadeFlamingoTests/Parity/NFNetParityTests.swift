//! Rung 3: the NFNet vision encoder against timm's and DeepMind's.
import Foundation
import Testing
import WadeTensor
import WadeTestSupport

@testable import WadeFlamingo

@Suite("Parity: NFNet")
struct NFNetParityTests {
    /// Stated by the fixtures' README.
    private let tolerance: Float = 1e-4
    private let logitTolerance: Float = 2e-5

    @Test(
        "every stage, the features and the logits are the original's",
        arguments:
            NFNetConfiguration.Rule.allCases, MatrixEngine.allCases)
    func stages(rule: NFNetConfiguration.Rule, engine: MatrixEngine) throws {
        for precision in Precision.ofSeeing {
            try stages(rule, .every(precision, engine))
        }
    }

    private func stages(_ rule: NFNetConfiguration.Rule, _ arithmetic: Arithmetic) throws {
        let precision = arithmetic.precision
        let inputs = try Fixtures.tensors("nfnet/inputs.safetensors")
        let expected = try Fixtures.tensors("nfnet/expected.safetensors")
        let model = try model(rule: rule, tap: .lastStage, arithmetic)
        var compared: Set<String> = []
        for image in inputs.names {
            let prefix = rule == .timm ? "\(image)." : "\(image).dm_rule."
            func compare(_ name: String, _ found: Tensor, within tolerance: Float) throws {
                guard expected.tensors[prefix + name] != nil else { return }
                expectNear(
                    found, try expected.float(prefix + name),
                    within: precision == .float32 ? .largest(tolerance) : .module(precision),
                    "\(prefix)\(name) \(arithmetic.engine.rawValue) \(precision)")
                compared.insert(prefix + name)
            }
            let pixels = try inputs.float(image)
            var maps: [String: [Tensor]] = [:]
            let logits = try model.logits(pixels) { maps[$0, default: []].append($1) }
            for (name, frames) in maps {
                try compare(
                    name, Tensor.concatenated(frames.map(channelsFirst)), within: tolerance)
            }
            try compare("flamingo_tokens", model(pixels), within: tolerance)
            try compare("logits", try #require(logits), within: logitTolerance)
        }
        let all = expected.names.filter { $0.contains(".dm_rule.") == (rule == .deepMind) }
        #expect(!all.isEmpty && compared == Set(all))
    }

    @Test("DeepMind's own program gives the same pooled features and logits")
    func deepMind() throws {
        let inputs = try Fixtures.tensors("nfnet/inputs.safetensors")
        let expected = try Fixtures.tensors("nfnet/expected_deepmind_haiku.safetensors")
        let model = try model(rule: .deepMind, tap: .lastStage, Arithmetic())
        for image in inputs.names {
            var pooled: [Tensor] = []
            let logits = try model.logits(try inputs.float(image)) {
                if $0 == "pooled" { pooled.append($1) }
            }
            expectClose(
                Tensor.concatenated(pooled), try expected.float("\(image).pooled"),
                within: tolerance, "\(image).pooled")
            expectClose(
                try #require(logits), try expected.float("\(image).logits"),
                within: logitTolerance, "\(image).logits")
        }
    }

    @Test("features can be taken after the final convolution")
    func finalConvolution() throws {
        let inputs = try Fixtures.tensors("nfnet/inputs.safetensors")
        let expected = try Fixtures.tensors("nfnet/expected.safetensors")
        let model = try model(rule: .timm, tap: .finalConvolution, Arithmetic())
        for image in inputs.names {
            let features = try expected.float("\(image).features")
            let tokens = (0..<features.shape[0]).map { frame in
                features[frame].reshaped([features.shape[1], features.shape[2] * features.shape[3]])
                    .transposed()
            }
            expectClose(
                try model(try inputs.float(image)), Tensor.concatenated(tokens),
                within: tolerance, "\(image).features as tokens")
        }
    }

    private func model(
        rule: NFNetConfiguration.Rule, tap: NFNetConfiguration.Tap, _ arithmetic: Arithmetic
    ) throws -> NFNet {
        let configuration = try NFNetConfiguration(
            timm: Data(contentsOf: Fixtures.url("nfnet/config.json")), path: "nfnet/config.json",
            rule: rule, tap: tap)
        let weights = Weights(try Fixtures.tensors("nfnet/model.safetensors"))
        let model = try NFNet(weights, configuration, arithmetic: arithmetic)
        try weights.requireAllRead()
        return model
    }

    /// (1, Y, X, C) to (1, C, Y, X), the originals' order; pooled features stay.
    private func channelsFirst(_ map: Tensor) -> Tensor {
        guard map.shape.rank == 4 else { return map }
        return map.reshaped([map.shape[1] * map.shape[2], map.shape[3]]).transposed()
            .reshaped([1, map.shape[3], map.shape[1], map.shape[2]])
    }
}

@Suite("NFNet configurations")
struct NFNetConfigurationTests {
    @Test("a published model's name stands for its sizes")
    func published() throws {
        let json = Data(#"{"architecture": "dm_nfnet_f6", "num_classes": 1000}"#.utf8)
        let configuration = try NFNetConfiguration(
            timm: json, path: "config.json", rule: .deepMind, tap: .lastStage)
        #expect(configuration.depths == [7, 14, 42, 21])
        #expect(configuration.featureWidth == 1536 && configuration.innerWidth(of: 1536) == 768)
    }

    @Test(
        "other architectures and absurd sizes are refused",
        arguments: [
            #"{"architecture": "resnet50"}"#, #"{"architecture": 3}"#, "[]", "",
            #"{"architecture": "x", "model_args": {"depths": [1, 1, 1], "channels": [8, 8, 8, 8], "stem_chs": 8, "num_features": 8, "group_size": 8, "bottle_ratio": 1, "alpha": 0.2, "attn_kwargs": {"rd_ratio": 0.5}}}"#,
            #"{"architecture": "x", "model_args": {"depths": [1, 1, 1, 1], "channels": [8, 8, 8, 8], "stem_chs": 9223372036854775807, "num_features": 8, "group_size": 8, "bottle_ratio": 1, "alpha": 0.2, "attn_kwargs": {"rd_ratio": 0.5}}}"#,
            #"{"architecture": "x", "model_args": {"depths": [1, 1, 1, 1], "channels": [8, 8, 8, 8], "stem_chs": 8, "num_features": 8, "group_size": 64, "bottle_ratio": 1, "alpha": 0.2, "attn_kwargs": {"rd_ratio": 1e30}}}"#,
            #"{"architecture": "x", "model_args": {"reg": true, "depths": [1, 1, 1, 1], "channels": [8, 8, 8, 8], "stem_chs": 8, "num_features": 8, "group_size": 8, "bottle_ratio": 1, "alpha": 0.2, "attn_kwargs": {"rd_ratio": 0.5}}}"#,
        ])
    func refused(json: String) {
        #expect(throws: FlamingoError.self) {
            try NFNetConfiguration(
                timm: Data(json.utf8), path: "config.json", rule: .timm, tap: .lastStage)
        }
    }
}
