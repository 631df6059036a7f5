//! What a benchmark leaves behind, and what a plan makes of it.
import Foundation
import Testing
import WadeTensor

@testable import WadePipeline

@Suite("the speed that was measured")
struct MeasuredSpeedTests {
    private let model = ModelIdentity(name: "m", weightsSHA256: "00", numericsVersion: "1")
    private let speed = MeasuredSpeed(workers: 1, encoding: 2, question: 0.5, token: 0.25)

    @Test("what is kept is found for the same model and precision only")
    func keeping() throws {
        let folder = try TemporaryFolder()
        let cache = try #require(
            try CacheFolder.open(CacheSettings(folder: folder("cache"), isNamed: true)))
        speed.write(to: cache, model: model, precision: .float32)
        #expect(MeasuredSpeed.read(from: cache, model: model, precision: .float32) == speed)
        #expect(MeasuredSpeed.read(from: cache, model: model, precision: .bfloat16) == nil)
        var other = model
        other.weightsSHA256 = "01"
        #expect(MeasuredSpeed.read(from: cache, model: other, precision: .float32) == nil)
    }

    @Test("an answer takes its share of the clip's encoding, its question and its tokens")
    func estimate() {
        var one = captionTask
        one.maxNewTokens = 10
        var pipeline = plainPipeline([one])
        pipeline.sampling = .uniform(count: 8)
        #expect(speed.secondsPerAnswer(pipeline, workers: 1) == 2 + 0.5 + 2.5)
        pipeline.sampling = .uniform(count: 16)
        #expect(speed.secondsPerAnswer(pipeline, workers: 1) == 4 + 0.5 + 2.5)
        pipeline.tasks = [one, one]
        #expect(speed.secondsPerAnswer(pipeline, workers: 1) == 2 + 0.5 + 2.5)
    }

    @Test("workers beyond the machine's cores make nothing faster")
    func workers() {
        let pipeline = plainPipeline([captionTask])
        let cores = RunSettings.coreCount
        let all = speed.secondsPerAnswer(pipeline, workers: cores)
        #expect(speed.secondsPerAnswer(pipeline, workers: cores * 8) == all)
        let ratio = speed.secondsPerAnswer(pipeline, workers: 1) / all
        #expect(abs(ratio - Double(cores)) < 1e-9)
    }

    @Test("the plan says whether an earlier run or the benchmark tells the time")
    func sources() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("in")
        for name in ["in/a.mp4", "in/b.mp4"] { folder.write("dog", to: PathBytes(name)) }
        let plan = try RunPlan(
            pipeline: plainPipeline([captionTask]), model: model,
            findings: try ClipFinder.find([folder("in")]), settings: RunSettings(workers: 1))
        func text(_ estimate: RunForecast.Estimate?) -> String {
            RunForecast(plan: plan, ledger: Ledger(), estimate: estimate).text
        }
        #expect(text(nil) == "2 todo; no estimate before a first run or wade benchmark")
        #expect(
            text(.init(secondsPerAnswer: 45, source: .latestRun))
                == "2 todo; about 2 min for at least 2 answers")
        #expect(
            text(.init(secondsPerAnswer: 90, source: .benchmark))
                == "2 todo; about 3 min for at least 2 answers of full length, by wade benchmark")
    }
}
