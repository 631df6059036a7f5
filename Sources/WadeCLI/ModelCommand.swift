//! `wade model`: list, pull, import, inspect and verify models.
import ArgumentParser
import WadeFlamingo
import WadePipeline
import WadeTensor

struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract:
            "Get published models, turn them into bundles, look into them, check their numbers.",
        subcommands: [
            ModelListCommand.self, ModelPullCommand.self, ModelImportCommand.self,
            ModelQuantizeCommand.self, ModelInspectCommand.self, ModelVerifyCommand.self,
        ])
}

struct ModelImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Convert the published parts of a model into a bundle that wade loads directly.",
        discussion: """
            OpenFlamingo comes in three parts: checkpoint.pt, the folder of its language model (config.json, weights, \
            tokenizer) and the CLIP tower (ViT-L-14.pt, an OpenCLIP file, or a Hugging Face folder):

              wade model import checkpoint.pt --language mpt-1b/ --vision ViT-L-14.pt --output openflamingo-3b

            Otter is one folder:

              wade model import OTTER-Video-LLaMA7B/ --output otter-video

            PyTorch files are read by a reader that can only build tensors; no code in them can run.
            """)

    @Argument(help: "checkpoint.pt of OpenFlamingo, or the folder of an Otter model.")
    var checkpoint: String

    @Option(help: "The language model's folder (OpenFlamingo).")
    var language: String?

    @Option(help: "The vision tower's file or folder (OpenFlamingo).")
    var vision: String?

    @Option(
        help: "Heads of the vision tower, if no configuration tells them and width/64 is wrong.")
    var visionHeads: Int?

    @Option(help: "What to call the model in records; the output folder's name if not given.")
    var name: String?

    @Option(name: .shortAndLong, help: "The bundle's folder; it must not exist yet.")
    var output: String

    func validate() throws {
        guard (language == nil) == (vision == nil) else {
            throw ValidationError(
                "--language and --vision belong together: OpenFlamingo needs both, Otter neither")
        }
        if let visionHeads, visionHeads < 1 {
            throw ValidationError("--vision-heads: found \(visionHeads), expected 1 or more")
        }
    }

    func run() throws {
        var parts = ModelImport(
            checkpoint: checkpoint, language: language, vision: vision,
            name: name ?? output.split(separator: "/").last.map(String.init) ?? output)
        parts.visionHeads = visionHeads
        let bundle = try parts.write(to: output)
        try StandardOutput.line("\(bundle.path): \(try ModelCard(bundle).parameters) parameters")
    }
}

struct ModelQuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract:
            "Write a bundle of lower precision: a half, a quarter or a seventh of the memory, at once ready.",
        discussion: """
            Rounds the weights of all linear layers, bfloat16, int8 with one scale for each output, or int4 with one for every 32 inputs of an \
            output, and packs them as this machine's processor multiplies them; int4 is unpacked to bfloat16 for every product, for memory's sake, and leaves vision encoder and resampler in int8. Such a bundle is used like any other; its weights are mapped, not read, so that \
            a start takes no longer than the first answer. On a processor that wants them in another order they are packed anew \
            at every start; on one without such products they are multiplied in float32, in more memory. Answers are those of \
            the same `--precision` with the original bundle, to the bit.

              wade model quantize openflamingo-3b --precision int8 --output openflamingo-3b-int8
              wade annotate Videos -p Pipelines/caption.yaml --model ./openflamingo-3b-int8 -o Outputs/captions.jsonl

            Exit codes: 0 written; 1 no such bundle, quantised already, or OUTPUT exists; 64 wrong usage.
            """)

    @Argument(help: "The bundle's name or folder.")
    var bundle: String

    @Option(help: "bfloat16, int8 or int4.")
    var precision: Precision

    @Option(name: .shortAndLong, help: "The new bundle's folder; it must not exist yet.")
    var output: String

    func validate() throws {
        if precision == .float32 {
            throw ValidationError("--precision: found float32, expected bfloat16, int8 or int4")
        }
    }

    func run() throws {
        let source = try ModelBundle(path: ModelLocation(bundle).folder)
        let written = try ModelQuantization(source, precision: precision).write(to: output)
        try StandardOutput.line(
            "\(written.path): \(try ModelCard(written).parameters) parameters, \(precision.rawValue)"
        )
    }
}

struct ModelInspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Print a bundle's configuration, parameter counts, memory and tensors.")

    @Argument(help: "The bundle's name or folder.")
    var bundle = ModelLocation.standard

    @Flag(help: "One line per tensor as well.")
    var tensors = false

    func run() throws {
        let bundle = try ModelBundle(path: ModelLocation(bundle).folder)
        try bundle.check()
        try StandardOutput.write(Array(try ModelInspection(bundle).text(withTensors: tensors).utf8))
    }
}

struct ModelVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Run what a model's original ran and compare number by number.",
        discussion: """
            DIR holds a published model together with the inputs and outputs of its original implementation (the layout of the \
            fixtures under Tests/Fixtures). Prints the worst difference of each expected tensor and exits 1 if one is beyond its tolerance.

            With --precision every layer, however small, is of that precision: the import is quantised, and the bundle that comes of it is \
            what runs. Rounded numbers are compared by their relative error (the root of the sum of squared differences over that of the \
            expected values), and token ids are not compared. With --bundle a bundle that was made of the model before is read, in the \
            precision that it is kept in.

              wade model verify Tests/Fixtures/openflamingo-mpt/mpt1b-every2 --precision int8
            """)

    @Argument(help: "The folder to verify.")
    var directory: String

    @Option(help: "\(Precision.allCases.map(\.rawValue).joined(separator: ", ")).")
    var precision: Precision?

    @Option(help: "A bundle's name or folder, to be verified in place of a new import.")
    var bundle: String?

    @Option(
        help:
            "Who multiplies matrices: \(MatrixEngine.allCases.map(\.rawValue).joined(separator: ", "))."
    )
    var engine = MatrixEngine.oneDNN

    func run() throws {
        let bundle = try bundle.map { try ModelBundle(path: ModelLocation($0).folder) }
        let stored = bundle?.configuration.storedPrecision
        let checks = try ModelVerification.run(
            folder: directory,
            arithmetic: Arithmetic(
                engine: engine, precision: precision ?? stored ?? .float32, leastInt8Weights: 0),
            bundle: bundle)
        for check in checks { try StandardOutput.line("\(check)") }
        let failed = checks.filter { !$0.passed }.count
        try StandardOutput.line(
            "\(checks.count - failed) of \(checks.count) comparisons within tolerance")
        if failed > 0 || checks.isEmpty { throw ExitCode.failure }
    }
}

extension MatrixEngine: ExpressibleByArgument {}
