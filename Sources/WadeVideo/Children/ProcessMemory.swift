//! What the kernel says about this process's memory.
internal import Glibc

/// Sizes from /proc.
package enum ProcessMemory {
    /// Bytes that are resident now; 0 when the kernel does not say.
    package static var resident: Int { sizes.resident }

    /// The most bytes that have been resident at once since the start, or since `forgetPeak`; 0 when the kernel does not say.
    package static var peak: Int {
        // In kibibytes, as in "VmHWM:\t   12345 kB".
        let line = text(of: "/proc/self/status").split(separator: 0x0A).first {
            $0.starts(with: "VmHWM:".utf8)
        }
        let digits = (line ?? []).filter { (0x30...0x39).contains($0) }
        return digits.reduce(0) { $0 &* 10 &+ Int($1 &- 0x30) } &* 1024
    }

    /// Lets `peak` begin anew with what is resident now, where the kernel allows it.
    package static func forgetPeak() {
        let file = unsafe open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = unsafe write(file, "5", 1)
        close(file)
    }

    private static func text(of path: String) -> [UInt8] {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 14)
        let size = bytes.count
        let count = unsafe read(file, &bytes, size)
        return Array(bytes.prefix(max(0, count)))
    }

    /// Bytes of address space and of resident memory.
    static var sizes: (addressSpace: Int, resident: Int) {
        let fields = text(of: "/proc/self/statm").split(separator: 0x20).prefix(2).map { digits in
            digits.reduce(0) { $0 &* 10 &+ Int($1 &- 0x30) }
        }
        guard fields.count == 2 else { return (0, 0) }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        return (fields[0] &* page, fields[1] &* page)
    }
}
