//! The `wade` command: a list of subcommands.
import ArgumentParser
import WadePipeline

@main
struct Wade: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wade",
        abstract: "Wade through folders of video and write down what is seen, as JSONL.",
        version: Program.version,
        subcommands: [
            AnnotateCommand.self, AskCommand.self, ChatCommand.self, PlanCommand.self,
            MergeCommand.self, SimulateCommand.self, FramesCommand.self,
            CheckCommand.self, ReportCommand.self, ShowCommand.self,
            ExportCommand.self, TailCommand.self, SchemaCommand.self, ScheduleCommand.self,
            ModelCommand.self,
            RenderCommand.self, TrainCommand.self, EvaluateCommand.self, BenchmarkCommand.self,
        ])
}
