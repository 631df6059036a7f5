//! `wade frames`: look at what the model looks at.
import ArgumentParser
import Foundation
import WadeFlamingo
import WadeImage
import WadePipeline
import WadeVideo

struct FramesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "frames",
        abstract:
            "Write a contact sheet of exactly the frames that the model sees, with their times.",
        discussion: """
            Without --pipeline, 8 frames are taken uniformly over the whole file. With a model (--model) the frames are \
            cut and scaled as its vision encoder gets them; without, they are shown whole.
            """)

    @Argument(help: "The video or picture.")
    var video: PathBytes

    @Option(name: .shortAndLong, help: "Take sampling and segmentation from this pipeline.")
    var pipeline: PathBytes?

    @Option(help: "Take this many frames uniformly instead.")
    var frames: Int?

    @Option(help: "Take this many frames a second instead, 64 at most.")
    var fps: Double?

    @Option(help: "Cut and scale the frames as this model bundle does.")
    var model: String?

    @Option(
        name: .shortAndLong,
        help: "The PNG to write, - for standard output; VIDEO's name with .frames.png if not given."
    )
    var output: String?

    @Flag(help: "Print one JSON object per clip instead of writing a picture.")
    var json = false

    func validate() throws {
        if let frames, !(1...4096).contains(frames) {
            throw ValidationError("--frames: found \(frames), expected 1 to 4096")
        }
        if let fps, !(fps > 0 && fps <= 1000) {
            throw ValidationError("--fps: found \(fps), expected above 0, at most 1000")
        }
        if frames != nil && fps != nil {
            throw ValidationError("--frames and --fps exclude each other")
        }
    }

    func run() throws {
        let plan = try pipeline.map { try Pipeline.read($0) }
        var sampling = plan?.sampling ?? .uniform(count: 8)
        if let frames { sampling = .uniform(count: frames) }
        if let fps { sampling = .rate(perSecond: fps, limit: 64) }
        let inspection = try FrameInspection(
            path: video, sampling: sampling, segmentation: plan?.segmentation ?? .whole,
            decoders: DecoderPool(capacity: 1))
        if json {
            return try StandardOutput.write(try inspection.jsonLines())
        }
        let preprocessing = try model.map {
            try ModelBundle(path: ModelLocation($0).folder).configuration.vision.preprocessing
        }
        let sheet = try inspection.contactSheet(preprocessing: preprocessing)
        let path = output ?? inspection.path.name.text + ".frames.png"
        let png = try PNG.encode(sheet)
        guard path != "-" else { return try StandardOutput.write(png) }
        try replace(path, with: png)
        try StandardOutput.line(path)
    }

    /// Writes a whole file under its name or none; only a regular file is ever replaced.
    private func replace(_ path: String, with bytes: [UInt8]) throws {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let type = attributes?[.type] as? FileAttributeType
        guard type == nil || type == .typeRegular else {
            throw PipelineError.file(
                path: path, action: "write", reason: "it is there and is no regular file")
        }
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw PipelineError.file(
                path: path, action: "write", reason: error.localizedDescription)
        }
    }
}
