//! What memory a model's weights take, and what this machine has: whether a model fits is known before it is downloaded or loaded.
internal import Foundation
internal import WadeFlamingo
internal import WadeTensor

/// The memory that a number of parameters takes.
package struct ModelMemory: Sendable, Equatable {
    package let parameters: Int
    /// The precision that weights are kept in, and their bytes; nil for weights as they were published, which become what is asked for.
    package let stored: Stored?

    package struct Stored: Sendable, Equatable {
        package let precision: String
        package let bytes: Int
    }

    package init(parameters: Int) {
        self.parameters = parameters
        stored = nil
    }

    /// The parameters of the bundle at `folder`; nothing of its weights is read.
    package init(bundle folder: String) throws { try self.init(ModelBundle(path: folder)) }

    private init(_ bundle: ModelBundle) throws {
        parameters = try ModelCard(bundle).parameters
        stored = bundle.configuration.precision.map {
            Stored(
                precision: $0.rawValue,
                bytes: bundle.weights.tensors.values.reduce(0) { $0 + $1.byteCount })
        }
    }

    /// The memory of the weights of a pipeline's model, and in which precision it answers.
    package static func needed(by pipeline: Pipeline) throws -> (ModelMemory, precision: String) {
        let bundle = try ModelBundle(path: ModelLocation(pipeline.model).folder)
        let precision = pipeline.precision(storedAs: bundle.configuration.storedPrecision)
        return (try ModelMemory(bundle), precision.rawValue)
    }

    /// The precisions, by their names.
    package static let precisions = Precision.allCases.map(\.rawValue)

    /// Bytes of all weights as `precision` keeps those of large layers.
    private func bytes(_ precision: Precision) -> Int {
        let (whole, isHuge) = parameters.multipliedReportingOverflow(by: precision.halfBits)
        return isHuge ? Int.max : (whole + 15) / 16
    }

    /// Bytes of all weights in `precision`, counted where they are kept in it; those of float32 for one that is not known.
    package func bytes(in precision: String) -> Int {
        if let stored, stored.precision == precision { return stored.bytes }
        return bytes(Precision(rawValue: precision) ?? .float32)
    }

    /// What is left of the machine's memory for a model: frames, keys and values, the program and the system take the rest, by estimate.
    package static func room(of machine: Int) -> Int {
        max(0, machine - max(1 << 30, machine / 10))
    }

    /// Whether the weights in `precision` leave enough of a machine's memory.
    package func fits(in precision: String, machine: Int) -> Bool {
        bytes(in: precision) <= Self.room(of: machine)
    }
}

/// This machine's memory.
package enum MachineMemory {
    /// Bytes that this process can hope for: the machine's memory, or less where its control group has a limit. Nil when the kernel does
    /// not say.
    package static var total: Int? {
        let machine = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8))
            .flatMap(total(meminfo:))
        let group = (try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8))
            .flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        return [machine, group].compactMap { $0 }.min()
    }

    /// `MemTotal` of `/proc/meminfo`, which is in kibibytes.
    static func total(meminfo text: String) -> Int? {
        text.firstMatch(of: /MemTotal:\s+([0-9]+) kB/).flatMap { Int($0.output.1) }.map {
            $0 * 1024
        }
    }
}

extension Precision {
    /// Half bits that a weight of a large layer takes: of four bits a scale for every 32 weights is an eighth more; int8's scales, one
    /// for each output, are next to nothing.
    package var halfBits: Int {
        switch self {
        case .float32: 64
        case .bfloat16: 32
        case .int8: 16
        case .int4: 9
        }
    }
}
