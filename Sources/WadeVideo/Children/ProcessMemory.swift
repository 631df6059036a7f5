//! What the kernel says about this process's memory.
internal import Glibc

/// Sizes from /proc.
package enum ProcessMemory {
    /// Bytes that are resident now; 0 when the kernel does not say.
    package static var resident: Int { sizes.resident }

    /// Bytes of address space and of resident memory.
    static var sizes: (addressSpace: Int, resident: Int) {
        let file = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return (0, 0) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(file, &bytes, 256)
        let fields = bytes.prefix(max(0, count)).split(separator: 0x20).prefix(2).map { digits in
            digits.reduce(0) { $0 &* 10 &+ Int($1 &- 0x30) }
        }
        guard fields.count == 2 else { return (0, 0) }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        return (fields[0] &* page, fields[1] &* page)
    }
}
