//! What a decoder process does to itself before it touches a file: it dies with its run, writes nothing, and is held to limits.
internal import CLinux
internal import FFmpegOnDemand
internal import Glibc

/// The process that this code runs in, when it is a decoder.
struct ChildProcess {
    /// Bytes of address space with nothing to do.
    private let addressSpace: Int
    /// Why nothing can be decoded on this machine: FFmpeg's libraries are missing, or others than the program was built with.
    let complaint: String?

    /// Gives up what a decoder has no need of. `parent` is the process that started it; when that has gone already, so does this one.
    init(parent: Int32) {
        guard linux_die_with_parent() == 0, getppid() == parent else { exit(1) }
        // Before anything is measured or limited: the libraries belong to the process, not to a file.
        complaint = unsafe ffmpeg_load().map { unsafe String(cString: $0) }
        // Of all processes of a run, a decoder is the one to end when memory runs out.
        ChildProcess.write("500", to: "/proc/self/oom_score_adj")
        guard linux_limit_output() == 0 else { exit(1) }
        addressSpace = ProcessMemory.sizes.addressSpace
    }

    /// Holds the process to `memory` bytes beyond what it has at its start; 0 for any.
    func limit(memory: Int) {
        guard memory > 0 else {
            _ = linux_limit_address_space(.max)
            return
        }
        linux_give_back_memory()
        _ = linux_limit_address_space(UInt64(addressSpace) &+ UInt64(memory))
    }

    /// Allows `seconds` of processor time from now on; SIGXCPU ends the process after that. 0 for any.
    func limit(processorSeconds seconds: Double) {
        guard seconds > 0, seconds < 1e9 else {
            _ = linux_limit_processor(.max)
            return
        }
        _ = linux_limit_processor(linux_processor_seconds() &+ UInt64(seconds.rounded(.up)) &+ 1)
    }

    private static func write(_ text: String, to path: String) {
        let file = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        defer { close(file) }
        let bytes = Array(text.utf8)
        _ = unsafe Glibc.write(file, bytes, bytes.count)
    }
}
