//! What a benchmark leaves for the estimates of `wade plan`.
import WadeTensor
import WadeVideo

/// How fast a model is on this machine.
package struct MeasuredSpeed: Sendable, Equatable {
    /// Workers that were measured together; the seconds below are those of all of them.
    var workers: Int
    /// Seconds a clip until its visual tokens are there, for a clip of `BenchmarkSettings.frames` frames.
    var encoding: Double
    /// Seconds that reading one question takes.
    var question: Double
    /// Seconds that one new token takes.
    var token: Double

    /// Changes when the layout does.
    private static let version = 1

    /// The speed that `report` tells; nil where it lacks a stage.
    init?(_ report: BenchmarkReport) {
        guard let question = report.stage(.prefill), let token = report.stage(.token) else {
            return nil
        }
        workers = report.settings.workers
        self.question = question.seconds
        self.token = token.seconds
        let answering = question.seconds + Double(report.settings.tokens) * token.seconds
        encoding = max(0, report.clip.seconds - answering)
    }

    init(workers: Int, encoding: Double, question: Double, token: Double) {
        self.workers = workers
        self.encoding = encoding
        self.question = question
        self.token = token
    }

    /// Seconds that an answer to one of `pipeline`'s tasks takes `workers` workers, if it is as long as it may be. More workers than
    /// there are cores are no faster.
    func secondsPerAnswer(_ pipeline: Pipeline, workers: Int) -> Double {
        let tasks = Double(max(pipeline.tasks.count, 1))
        let frames = Double(pipeline.sampling.mostFrames) / Double(BenchmarkSettings.frames)
        // A choice is read like a token or two that follow the question.
        let answers = pipeline.tasks.map { task in
            let tokens = task.choices.isEmpty ? task.maxNewTokens : task.choices.count
            return question + Double(tokens) * token
        }
        let clip = encoding * frames + answers.reduce(0, +)
        let able = max(1, min(workers, RunSettings.coreCount))
        return clip / tasks * Double(self.workers) / Double(able)
    }

    // MARK: - Keeping it

    /// Keeps the speed that `report` tells of a bundle in `settings`'s cache.
    package static func keep(_ report: BenchmarkReport, in settings: CacheSettings)
        throws(PipelineError)
    {
        guard let identity = report.identity, let speed = MeasuredSpeed(report),
            let folder = try CacheFolder.open(settings)
        else { return }
        speed.write(to: folder, model: identity, precision: report.settings.precision)
    }

    func write(to folder: CacheFolder, model: ModelIdentity, precision: Precision) {
        let bytes = try? JSONWriter.bytes(of: [
            "workers": .integer(workers), "encoding": .number(encoding),
            "question": .number(question), "token": .number(token),
        ])
        if let bytes { folder.write(bytes, under: Self.key(model, precision)) }
    }

    /// What was measured of `model` on this machine; nil when nothing was.
    static func read(from folder: CacheFolder, model: ModelIdentity, precision: Precision)
        -> MeasuredSpeed?
    {
        guard let bytes = folder.read(key(model, precision)),
            let value = try? JSONReader.read(bytes),
            case .integer(let workers)? = value["workers"], workers > 0,
            case .number(let encoding)? = value["encoding"],
            case .number(let question)? = value["question"],
            case .number(let token)? = value["token"]
        else { return nil }
        return MeasuredSpeed(
            workers: Int(workers), encoding: encoding, question: question, token: token)
    }

    /// The machine is what the cache may share with others, so it belongs to the key.
    private static func key(_ model: ModelIdentity, _ precision: Precision) -> CacheFolder.Key {
        let group = Hexadecimal.sha256([Array("speed \(version)".utf8)])
        let parts = [
            Processor.name, "\(RunSettings.coreCount)", model.weightsSHA256, model.numericsVersion,
            Arithmetic(precision: precision).version, Program.version,
        ]
        return CacheFolder.Key(
            group: String(Hexadecimal.text(group).prefix(16)),
            name: Hexadecimal.text(Hexadecimal.sha256([group] + parts.map { Array($0.utf8) })))
    }
}

extension FrameSampling {
    /// The number of frames of a clip, the most where its length decides.
    var mostFrames: Int {
        switch self {
        case .uniform(let count): count
        case .rate(_, let limit): limit
        case .times(let times): times.count
        }
    }
}
