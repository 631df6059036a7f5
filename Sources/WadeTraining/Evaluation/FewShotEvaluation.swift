//! How well a model knows shots and follows its demonstrations, with the controls that tell seeing from guessing.
package import WadeFlamingo
internal import WadePipeline
package import WadeTensor

/// Clips with known truth, as the language model sees them.
package struct EvaluatedClips: Sendable {
    /// Visual tokens (R, D) of each clip, its frames in order and in reverse order.
    var tokens: [Tensor]
    var reversed: [Tensor]
    /// What is true of each.
    var facts: [ShotFacts]

    package init(tokens: [Tensor], reversed: [Tensor], truths: [ClipTruth]) {
        precondition(tokens.count == truths.count && reversed.count == truths.count, "clips")
        self.tokens = tokens
        self.reversed = reversed
        facts = truths.map { ShotFacts($0) }
    }
}

/// What a figure is about.
package enum FewShotCondition: String, CaseIterable, Sendable {
    case plain
    /// Every clip's visual tokens are those of another one.
    case shuffled
    /// The frames in reverse order, scored against what is then true.
    case reversed
    /// The gated layers add nothing.
    case closed
    /// The demonstrations' labels are drawn by chance.
    case wrongLabels = "wrong_labels"
}

/// A figure of the evaluation.
package struct FewShotFigure: Sendable {
    package var task: String
    package var attribute: String
    package var condition: FewShotCondition
    package var shots: Int
    package var right: Proportion
    /// The share of the most frequent value among the clips asked about; 1 / K for labels, 0 for captions.
    package var chance: Double
}

/// Asks a model about clips in documents like those of pipelines.
package struct FewShotEvaluation: Sendable {
    private let model: Flamingo
    private let encoder: PieceEncoder
    private let clips: EvaluatedClips
    private let queries: Int
    private let workers: Int
    private let seed: UInt64

    /// `queries` is the number of questions behind each figure. Clips are drawn anew for each: with few clips of a value, questions
    /// repeat clips, and the intervals, which do not know it, are too narrow.
    package init(
        _ model: Flamingo, _ encoder: PieceEncoder, clips: EvaluatedClips, queries: Int,
        workers: Int, seed: UInt64 = 1
    ) {
        self.model = model
        self.encoder = encoder
        self.clips = clips
        self.queries = queries
        self.workers = workers
        self.seed = seed
    }

    /// A series of documents that gives one figure.
    private struct Series: Sendable {
        var task: String
        var attribute: ShotAttribute?
        var condition: FewShotCondition
        var shots: Int
        var labels: Labels
        var count: Int
    }

    /// All figures, in the order of tasks, attributes and shots. `progress` hears of each.
    package func figures(
        shots: [Int], tasks: [String] = tasks, conditions: [FewShotCondition],
        progress: (FewShotFigure) -> Void
    ) throws -> [FewShotFigure] {
        let series = tasks.flatMap { task in
            conditions.flatMap { self.series(task, $0, shots: shots) }
        }
        let pool = WorkerPool<Series, Result<FewShotFigure, any Error>>(
            workers: workers, inFlight: 2 * workers
        ) { series in
            MatrixEngine.oneDNN.useThreads(1)
            return Result { try self.figure(series) }
        }
        var rest = series.makeIterator()
        var figures: [FewShotFigure] = []
        while let result = pool.next(from: { rest.next() }) {
            let figure = try result.get()
            progress(figure)
            figures.append(figure)
        }
        return figures
    }

    /// Captions; the same question before; one attribute shown only by the demonstrations; two and three arbitrary labels, of kinds
    /// that training had and of kinds that it never had.
    package static let tasks = [
        "caption", "question", "attribute", "labels-2", "labels-2-unseen", "labels-3-unseen",
    ]

    private func series(_ task: String, _ condition: FewShotCondition, shots: [Int]) -> [Series] {
        let isLabels = task.hasPrefix("labels")
        if condition == .wrongLabels, !isLabels { return [] }
        // The controls are looked at where they tell most.
        let counts =
            condition == .plain
            ? task == "caption" ? shots.filter { $0 <= 8 } : shots
            : shots.filter { $0 == (task == "question" || task == "caption" ? 0 : 4) }
        let attributes: [ShotAttribute?] =
            task == "caption" ? [nil] : ShotAttribute.allCases.map { $0 }
        return attributes.flatMap { attribute in
            counts.compactMap { shots -> Series? in
                if task.hasPrefix("labels-3"), (attribute?.values.count ?? 0) < 3 { return nil }
                return Series(
                    task: task, attribute: attribute, condition: condition, shots: shots,
                    labels: task.hasSuffix("unseen") ? .heldOut : .training,
                    count: task.hasPrefix("labels-3") ? 3 : 2)
            }
        }
    }

    private func figure(_ series: Series) throws -> FewShotFigure {
        let facts =
            series.condition == .reversed ? clips.facts.map(\.reversed) : clips.facts
        let pool = ClipPool(facts)
        let writer = DocumentWriter(
            encoder, labels: series.labels, hasClips: true,
            scramblesLabels: series.condition == .wrongLabels)
        var random = RandomStream(
            seed: seed, purpose: UInt64(series.shots) &* 64 &+ UInt64(series.attribute?.index ?? 9))
        let order = random.shuffled(Array(facts.indices))
        let cache = MediaOfClips(
            model, series.condition == .reversed ? clips.reversed : clips.tokens)
        var right = Proportion()
        var values: [String: Int] = [:]
        var misses = 0
        while right.count < queries, misses < 1000 {
            let kind: DocumentKind =
                switch (series.task, series.attribute) {
                case ("question", let attribute?): .question(attribute)
                case ("attribute", let attribute?): .attribute(attribute)
                case (_, let attribute?): .labels(attribute, count: series.count)
                default: .caption
                }
            guard
                let document = writer.document(
                    kind, over: pool, pairs: series.shots + 1, random: &random)
            else {
                misses += 1
                continue
            }
            let seen = document.clips.map { clip in
                series.condition == .shuffled ? order[clip] : clip
            }
            right.add(try isRight(document, seen.map { cache[$0] }, series.condition))
            if let asked = document.asked { values[asked.value, default: 0] += 1 }
        }
        let most = Double(values.values.max() ?? 0) / Double(max(right.count, 1))
        let isLabels = series.task.hasPrefix("labels")
        return FewShotFigure(
            task: series.task, attribute: series.attribute?.rawValue ?? "all",
            condition: series.condition, shots: series.shots, right: right,
            chance: series.attribute == nil ? 0 : isLabels ? 1 / Double(series.count) : most)
    }

    /// Whether the last answer is the most probable word for word; among labels, whether its mean log-probability is the largest.
    private func isRight(
        _ document: TrainingDocument, _ media: [Media], _ condition: FewShotCondition
    ) throws -> Bool {
        guard let answer = document.answers.last else { return false }
        var sequence = model.sequence(
            media: media.reduce(.none) { $0.followed(by: $1) })
        sequence.blind = condition == .closed
        let prompt = Array(document.ids[..<answer.lowerBound])
        guard document.candidates.isEmpty else {
            let scores = try Generator(model).scores(
                of: document.candidates, after: prompt, behind: sequence)
            let best = scores.indices.max { scores[$0].mean < scores[$1].mean } ?? 0
            return document.candidates[best].elementsEqual(document.ids[answer])
        }
        let hidden = try model(
            Array(document.ids[..<answer.upperBound]), sequence: &sequence)
        // The end of the answer counts as well: a caption that goes on is another caption.
        let rows = Array(answer.lowerBound - 1..<answer.upperBound)
        let logits = model.language.logits(hidden.gathered(rows))
        let targets = Array(document.ids[answer]) + [encoder.endOfChunk]
        return hits(logits, targets) == Double(targets.count)
    }
}

/// Clips' keys and values, each computed when it is first shown.
private final class MediaOfClips {
    private let model: Flamingo
    private let tokens: [Tensor]
    private var media: [Int: Media] = [:]

    init(_ model: Flamingo, _ tokens: [Tensor]) {
        self.model = model
        self.tokens = tokens
    }

    subscript(clip: Int) -> Media {
        if let known = media[clip] { return known }
        let made = model.media([tokens[clip]])
        media[clip] = made
        return made
    }
}
