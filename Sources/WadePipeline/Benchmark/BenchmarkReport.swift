//! What a benchmark found, for people and for machines.
import Foundation
import WadeFlamingo
import WadeTensor

/// Everything that was measured.
package struct BenchmarkReport: Sendable {
    /// Where it was measured.
    package struct Machine: Sendable {
        package var processor: String
        package var cores: Int
        /// Processes that wanted to run during the minute before, in the mean: figures of a busy machine are too low.
        package var load: Double
        package var arithmetic: String
    }

    /// What computed.
    package struct Model: Sendable {
        package var name: String
        package var hasRandomWeights: Bool
        /// Seconds until the model was ready.
        package var loadSeconds: Double
    }

    package let settings: BenchmarkSettings
    package let machine: Machine
    package let model: Model
    package let ceilings: MachineCeilings
    package let stages: [BenchmarkStage]
    package let clip: BenchmarkClip
    /// Bytes that this process had resident at most, from the loading of the model on; decoder processes have theirs beside it.
    package let peakMemory: Int
    /// Which model it was; nil for random weights.
    let identity: ModelIdentity?

    package func stage(_ name: BenchmarkStage.Name) -> BenchmarkStage? {
        stages.first { $0.name == name }
    }

    /// One line of JSON with its end.
    package func json() throws(PipelineError) -> [UInt8] {
        let kind: String
        switch settings.subject {
        case .model: kind = "model"
        case .shape: kind = "shape"
        }
        let products = ceilings.products.map { product in
            JSONMember(product.precision.rawValue, .number(product.rate))
        }
        return try JSONWriter.bytes(of: [
            "wade_version": .string(Program.version),
            "machine": [
                "processor": .string(machine.processor), "cores": .integer(machine.cores),
                "load_average": .number(machine.load),
                "arithmetic": .string(machine.arithmetic),
            ],
            "model": [
                "name": .string(model.name), "kind": .string(kind),
                "random_weights": .bool(model.hasRandomWeights),
                "precision": .string(settings.precision.rawValue),
                "load_seconds": .number(model.loadSeconds),
            ],
            "settings": [
                "workers": .integer(settings.workers), "threads": .integer(settings.threads),
                "frames": .integer(BenchmarkSettings.frames), "shots": .integer(settings.shots),
                "batch": .integer(settings.batch), "tokens": .integer(settings.tokens),
            ],
            "ceilings": [
                "operations_per_second": .object(products),
                "bytes_per_second": .number(ceilings.memory),
            ],
            "stages": .array(stages.map(\.json)),
            "clip": [
                "seconds": .number(clip.seconds),
                "cpu_seconds": .number(clip.processorSeconds),
                "decoding_share_of_cpu": .number(clip.decodingShare),
            ],
            "peak_memory_bytes": .integer(peakMemory),
        ]) + [0x0A]
    }

    /// A table.
    package var text: String {
        var lines = [
            "\(model.name)\(model.hasRandomWeights ? " (random weights)" : ""), \(settings.precision.rawValue), ready in \(short(model.loadSeconds)) s",
            "\(machine.processor.isEmpty ? "unknown processor" : machine.processor), \(machine.cores) cores, load \(short(machine.load)); \(settings.workers) workers with \(settings.threads) thread(s) each",
            "",
            "at most, all workers together",
        ]
        for product in ceilings.products {
            lines.append(
                "  matrix product \(product.precision.rawValue.padded(9)) \(short(product.rate / 1e12)) TFLOP/s"
            )
        }
        lines += [
            "  reading memory           \(short(ceilings.memory / 1e9)) GB/s", "",
            "stage      per      wall ms     CPU ms       per s   reached             of the ceiling",
        ]
        lines += stages.map(\.line)
        let clips = clip.seconds > 0 ? 3600 / clip.seconds : 0
        lines += [
            "",
            "\(BenchmarkSettings.frames) frames, \(settings.shots) demonstrations, \(settings.tokens) new tokens: \(short(clip.seconds)) s a clip, \(Int(clips)) clips an hour; CPU \(short(clip.processorSeconds)) s a clip, \(short(clip.decodingShare * 100)) % of it decoding",
            "peak memory \(short(Double(peakMemory) / 1e9)) GB",
        ]
        return lines.joined(separator: "\n")
    }
}

extension BenchmarkStage {
    fileprivate var json: JSONValue {
        var members = [
            JSONMember("name", .string(name.rawValue)), JSONMember("unit", .string(unit.rawValue)),
            JSONMember("seconds", .number(seconds)),
            JSONMember("cpu_seconds", .number(processorSeconds)),
            JSONMember("per_second", .number(seconds > 0 ? 1 / seconds : 0)),
        ]
        if let share {
            members += [
                JSONMember("operations_per_second", .number(operations / seconds)),
                JSONMember("bytes_per_second", .number(bytes / seconds)),
                JSONMember("bound", .string(share.of.rawValue)),
                JSONMember("share", .number(share.value)),
            ]
        }
        return .object(members)
    }

    fileprivate var line: String {
        var line =
            name.rawValue.padded(11) + unit.rawValue.padded(6)
            + short(seconds * 1000).leftPadded(11) + short(processorSeconds * 1000).leftPadded(11)
            + short(seconds > 0 ? 1 / seconds : 0).leftPadded(12)
        guard let share else { return line }
        line +=
            share.of == .arithmetic
            ? "   " + "\(short(operations / seconds / 1e12)) TFLOP/s".padded(20)
            : "   " + "\(short(bytes / seconds / 1e9)) GB/s".padded(20)
        return line + "\(Int((share.value * 100).rounded())) %"
    }
}

/// Three digits that count.
private func short(_ value: Double) -> String {
    let digits =
        value.magnitude >= 100 ? 0 : value.magnitude >= 10 ? 1 : value.magnitude >= 1 ? 2 : 3
    return String(format: "%.\(digits)f", value)
}

extension String {
    fileprivate func padded(_ width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }

    fileprivate func leftPadded(_ width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
