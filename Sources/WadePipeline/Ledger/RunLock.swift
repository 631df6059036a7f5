//! One run per output: the kernel's lock, which no crash can leave behind.
import Foundation
import Glibc

/// The lock of an output, held as long as the value lives. The file `OUTPUT.lock` stays; it says who held it last. The output
/// itself is locked as well where it exists, since another name of it (a link) has another lock file.
package struct RunLock: ~Copyable {
    private let file: OpenFile
    private let output: OpenFile?

    /// Takes the lock of the output at `path`; throws `locked`, naming the holder, when another run has it, and `file` when its folder
    /// is not there or cannot be written to.
    package init(output path: PathBytes) throws(PipelineError) {
        let kind = (try? FileStatus.of(path, followingLinks: true))?.kind
        guard kind != .folder else {
            throw .file(
                path: path.shown, action: "write lines", reason: SystemError(code: EISDIR).reason)
        }
        let lock = PathBytes(bytes: path.bytes + Array(".lock".utf8))
        let folder = path.folder
        guard folder.bytes.isEmpty || !FileStatus.isMissing(folder) else {
            throw .file(
                path: path.shown, action: "write lines",
                reason:
                    "there is no folder \(folder.shown); make it first: mkdir -p \(folder.shown)")
        }
        do {
            let file = try OpenFile(lock, for: .updating)
            let output = kind == .regular ? try Self.open(output: path) : nil
            guard try Self.take(file), try Self.take(output) else {
                throw PipelineError.locked(path: path.shown, holder: Self.holder(file))
            }
            try file.truncate(to: 0)
            let holder = try JSONWriter.bytes(of: [
                "host": .string(Host.name), "pid": .integer(Int(getpid())),
                "start": .string(Timestamp.now()),
            ])
            _ = try file.write(holder + [0x0A], from: 0)
            self.init(file, output)
        } catch let error as PipelineError {
            throw error
        } catch let error as SystemError {
            throw .file(path: lock.shown, action: "lock", reason: error.reason)
        } catch {
            throw .file(path: lock.shown, action: "lock", reason: "\(error)")
        }
    }

    private init(_ file: consuming OpenFile, _ output: consuming OpenFile?) {
        self.file = file
        self.output = output
    }

    /// Says who holds the output at `path`, nil when nobody does; makes no file. It is what a start asks before anything that takes
    /// time; the lock itself is taken later, since only then is it known that the arguments are right.
    package static func refusal(output path: PathBytes) -> PipelineError? {
        let lock = PathBytes(bytes: path.bytes + Array(".lock".utf8))
        for name in [lock, path] {
            guard let file = try? OpenFile(name, for: .reading),
                (try? file.status())?.kind == .regular,
                let isFree = try? file.lock(shared: true), !isFree
            else { continue }
            guard let named = try? OpenFile(lock, for: .reading) else {
                return .locked(path: path.shown, holder: unknownHolder)
            }
            return .locked(path: path.shown, holder: holder(named))
        }
        return nil
    }

    private static func open(output path: PathBytes) throws(PipelineError) -> OpenFile {
        do { return try OpenFile(path, for: .updating) } catch {
            throw .file(path: path.shown, action: "write lines", reason: error.reason)
        }
    }

    /// Takes the lock of `file`; false when a run holds it. Another start that only asks holds it for microseconds, so a lock that is
    /// not free is tried again for a moment.
    private static func take(_ file: borrowing OpenFile) throws(SystemError) -> Bool {
        for _ in 0..<4 {
            if try file.lock() { return true }
            usleep(2000)
        }
        return try file.lock()
    }

    private static func take(_ file: borrowing OpenFile?) throws(SystemError) -> Bool {
        switch file {
        case .some(let file): try take(file)
        case .none: true
        }
    }

    private static let unknownHolder = "its process is not known"

    private static func holder(_ file: borrowing OpenFile) -> String {
        let bytes = ContainerEnd.bytes(of: file, at: 0, count: 512)
        guard let value = try? JSONReader.read(bytes), case .integer(let pid) = value["pid"],
            let host = value["host"]?.text, let start = value["start"]?.text
        else { return unknownHolder }
        return "process \(pid) on \(PathBytes(host).shown) since \(PathBytes(start).shown)"
    }
}

/// The machine this runs on.
enum Host {
    /// Its name, as `hostname` says it.
    static var name: String {
        var buffer = [CChar](repeating: 0, count: 256)
        let count = buffer.count - 1
        guard unsafe gethostname(&buffer, count) == 0 else { return "" }
        return PathBytes(bytes: buffer.map { UInt8(bitPattern: $0) }).text
    }
}
