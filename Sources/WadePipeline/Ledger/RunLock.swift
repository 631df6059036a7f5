//! One run per output: the kernel's lock, which no crash can leave behind.
import Foundation
import Glibc

/// The lock of an output, held as long as the value lives. The file `OUTPUT.lock` stays; it says who held it last. The output
/// itself is locked as well where it exists, since another name of it (a link) has another lock file.
package struct RunLock: ~Copyable {
    private let file: OpenFile
    private let output: OpenFile?

    /// Takes the lock of the output at `path`; throws `locked`, naming the holder, when another run has it.
    package init(output path: PathBytes) throws(PipelineError) {
        let lock = PathBytes(bytes: path.bytes + Array(".lock".utf8))
        do {
            let file = try OpenFile(lock, for: .updating)
            let isThere = (try? FileStatus.of(path, followingLinks: true))?.kind == .regular
            let output = isThere ? try OpenFile(path, for: .updating) : nil
            guard try file.lock(), try output?.lock() ?? true else {
                var text = [UInt8](repeating: 0, count: 512)
                let count = try file.read(into: &text, at: 0)
                throw PipelineError.locked(
                    path: path.shown, holder: Self.holder(Array(text.prefix(count))))
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

    private static func holder(_ bytes: [UInt8]) -> String {
        guard let value = try? JSONReader.read(bytes), case .integer(let pid) = value["pid"],
            let host = value["host"]?.text, let start = value["start"]?.text
        else { return "its process is not known" }
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
