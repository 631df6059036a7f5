//! A disk that fills up in the middle: the message says what is needed, nothing half-made is there, and the next try goes on.
import Foundation
import Glibc
import Testing
import WadeHub
import WadePipeline
import WadeTensor
import WadeTestSupport

/// A disk of its own below a folder, which others can fill.
private final class SmallDisk: Sendable {
    private let path: String

    /// Whether this user may mount one here.
    static let isPossible: Bool = {
        guard geteuid() == 0, let scratch = try? Scratch() else { return false }
        return (try? SmallDisk(at: scratch.path + "/disk", bytes: 1 << 20)) != nil
    }()

    init(at path: String, bytes: Int) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard
            Self.run(["mount", "-t", "tmpfs", "-o", "size=\(bytes)", "tmpfs", path]) == 0
        else { throw HubError.disk(path: path, action: "mount", reason: "not allowed") }
    }

    deinit { _ = Self.run(["umount", "-l", path]) }

    private var rest: URL { URL(fileURLWithPath: path + "/somebody-elses") }

    /// Takes all space but `left` bytes, as somebody else's file.
    func fill(leaving left: Int) {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { return }
        let free = Int(space.f_bavail) * Int(space.f_frsize)
        try? Data(count: max(0, free - left)).write(to: rest)
    }

    func clear() { try? FileManager.default.removeItem(at: rest) }

    private static func run(_ arguments: [String]) -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return -1 }
        process.waitUntilExit()
        return process.terminationStatus
    }
}

@Suite("a full disk", .enabled(if: SmallDisk.isPossible, "only who may mount has a small disk"))
struct FullDiskTests {
    /// What is said when the disk fills up, and in whose middle that is.
    enum Moment: String, CaseIterable, Sendable {
        case loading = " files from "
        case importing
        case quantising
    }

    @Test(
        "a disk that fills up ends a pull in words, leaves nothing half-made, and the next pull goes on",
        arguments: Moment.allCases)
    func fills(moment: Moment) throws {
        guard moment != .quantising || Arithmetic(precision: .bfloat16).isNarrow else { return }
        let hub = try TinyHub()
        let disk = try SmallDisk(at: hub.scratch("disk"), bytes: 12 << 20)
        // A half of the files still comes, or a little of a bundle.
        let left = moment == .loading ? 1_000_000 : 150_000
        let fill: @Sendable (String) -> Void = { line in
            if line.contains(moment.rawValue) { disk.fill(leaving: left) }
        }
        var pull = try hub.pull(to: "disk/models/bundle", cache: "disk/cache", partSize: 50_000)
        if moment == .quantising { pull.quantization = try QuantizationPlan(.bfloat16) }
        #expect {
            try pull.run(ModelPull.Messages(progress: fill, note: fill))
        } throws: { error in
            guard case .space(_, let needed, let free) = error as? HubError else { return false }
            return needed > 1_000_000 && free < needed
        }
        let bundles = hub.scratch.names("disk/models").filter { !$0.hasSuffix(".lock") }
        #expect(bundles.isEmpty, "left behind: \(bundles)")
        let parts = hub.scratch.names("disk/cache").filter { $0.hasSuffix(".wade-part") }
        #expect(parts.isEmpty == (moment != .loading), "\(parts)")

        disk.clear()
        let before = hub.server.requests.count
        let outcome = try pull.run(Said().messages)
        try outcome.bundle.check()
        let loaded = hub.server.requests.dropFirst(before).filter { $0.method == "GET" }
        // What had come is not loaded again.
        if moment != .loading { #expect(loaded.allSatisfy { $0.path.hasPrefix("/api/") }) }
        if moment != .quantising {
            #expect(try hub.weights("disk/models/bundle") == hub.importedByHand())
        }
    }
}
