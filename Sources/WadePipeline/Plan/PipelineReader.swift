//! Reads a pipeline file; unknown names, wrong types and missing files are errors with their place.
import WadeFlamingo
internal import WadeTensor
import WadeVideo

/// A reader of one pipeline file.
struct PipelineReader {
    private let path: PathBytes
    private let folder: PathBytes
    private let root: YAMLField

    /// Reads and parses the file at `path`.
    init(path: PathBytes) throws(PipelineError) {
        self.path = path
        do {
            folder = path.absolute(below: try PathBytes.current()).folder
        } catch {
            throw .file(path: path.shown, action: "find the current folder", reason: error.reason)
        }
        root = try YAMLField.read(SmallFile.read(path), file: path.shown)
    }

    /// The pipeline.
    func read() throws(PipelineError) -> Pipeline {
        let members = try root.members([
            "name", "model", "precision", "tasks", "demonstrations", "shots", "sampling",
            "segmentation", "decoding", "confidence", "output",
        ])
        guard let tasks = members["tasks"] else {
            throw root.wrong("`tasks`, a list", found: "no `tasks`")
        }
        let decoding = try members["decoding"].map(readDecoding)
        let readTasks = try readTasks(tasks, maxNewTokens: decoding?.maxNewTokens)
        let (demonstrations, retrieval) = try DemonstrationReader(folder: folder, tasks: readTasks)
            .read(members["demonstrations"])
        var pipeline = Pipeline(
            name: try members["name"]?.text() ?? path.stem.text,
            model: try members["model"].map(readModel) ?? ModelLocation.standard,
            precision: try members["precision"]?.word(), tasks: readTasks,
            demonstrations: demonstrations,
            sampling: try members["sampling"].map(readSampling) ?? .uniform(count: 8),
            segmentation: try members["segmentation"].map(readSegmentation) ?? .whole,
            decoding: decoding?.decoding ?? Decoding(),
            customID: try members["output"].map(readCustomID) ?? "")
        pipeline.retrieval = retrieval
        pipeline.nearIdentical = try members["sampling"].flatMap(readNearIdentical)
        if let field = members["confidence"] {
            pipeline.confidence = try Confidence(field)
            let most = retrieval?.count ?? .max
            try pipeline.confidence.check(
                field, tasks: readTasks,
                count: { min(most, pipeline.demonstrations(for: $0).count) },
                clips: { pipeline.demonstrations(for: $0).filter { $0.clip != nil }.count })
        }
        if let field = members["shots"] {
            pipeline.shots = try ShotSource(field, folder: folder)
            guard pipeline.segmentation == .whole else {
                throw field.wrong(
                    "`segmentation: whole` beside `shots`, which are those of whole files",
                    found: "`shots` in a pipeline that cuts files itself")
            }
            guard !pipeline.confidence.isCalibrated else {
                throw field.wrong(
                    "no `calibrate` beside `shots`: demonstrations have none to be answered behind",
                    found: "`shots` beside `confidence: {calibrate: true}`")
            }
        }
        return pipeline
    }

    /// A name stays a name; a path (anything with a slash) is taken from the pipeline's folder.
    private func readModel(_ field: YAMLField) throws(PipelineError) -> String {
        let text = try field.text()
        guard text.contains("/") else { return text }
        return PathBytes(text).absolute(below: folder).text
    }

    private func readTasks(_ field: YAMLField, maxNewTokens: Int?) throws(PipelineError)
        -> [AnnotationTask]
    {
        var tasks: [AnnotationTask] = []
        for element in try field.elements() {
            let task = try readTask(element, maxNewTokens: maxNewTokens)
            guard !tasks.contains(where: { $0.id == task.id }) else {
                throw element.wrong(
                    "a task id once", found: "the id \(task.id.shownShort) a second time")
            }
            tasks.append(task)
        }
        guard !tasks.isEmpty else { throw field.wrong("at least one task") }
        return tasks
    }

    private func readTask(_ field: YAMLField, maxNewTokens: Int?) throws(PipelineError)
        -> AnnotationTask
    {
        let members = try field.members([
            "id", "type", "question", "question_id", "choices", "answer", "template",
            "max_new_tokens",
        ])
        guard let idField = members["id"], let typeField = members["type"] else {
            throw field.wrong("`id` and `type`", found: "a task without them")
        }
        let id = try idField.text()
        guard !id.isEmpty else { throw idField.wrong("a text that is not empty") }
        let type: AnnotationRecord.TaskType = try typeField.word()
        let question = try members["question"]?.text() ?? ""
        if type == .vqa, question.isEmpty {
            throw (members["question"] ?? field).wrong(
                "a `question`", found: "a vqa task without a question")
        }
        if type == .caption, let asked = members["question"] {
            throw asked.wrong("no `question` in a caption task")
        }
        return AnnotationTask(
            id: id, type: type, question: question,
            questionID: try members["question_id"]?.integer(in: 0...Int.max) ?? -1,
            choices: try readChoices(members["choices"], type: type, task: field),
            template: try members["template"].map(readTemplate),
            maxNewTokens: try members["max_new_tokens"]?.integer(in: 1...2048) ?? maxNewTokens,
            format: try members["answer"].map { (answer) throws(PipelineError) in
                guard type != .classify else {
                    throw answer.wrong("`choices` in a classify task, which writes nothing")
                }
                return try AnswerFormatReader(folder: folder).read(answer)
            })
    }

    private func readChoices(
        _ field: YAMLField?, type: AnnotationRecord.TaskType, task: YAMLField
    ) throws(PipelineError) -> [String] {
        guard let field else {
            guard type != .classify else {
                throw task.wrong("`choices`", found: "a classify task without choices")
            }
            return []
        }
        guard type == .classify else { throw field.wrong("`choices` in a classify task only") }
        var choices: [String] = []
        for element in try field.elements() {
            let choice = try element.text()
            guard !choice.isEmpty, !choices.contains(choice) else {
                throw element.wrong("each choice once and not empty")
            }
            choices.append(choice)
        }
        guard choices.count >= 2 else { throw field.wrong("at least two choices") }
        return choices
    }

    private func readTemplate(_ field: YAMLField) throws(PipelineError) -> PromptTemplate {
        guard let template = PromptTemplate(try field.text()) else {
            throw field.wrong("a text with {answer} once and <image> at most once, before it")
        }
        return template
    }

    private static let samplingNames = ["uniform", "fps", "at_most", "times", "near_identical"]

    private func readSampling(_ field: YAMLField) throws(PipelineError) -> FrameSampling {
        let members = try field.members(Self.samplingNames)
        if let limit = members["at_most"], members["fps"] == nil {
            throw limit.wrong("`at_most` beside `fps` only")
        }
        guard members.filter({ !["at_most", "near_identical"].contains($0.key) }).count == 1 else {
            throw field.wrong("one of `uniform`, `fps`, `times`")
        }
        if let count = members["uniform"] {
            return .uniform(count: try count.integer(in: 1...4096))
        }
        if let rate = members["fps"] {
            return .rate(
                perSecond: try rate.number(in: 1e-6...1000),
                limit: try members["at_most"]?.integer(in: 1...4096) ?? 32)
        }
        var times: [Double] = []
        for time in try members["times"]?.elements() ?? [] {
            times.append(try time.number(in: 0...1e9))
        }
        guard (1...4096).contains(times.count), times == times.sorted() else {
            throw field.wrong("1 to 4096 ascending times in seconds")
        }
        return .times(times)
    }

    private func readNearIdentical(_ field: YAMLField) throws(PipelineError) -> Double? {
        try field.members(Self.samplingNames)["near_identical"]?.number(in: 0...255)
    }

    private func readSegmentation(_ field: YAMLField) throws(PipelineError) -> Segmentation {
        guard field.isMapping else {
            guard try field.text() == "whole" else {
                throw field.wrong("`whole`, or `windows:` or `scenes:` with their values")
            }
            return .whole
        }
        let members = try field.members(["windows", "scenes"])
        if let windows = members["windows"], members.count == 1 {
            let values = try windows.members(["length", "stride"])
            guard let length = values["length"] else {
                throw windows.wrong("`length` in seconds", found: "windows without a length")
            }
            let seconds = try length.number(in: 0.01...1e6)
            return .windows(
                length: seconds, stride: try values["stride"]?.number(in: 0.01...1e6) ?? seconds)
        }
        if let scenes = members["scenes"], members.count == 1 {
            let values = try scenes.members(["minimum_length"])
            return .scenes(
                minimumLength: try values["minimum_length"]?.number(in: 0...1e6) ?? 1)
        }
        throw field.wrong("one of `windows`, `scenes`")
    }

    private enum StrategyName: String, CaseIterable {
        case greedy, beam, sample
    }

    private func readDecoding(_ field: YAMLField) throws(PipelineError)
        -> (decoding: Decoding, maxNewTokens: Int?)
    {
        let members = try field.members([
            "strategy", "beams", "temperature", "top_p", "seed", "max_new_tokens",
            "length_penalty", "stop", "guard",
        ])
        var decoding = Decoding()
        let strategy: StrategyName = try members["strategy"]?.word() ?? .greedy
        let own: [StrategyName: [String]] = [
            .beam: ["beams", "length_penalty"], .sample: ["temperature", "top_p", "seed"],
        ]
        for (owner, names) in own where owner != strategy {
            for name in names {
                if let stray = members[name] {
                    throw stray.wrong("`\(name)` with `strategy: \(owner.rawValue)` only")
                }
            }
        }
        switch strategy {
        case .greedy: break
        case .beam:
            decoding.strategy = .beam(width: try members["beams"]?.integer(in: 1...64) ?? 3)
        case .sample:
            let seed = try members["seed"]?.integer(in: 0...Int.max) ?? 0
            decoding.strategy = .sample(
                temperature: try members["temperature"]?.number(in: 1e-3...100) ?? 1,
                topP: try members["top_p"]?.number(in: 1e-6...1) ?? 1, seed: UInt64(seed))
        }
        decoding.lengthPenalty = try members["length_penalty"]?.number(in: -10...10) ?? 0
        for stop in try members["stop"]?.elements() ?? [] {
            let text = try stop.text()
            guard !text.isEmpty else { throw stop.wrong("a text that is not empty") }
            decoding.stop.append(text)
        }
        if let field = members["guard"] { decoding.guard = try readGuard(field) }
        return (decoding, try members["max_new_tokens"]?.integer(in: 1...2048))
    }

    private func readGuard(_ field: YAMLField) throws(PipelineError) -> AnswerGuard? {
        if field.isOff { return nil }
        guard field.isMapping else {
            throw field.wrong(
                "`off`, or named values: \(AnswerGuard.names.joined(separator: ", "))")
        }
        let members = try field.members(AnswerGuard.names)
        var guardian = AnswerGuard()
        if let loop = members["loop"] { guardian.repetition = try readLoop(loop) }
        if let ratio = members["compression_ratio"] {
            guardian.compressionRatio = ratio.isOff ? nil : try ratio.number(in: 1...1000)
        }
        if let mean = members["mean_logprob"] {
            guardian.meanLogProbability = mean.isOff ? nil : try mean.number(in: -1000...0)
        }
        if let attempts = members["attempts"] {
            guardian.attempts = try attempts.integer(in: 1...AnswerGuard.mostAttempts)
        }
        return guardian
    }

    private func readLoop(_ field: YAMLField) throws(PipelineError) -> RepetitionGuard? {
        if field.isOff { return nil }
        let members = try field.members(["ngram", "tokens"])
        var repetition = RepetitionGuard()
        if let longest = members["ngram"] {
            repetition.longestPeriod = try longest.integer(in: 1...64)
        }
        if let tokens = members["tokens"] {
            repetition.minimumTokens = try tokens.integer(in: 2...2048)
        }
        return repetition
    }

    private func readCustomID(_ field: YAMLField) throws(PipelineError) -> String {
        guard let field = try field.members(["custom_id"])["custom_id"] else { return "" }
        let text = try field.text()
        for found in text.matches(of: /{(\w+)}/) where !["id", "index", "task"].contains(found.1) {
            throw field.wrong("{id}, {index} and {task}", found: "\(found.0)")
        }
        return text
    }
}
