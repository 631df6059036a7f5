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
            decoding are used; without it answers have at most \(longestAnswer) tokens. When the context is full, the oldest questions \
            and answers are forgotten, and that is said.

            Exit codes: 0 all went well; 1 could not begin; 3 some clip or question failed; 64 wrong usage; 128+n ended by signal n.
            """)

    /// Tokens of an answer where neither the user nor a pipeline says: a sentence.
    private static let longestAnswer = 40

    @Argument(help: "Videos or pictures; the first question is about the last of them.")
    var videos: [PathBytes] = []

    @OptionGroup var options: QuestionOptions

    @Option(help: "The most tokens of dialogue that the model has before it.")
    var context = 2000

    func validate() throws {
        try options.validate()
        if !(16...1_000_000).contains(context) {
            throw ValidationError("--context: found \(context), expected 16 to 1000000")
        }
    }

    func run() throws {
        let mode = TerminalMode()
        defer { mode.restore() }
        let signals = ChatSignals(mode)
        let (plan, _) = try options.plan(asking: "?", tokens: Self.longestAnswer)
        let folder = try options.cache.settings.flatMap { try CacheFolder.open($0) }
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
