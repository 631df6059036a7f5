//! Everything a run has decided before its first clip.
import Foundation
import Glibc
import WadeVideo

/// The program.
package enum Program {
    /// The version that records carry.
    package static let version = "0.1.0"
    /// The version of its arithmetic: it changes when the same weights and frames may give other numbers.
    package static let numericsVersion = "3"
}

/// How a run works; none of this changes an answer.
package struct RunSettings: Sendable, Equatable {
    /// Threads that decode, encode and answer.
    package var workers: Int
    /// Answers that a worker generates at once.
    package var batch = Self.standardBatch
    /// How often a later run tries again what may have failed by chance.
    package var retries = 2
    /// A file in a folder is taken when it has not changed for so many seconds; one that still changes is left to the next run.
    package var minimumAge = 2
    /// Which files come first.
    package var order = FileOrder.name
    /// Seconds that decoding one clip may take; 0 for any.
    package var fileTimeout = Int(VideoLimits().timeout)
    /// Bytes of memory that the run may take with all its processes; nil for any.
    package var memory: Int?
    /// Where visual tokens are kept from run to run; nil for nowhere.
    package var cache: CacheSettings?
    /// Bytes of memory that one clip may take, where the user says so.
    package var clipMemory: Int?
    /// Whether the run ends at a time that the user gave.
    package var isTimeLimited = false
    /// The part of the files that the run takes; nil for all.
    package var shard: Shard?

    /// What one file may cost.
    var videoLimits: VideoLimits {
        var limits = VideoLimits()
        limits.timeout = Double(fileTimeout)
        return limits
    }

    /// Enough for the weights to be read once for many answers, and few enough to wait for.
    package static let standardBatch = 8

    /// The least bytes of memory with which a clip can be tried.
    package static let leastClipMemory = 64 << 20

    /// Bytes of memory that one clip may take, decoding it and then encoding it; nil for as much as decoders take by themselves.
    /// It follows from what the user says alone, not from what is free: whether a clip is too large must not depend on the others.
    var clipMemoryLimit: Int? {
        clipMemory ?? memory.map { max(Self.leastClipMemory, min(DecoderMemory.unbounded, $0 / 2)) }
    }

    /// Settings with `workers` threads.
    package init(workers: Int) {
        self.workers = workers
    }
}

/// The immutable plan of a run.
package struct RunPlan: Sendable {
    /// What is asked.
    package let pipeline: Pipeline
    /// Who answers.
    package let model: ModelIdentity
    /// One recipe for each task, in the pipeline's order.
    package let recipes: [Recipe]
    /// What was found.
    package private(set) var findings: Findings
    /// The tasks that are asked about each file, by its path; every task about every file when nil.
    var asked: [PathBytes: [Int]]?
    /// What an earlier pass said about the shots of the files; nil where the pipeline wants none.
    package let shots: ShotTable?
    /// How the run works.
    package let settings: RunSettings
    /// The run's id, a UUID of version 7.
    package let runID: String
    /// The machine's name.
    package let host: String
    /// Where every file is that this run knows.
    let paths: Set<UInt64>

    /// The plan to let `model` answer the pipeline's tasks about `findings`; throws when a demonstration cannot be read. `contents` are
    /// those of demonstrations' files that are known.
    package init(
        pipeline: Pipeline, model: ModelIdentity, findings: Findings, settings: RunSettings,
        contents known: [PathBytes: String] = [:]
    ) throws(PipelineError) {
        self.pipeline = pipeline
        self.model = model
        self.findings = findings
        self.settings = settings
        let contents = try Recipe.contents(of: pipeline, known: known)
        var recipes: [Recipe] = []
        for task in pipeline.tasks {
            recipes.append(
                try Recipe(pipeline, task: task, model: model, contents: contents))
        }
        self.recipes = recipes
        shots = try pipeline.shots.map { (source) throws(PipelineError) in try ShotTable(source) }
        runID = Self.makeRunID()
        host = Host.name
        paths = Set(findings.files.map { PathIdentity($0.relativePath).pathHash })
    }

    /// The numbers of the tasks that are asked about `file`.
    func tasks(of file: FoundFile) -> [Int] {
        guard let asked else { return Array(pipeline.tasks.indices) }
        return asked[file.path] ?? []
    }

    /// Brings the files into the order of the settings; `ledger` says which of them still need something.
    mutating func arrange(by ledger: Ledger) {
        findings.files = settings.order.sorted(
            findings.files, isTimeLimited: settings.isTimeLimited,
            isPending: { file in
                [.todo, .retry].contains(RunForecast.state(of: file, self, ledger).0)
            })
    }

    /// A UUID of version 7 (RFC 9562): 48 bits of milliseconds since 1970, the rest random.
    private static func makeRunID() -> String {
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        let milliseconds = UInt64(max(0, now.tv_sec)) &* 1000 &+ UInt64(now.tv_nsec / 1_000_000)
        let high = (milliseconds << 16) | 0x7000 | UInt64.random(in: 0..<0x1000)
        let low = UInt64.random(in: 0..<(1 << 62)) | (1 << 63)
        let digits = Hexadecimal.text(LedgerKey(words: (high, low, 0, 0)).bytes.prefix(16))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text += "-" }
            text.append(digit)
        }
        return text
    }
}
