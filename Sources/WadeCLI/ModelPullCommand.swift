//! `wade model pull` and `wade model list`: published models from a hub.
import ArgumentParser
import Foundation
import Logging
import WadeHub
import WadePipeline
import WadeTensor

/// Which models there are.
struct RegistryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A YAML file with more models, or others in the place of those that wade knows.",
            discussion: """
                In its simplest form, for a model whose repository holds everything (Otter, IDEFICS); files of which one is enough stand in \
                a list of their own, and an index brings the files that it names:

                  models:
                    mine:
                      parts:
                        checkpoint:
                          repository: me/my-otter
                          files: [config.json, tokenizer.json, [model.safetensors, model.safetensors.index.json]]

                OpenFlamingo has the parts `language` and `vision` as well. Sources/WadeHub/Resources/models.yaml explains all names.
                """,
            valueName: "file"))
    var registry: PathBytes?

    /// Wade's models and the user's.
    func read() throws(PipelineError) -> ModelRegistry { try ModelRegistry(adding: registry) }
}

struct ModelListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show the models that are here and those that can be had, with sizes and memory.",
        discussion: """
            No network is used. Models that are here are those that a pipeline finds by name: below WADE_MODELS, the user's data folder \
            and beside the program. Files that were downloaded already, by wade or another program that shares the hub's cache, count as here.
            """)

    @OptionGroup var registry: RegistryOptions

    func run() throws {
        let listing = ModelListing(
            try registry.read(), cache: HubCache(environment: ProcessInfo.processInfo.environment),
            here: ModelLocation.all(), memory: MachineMemory.total)
        try StandardOutput.write(Array(listing.text.utf8))
    }
}

struct ModelPullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Download a published model and turn it into a bundle, in one step.",
        discussion: """
              wade model pull openflamingo-3b
              wade annotate Videos --pipeline Pipelines/caption.yaml --model openflamingo-3b -o out.jsonl

            With --quantize the bundle is of low precision, as `wade model quantize` makes one: a half, a quarter or a seventh of the memory. While it \
            is made the bundle of the published weights is on the disk, too.

            `wade model list` shows the names, sizes and what memory each model needs. Files are loaded in parallel parts, go on where an \
            earlier try ended, and count only after their checksum was compared with what the hub says. The bundle appears whole or not at \
            all; when it is there already, nothing is done.

            Published files are kept in the cache that all programs of the Hugging Face hub share, and what lies there already is used: \
            HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. They may be deleted when the bundle is there. HF_TOKEN opens \
            private and gated repositories; it is told to the hub alone, and to nobody over plain http. With HF_HUB_OFFLINE=1, or without a \
            connection, the files in the cache have to do; if some are missing, the message says which, and where to put them.

            Exit codes: 0 the bundle is there; 1 it could not be made, what was loaded is kept for the next try; 64 wrong usage; \
            75 another pull of the same model is at work.
            """)

    @Argument(help: "The model's name, as `wade model list` has it.")
    var name: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The bundle's folder. (default: NAME below WADE_MODELS or ~/.local/share/wade/models, where pipelines find it by name)",
            valueName: "folder"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "bfloat16, int8 or int4. (default: the weights as they were published)",
            valueName: "precision"))
    var quantize: Precision?

    @Option(
        help: ArgumentHelp(
            "The hub's address. (default: HF_ENDPOINT, else https://huggingface.co)",
            valueName: "url"))
    var hub: String?

    @OptionGroup var registry: RegistryOptions

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        try logging.validate()
        if quantize == .float32 {
            throw ValidationError("--quantize: found float32, expected bfloat16, int8 or int4")
        }
        if let output, output.allSatisfy({ $0 == "/" }) {
            throw ValidationError("--output: found \"\(output)\", expected a folder's path")
        }
    }

    func run() throws {
        let logger = logging.logger()
        let line = ProgressLine(isShown: logging.showsProgress)
        do {
            let outcome = try pull().run(
                ModelPull.Messages(
                    progress: { line.show($0) },
                    note: { note in
                        line.clear()
                        logger.info("\(note)")
                    }))
            line.clear()
            report(outcome, logger)
            try StandardOutput.line(
                "\(outcome.bundle.path): \(ModelCard(outcome.bundle).parameters) parameters"
                    + (quantize.map { ", \($0.rawValue)" } ?? ""))
        } catch {
            line.clear()
            switch error {
            case let error as PipelineError: throw ExitCode(error.report(to: logger))
            case HubError.locked:
                logger.error("\(error)")
                throw ExitCode(75)
            default:
                logger.error("\(error)")
                throw ExitCode(1)
            }
        }
    }

    private func pull() throws -> ModelPull {
        let environment = ProcessInfo.processInfo.environment
        func set(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        let model = try registry.read().model(name)
        let address = hub ?? set("HF_ENDPOINT") ?? "https://huggingface.co"
        let place =
            output ?? ModelLocation.folderForNewModels(environment: environment) + "/" + model.name
        var pull = ModelPull(
            model, hub: try Hub(address: address, token: set("HF_TOKEN")),
            cache: HubCache(environment: environment),
            output: String(place.reversed().drop { $0 == "/" }.reversed()))
        pull.quantization = try quantize.map { try QuantizationPlan($0) }
        pull.isOffline = ["1", "true", "yes", "on"]
            .contains(set("HF_HUB_OFFLINE")?.lowercased() ?? "")
        return pull
    }

    private func report(_ outcome: ModelPull.Outcome, _ logger: Logger) {
        guard !outcome.wasThere else {
            logger.info("the bundle was there already")
            return
        }
        let cache = HubCache(environment: ProcessInfo.processInfo.environment).folder
        logger.info(
            "the published files (\(ByteText.of(outcome.published))) stay in \(cache) and may be deleted"
        )
    }
}
