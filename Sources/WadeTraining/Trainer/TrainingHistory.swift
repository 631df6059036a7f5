//! What training.jsonl says of the stages so far: for curves and cards.
internal import Foundation

/// The lines of a training's log.
struct TrainingHistory {
    /// Numbers after a step.
    struct Entry {
        let stage: String
        let kind: String
        let step: Int
        /// Since the program started.
        let seconds: Double
        let values: [String: Double]
        let machine: String?
    }

    /// What counts, in the order of the file: steps that a kill undid and that were done again stand once.
    private(set) var entries: [Entry] = []
    /// Seconds of work on each stage, over all starts.
    private(set) var seconds: [String: Double] = [:]
    /// The machines that worked, in the order of their coming.
    private(set) var machines: [String] = []

    /// Reads the file at `path`; a line that a kill has torn is left out, and a file that is not there has none.
    init(path: String) {
        guard let data = FileManager.default.contents(atPath: path) else { return }
        var last: Entry?
        for line in data.split(separator: 0x0A) {
            guard let entry = Self.entry(Data(line)) else { continue }
            if let last, last.stage == entry.stage, entry.kind != "begin",
                entry.seconds >= last.seconds
            {
                seconds[entry.stage, default: 0] += entry.seconds - last.seconds
            }
            last = entry
            if let machine = entry.machine, !machines.contains(machine) {
                machines.append(machine)
            }
            // What is done again replaces what was done.
            let replaced = { (old: Entry) in
                old.stage == entry.stage
                    && (entry.kind == "begin"
                        ? old.step > entry.step
                        : old.step == entry.step && old.kind == entry.kind)
            }
            if entry.kind == "begin" {
                if entry.step == 0 { seconds[entry.stage] = 0 }
                entries.removeAll(where: replaced)
            } else {
                entries.removeAll(where: replaced)
                entries.append(entry)
            }
        }
    }

    private static func entry(_ line: Data) -> Entry? {
        guard
            let object = (try? JSONSerialization.jsonObject(with: line)) as? [String: Any],
            let stage = object["stage"] as? String, let kind = object["kind"] as? String,
            let step = object["step"] as? Int, let seconds = object["seconds"] as? Double
        else { return nil }
        var values: [String: Double] = [:]
        for (name, value) in object where !["step", "seconds", "steps", "workers"].contains(name) {
            if let number = value as? Double { values[name] = number }
        }
        return Entry(
            stage: stage, kind: kind, step: step, seconds: seconds, values: values,
            machine: object["machine"] as? String)
    }

    /// The stages in the order of their first lines.
    var stages: [String] {
        var met: Set<String> = []
        return entries.map(\.stage).filter { met.insert($0).inserted }
    }

    /// The entries of a kind of a stage, in the order of their steps.
    func entries(_ kind: String, of stage: String) -> [Entry] {
        entries.filter { $0.kind == kind && $0.stage == stage }.sorted { $0.step < $1.step }
    }
}
