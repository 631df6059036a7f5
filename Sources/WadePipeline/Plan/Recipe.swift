//! The hash of everything that decides an answer, one for each task, so that a changed prompt touches only its own task.
import WadeFlamingo
package import WadeTensor
import Foundation
import WadeVideo

/// Which model answers.
package struct ModelIdentity: Sendable, Equatable {
    /// The bundle's name.
    package var name: String
    /// SHA-256 over the weights and the tokenizer, hexadecimal.
    package var weightsSHA256: String
    /// Version of the program's arithmetic; it changes when the same weights may give other numbers.
    package var numericsVersion: String
    /// The precision in which its weights are kept.
    package var storedPrecision: Precision

    /// A model.
    package init(
        name: String, weightsSHA256: String, numericsVersion: String,
        storedPrecision: Precision = .float32
    ) {
        self.storedPrecision = storedPrecision
        self.name = name
        self.weightsSHA256 = weightsSHA256
        self.numericsVersion = numericsVersion
    }
}

/// The recipe of one task.
package struct Recipe: Sendable, Equatable {
    /// 16 hexadecimal digits: the record's `recipe_id`.
    package var id: String
    /// 16 hexadecimal digits over the demonstrations' content: `demos.set_id`; empty without demonstrations.
    package var demonstrationsID: String
    /// The demonstrations' ids in the order of the prompt; empty where each clip has its own.
    package var demonstrationIDs: [String]
    /// How the demonstrations of a prompt are chosen.
    package var policy: AnnotationRecord.DemonstrationPolicy

    /// The recipe of `task` in `pipeline` answered by `model`. `contents` gives the content hash of a demonstration's file.
    package init(
        _ pipeline: Pipeline, task: AnnotationTask, model: ModelIdentity,
        contents: [PathBytes: String]
    ) throws(PipelineError) {
        let demonstrations = pipeline.demonstrations(for: task)
        var described: [JSONValue] = []
        for demonstration in demonstrations {
            described.append([
                "answer": .string(demonstration.answers[task.id] ?? ""),
                "question": .string(demonstration.questions[task.id] ?? task.question),
                "content": .string(demonstration.clip.flatMap { contents[$0] } ?? ""),
            ])
        }
        let set = try JSONWriter.bytes(of: .array(described))
        let content: JSONValue = [
            "numerics": .string(model.numericsVersion), "weights": .string(model.weightsSHA256),
            "precision": .string(
                pipeline.precision(storedAs: model.storedPrecision).recipeName),
            "sampling": pipeline.sampling.description,
            "segmentation": pipeline.segmentation.description,
            "decoding": task.type == .classify ? .null : pipeline.decoding.description,
            "type": .string(task.type.rawValue),
            "question": .string(task.question), "choices": .strings(task.choices),
            "template": .string(task.template.text),
            "max_new_tokens": .integer(task.type == .classify ? 0 : task.maxNewTokens),
            "demonstrations": .array(described),
        ]
        // What is not asked for is not mentioned, so that the recipes of earlier versions stay what they were.
        var further: [JSONValue] = []
        if pipeline.confidence != Confidence() { further.append(pipeline.confidence.description) }
        if let format = task.format { further.append(format.description) }
        let retrieval = demonstrations.isEmpty ? nil : pipeline.retrieval
        if let retrieval { further.append(retrieval.description) }
        if let shots = pipeline.shots { further.append(shots.description) }
        if let limit = pipeline.nearIdentical {
            further.append(["near_identical": .number(limit)])
        }
        var parts = [try JSONWriter.bytes(of: content)]
        for value in further { parts.append(try JSONWriter.bytes(of: value)) }
        id = String(Hexadecimal.text(Hexadecimal.sha256(parts)).prefix(16))
        demonstrationsID =
            demonstrations.isEmpty
            ? "" : String(Hexadecimal.text(Hexadecimal.sha256([set])).prefix(16))
        demonstrationIDs = retrieval == nil ? demonstrations.map(\.id) : []
        policy =
            demonstrations.isEmpty
            ? (pipeline.shots == nil ? .none : .shots) : retrieval == nil ? .fixed : .rices
    }

    /// The content hashes of all demonstrations' files, of which those in `known` are not read again; throws `file` when one cannot be
    /// read.
    package static func contents(
        of pipeline: Pipeline, known: [PathBytes: String] = [:]
    ) throws(PipelineError) -> [PathBytes: String] {
        var contents = known
        for clip in pipeline.demonstrations.compactMap(\.clip) where contents[clip] == nil {
            do {
                contents[clip] = try ContentIdentity.read(clip, known: { _ in nil }).text
            } catch {
                throw .file(
                    path: clip.shown, action: "read the demonstration",
                    reason: "\(error.code.rawValue): \(error.message)")
            }
        }
        return contents
    }
}

extension FrameSampling {
    /// What a recipe says about the choice of frames.
    var description: JSONValue {
        switch self {
        case .uniform(let count): ["uniform": .integer(count)]
        case .rate(let perSecond, let limit):
            ["fps": .number(perSecond), "at_most": .integer(limit)]
        case .times(let times): ["times": .numbers(times)]
        }
    }
}

extension Segmentation {
    /// What a recipe says about cutting files.
    var description: JSONValue {
        switch self {
        case .whole: .string("whole")
        case .windows(let length, let stride):
            ["length": .number(length), "stride": .number(stride)]
        case .scenes(let minimum): ["minimum_length": .number(minimum)]
        }
    }

    /// What draws the borders of its clips.
    var boundary: AnnotationRecord.Boundary {
        switch self {
        case .whole: .whole
        case .windows: .stride
        case .scenes: .scene
        }
    }
}

extension Decoding {
    /// What a recipe says about generation.
    fileprivate var description: JSONValue {
        let strategy: JSONValue
        switch self.strategy {
        case .greedy: strategy = .string("greedy")
        case .beam(let width):
            strategy = ["beams": .integer(width), "length_penalty": .number(lengthPenalty)]
        case .sample(let temperature, let topP, let seed):
            strategy = [
                "temperature": .number(temperature), "top_p": .number(topP),
                "seed": .string("\(seed)"),
            ]
        }
        guard let guardian = self.guard else {
            return ["strategy": strategy, "stop": .strings(stop)]
        }
        return ["strategy": strategy, "stop": .strings(stop), "guard": guardian.description]
    }
}

extension AnswerGuard {
    /// What a recipe says about degenerate answers; a guard that is off is not mentioned.
    fileprivate var description: JSONValue {
        [
            "loop": repetition.map {
                ["ngram": .integer($0.longestPeriod), "tokens": .integer($0.minimumTokens)]
            } ?? .null,
            "compression_ratio": compressionRatio.map { .number($0) } ?? .null,
            "mean_logprob": meanLogProbability.map { .number($0) } ?? .null,
            "attempts": .integer(attempts),
        ]
    }
}

/// The key of a record.
struct RecordKey {
    /// The hash itself.
    let key: LedgerKey

    /// The key of clip number `index` of the file with `content`. A copy of a file that the run has under another path gets a key of
    /// its own from `copy`, its path, so that every file has a record.
    init(
        content: [UInt8], index: Int, boundary: String, task: String, recipe: String,
        copy: PathBytes?
    ) {
        key = LedgerKey(
            Hexadecimal.sha256(
                [
                    Array("clip".utf8), content, Array("\(boundary):\(index)".utf8),
                    Array(task.utf8), Array(recipe.utf8),
                ] + (copy.map { [$0.bytes] } ?? [])))
    }

    /// The key of a file whose content could not be read: its path stands for it.
    init(unreadable path: PathBytes, task: String, recipe: String) {
        key = LedgerKey(
            Hexadecimal.sha256([
                Array("path".utf8), path.bytes, Array(task.utf8), Array(recipe.utf8),
            ]))
    }

    /// 64 hexadecimal digits.
    var text: String { Hexadecimal.text(key.bytes) }
}
