//! What a task needs to be answered with demonstrations: its prompt, other orders of it, and how far its answers can be trusted.
import WadeFlamingo
import WadeTensor

/// A demonstration's clip as the language model takes it.
struct DemonstrationClip: Sendable {
    /// Visual tokens (R, D).
    var tokens: Tensor
    /// `frames.digest` of the clip.
    var framesDigest: String
    /// What it is found by.
    var embedding: [Float] = []
    /// `video.content_id` of its file.
    var contentID = ""
}

/// The prompts of a task, read once.
struct TaskPrompts: Sendable {
    /// The demonstrations in their own order.
    let prompt: ReadPrompt
    /// Other orders of them, for the agreement.
    let reordered: [ReadPrompt]
    /// How probable it is that an answer is right; nil when nobody asks.
    let calibration: Calibration?

    /// Prompts that have been read.
    init(prompt: ReadPrompt, reordered: [ReadPrompt], calibration: Calibration?) {
        self.prompt = prompt
        self.reordered = reordered
        self.calibration = calibration
    }

    /// Reads what `confidence` needs for `task` behind `demonstrations`, whose clips are given by path.
    init(
        _ task: AnnotationTask, _ demonstrations: [Demonstration],
        clips: [PathBytes: DemonstrationClip], confidence: Confidence, reader: PromptReader,
        stage: AnswerStage, media: (Tensor) -> Media
    ) throws {
        func read(_ prompt: Prompt) throws -> ReadPrompt {
            try reader.read(prompt, clips: prompt.clips.compactMap { clips[$0]?.tokens })
        }
        prompt = try read(Prompt(demonstrations, task: task))
        reordered = try DemonstrationOrders.others(demonstrations.count, most: confidence.orders)
            .map { order in try read(Prompt(order.map { demonstrations[$0] }, task: task)) }
        guard confidence.isCalibrated else {
            calibration = nil
            return
        }
        var examples: [Calibration.Example] = []
        for (left, others) in Self.leavingOneOut(demonstrations) {
            guard let clip = left.clip.flatMap({ clips[$0] }), let truth = left.answers[task.id]
            else { continue }
            let answered = try stage.answer(
                task,
                behind: read(Prompt(others, task: task, question: left.questions[task.id])),
                about: media(clip.tokens), framesDigest: clip.framesDigest)
            examples.append(
                Calibration.Example(
                    confidence: answered.confidence,
                    isRight: task.isSame(task.answer(in: answered.answer.raw), truth)))
        }
        calibration = Calibration(examples)
    }

    /// Each demonstration with a clip and all others, behind which it is answered: so no answer is ever read off the prompt.
    static func leavingOneOut(_ demonstrations: [Demonstration]) -> [(
        left: Demonstration, others: [Demonstration]
    )] {
        demonstrations.indices.filter { demonstrations[$0].clip != nil }.map { index in
            var others = demonstrations
            return (others.remove(at: index), others)
        }
    }
}

/// Orders of demonstrations.
enum DemonstrationOrders {
    /// Orders of `count` things other than 0, 1, 2, ...: as many as there are, at most `most` − 1; the same ones every time.
    static func others(_ count: Int, most: Int) -> [[Int]] {
        guard count > 1, most > 1 else { return [] }
        var possible = 1
        for factor in 2...count where possible < most { possible *= factor }
        let own = Array(0..<count)
        var random = SplitMix64(seed: UInt64(count))
        var found: [[Int]] = []
        var met: Set<[Int]> = [own]
        while found.count < min(most, possible) - 1 {
            // Fisher and Yates by hand: the library's shuffle may change from version to version.
            var order = own
            for last in (1..<count).reversed() {
                order.swapAt(last, Int(random.next() % UInt64(last + 1)))
            }
            if met.insert(order).inserted { found.append(order) }
        }
        return found
    }
}

/// When two answers say the same.
enum AnswerComparison {
    /// Whether the words are the same, whatever their case, the space between them and a full stop at the end.
    static func isSame(_ one: String, _ other: String) -> Bool {
        normalized(one) == normalized(other)
    }

    private static func normalized(_ text: String) -> [Substring] {
        var words = text.lowercased().split(whereSeparator: \.isWhitespace)
        while let last = words.last, last.hasSuffix(".") {
            words[words.count - 1] = last.dropLast()
            if last.count == 1 { words.removeLast() }
        }
        return words
    }
}
