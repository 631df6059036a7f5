//! The dialogue of `wade chat`: lines in, answers out, everything else on standard error.
import Foundation
import WadeImage
import WadePipeline
import WadeTerminal
import WadeVideo

/// A conversation with its streams.
struct ChatDialogue {
    private var conversation: Conversation
    private let sampling: FrameSampling
    private let preprocessing: Preprocessing?
    private let decoders: DecoderPool
    private let signals: ChatSignals
    private var input: InputLines
    private var history: InputHistory
    /// Whether a person types; then the program says what it does.
    private let isTyped: Bool
    private let isShown = isatty(STDOUT_FILENO) == 1
    private var complainsOfHistory = true
    /// Files that this dialogue wrote, which it may write anew.
    private var saved: Set<PathBytes> = []
    /// Whether anything failed.
    private(set) var hasFailed = false

    /// A dialogue about nothing yet.
    init(
        _ conversation: Conversation, sampling: FrameSampling, preprocessing: Preprocessing?,
        decoders: DecoderPool, mode: TerminalMode, signals: ChatSignals
    ) {
        self.conversation = conversation
        self.sampling = sampling
        self.preprocessing = preprocessing
        self.decoders = decoders
        self.signals = signals
        isTyped = TerminalMode.isTerminal
        input = InputLines(isTyped ? mode : nil)
        history = InputHistory(
            file: isTyped
                ? InputHistory.standardFile(ProcessInfo.processInfo.environment) : nil)
    }

    // MARK: - Lines

    /// Looks at `videos` and answers until the input ends.
    mutating func run(_ videos: [PathBytes]) throws {
        for video in videos { add(video) }
        if isTyped {
            Self.note(
                "\(conversation.model.name): ask about what is seen; /help lists what else there is"
            )
        }
        while true {
            switch input.next(prompt: prompt, history: history.lines) {
            case .end: return
            case .cancelled: continue
            case .line(let bytes):
                remember(bytes)
                let home = ProcessInfo.processInfo.environment["HOME"]
                guard try follow(ChatLine(bytes, home: home)) else { return }
            }
        }
    }

    private var prompt: String {
        guard let current = conversation.current else { return "> " }
        let number = conversation.clips.count > 1 ? "\(current + 1) " : ""
        return "\(number)\(conversation.clips[current].path.name.shown)> "
    }

    private mutating func remember(_ bytes: [UInt8]) {
        guard isTyped, let complaint = history.add(String(decoding: bytes, as: UTF8.self)),
            complainsOfHistory
        else { return }
        complainsOfHistory = false
        Self.note(complaint)
    }

    /// Does what `line` says; false when the dialogue is to end.
    private mutating func follow(_ line: ChatLine) throws -> Bool {
        switch line {
        case .empty: break
        case .question(let question): try answer(question)
        case .add(let path): add(path)
        case .clips: list()
        case .use(let number):
            if !conversation.use(number - 1) {
                fail("/use: found \(number), expected 1 to \(conversation.clips.count)")
            }
        case .frames(let file): frames(file)
        case .save(let file): save(file)
        case .clear:
            conversation.clear()
            Self.note("what was said is forgotten")
        case .help: Self.note(ChatLine.commands)
        case .quit: return false
        case .fault(let message): fail(message)
        }
        return true
    }

    // MARK: - Answers

    private mutating func answer(_ question: String) throws {
        let (isShown, signals, limit) = (isShown, signals, conversation.limit)
        do {
            let turn = try signals.working {
                try conversation.ask(
                    question, isInterrupted: { signals.isInterrupted },
                    forgetting: { forgotten in
                        let turns =
                            forgotten.turns == 1 ? "turn is" : "\(forgotten.turns) turns are"
                        Self.note(
                            "the context of \(limit) tokens is full: the oldest \(turns) forgotten")
                    },
                    write: { piece in
                        let text = isShown ? piece.shownOnTerminal : piece.inOneLine
                        try StandardOutput.write(Array(text.utf8))
                    })
            }
            try StandardOutput.line("")
            switch turn.finish {
            case .eos, .stop: break
            case .length: Self.note("(cut at \(turn.tokens) tokens; --max-new-tokens allows more)")
            case .guard: Self.note("(it began to repeat itself)")
            case .interrupted: Self.note("(ended by you)")
            }
        } catch PipelineError.readerGone {
            throw PipelineError.readerGone
        } catch {
            fail("\(error)" + (conversation.current == nil ? "; /add CLIP looks at one" : ""))
        }
    }

    // MARK: - Clips

    private mutating func add(_ path: PathBytes) {
        do throws(ClipFailure) {
            let signals = signals
            try signals.working { () throws(ClipFailure) in try conversation.add(path) }
            if isTyped, let clip = conversation.clips.last {
                Self.note(
                    "\(conversation.clips.count): \(path.shown), \(seconds(clip.duration)), "
                        + "\(clip.times.count) frames")
            }
        } catch {
            fail("\(path.shown): cannot look at it: \(error.code.rawValue): \(error.message)")
        }
    }

    private func list() {
        for (number, clip) in conversation.clips.enumerated() {
            let mark = number == conversation.current ? "*" : " "
            Self.note("\(mark) \(number + 1): \(clip.path.shown), \(seconds(clip.duration))")
        }
        if conversation.clips.isEmpty { Self.note("no clips; /add CLIP looks at one") }
    }

    private mutating func frames(_ file: PathBytes?) {
        guard let current = conversation.current else {
            return fail("/frames: no clip; /add CLIP looks at one")
        }
        let clip = conversation.clips[current]
        let path = file ?? PathBytes(bytes: clip.path.name.bytes + Array(".frames.png".utf8))
        do {
            let sheet = try FrameInspection(
                path: clip.path, sampling: sampling, segmentation: .whole, decoders: decoders
            ).contactSheet(preprocessing: preprocessing)
            try write(try PNG.encode(sheet), to: path, replaces: file == nil)
            Self.note("\(path.shown): frames at \(clip.times.map(seconds).joined(separator: ", "))")
        } catch {
            fail("/frames: \(error)")
        }
    }

    // MARK: - Saving

    private mutating func save(_ file: PathBytes) {
        do {
            let bytes =
                file.lowercaseExtension == "jsonl"
                ? try ChatTranscript.jsonLines(conversation)
                : Array(ChatTranscript.text(conversation).utf8)
            try write(bytes, to: file, replaces: false)
            let count = conversation.turns.count
            Self.note("\(file.shown): \(count) \(count == 1 ? "turn" : "turns")")
        } catch {
            fail("/save: \(error)")
        }
    }

    /// Writes a whole file; one that was there before and is not this dialogue's own is left alone unless `replaces`.
    private mutating func write(_ bytes: [UInt8], to path: PathBytes, replaces: Bool) throws {
        let isThere = FileManager.default.fileExists(atPath: path.text)
        if isThere, !replaces, !saved.contains(path) {
            throw PipelineError.file(
                path: path.shown, action: "write", reason: "it is there; take another name")
        }
        try WholeFile.replace(path, with: bytes)
        saved.insert(path)
    }

    // MARK: - Notes

    private static func note(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    private mutating func fail(_ text: String) {
        hasFailed = true
        Self.note("wade: \(text)")
    }

    private func seconds(_ value: Double) -> String { String(format: "%.2f s", value) }
}

extension String {
    /// The text with spaces for line ends: on a pipe every answer is one line.
    fileprivate var inOneLine: String {
        String(map { $0.isNewline ? " " : $0 })
    }

    /// The text with controls made visible, but for line ends: what a model says is foreign, and terminals obey it.
    fileprivate var shownOnTerminal: String {
        split(separator: "\n", omittingEmptySubsequences: false)
            .map { PathBytes(String($0)).shown }.joined(separator: "\n")
    }
}
