//! The built program as decoders, and a look at them from outside.
import Foundation

@testable import WadeVideo

/// The program that the package builds beside its tests, which serves as decoder.
enum BuiltDecoder {
    /// Where it is.
    static let program: String = {
        let paths = ProcessInfo.processInfo.arguments.map { URL(fileURLWithPath: $0) }
        var bundle = paths.first { $0.path.contains(".xctest") } ?? paths[0]
        while bundle.pathExtension != "xctest", bundle.pathComponents.count > 1 {
            bundle.deleteLastPathComponent()
        }
        return bundle.deletingLastPathComponent().appendingPathComponent("wade").path
    }()

    static var isReady: Bool { FileManager.default.isExecutableFile(atPath: program) }

    static func pool(
        capacity: Int = 1, timeout: Double = 60, budget: MemoryBudget? = nil,
        clipMemory: Int? = nil, program: String = BuiltDecoder.program
    ) -> DecoderPool {
        var limits = VideoLimits()
        limits.timeout = timeout
        return DecoderPool(
            capacity: capacity, limits: limits, budget: budget, clipMemory: clipMemory,
            program: program)
    }

    /// Process ids of the decoders that this process has started, zombies left out.
    static func children() -> [Int32] {
        children(of: getpid()).filter { process in
            let path = "/proc/\(process)/cmdline"
            let words = (try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data()
            return String(decoding: words, as: UTF8.self).contains(DecoderServer.argument)
        }
    }

    private static func children(of parent: Int32) -> [Int32] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.compactMap { Int32($0) }.filter { process in
            guard
                let status = try? String(
                    contentsOf: URL(fileURLWithPath: "/proc/\(process)/stat"), encoding: .utf8)
            else { return false }
            let fields = status[(status.lastIndex(of: ")") ?? status.startIndex)...]
                .split(separator: " ")
            return fields.count > 2 && fields[2] == "\(parent)" && fields[1] != "Z"
        }
    }
}
