//! The question that a start asks first: is another run at work on the output?
import WadePipeline

/// Finds the output among raw arguments. Reading the arguments in full takes several times as long as everything before it, which
/// counts when a scheduler starts many runs at once and all but one have to give way.
enum EarlyRefusal {
    /// Why `arguments` of the program cannot be followed now; nil when nothing is known against it. Leaves help, other commands
    /// and other forms of messages than text to the full reading.
    static func reason(_ arguments: [String]) -> PipelineError? {
        guard arguments.first == "annotate",
            !arguments.contains(where: {
                // A shard's output has another name.
                ["-h", "--help", "-help", "--version"].contains($0) || $0.hasPrefix("--log-format")
                    || $0.hasPrefix("--shard")
            }),
            let output = output(among: arguments), output != "-",
            let path = PathBytes(argument: output)
        else { return nil }
        return RunLock.refusal(output: path)
    }

    private static func output(among arguments: [String]) -> String? {
        for (index, argument) in arguments.enumerated() {
            if argument == "--" { return nil }
            if argument == "-o" || argument == "--output" {
                return index + 1 < arguments.count ? arguments[index + 1] : nil
            }
            if argument.hasPrefix("--output=") { return String(argument.dropFirst(9)) }
        }
        return nil
    }
}
