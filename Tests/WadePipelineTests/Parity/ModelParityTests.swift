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
    @Test("a published model computes what its original computed", arguments: modelFolders)
    func model(folder: String) throws {
        let scratch = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-parity-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        for engine in MatrixEngine.allCases {
            let verification = try ModelVerification(
                folder: Fixtures.url(folder).path,
                scratch: scratch.appendingPathComponent(engine.rawValue).path,
                arithmetic: Arithmetic(engine: engine))
            let checks = try verification.run()
            #expect(checks.count >= 10, "\(folder): only \(checks.count) comparisons")
            for check in checks where !check.passed {
                Issue.record("\(folder) on \(engine.rawValue): \(check)")
            }
        }
    }

    @Test("there is at least one whole model to compare")
    func thereAreModels() {
        #expect(!modelFolders.isEmpty)
    }
}
