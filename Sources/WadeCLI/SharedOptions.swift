//! Options that several commands have.
import ArgumentParser
import Foundation
import Logging
import WadePipeline
import WadeTensor

/// Which pipeline.
struct PipelineOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The pipeline, a YAML file.")
    var pipeline: PathBytes

    @Option(
        help: """
            A model bundle's name or folder, instead of the pipeline's, which is the flaminglet that ships with wade where the \
            pipeline names none.
            """)
    var model: String?

    @OptionGroup var precision: PrecisionOptions

    /// The pipeline with the options applied.
    func read() throws(PipelineError) -> Pipeline {
        var read = try Pipeline.read(pipeline)
        if let model { read.model = model }
        precision.apply(to: &read)
        return read
    }
}

/// In which precision a model computes.
struct PrecisionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Precision of weights and products, instead of the pipeline's `precision`: auto, float32, bfloat16, int8 or int4. Where \
            neither says anything it is that of the model's weights: float32 unless `wade model quantize` wrote them. auto is \
            bfloat16 on processors that multiply it (AVX512-BF16, AMX), float32 on others. Answers depend on it, so what was \
            answered in one precision is answered again in another.
            """, valueName: "precision"))
    var precision: PrecisionChoice?

    func apply(to pipeline: inout Pipeline) {
        if let precision { pipeline.precision = precision }
    }
}

extension PrecisionChoice: ExpressibleByArgument {}

/// How messages are written.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// What is said on standard error.
struct LoggingOptions: ParsableArguments {
    @Option(help: "How messages on standard error are written: text or json.")
    var logFormat = LogFormat.text

    @Flag(name: .shortAndLong, help: "Only errors, no progress.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Also say what was done when all is well.")
    var verbose = false

    func validate() throws {
        if quiet, verbose { throw ValidationError("--quiet and --verbose contradict each other") }
    }

    /// A progress line belongs on a terminal only.
    var showsProgress: Bool {
        !quiet && logFormat == .text && isatty(FileHandle.standardError.fileDescriptor) == 1
    }

    /// A logger to standard error; without a terminal it is silent when all is well.
    func logger() -> Logger {
        let isTerminal = isatty(FileHandle.standardError.fileDescriptor) == 1
        let level: Logger.Level =
            quiet ? .error : verbose || isTerminal || logFormat == .json ? .info : .warning
        return Logger(label: "wade") { [logFormat] _ in
            StandardErrorLog(format: logFormat, logLevel: level)
        }
    }
}

extension PipelineError {
    /// Says what stopped the command and which exit code that is.
    func report(to logger: Logger) -> Int32 {
        switch self {
        case .readerGone: return 128 + 13
        case .locked:
            logger.error("\(self)")
            return 75
        default:
            logger.error("\(self)")
            return 1
        }
    }
}
