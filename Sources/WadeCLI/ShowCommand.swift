//! `wade show`: one record, with the frames that its answer is about.
import ArgumentParser
import Foundation
import WadeImage
import WadePipeline
import WadeVideo

struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a record in words, and the frames that the model saw for it.",
        discussion: """
            KEY is a record's key or its first digits, or the path, name or custom_id of what it is about; then all its tasks and \
            clips are shown. With --sheet the recorded frames are decoded again, each at exactly its recorded time, from the \
            same content or not at all, and written as a picture with the answers above them.

              wade show 5f0e -f Outputs/captions.jsonl --videos Videos --sheet sheet.png

            Exit codes: 0 shown; 1 there is no such record, or its frames cannot be shown; 64 wrong usage.
            """)

    @Argument(help: "A key or its first digits, a path, a file's name or a custom_id.")
    var key: String

    @Option(name: .shortAndLong, help: "The JSONL file.")
    var file: PathBytes

    @OptionGroup var videos: VideoFolderOptions

    @Option(name: .shortAndLong, help: "Also write a contact sheet (PNG) to this file.")
    var sheet: PathBytes?

    @OptionGroup var logging: LoggingOptions

    func validate() throws { try logging.validate() }

    func run() throws {
        let logger = logging.logger()
        do {
            let found = try RecordLookup(
                PathBytes(argument: key)?.text ?? key, in: RecordFile(file))
            try StandardOutput.write(Array(found.text.utf8))
            guard let sheet else { return }
            let source = RecordedFrames(
                videos: RecordedVideos(folders: videos.folders(for: file)),
                decoders: DecoderPool(capacity: 1))
            let png = try PNG.encode(found.contactSheet(from: source))
            try WholeFile.replace(sheet, with: png)
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        }
    }
}
