//! What a file system cannot promise to runs on several hosts.
internal import CLinux

/// Looks at where an output lies and says what may go wrong there.
package enum SharedStorage {
    /// A file system as the kernel tells it: its type's number (statfs(2)), and the name and options of its mount.
    struct Mount: Equatable {
        var magic: UInt32
        var type = ""
        var options: Set<String> = []
    }

    /// What is to be said about the folder of `output`, whose parts several hosts may write; empty when nothing is.
    package static func warnings(about output: PathBytes) -> [String] {
        let folder = output.folder.bytes.isEmpty ? PathBytes(".") : output.folder
        return warnings(mount(of: folder)).map { "\(folder.shown): \($0)" }
    }

    /// What the kernel says of the file system that `folder` lies on.
    static func mount(of folder: PathBytes) -> Mount {
        let type = unsafe folder.withBytes { unsafe linux_file_system($0) }
        var mount = Mount(magic: UInt32(truncatingIfNeeded: type))
        guard let device = (try? FileStatus.of(folder, followingLinks: true))?.device,
            let table = try? OpenFile(PathBytes("/proc/self/mountinfo"), for: .reading)
        else { return mount }
        // The kernel says that the table has no bytes; it is read to its end.
        var lines: [UInt8] = []
        var reader = LineReader(table)
        _ = try? reader.forEachLine { _, line in lines += line.all + [0x0A] }
        read(lines, device: device, into: &mount)
        return mount
    }

    /// Finds the mount of `device` in `table` (proc_pid_mountinfo(5)): `… major:minor root point options … - type source options`.
    static func read(_ table: [UInt8], device: UInt64, into mount: inout Mount) {
        // The kernel's numbers within stat's st_dev (gnu_dev_major(3)).
        let major = (device >> 8) & 0xFFF | (device >> 32) & ~UInt64(0xFFF)
        let minor = device & 0xFF | (device >> 12) & ~UInt64(0xFF)
        for line in table.split(separator: 0x0A) {
            let words = line.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
            guard words.count > 5, words[2] == "\(major):\(minor)",
                let dash = words.firstIndex(of: "-"), words.count > dash + 3
            else { continue }
            mount.type = words[dash + 1]
            mount.options = Set(
                (words[5] + "," + words[dash + 3]).split(separator: ",").map(String.init))
        }
    }

    /// What `mount` cannot promise. Locks that only this host sees do no harm to a scheduler's own tasks, each of which has a part
    /// to itself; they fail to notice the same task started twice.
    static func warnings(_ mount: Mount) -> [String] {
        let localLocks =
            "its locks hold on this host only: the same part started on two hosts would not be noticed"
        switch mount.magic {
        case 0x6969:
            let local = ["nolock", "local_lock=all", "local_lock=flock"]
            return mount.options.isDisjoint(with: local)
                ? [] : ["NFS is mounted with nolock or local_lock; \(localLocks)"]
        case 0xFF53_4D42, 0xFE53_4D42, 0x517B:
            return mount.options.contains("nobrl")
                ? ["SMB is mounted with nobrl; \(localLocks)"] : []
        case 0x0BD0_0BD0:
            if mount.options.contains("flock") { return [] }
            return mount.options.contains("localflock")
                ? ["Lustre is mounted with localflock; \(localLocks)"]
                : [
                    "Lustre is mounted without flock, so a run cannot take its lock; mount it with flock"
                ]
        case 0x6573_5546:
            return [
                "a FUSE file system (\(mount.type)) need not lock between hosts, nor append and rename whole; object stores mounted "
                    + "this way do not: keep outputs elsewhere"
            ]
        case 0x794C_7630:
            return [
                "an overlay belongs to its container and goes with it; other hosts do not see it"
            ]
        case 0x0102_1994, 0x8584_58F6:
            return ["it lies in memory: other hosts do not see it and a restart empties it"]
        default: return []
        }
    }
}
