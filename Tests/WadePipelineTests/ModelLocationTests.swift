//! Facts about where models are looked for.
import Foundation
import Testing

@testable import WadePipeline

@Suite("where models are")
struct ModelLocationTests {
    private func makeBundle(_ name: String, in folder: TemporaryFolder) throws {
        try FileManager.default.createDirectory(
            atPath: folder(name).text, withIntermediateDirectories: true)
        folder.write("{}", to: name + "/config.json")
    }

    private func folder(
        _ model: String, _ environment: [String: String], program: TemporaryFolder
    ) throws -> String {
        try ModelLocation(model, environment: environment, program: program("bin/wade").text).folder
    }

    @Test("a name is looked for among the user's models, beside the program, then in share")
    func order() throws {
        let folder = try TemporaryFolder()
        let environment = [
            "WADE_MODELS": folder("mine").text, "XDG_DATA_HOME": folder("data").text,
        ]
        // From the last place to the first: each one hides those before.
        for place in [
            "share/wade/models", "bin/wade_WadePipeline.resources", "data/wade/models", "mine",
        ] {
            try makeBundle(place + "/flaminglet", in: folder)
            let found = try self.folder("flaminglet", environment, program: folder)
            #expect(found == folder(place + "/flaminglet").text)
        }
    }

    @Test("a path is nowhere but there")
    func path() throws {
        let folder = try TemporaryFolder()
        try makeBundle("bin/wade_WadePipeline.resources/flaminglet", in: folder)
        #expect(throws: PipelineError.self) {
            try self.folder("./flaminglet", [:], program: folder)
        }
    }

    @Test("a model that is nowhere is told with every place, the shipped one with where it belongs")
    func nowhere() throws {
        let folder = try TemporaryFolder()
        let environment = ["WADE_MODELS": "/m", "HOME": "/h"]
        let beside = folder("bin").text
        let places =
            "/m/NAME, /h/.local/share/wade/models/NAME, \(beside)/wade_WadePipeline.resources/NAME, "
            + "\(folder.path.text)/share/wade/models/NAME"
        for (name, advice) in [
            ("gone", ""),
            (
                "flaminglet",
                "; it ships in wade_WadePipeline.resources, which belongs beside the program"
            ),
        ] {
            let expected = PipelineError.file(
                path: name, action: "find the model",
                reason: "found no config.json in \(name), "
                    + places.replacingOccurrences(of: "NAME", with: name) + advice)
            #expect(throws: expected) {
                try self.folder(name, environment, program: folder)
            }
        }
    }

    /// The folder that the package ships.
    private static let shipped = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/WadePipeline/Resources/flaminglet")

    @Test(
        "the shipped model is found beside this program, whole, and small",
        .enabled(
            if: FileManager.default.fileExists(
                atPath: Self.shipped.appendingPathComponent("config.json").path),
            "the package holds no trained model yet"))
    func shippedModel() throws {
        let found = try ModelLocation(ModelLocation.standard)
        let bundle = try ModelBundle(path: found.folder)
        try bundle.check()
        #expect(bundle.configuration.name == "flaminglet")
        #expect(bundle.configuration.family == .flaminglet)
        #expect(try found.weightBytes() <= 24 << 20)
        let digest = try ModelBundle.weightsDigest(of: found.folder + "/model.safetensors")
        #expect(bundle.configuration.weightsSHA256 == digest)
    }
}
