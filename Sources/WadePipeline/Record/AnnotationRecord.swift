//! One line of the output: the answer to one task about one clip, or why there is none.

/// An annotation record; the field names are those of the JSON line, and every line has all of them with the same types.
package struct AnnotationRecord: Sendable, Equatable {
    /// The value of `schema`; it changes when a field changes its meaning or type.
    package static let schemaName = "wade.annotation/1"

    /// How an answer came out.
    package enum Status: String, Sendable, CaseIterable {
        case ok, degraded, abstained, error, removed
    }

    /// What a clip's ends are.
    package enum Boundary: String, Sendable, CaseIterable {
        case whole, stride, scene, manual
    }

    /// What kind of answer a task wants.
    package enum TaskType: String, Sendable, CaseIterable {
        case caption, vqa, classify
    }

    /// Why the language model stopped.
    package enum Finish: String, Sendable, CaseIterable {
        case eos, stop, length, `guard`, none
    }

    /// How the demonstrations of a prompt were chosen.
    package enum DemonstrationPolicy: String, Sendable, CaseIterable {
        case none, fixed, random, rices, shots
    }

    /// What can be said about an answer besides its text; a closed list, sorted on the line.
    package enum Flag: String, Sendable, CaseIterable, Comparable {
        case clockFixed = "clock_fixed"
        case demosMissing = "demos_missing"
        case framesMissing = "frames_missing"
        case framesReused = "frames_reused"
        case interlaced
        case repeatGuard = "repeat_guard"
        case shortClip = "short_clip"
        case shotsMissing = "shots_missing"
        case shotsThinned = "shots_thinned"
        case sizeChanged = "size_changed"
        case toneMapped = "tone_mapped"
        case truncatedFile = "truncated_file"

        package static func < (one: Flag, other: Flag) -> Bool { one.rawValue < other.rawValue }

        /// Whether frames are lost, so that the status is `degraded`.
        package var isLoss: Bool { self == .framesMissing || self == .truncatedFile }
    }

    /// The file behind the clip.
    package struct Video: Sendable, Equatable {
        /// Stable id for scorers: the file's name without its extension.
        package var id = ""
        /// Path below the root, bytes that are not UTF-8 replaced by U+FFFD.
        package var path = ""
        /// The path's bytes, filled only when `path` lost some.
        package var pathBytesBase64 = ""
        /// `sha256:` and the hash of the content; empty when the content could not be read.
        package var contentID = ""
        /// Size in bytes.
        package var bytes = 0
        /// Time of last change, RFC 3339 in UTC with nanoseconds; never empty, or DuckDB would take the column for text.
        package var mtime = "1970-01-01T00:00:00.000000000Z"
        /// Seconds, measured from packets; -1 when not known.
        package var duration = -1.0
        /// Displayed width in pixels.
        package var width = 0
        /// Displayed height in pixels.
        package var height = 0
        /// Rotation that was applied, degrees clockwise.
        package var rotation = 0
        /// FFmpeg's name of the codec.
        package var codec = ""
        /// FFmpeg's name of the pixel format.
        package var pixelFormat = ""
        /// FFmpeg's name of the transfer characteristic.
        package var transfer = ""
        /// Average frame rate, for information; -1 when not known.
        package var averageFrameRate = -1.0
        /// Whether frames are unevenly spaced.
        package var isVariableFrameRate = false

        /// A file of which nothing is known yet.
        package init() {}
    }

    /// The span of time that the answer is about.
    package struct Clip: Sendable, Equatable {
        /// Position among the file's clips.
        package var index = 0
        /// Number of the file's clips.
        package var count = 1
        /// Seconds from the first displayed frame.
        package var start = 0.0
        /// Seconds from the first displayed frame, not included; -1 when not known.
        package var end = -1.0
        /// What the ends are.
        package var boundary = Boundary.whole

        /// A whole file of unknown length.
        package init() {}
    }

    /// What the model saw.
    package struct Frames: Sendable, Equatable {
        /// How frames were chosen, such as `uniform:8`.
        package var strategy = ""
        /// Frames asked for.
        package var requested = 0
        /// Frames given to the encoder.
        package var used = 0
        /// Frames that could not be decoded.
        package var failed = 0
        /// Presentation times of the frames used, seconds, ascending.
        package var times: [Double] = []
        /// Hash of the pixels given to the encoder.
        package var digest = ""

        /// No frames.
        package init() {}
    }

    /// What was asked.
    package struct Task: Sendable, Equatable {
        /// The task's id in the pipeline.
        package var id = ""
        /// The kind of answer.
        package var type = TaskType.caption
        /// The question; empty for captions.
        package var question = ""
        /// An integer id of the question for VQA scorers; -1 if none.
        package var questionID = -1
        /// The answers to choose from; empty if open-ended.
        package var choices: [String] = []

        /// A captioning task without id.
        package init() {}
    }

    /// What the model answered.
    package struct Output: Sendable, Equatable {
        /// The answer after post-processing.
        package var text = ""
        /// Exactly what the language model produced.
        package var raw = ""
        /// Serialised JSON when a schema was asked for.
        package var json = ""
        /// Index into the task's choices; -1 if open-ended.
        package var choice = -1
        /// Mean token log-probability of each choice.
        package var choiceLogProbabilities: [Double] = []
        /// Why generation stopped; `guard` when it went round in circles.
        package var finish = Finish.none
        /// Generated tokens, as far as they are kept.
        package var tokens = 0
        /// Tries that generation took: 1, and one more for every step down the retry ladder.
        package var attempts = 0

        /// No answer.
        package init() {}
    }

    /// How sure the model is; -1 where not computed.
    package struct Score: Sendable, Equatable {
        /// Mean log-probability of the generated tokens.
        package var meanLogProbability = -1.0
        /// Smallest log-probability of the generated tokens.
        package var minimumLogProbability = -1.0
        /// Bytes of `output.text` over bytes of its zlib stream, as whisper has it: high for loops, 0 for an empty text.
        package var compressionRatio = -1.0
        /// Log-probability gained by seeing the clip.
        package var visualGain = 0.0
        /// Whether `visualGain` was measured.
        package var hasVisualGain = false
        /// Agreement between several answers.
        package var agreement = -1.0
        /// Calibrated probability of being right.
        package var calibratedProbability = -1.0

        /// Nothing computed.
        package init() {}
    }

    /// The demonstrations in the prompt.
    package struct Demonstrations: Sendable, Equatable {
        /// Hash of the demonstrations' resolved content, 16 hexadecimal digits.
        package var setID = ""
        /// How they were chosen.
        package var policy = DemonstrationPolicy.none
        /// Ids in the order of the prompt.
        package var ids: [String] = []
        /// Similarities in the order of the prompt.
        package var similarities: [Double] = []

        /// No demonstrations.
        package init() {}
    }

    /// The model that answered.
    package struct Model: Sendable, Equatable {
        /// The bundle's name.
        package var name = ""
        /// Hash of its weights.
        package var weightsSHA256 = ""
        /// Precision of its weights: `float32`, `bfloat16`, `int8`.
        package var quantization = ""

        /// No model.
        package init() {}
    }

    /// Why there is no answer; all empty when there is one.
    package struct Failure: Sendable, Equatable {
        /// A `FailureCode`, or empty.
        package var code = ""
        /// A `FailureStage`, or empty.
        package var stage = ""
        /// A sentence for people.
        package var message = ""
        /// Whether a later run tries again.
        package var isRetryable = false

        /// No failure.
        package init() {}

        /// The fields for `failure`.
        package init(_ failure: ClipFailure) {
            code = failure.code.rawValue
            stage = failure.stage.rawValue
            message = failure.message
            isRetryable = failure.isRetryable
        }
    }

    /// Everything that differs between two runs over the same input.
    package struct Run: Sendable, Equatable {
        /// UUID (version 7) of the run.
        package var id = ""
        /// Number of the line in this output, growing over all runs: the reader's cursor.
        package var sequence = 0
        /// When the record was made, RFC 3339 in UTC.
        package var createdAt = "1970-01-01T00:00:00Z"
        /// Version of the program.
        package var wadeVersion = ""
        /// Name of the machine.
        package var host = ""
        /// Milliseconds of decoding.
        package var decodeMilliseconds = 0
        /// Milliseconds in the vision encoder and the resampler.
        package var visionMilliseconds = 0
        /// Milliseconds of running the prompt through the language model.
        package var prefillMilliseconds = 0
        /// Milliseconds of generation.
        package var generateMilliseconds = 0

        /// No run.
        package init() {}
    }

    /// sha256 of content, span, task and recipe: what the record is joined and replaced by.
    package var key = ""
    /// The pipeline's `custom_id` template filled in.
    package var customID = ""
    /// How the answer came out.
    package var status = Status.ok
    /// Hash of everything that decides an answer, 16 hexadecimal digits.
    package var recipeID = ""
    /// The file.
    package var video = Video()
    /// The span.
    package var clip = Clip()
    /// The frames.
    package var frames = Frames()
    /// The task.
    package var task = Task()
    /// The answer.
    package var output = Output()
    /// The scores.
    package var score = Score()
    /// Key of the record whose answer was reused, because the file's content is the same.
    package var sameAs = ""
    /// The demonstrations.
    package var demonstrations = Demonstrations()
    /// The model.
    package var model = Model()
    /// What else is to be said, sorted.
    package var flags: [Flag] = []
    /// Why there is no answer.
    package var error = Failure()
    /// What differs from run to run.
    package var run = Run()

    /// A record with nothing in it.
    package init() {}
}
