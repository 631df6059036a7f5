//! What the commands `annotate` and `plan` do once their arguments are read.
import Foundation
import Glibc
import WadeTensor
import WadeVideo

/// A pipeline, what it is to be applied to, and where the answers go.
package struct AnnotationJob: Sendable {
    private let paths: [PathBytes]
    private let pipeline: Pipeline
    private let output: PathBytes
    private let settings: RunSettings

    /// `output` is a file, or `-` for standard output.
    package init(
        paths: [PathBytes], pipeline: Pipeline, output: PathBytes, settings: RunSettings
    ) {
        self.paths = paths
        self.pipeline = pipeline
        self.output = output
        self.settings = settings
    }

    private var isStandardOutput: Bool { output == PathBytes("-") }

    /// Does what is left to do, holding the output's lock. Throws before any work when the pipeline's model or demonstrations cannot
    /// be read, and in the middle when the output cannot be written.
    package func run(stop: StopRequest, progress: (RunProgress) -> Void) throws -> RunSummary {
        guard !isStandardOutput else {
            return try run(
                ledger: Ledger(), writer: try JSONLinesWriter.standardOutput(), stop, progress
            ).summary
        }
        let lock = try RunLock(output: output)
        let startedAt = Timestamp.now()
        var ledger = try Ledger(readingFrom: output)
        try ledger.cutTornLine(of: output)
        let (plan, summary) = try run(
            ledger: ledger, writer: try JSONLinesWriter(path: output), stop, progress)
        try summary.append(besides: output, plan: plan, startedAt: startedAt)
        _ = consume lock
        return summary
    }

    private func run(
        ledger: Ledger, writer: consuming JSONLinesWriter, _ stop: StopRequest,
        _ progress: (RunProgress) -> Void
    ) throws -> (plan: RunPlan, summary: RunSummary) {
        do {
            let location = try ModelLocation(pipeline.model)
            let plan = try makePlan(location)
            let run = AnnotationRun<Tensor>(
                plan: plan, ledger: ledger, cut: clipCutter(pipeline.segmentation), stop: stop)
            let summary = try run.run(
                writer: writer, isReadable: !isStandardOutput,
                annotator: {
                    try FlamingoAnnotator(
                        bundle: ModelBundle(path: location.folder), pipeline: pipeline
                    ).annotator
                }, progress: progress)
            return (plan, summary)
        } catch let error as PipelineError {
            throw error
        } catch {
            throw PipelineError.file(
                path: pipeline.model, action: "load the model", reason: "\(error)")
        }
    }

    private func makePlan(_ location: ModelLocation) throws -> RunPlan {
        try RunPlan(
            pipeline: pipeline, model: try location.identity(),
            findings: try ClipFinder.find(paths), settings: settings)
    }

    /// What `run` would do, by names, sizes and times alone; changes nothing and takes no lock.
    package func forecast() throws -> RunForecast {
        do {
            let plan = try makePlan(try ModelLocation(pipeline.model))
            let ledger = isStandardOutput ? Ledger() : try Ledger(readingFrom: output)
            return RunForecast(
                plan: plan, ledger: ledger,
                secondsPerAnswer: RunSummary.secondsPerAnswer(besides: output))
        } catch let error as PipelineError {
            throw error
        } catch {
            throw PipelineError.file(
                path: pipeline.model, action: "load the model", reason: "\(error)")
        }
    }
}

extension RunSettings {
    /// Cores that this process may use.
    package static var coreCount: Int { max(1, ProcessInfo.processInfo.activeProcessorCount) }
}
