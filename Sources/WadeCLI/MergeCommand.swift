//! `wade merge`: the parts of a cluster's tasks, joined.
import ArgumentParser
import Logging
import WadePipeline
import WadeTensor

struct MergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge",
        abstract:
            "Join the parts of `wade annotate --shard` into the output that one machine would have written.",
        discussion: """
            Reads NAME.part-I-of-N.jsonl beside the output NAME.jsonl, whatever N they are of, and the output itself where there is \
            one, and replaces it as a whole: every record once, in the order of the files' names, `run.seq` counted anew, the rest \
            of `run` as the tasks wrote it. Of two answers to one question the earlier one is kept and they are told where they differ; \
            but where a video's shots have changed between them (`shots:`), the later one. Parts stay; merge again when more is done.

              wade merge Videos --pipeline Pipelines/caption.yaml --output Outputs/captions.jsonl

            With the folders and the pipeline that `annotate` was given, it also says which files lack records. Without them it joins \
            what is there. Warnings name parts that are not there or still being written, torn and damaged lines, answers that \
            differ, and records of other recipes.

            Exit codes: 0 everything is there; 1 could not merge, the output is as it was; 3 something is missing or in doubt, or some \
            clips failed; 4 nothing but failures; 64 wrong usage; 75 a run or another merge holds the output.
            """)

    @Argument(help: "The folders and files that were annotated.")
    var paths: [PathBytes] = []

    @Option(name: .shortAndLong, help: "The pipeline that they were annotated by, a YAML file.")
    var pipeline: PathBytes?

    @Option(help: "The model bundle, where `annotate` was given another than the pipeline's.")
    var model: String?

    @Option(help: "The precision, where `annotate` was given another than the pipeline's.")
    var precision: PrecisionChoice?

    @Option(name: .shortAndLong, help: "The output that the parts belong to.")
    var output: PathBytes

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        if output == PathBytes("-") { throw ValidationError("--output: found -, expected a file") }
        if paths.isEmpty != (pipeline == nil) {
            throw ValidationError(
                "found \(paths.isEmpty ? "--pipeline without folders" : "folders without --pipeline"), expected both or none"
            )
        }
        if model != nil || precision != nil, pipeline == nil {
            throw ValidationError(
                "--\(model == nil ? "precision" : "model"): found no --pipeline, which has the one that it stands in for"
            )
        }
    }

    func run() throws {
        let logger = logging.logger()
        do {
            var read = try pipeline.map { (path) throws(PipelineError) in try Pipeline.read(path) }
            if let model { read?.model = model }
            if let precision { read?.precision = precision }
            let report = try AnnotationJob.merge(paths, pipeline: read, output: output)
            logger.info("\(report.text)")
            for complaint in report.complaints { logger.warning("\(complaint)") }
            for path in report.missing {
                logger.warning("\(path.shown): has no record, or not all")
            }
            if report.missingCount > report.missing.count {
                logger.warning("\(report.missingCount) files have no record, or not all, in all")
            }
            if report.failures > 0 { logger.warning("\(report.failures) records say an error") }
            throw ExitCode(report.exitCode)
        } catch let error as PipelineError {
            throw ExitCode(error.report(to: logger))
        }
    }
}
