//! Rungs 3 to 5: whole published models, imported, bundled, loaded, and run against what their originals computed.
import Foundation
import Testing
import WadeFlamingo
import WadePipeline
import WadeTensor
import WadeTestSupport

/// The fixture folders of whole models.
private let modelFolders = ["openflamingo-mpt", "openflamingo-neox", "otter-video"].flatMap {
    family in Fixtures.folders(in: family).map { "\(family)/\($0)" }
}

@Suite("Parity: whole models")
struct ModelParityTests {
    @Test(
        "a published model computes what its original computed, imported, and quantised in a bundle",
        arguments: modelFolders, Precision.allCases)
    func model(folder: String, precision: Precision) throws {
        // Both libraries multiply float32; a bundle of low precision is oneDNN's.
        for engine in MatrixEngine.allCases where precision == .float32 || engine == .oneDNN {
            let checks = try ModelVerification.run(
                folder: Fixtures.url(folder).path,
                arithmetic: Arithmetic(
                    engine: engine, precision: precision, leastInt8Weights: 0))
            #expect(checks.count >= 10, "\(folder): only \(checks.count) comparisons")
            for check in checks where !check.passed {
                Issue.record("\(folder) on \(engine.rawValue) in \(precision): \(check)")
            }
        }
    }

    @Test("there is at least one whole model to compare")
    func thereAreModels() {
        #expect(!modelFolders.isEmpty)
    }
}
