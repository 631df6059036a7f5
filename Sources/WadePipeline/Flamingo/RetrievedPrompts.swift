//! Prompts that are made for each clip, of those demonstrations of a pool that look most like it.
import WadeFlamingo
import WadeTensor

/// The demonstrations of one task, and how to choose among them.
struct DemonstrationPool: Sendable {
    /// The demonstrations, in the order of the pipeline.
    let demonstrations: [Demonstration]
    /// Their clips.
    let clips: [DemonstrationClip]
    /// How many, and which not.
    let retrieval: DemonstrationRetrieval

    /// A member of the pool and how similar it is.
    struct Neighbour: Equatable, Sendable {
        var member: Int
        var similarity: Double
    }

    /// The members nearest to a clip, the most similar last; of equals the first of the pool is the nearer one. Members of the same
    /// content are left out, and those that are as similar as copies. There are fewer than asked for when the pool has no more.
    func nearest(to embedding: [Float], contentID: String) -> [Neighbour] {
        let least = retrieval.nearDuplicate ?? .infinity
        var found: [Neighbour] = []
        for (member, clip) in clips.enumerated()
        where contentID.isEmpty || clip.contentID != contentID {
            let similarity = similarity(embedding, clip.embedding)
            if similarity < least {
                found.append(Neighbour(member: member, similarity: similarity))
            }
        }
        found.sort { ($0.similarity, $1.member) > ($1.similarity, $0.member) }
        return found.prefix(retrieval.count).reversed()
    }
}

/// What a task needs to be answered when each clip has demonstrations of its own.
struct RetrievedPrompts: Sendable {
    private let task: AnnotationTask
    private let pool: DemonstrationPool
    private let confidence: Confidence
    private let prefixes: SharedPrefixes
    /// How probable it is that an answer is right; nil when nobody asks.
    private var calibration: Calibration?

    /// The prompts of `task` out of `pool`; states of the language model are kept in `prefixes`.
    init(
        _ task: AnnotationTask, _ pool: DemonstrationPool, confidence: Confidence,
        prefixes: SharedPrefixes
    ) {
        self.task = task
        self.pool = pool
        self.confidence = confidence
        self.prefixes = prefixes
    }

    /// The same with what a probability takes, where the confidence wants one: each member of the pool is answered behind those that it
    /// would get as a query.
    func calibrated(by stage: AnswerStage, media: (Tensor) -> Media) throws -> RetrievedPrompts {
        guard confidence.isCalibrated else { return self }
        var calibrated = self
        var examples: [Calibration.Example] = []
        for (left, clip) in zip(pool.demonstrations, pool.clips) {
            guard let truth = left.answers[task.id] else { continue }
            let members = pool.nearest(to: clip.embedding, contentID: clip.contentID)
            let answered = try stage.answer(
                task, behind: read(members.map(\.member), question: left.questions[task.id]),
                about: media(clip.tokens), framesDigest: clip.framesDigest)
            examples.append(
                Calibration.Example(
                    confidence: answered.confidence,
                    isRight: task.isSame(task.answer(in: answered.answer.raw), truth)))
        }
        calibrated.calibration = Calibration(examples)
        return calibrated
    }

    /// The prompts for a clip, and the demonstrations in them.
    func prompts(to embedding: [Float], contentID: String) throws -> (
        prompts: TaskPrompts, demonstrations: [RetrievedDemonstration]
    ) {
        let neighbours = pool.nearest(to: embedding, contentID: contentID)
        let members = neighbours.map(\.member)
        let orders = DemonstrationOrders.others(members.count, most: confidence.orders)
        let prompts = TaskPrompts(
            prompt: try read(members),
            reordered: try orders.map { order in try read(order.map { members[$0] }) },
            calibration: calibration)
        return (
            prompts,
            neighbours.map {
                RetrievedDemonstration(
                    id: pool.demonstrations[$0.member].id, similarity: $0.similarity)
            }
        )
    }

    /// Whether a prompt with `count` demonstrations has fewer than it should have.
    func isShort(_ count: Int) -> Bool { count < pool.retrieval.count }

    private func read(_ members: [Int], question: String? = nil) throws -> ReadPrompt {
        let prompt = Prompt(
            members.map { pool.demonstrations[$0] }, task: task, question: question)
        return try prefixes.read(prompt, clips: members.map { pool.clips[$0].tokens })
    }
}
