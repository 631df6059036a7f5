//! `wade chat`: a dialogue about videos in the terminal.
import ArgumentParser
import Foundation
import WadeFlamingo
import WadePipeline
import WadeTerminal
import WadeVideo

struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk about videos in the terminal.",
        discussion: """
            Every line is a question about the clip that was named last, and the answers before it stay in the model's context. The \
            model that ships with wade answers questions about the shot: "Which way does the subject move on the screen?", "What \
            colour is the background?", "How bright is the shot?", "Is there a cut or a fade?".

              wade chat clip.mp4

            \(ChatLine.commands)

            Arrow keys edit the line and go through the history, which is kept in ~/.local/state/wade/chat-history. On a pipe, \
            questions are read line by line; standard output holds the answers and nothing else, one a line:

              printf 'How does the camera move?\\nIs it dark?\\n' | wade chat clip.mp4

            With --pipeline, its first question answering task lends its template and demonstrations, and its model, sampling and \
            decoding are used. When the context is full, the oldest questions and answers are forgotten, and that is said.

            Exit codes: 0 all went well; 1 could not begin; 3 some clip or question failed; 64 wrong usage; 128+n ended by signal n.
            """)

    @Argument(help: "Videos or pictures; the first question is about the last of them.")
    var videos: [PathBytes] = []

    @Option(
        help:
            "A model bundle's name or folder; the pipeline's, or the flaminglet that ships with wade."
    )
    var model: String?

    @Option(
        name: .shortAndLong,
        help: "A pipeline whose model, demonstrations, sampling and decoding are used.")
    var pipeline: PathBytes?

    @Option(help: "How many frames to look at, uniformly over each video.")
    var frames: Int?

    @Option(help: "The longest answer, in tokens; the pipeline's, or 40.")
    var maxNewTokens: Int?

    @Option(help: "The most tokens of dialogue that the model has before it.")
    var context = 2000

    @OptionGroup var precision: PrecisionOptions

    @OptionGroup var cache: CacheOptions

    func validate() throws {
        try cache.validate()
        if let frames, !(1...4096).contains(frames) {
            throw ValidationError("--frames: found \(frames), expected 1 to 4096")
        }
        if let maxNewTokens, !(1...100_000).contains(maxNewTokens) {
            throw ValidationError("--max-new-tokens: found \(maxNewTokens), expected 1 to 100000")
        }
        if !(16...1_000_000).contains(context) {
            throw ValidationError("--context: found \(context), expected 16 to 1000000")
        }
    }

    func run() throws {
        let mode = TerminalMode()
        defer { mode.restore() }
        let signals = ChatSignals(mode)
        var plan = try pipeline.map { try Pipeline.read($0) } ?? Pipeline(asking: "?")
        if let model { plan.model = model }
        precision.apply(to: &plan)
        if let frames { plan.sampling = .uniform(count: frames) }
        _ = plan.ask("?", maxNewTokens: maxNewTokens ?? (pipeline == nil ? 40 : nil))
        let folder = try cache.settings.flatMap { try CacheFolder.open($0) }
        let decoders = DecoderPool(capacity: 1)
        let preprocessing = try ModelBundle(path: ModelLocation(plan.model).folder)
            .configuration.vision.preprocessing
        var dialogue = ChatDialogue(
            try Conversation(plan, limit: context, cache: folder, decoders: decoders),
            sampling: plan.sampling, preprocessing: preprocessing, decoders: decoders, mode: mode,
            signals: signals)
        try dialogue.run(videos)
        for complaint in folder?.complaints ?? [] {
            FileHandle.standardError.write(Data("wade: \(complaint)\n".utf8))
        }
        if dialogue.hasFailed { throw ExitCode(3) }
    }
}
