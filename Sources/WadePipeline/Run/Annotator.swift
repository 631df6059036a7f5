//! What a run needs of the model: to encode a clip and to answer questions about it.
package import WadeVideo

/// A file whose content is known.
package struct ClipSource: Sendable {
    /// Where it is, from `/`.
    package var path: PathBytes
    /// Its path in the record.
    package var relativePath: PathBytes
    /// Its content.
    package var identity: ContentIdentity
}

/// Cuts a file into clips; asked only when the pipeline cuts files. Runs on a worker.
package typealias ClipCutter = @Sendable (ClipSource) -> Result<[ClipSpan], ClipFailure>

/// A clip as the language model takes it.
package struct EncodedClip<Tokens: Sendable>: Sendable {
    /// The visual tokens.
    package var tokens: Tokens
    /// Duration, size, codec and the like; the run fills in path and content.
    package var video: AnnotationRecord.Video
    /// The span that was looked at.
    package var span: ClipSpan
    /// The frames that were looked at.
    package var frames: AnnotationRecord.Frames
    /// What is to be said about them.
    package var flags: [AnnotationRecord.Flag]
    /// Milliseconds of decoding.
    package var decodeMilliseconds: Int
    /// Milliseconds in the vision encoder and the resampler.
    package var visionMilliseconds: Int
    /// The clip as one vector of length 1, by which similar ones are found; empty where nobody makes one.
    package var embedding: [Float] = []
    /// Whether an earlier run encoded it.
    package var isCached = false
    /// The shots of the video, which stand before every question about it.
    package var shots: [SeenShot<Tokens>] = []

    /// An encoded clip.
    package init(
        tokens: Tokens, video: AnnotationRecord.Video, span: ClipSpan,
        frames: AnnotationRecord.Frames, flags: [AnnotationRecord.Flag],
        embedding: [Float] = [], decodeMilliseconds: Int = 0, visionMilliseconds: Int = 0
    ) {
        self.tokens = tokens
        self.video = video
        self.span = span
        self.frames = frames
        self.flags = flags
        self.embedding = embedding
        self.decodeMilliseconds = decodeMilliseconds
        self.visionMilliseconds = visionMilliseconds
    }
}

/// A shot as the language model takes it.
package struct SeenShot<Tokens: Sendable>: Sendable {
    /// What was said about it.
    package var shot: AnsweredShot
    /// Its visual tokens.
    package var tokens: Tokens
}

/// One task about one clip.
package struct ClipQuestion<Tokens: Sendable>: Sendable {
    /// The clip's visual tokens.
    package var tokens: Tokens
    /// `frames.digest` of the clip: what an answer's random numbers may depend on.
    package var framesDigest: String
    /// The task; the run asks only for tasks of its pipeline.
    package var task: AnnotationTask
    /// The clip's embedding, which demonstrations are found by.
    package var embedding: [Float] = []
    /// `video.content_id` of the clip's file, which is no demonstration for itself.
    package var contentID = ""
    /// The shots that stand before the question.
    package var shots: [SeenShot<Tokens>] = []
}

/// What the language model said; the run makes `output.text` of it.
package struct ClipAnswer: Sendable, Equatable {
    /// Exactly what was generated; for a classification the chosen words.
    package var raw = ""
    /// What was generated as JSON in its one spelling, when a schema was asked for.
    package var json = ""
    /// Index into the task's choices; -1 if open-ended.
    package var choice = -1
    /// Mean token log-probability of each choice.
    package var choiceLogProbabilities: [Double] = []
    /// Why generation stopped.
    package var finish = AnnotationRecord.Finish.none
    /// Generated tokens.
    package var tokens = 0
    /// Tries that generation took.
    package var attempts = 1
    /// How sure the model is.
    package var score = AnnotationRecord.Score()
    /// What generation has to say.
    package var flags: [AnnotationRecord.Flag] = []
    /// Whether the answer is too unsure to be given; `raw` and the scores then tell what it was.
    package var isWithheld = false
    /// The demonstrations that were chosen for this clip, in the order of the prompt; nil when all clips have the same.
    package var retrieved: [RetrievedDemonstration]?
    /// Milliseconds of running the prompt through the language model.
    package var prefillMilliseconds = 0
    /// Milliseconds of generation.
    package var generateMilliseconds = 0

    /// An empty answer.
    package init() {}
}

/// The model as a run sees it. Answers must not depend on which questions are asked together.
package struct Annotator<Tokens: Sendable>: Sendable {
    /// A clip's visual tokens; the whole file when the span is nil. Runs on a worker.
    package var encode:
        @Sendable (ClipSource, ClipSpan?) -> Result<EncodedClip<Tokens>, ClipFailure>
    /// One result for every question, in their order. Runs on a worker, and on several at once.
    package var answer: @Sendable ([ClipQuestion<Tokens>]) -> [Result<ClipAnswer, ClipFailure>]
    /// Questions that are answered together.
    package var batch: Int

    /// An annotator of two functions.
    package init(
        batch: Int,
        encode:
            @escaping @Sendable (ClipSource, ClipSpan?) -> Result<
                EncodedClip<Tokens>, ClipFailure
            >,
        answer: @escaping @Sendable ([ClipQuestion<Tokens>]) -> [Result<ClipAnswer, ClipFailure>]
    ) {
        precondition(batch > 0, "Annotator: a batch of \(batch)")
        self.batch = batch
        self.encode = encode
        self.answer = answer
    }
}

extension Annotator {
    /// A clip's visual tokens with those of its video's shots as `table` has them. A shot that cannot be looked at fails the clip: its
    /// answer would not be the one that the record's key stands for.
    package func encode(_ source: ClipSource, _ span: ClipSpan?, shots table: ShotTable?) -> Result<
        EncodedClip<Tokens>, ClipFailure
    > {
        let whole = encode(source, span)
        guard let table, let choice = table.choice(of: source.identity.digest) else { return whole }
        do throws(ClipFailure) {
            var clip = try whole.get()
            for shot in try table.shots(choice) {
                let seen: EncodedClip<Tokens>
                do throws(ClipFailure) {
                    seen = try encode(source, shot.span).get()
                } catch {
                    var failure = error
                    failure.message = "shot \(shot.index): \(error.message)"
                    throw failure
                }
                clip.shots.append(SeenShot(shot: shot, tokens: seen.tokens))
                clip.flags += seen.flags
                clip.isCached = clip.isCached && seen.isCached
                clip.decodeMilliseconds += seen.decodeMilliseconds
                clip.visionMilliseconds += seen.visionMilliseconds
            }
            clip.flags += choice.flags
            return .success(clip)
        } catch {
            return .failure(error)
        }
    }
}
