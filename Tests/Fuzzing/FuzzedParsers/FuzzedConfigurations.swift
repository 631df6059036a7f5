//! `config.json` in the dialects of all published families and in Wade's own.
import Foundation
import WadeFlamingo
import WadeImage
import WadePipeline
import WadeTensor

extension FuzzedParser {
    func feedConfiguration(_ bytes: [UInt8]) throws -> Bool {
        let json = Data(bytes)
        let path = "config.json"
        let language = try read { try PublishedLanguageConfiguration(json: json, path: path) }
        if let language {
            _ = try read { try language.configuration(vocabularySize: 1000, path: path) }
        }
        let otter = try read { try OtterConfiguration(json: json, path: path) }
        if let otter {
            _ = try read { try otter.language.configuration(vocabularySize: 1000, path: path) }
        }
        var vision = try read { try PublishedVisionConfiguration(json: json, path: path) }
        _ = try read { try vision?.readPreprocessor(json: json, path: path) }
        _ = IDEFICSConfiguration.describes(json)
        _ = try read { try IDEFICSConfiguration(json: json, path: path) }
        for rule in NFNetConfiguration.Rule.allCases {
            _ = try read {
                try NFNetConfiguration(timm: json, path: path, rule: rule, tap: .lastStage)
            }
        }
        let bundle = try feedBundle(json, path: path)
        return language != nil || vision != nil || bundle
    }

    /// A configuration that is right must lead to "a tensor is missing" when there are none, whatever its sizes.
    private func feedBundle(_ json: Data, path: String) throws -> Bool {
        let bundle = try read { try FlamingoConfiguration(json: json, path: path) }
        guard let bundle else { return false }
        let model = try read {
            try Flamingo(
                Weights([:], file: "model.safetensors"), bundle,
                arithmetic: Arithmetic(engine: .openBLAS))
        }
        try BrokenPromise.unless(model == nil, "a model without weights")
        _ = ModelCard(configuration: bundle, parameters: []).text
        return true
    }

    private func read<Value>(_ body: () throws -> Value) throws -> Value? {
        try refusing([FlamingoError.self, TensorError.self, ImageError.self], body)
    }
}
