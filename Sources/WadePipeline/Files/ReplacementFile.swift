//! A file of any size that takes another's place as a whole or not at all.
import Glibc

/// Bytes that are gathered beside the file they are to replace.
struct ReplacementFile: ~Copyable {
    private let file: OpenFile
    private let path: PathBytes
    private let temporary: PathBytes
    private var pending: [UInt8] = []
    private var isPlaced = false

    private static let blockSize = 1 << 20

    /// Begins a file under the name `temporary` in the folder of `path`; what was there under that name goes.
    init(of path: PathBytes, by temporary: PathBytes) throws(SystemError) {
        let file = try OpenFile(temporary, for: .updating)
        try file.truncate(to: 0)
        self.init(file, path, temporary)
        pending.reserveCapacity(Self.blockSize + (1 << 16))
    }

    private init(_ file: consuming OpenFile, _ path: PathBytes, _ temporary: PathBytes) {
        self.file = file
        self.path = path
        self.temporary = temporary
    }

    deinit {
        if !isPlaced { _ = unsafe temporary.withBytes { unsafe unlink($0) } }
    }

    /// Adds bytes to the end.
    mutating func append(_ bytes: some Collection<UInt8>) throws(SystemError) {
        pending.append(contentsOf: bytes)
        if pending.count >= Self.blockSize { try flush() }
    }

    private mutating func flush() throws(SystemError) {
        var written = 0
        while written < pending.count { written += try file.write(pending, from: written) }
        pending.removeAll(keepingCapacity: true)
    }

    /// Brings everything to the disk and gives it the name it was made for.
    mutating func place() throws(SystemError) {
        try flush()
        try file.synchronize()
        let code = unsafe temporary.withBytes { old in
            unsafe path.withBytes { new in unsafe rename(old, new) }
        }
        guard code == 0 else { throw SystemError.last }
        isPlaced = true
        OpenFile.synchronize(folder: path.folder)
    }
}
