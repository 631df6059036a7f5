//! The loop: batches in parts on all cores, gradients summed in order, AdamW, checkpoints, log.
internal import Foundation
package import WadePipeline
package import WadeTensor

/// Trains one stage. The numbers are the same for any number of workers, and the same after a kill and a restart.
package struct Trainer<Stage: TrainingStage> {
    private struct Job: Sendable {
        let step: Int
        let part: Int
        let parameters: [String: Tensor]
    }

    private struct Gradients: Sendable {
        let loss: Double
        let values: [Tensor]
        let measures: [(name: String, sum: Double, count: Double)]
    }

    private let stage: Stage
    private let settings: StageSettings
    private let folder: String
    private let workers: Int
    private let log: TrainingLog
    private let stop: StopRequest
    /// What a checkpoint must have been made by.
    private let recipe: String
    /// Steps between two lines of the log.
    private let logEvery: Int
    /// Whether there is a score before the first step.
    private let scoresStart: Bool

    /// `folder` holds the stage's checkpoint; `recipe` names everything that decides its numbers.
    package init(
        _ stage: Stage, _ settings: StageSettings, recipe: String, folder: String, workers: Int,
        log: TrainingLog, stop: StopRequest, logEvery: Int = 50, scoresStart: Bool = false
    ) {
        self.recipe = recipe
        self.logEvery = logEvery
        self.scoresStart = scoresStart
        self.stage = stage
        self.settings = settings
        self.folder = folder
        self.workers = workers
        self.log = log
        self.stop = stop
    }

    /// Every text length has some forty products of its own.
    private static var keptProducts: Int { 32_768 }

    private var checkpointPath: String { "\(folder)/\(stage.name).checkpoint.safetensors" }

    /// The trained parameters, all steps done; nil when a stop was wished first (its checkpoint is written).
    package func run() throws -> [String: Tensor]? {
        var state = TrainingState(
            parameters: try stage.initialParameters(), settings: settings,
            factor: stage.learningRateFactor)
        if FileManager.default.fileExists(atPath: checkpointPath) {
            try state.restore(from: checkpointPath, recipe: recipe)
        }
        let names = state.names
        let stage = self.stage
        PrimitiveCache.keep(Self.keptProducts)
        let pool = WorkerPool<Job, Result<Gradients, any Error>>(
            workers: workers, inFlight: max(workers, stage.parts)
        ) { job in
            MatrixEngine.oneDNN.useThreads(1)
            MatrixEngine.openBLAS.useThreads(1)
            return Result { try Self.gradients(stage, job, names: names) }
        }
        let clock = ContinuousClock()
        var saved = clock.now
        var meter = TrainingMeter()
        let before = state.step
        if before < settings.steps {
            try log.began(stage.name, step: before, of: settings.steps, workers: workers)
            if scoresStart, before == 0, settings.evaluateEvery > 0 {
                let scores = try stage.evaluate(state.parameters)
                try log.evaluated(stage.name, step: 0, scores)
            }
        }
        let begun = clock.now
        while state.step < settings.steps {
            guard stop.reason == nil else {
                try state.write(to: checkpointPath, recipe: recipe)
                try log.ended()
                return nil
            }
            try advance(&state, names, pool, &meter)
            let progress = TrainingProgress(
                what: stage.name, done: state.step, total: settings.steps,
                elapsed: clock.now - begun, before: before)
            log.show(progress)
            let every = settings.evaluateEvery
            if every > 0, state.step % every == 0 || state.step == settings.steps {
                let scores = try stage.evaluate(state.parameters)
                try log.evaluated(stage.name, step: state.step, scores)
            }
            if state.step % logEvery == 0 || state.step == settings.steps {
                try log.trained(
                    stage.name, step: state.step, of: settings.steps, meter.summary(),
                    left: progress.secondsLeft)
            }
            if clock.now - saved > .seconds(settings.checkpointSeconds) {
                try state.write(to: checkpointPath, recipe: recipe)
                saved = clock.now
            }
        }
        try state.write(to: checkpointPath, recipe: recipe)
        try log.ended()
        return state.parameters
    }

    /// One optimiser step: the mean of the parts' gradients, in their order.
    private func advance(
        _ state: inout TrainingState, _ names: [String],
        _ pool: WorkerPool<Job, Result<Gradients, any Error>>,
        _ meter: inout TrainingMeter
    ) throws {
        var jobs = (0..<stage.parts).map {
            Job(step: state.step, part: $0, parameters: state.parameters)
        }.makeIterator()
        var sums: [Tensor] = []
        while let result = pool.next(from: { jobs.next() }) {
            let part = try result.get()
            meter.add("loss", sum: part.loss, count: 1)
            for measure in part.measures { meter.add(measure.name, measure.sum, measure.count) }
            if sums.isEmpty {
                sums = part.values
            } else {
                for index in sums.indices { sums[index] += part.values[index] }
            }
        }
        let share = 1 / Float(stage.parts)
        if stage.parts > 1 { for index in sums.indices { sums[index] = sums[index] * share } }
        let rate = settings.learningRate(at: state.step)
        let norm = state.update(
            gradients: Dictionary(uniqueKeysWithValues: zip(names, sums)), clip: settings.clip,
            learningRate: rate)
        meter.add("gradient_norm", sum: Double(norm), count: 1)
        meter.set("learning_rate", Double(rate))
    }

    private static func gradients(_ stage: Stage, _ job: Job, names: [String]) throws -> Gradients {
        let tape = Tape()
        let leaves = names.map { tape.watch(job.parameters[$0] ?? Tensor.zeros([0])) }
        let part = try stage.loss(
            Dictionary(uniqueKeysWithValues: zip(names, leaves)), step: job.step, part: job.part)
        let loss = Double(part.loss.values[0])
        guard loss.isFinite else {
            throw TrainingError.diverged(stage: stage.name, step: job.step, loss: "\(loss)")
        }
        let gradients = tape.gradients(of: part.loss, for: leaves)
        return Gradients(loss: loss, values: gradients, measures: part.measures)
    }
}
