//! `wade benchmark`: what this machine can do, and how much of it each stage of a run does.
import Foundation
import WadeFlamingo
import WadeImage
package import WadeTensor
import WadeVideo

/// Measures the machine's ceilings, then every stage of a run, then whole clips.
package struct Benchmark: Sendable {
    private let settings: BenchmarkSettings
    private let arithmetic: Arithmetic
    private let stopwatch: Stopwatch

    package init(_ settings: BenchmarkSettings) {
        self.settings = settings
        arithmetic = Arithmetic(precision: settings.precision)
        stopwatch = Stopwatch(
            workers: settings.workers, threads: settings.threads, engine: arithmetic.engine,
            budget: settings.seconds)
    }

    /// Measures; `progress` is told what comes next. Throws before anything is measured when there is no such model.
    package func run(progress: (String) -> Void) throws -> BenchmarkReport {
        let source = try source()
        let load = Processor.load
        progress("the machine's ceilings")
        let ceilings = try MachineCeilings(
            stopwatch,
            readBytes: min(
                OperationCount(source.configuration).tokenWeights
                    * settings.precision.halfBits / 16, 1 << 30))
        // What measuring the machine took is not the model's.
        ProcessMemory.forgetPeak()
        progress("the model")
        arithmetic.engine.useThreads(settings.threads)
        let start = ContinuousClock.now
        let model = try Flamingo(
            source.weights(), source.configuration, arithmetic: arithmetic)
        let loading = (ContinuousClock.now - start) / .seconds(1)
        let stages = BenchmarkStages(
            settings: settings, model: model, stopwatch: stopwatch,
            ceiling: ceilings.ceiling(settings.precision))
        let (measured, clip) = try withSampleFilm { film in
            let measured = try stages.all(film: film, progress: progress)
            progress("whole clips")
            return (measured, try stages.wholeClips(film: film))
        }
        return BenchmarkReport(
            settings: settings,
            machine: .init(
                processor: Processor.name, cores: RunSettings.coreCount, load: load,
                arithmetic: arithmetic.version),
            model: .init(
                name: source.configuration.name, hasRandomWeights: source.isRandom,
                loadSeconds: loading),
            ceilings: ceilings, stages: measured, clip: clip, peakMemory: ProcessMemory.peak,
            identity: source.identity)
    }

    /// Where the model comes from.
    private struct Source {
        var configuration: FlamingoConfiguration
        var identity: ModelIdentity?
        var isRandom: Bool
        var weights: () -> Weights
    }

    private func source() throws -> Source {
        switch settings.subject {
        case .shape(let shape):
            return Source(
                configuration: try shape.configuration(), identity: nil, isRandom: true,
                weights: { SyntheticWeights.weights })
        case .model(let name):
            let location = try ModelLocation(name)
            let bundle = try ModelBundle(path: location.folder)
            guard bundle.configuration.family != .idefics else {
                throw PipelineError.request(
                    found: "a model of the idefics family",
                    expected: "one that wade annotate runs, such as an openflamingo or otter")
            }
            return Source(
                configuration: bundle.configuration, identity: try location.identity(),
                isRandom: false, weights: { Weights(bundle.weights) })
        }
    }

    /// Gives `body` the film, in a folder that is gone afterwards.
    private func withSampleFilm<Value>(_ body: (PathBytes) throws -> Value) throws -> Value {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "wade-benchmark-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let film = PathBytes(folder.appendingPathComponent("film.mp4").path)
        try SampleFilm.write(to: film)
        return try body(film)
    }
}

/// What the machine could do at most, all workers together.
package struct MachineCeilings: Sendable {
    /// Operations a second of a large matrix product, by precision.
    package let products: [(precision: Precision, rate: Double)]
    /// Bytes a second that can be read of a memory as large as a token's weights.
    package let memory: Double

    /// Rows, width in and width out of products large enough that nothing else counts: a large vision encoder's eight frames.
    private static let shapes = [(2048, 4096, 1024), (2048, 1024, 4096)]

    /// Measures both; `readBytes` is the size of the memory that is read.
    init(_ stopwatch: Stopwatch, readBytes: Int) throws {
        products = try Precision.allCases.map { precision in
            (precision, try Self.products(stopwatch, precision))
        }
        let reading = MemoryReading(byteCount: readBytes)
        let workers = stopwatch.workers
        let time = try stopwatch.time { worker in
            guard reading.read(from: Double(worker) / Double(workers)) > 0 else {
                throw PipelineError.system("memory does not hold what was written")
            }
        }
        memory = Double(workers * reading.byteCount) / time.seconds
    }

    private static func products(_ stopwatch: Stopwatch, _ precision: Precision) throws -> Double {
        try shapes.map { rows, inputs, outputs in
            let linear = Linear(
                weight: Tensor(cycling: [0.01, -0.02, 0.03], shape: [outputs, inputs]),
                arithmetic: Arithmetic(engine: stopwatch.engine, precision: precision))
            let x = Tensor(cycling: [0.5, -0.25, 1, -1, 0.125], shape: [rows, inputs])
            let time = try stopwatch.time { _ in _ = linear(x) }
            return 2 * Double(stopwatch.workers * rows) * Double(inputs * outputs) / time.seconds
        }.max() ?? 0
    }

    /// Operations and bytes a second for a model in `precision`.
    func ceiling(_ precision: Precision) -> (operations: Double, bytes: Double) {
        (products.first { $0.precision == precision }?.rate ?? 0, memory)
    }
}
