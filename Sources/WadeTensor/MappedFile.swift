//! A file mapped read-only into memory, so that only the pages that are read are loaded.

#if canImport(Glibc)
    internal import Glibc
#endif

/// A whole regular file, mapped privately and read-only; unmapped when the last user lets go.
///
/// `@unchecked Sendable`: the mapping is never written.
@safe package final class MappedFile: @unchecked Sendable {
    /// The path as it was given, for messages.
    package let path: String
    /// The file's size when it was opened, in bytes.
    package let count: Int
    let address: UnsafeRawPointer

    /// Maps the file at `path`; throws `TensorError.unreadable` with the system's reason.
    package init(path: String) throws {
        self.path = path
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw TensorError.unreadable(file: path, reason: systemError())
        }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw TensorError.unreadable(file: path, reason: systemError())
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw TensorError.unreadable(file: path, reason: "not a regular file")
        }
        count = Int(status.st_size)
        guard count > 0 else {
            throw TensorError.unreadable(file: path, reason: "the file is empty")
        }
        guard let mapped = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0),
            unsafe mapped != MAP_FAILED
        else { throw TensorError.unreadable(file: path, reason: systemError()) }
        unsafe address = UnsafeRawPointer(mapped)
    }

    deinit {
        unsafe munmap(UnsafeMutableRawPointer(mutating: address), count)
    }

    /// The bytes, for readers inside this room; valid while the file lives.
    var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: address, count: count)
    }

    /// Gives back the memory of the pages that lie wholly in `range`; whoever reads there again has them loaded anew.
    func forget(_ range: Range<Int>) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let first = (range.lowerBound + page - 1) / page * page
        let end = range.upperBound / page * page
        guard first >= 0, end <= count, first < end else { return }
        // The mapping is private and never written, so nothing is lost; where the advice is not taken, nothing is won.
        _ = unsafe madvise(
            UnsafeMutableRawPointer(mutating: address + first), end - first, MADV_DONTNEED)
    }

    /// A copy of the bytes in `range`; nil when the range leaves the file.
    func copy(_ range: Range<Int>) -> [UInt8]? {
        guard range.lowerBound >= 0, range.upperBound <= count else { return nil }
        return unsafe Array(bytes[range])
    }

    /// The little-endian integer that starts at byte `offset`; nil when it leaves the file.
    func integer<Integer: FixedWidthInteger>(at offset: Int, as type: Integer.Type) -> Integer? {
        let width = Integer.bitWidth / 8
        guard offset >= 0, width <= count, offset <= count - width else { return nil }
        return unsafe Integer(
            littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }
}

/// The text of the calling thread's last system error.
func systemError() -> String {
    unsafe String(cString: strerror(errno))
}
