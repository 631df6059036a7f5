//! What a training ran on, for its card.
internal import Foundation

/// The machine's processor.
enum Machine {
    /// Its name and the number of cores, such as `AMD EPYC 9B14, 2 cores`.
    static var description: String {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        return "\(processor(of: cpuInformation)), \(cores) core\(cores == 1 ? "" : "s")"
    }

    private static var cpuInformation: String {
        (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    }

    /// The `model name` in the kernel's list; processors other than x86 have none there.
    static func processor(of information: String) -> String {
        for line in information.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].hasPrefix("model name") else { continue }
            return parts[1].split(separator: " ").joined(separator: " ")
        }
        #if arch(arm64)
            return "an arm64 processor"
        #else
            return "a processor without a name"
        #endif
    }
}
