//! Facts about decoding in processes of its own: the same frames as at home, and whatever becomes of a decoder costs one answer.
import Dispatch
import Foundation
import Testing
import WadeImage

@testable import WadeVideo

@Suite(
    "decoders in their own processes",
    .enabled(if: BuiltDecoder.isReady, "the program is not built beside the tests"), .serialized)
struct DecoderPoolTests {
    private let clips: TestClips

    init() throws { clips = try TestClips() }

    private func frames(
        _ pool: DecoderPool, _ path: URL, at times: [Double], _ preprocessing: Preprocessing? = nil
    ) throws(VideoError) -> (VideoMetadata, SampledFrames) {
        try pool.read(path: bytes(path)) { (video) throws(VideoError) in
            (video.metadata, try video.frames(at: times, preprocessing: preprocessing))
        }.value
    }

    private func failure(_ body: () throws(VideoError) -> Void) -> VideoError? {
        do {
            try body()
            return nil
        } catch { return error }
    }

    @Test("metadata, frames, flags and cuts are those of a reader in this process")
    func equal() throws {
        let pool = BuiltDecoder.pool()
        let files = [
            try clips.numbered("a.mp4"),
            try clips.numbered("b.mkv", frames: 7, size: "96x120", filter: "setsar=20/11"),
            try clips.numbered("c.ts", frames: 20),
            try clips.make(
                "p.png", ["-f", "lavfi", "-i", "color=c=red:s=20x10", "-frames:v", "1"]),
        ]
        let times = [1.5, 0, 0.04, 0.04, 99, -1, 0.5]
        let preprocessing = try Preprocessing(
            imageSize: 16, resizedSize: 20, fit: .shorterSideTorchvision, mean: [0.4, 0.5, 0.6],
            standardDeviation: [0.2, 0.3, 0.4])
        for file in files {
            var reader = try VideoReader(path: bytes(file))
            let expected = try reader.frames(at: times)
            let (metadata, sampled) = try frames(pool, file, at: times)
            #expect(metadata == reader.metadata)
            #expect(sampled == expected)
            let (_, small) = try frames(pool, file, at: times, preprocessing)
            #expect(small.frames.map(\.time) == expected.frames.map(\.time))
            let pictures = expected.frames.map(\.image)
            #expect(small.frames.map(\.image) == pictures.map { preprocessing.picture($0) })
            #expect(
                preprocessing.pixelValues(ofPictures: small.frames.map(\.image))
                    == preprocessing.pixelValues(of: pictures))
            for segmentation in [
                Segmentation.whole, .windows(length: 0.5, stride: 0.3), .scenes(minimumLength: 0.1),
            ] {
                let spans = try pool.read(path: bytes(file)) { (video) throws(VideoError) in
                    try video.spans(segmentation)
                }.value
                #expect(spans == (try reader.spans(segmentation)))
            }
        }
        #expect(BuiltDecoder.children().count == 1)
    }

    @Test("errors are those of a reader in this process, and the decoder that told one is replaced")
    func errors() throws {
        let pool = BuiltDecoder.pool()
        let broken = try clips.write("z.mp4", Array(repeating: 0, count: 50_000))
        let list = try clips.write("l.mp4", Array("ffconcat version 1.0\nfile a\n".utf8))
        let good = try clips.numbered("a.mp4", frames: 3)
        for file in [broken, list, clips.folder, clips.folder.appendingPathComponent("none")] {
            let here = failure { () throws(VideoError) in
                _ = try VideoReader(path: bytes(file))
            }
            let there = failure { () throws(VideoError) in
                _ = try frames(pool, file, at: [0])
            }
            #expect(here != nil && here == there)
            // A file that cannot even be opened never comes to a decoder.
            if [broken, list].contains(file) { #expect(BuiltDecoder.children() == []) }
            #expect(try frames(pool, good, at: [0]).1.frames.count == 1)
        }
    }

    @Test("a decoder killed while idle is replaced unseen")
    func killedIdle() throws {
        let pool = BuiltDecoder.pool()
        let clip = try clips.numbered("a.mp4", frames: 3)
        for _ in 0..<3 {
            #expect(try frames(pool, clip, at: [0]).1.frames.count == 1)
            let before = BuiltDecoder.children()
            #expect(before.count == 1)
            for child in before { kill(child, SIGSEGV) }
            usleep(50_000)
        }
    }

    @Test("a clip whose decoder dies in the middle is decoded by a fresh one")
    func killedOnce() throws {
        let pool = BuiltDecoder.pool()
        let clip = try clips.numbered("a.mp4")
        var tries = 0
        let sampled = try pool.read(path: bytes(clip)) { (video) throws(VideoError) in
            tries += 1
            if tries == 1 { for child in BuiltDecoder.children() { kill(child, SIGSEGV) } }
            return try video.frames(at: [0, 1], preprocessing: nil)
        }.value
        #expect(tries == 2 && sampled.frames.map(number) == [0, 25])
    }

    @Test("a clip whose decoders die twice is decoder_crashed, and the next clip is none the worse")
    func killedTwice() throws {
        let pool = BuiltDecoder.pool()
        let clip = try clips.numbered("a.mp4")
        var tries = 0
        let error = failure { () throws(VideoError) in
            _ = try pool.read(path: bytes(clip)) { (video) throws(VideoError) in
                tries += 1
                for child in BuiltDecoder.children() { kill(child, SIGSEGV) }
                return try video.frames(at: [0, 1], preprocessing: nil)
            }
        }
        #expect(tries == 2 && error?.code == .decoderCrashed && error?.isRetryable == true)
        #expect(error?.message.contains("signal 11") == true)
        #expect(try frames(pool, clip, at: [0]).1.frames.count == 1)
    }

    @Test("a decoder that stands still is over within its limit and a second")
    func stopped() throws {
        let pool = BuiltDecoder.pool(timeout: 1)
        let clip = try clips.numbered("a.mp4")
        let clock = ContinuousClock()
        let start = clock.now
        let error = failure { () throws(VideoError) in
            _ = try pool.read(path: bytes(clip)) { (video) throws(VideoError) in
                for child in BuiltDecoder.children() { kill(child, SIGSTOP) }
                return try video.frames(at: [0, 1], preprocessing: nil)
            }
        }
        #expect(error == .overTime)
        #expect(clock.now - start < .seconds(2))
        #expect(BuiltDecoder.children() == [])
    }

    @Test(
        "a decoder that spins is over within its limit and a second, before its first word and after it",
        arguments: [false, true])
    func spinning(isReady: Bool) throws {
        let greeting = DecoderReply.ready(resident: 1 << 20).message.bytes
        _ = try clips.write("busy.greeting", isReady ? greeting : [])
        let busy = try clips.write(
            "busy", Array("#!/bin/sh\ncat \"$0.greeting\" >&3\nwhile :; do :; done\n".utf8))
        #expect(chmod(busy.path, 0o755) == 0)
        let pool = BuiltDecoder.pool(timeout: 1, program: busy.path)
        let clip = try clips.numbered("a.mp4", frames: 3)
        let clock = ContinuousClock()
        let start = clock.now
        let error = failure { () throws(VideoError) in _ = try frames(pool, clip, at: [0]) }
        #expect(error == .overTime)
        #expect(clock.now - start < .seconds(2))
        #expect(BuiltDecoder.children() == [])
    }

    @Test("a process that never says its first word is waited for no longer than for a file")
    func silentFromTheStart() throws {
        let silent = try clips.write("silent", Array("#!/bin/sh\nexec sleep 100\n".utf8))
        #expect(chmod(silent.path, 0o755) == 0)
        let pool = BuiltDecoder.pool(timeout: 1, program: silent.path)
        let clock = ContinuousClock()
        let start = clock.now
        let error = failure { () throws(VideoError) in try pool.requireProcess() }
        #expect(error == .overTime && error?.isFaultOfSystem == false)
        #expect(clock.now - start < .seconds(2))
    }

    @Test(
        "a file that grows, shrinks or is touched while it is decoded has changed, and costs one record",
        arguments: ["grows", "shrinks", "is touched"])
    func changing(kind: String) throws {
        let pool = BuiltDecoder.pool()
        let clip = try clips.numbered("a.mp4")
        let size = try Data(contentsOf: clip).count
        let error = failure { () throws(VideoError) in
            _ = try pool.read(path: bytes(clip)) { (video) throws(VideoError) in
                switch kind {
                case "grows": truncate(clip.path, size + 100)
                case "shrinks": truncate(clip.path, size / 2)
                default: utimes(clip.path, nil)
                }
                return try video.frames(at: [0, 1.9], preprocessing: nil)
            }
        }
        #expect(error?.code == .changedWhileReading && error?.isRetryable == true)
        let other = try clips.numbered("b.mp4", frames: 3)
        #expect(try frames(pool, other, at: [0]).1.frames.count == 1)
    }

    @Test("a file that is deleted while it is decoded is decoded to its end")
    func deleted() throws {
        let pool = BuiltDecoder.pool()
        let clip = try clips.numbered("a.mp4")
        let sampled = try pool.read(path: bytes(clip)) { (video) throws(VideoError) in
            unlink(clip.path)
            return try video.frames(at: [0, 1], preprocessing: nil)
        }.value
        #expect(sampled.frames.map(number) == [0, 25])
    }

    @Test("no decoder outlives its pool")
    func pools() throws {
        let clip = try clips.numbered("a.mp4", frames: 3)
        do {
            let pool = BuiltDecoder.pool(capacity: 3)
            _ = try frames(pool, clip, at: [0])
            #expect(BuiltDecoder.children().count == 1)
        }
        #expect(BuiltDecoder.children() == [])
    }

    @Test("signals that ask a whole group of processes to stop leave the clip in work alone")
    func groupSignals() throws {
        let pool = BuiltDecoder.pool()
        let clip = try clips.numbered("a.mp4")
        var tries = 0
        let sampled = try pool.read(path: bytes(clip)) { (video) throws(VideoError) in
            tries += 1
            for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] {
                for child in BuiltDecoder.children() { kill(child, signal) }
            }
            return try video.frames(at: [0, 1], preprocessing: nil)
        }.value
        #expect(tries == 1 && sampled.frames.map(number) == [0, 25])
        #expect(BuiltDecoder.children().count == 1)
    }

    @Test("that memory is over is believed of a process without a past; another one is tried first")
    func memoryOfAUsedDecoder() throws {
        let pool = BuiltDecoder.pool()
        let clip = try clips.numbered("a.mp4", frames: 3)
        _ = try frames(pool, clip, at: [0])
        var processes: [[Int32]] = []
        let error = failure { () throws(VideoError) in
            _ = try pool.read(path: bytes(clip)) { (_) throws(VideoError) -> Int in
                processes.append(BuiltDecoder.children())
                throw VideoError(.tooLarge, "no memory")
            }
        }
        #expect(error == VideoError(.tooLarge, "no memory"))
        #expect(processes.count == 2 && Set(processes).count == 2)
    }

    @Test(
        "a decoder keeps nothing of its run's: three empty streams, its socket, no signal ignored, only those blocked that ask to stop"
    )
    func surroundings() throws {
        let pool = BuiltDecoder.pool()
        let held = open(clips.folder.path, O_RDONLY)
        defer { close(held) }
        signal(SIGUSR2, SIG_IGN)
        defer { signal(SIGUSR2, SIG_DFL) }
        let clip = try clips.numbered("a.mp4", frames: 3)
        _ = try frames(pool, clip, at: [0])
        let child = try #require(BuiltDecoder.children().first)
        let descriptors = try FileManager.default.contentsOfDirectory(
            atPath: "/proc/\(child)/fd")
        #expect(Set(descriptors).isSuperset(of: ["0", "1", "2", "3"]))
        for descriptor in descriptors {
            let target = try FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/\(child)/fd/\(descriptor)")
            #expect(target == "/dev/null" || target.hasPrefix("socket:"), "\(target)")
        }
        let status = try String(
            contentsOf: URL(fileURLWithPath: "/proc/\(child)/status"), encoding: .utf8)
        let signals = { (name: String) in
            status.split(separator: "\n").first { $0.hasPrefix(name) }
                .flatMap { UInt64($0.split(separator: "\t")[1], radix: 16) }
        }
        // The C library has signals 32 and 33 to itself.
        #expect(signals("SigIgn:").map { $0 & 0x7FFF_FFFF } == 0)
        let asking = [SIGHUP, SIGINT, SIGUSR1, SIGTERM].reduce(UInt64(0)) { $0 | 1 << ($1 - 1) }
        #expect(signals("SigBlk:") == asking)
        let hasNoNewPrivileges = status.contains("NoNewPrivs:\t1")
        #expect(hasNoNewPrivileges)
        let score = try String(
            contentsOf: URL(fileURLWithPath: "/proc/\(child)/oom_score_adj"), encoding: .utf8)
        #expect(score.hasPrefix("500"))
        let limits = try String(
            contentsOf: URL(fileURLWithPath: "/proc/\(child)/limits"), encoding: .utf8)
        let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") }
        #expect(core?.split(separator: " ")[4] == "0")
        #expect(getpgid(child) == child)
    }

    @Test(
        "under a budget the frames are the same; a clip over the limit for one clip is told with both sizes, with any budget"
    )
    func budget() throws {
        let clip = try clips.make(
            "uhd.mp4",
            ["-f", "lavfi", "-i", "testsrc=s=3840x2160:r=2:d=1", "-c:v", "libx264"]
                + ["-preset", "ultrafast", "-pix_fmt", "yuv420p"])
        let preprocessing = try Preprocessing(
            imageSize: 64, fit: .squash, mean: [0, 0, 0], standardDeviation: [1, 1, 1])
        let free = try frames(BuiltDecoder.pool(), clip, at: [0, 0.5], preprocessing)
        let pool = BuiltDecoder.pool(budget: MemoryBudget(total: 1 << 30), clipMemory: 512 << 20)
        let bounded = try frames(pool, clip, at: [0, 0.5], preprocessing)
        #expect(free.0 == bounded.0 && free.1 == bounded.1)
        let needed = DecoderMemory.estimate(width: 3840, height: 2160, bits: 12, pictures: 12) >> 20
        for budget in [nil, 100, 5000] {
            let small = BuiltDecoder.pool(
                budget: budget.map { MemoryBudget(total: $0 << 20) }, clipMemory: 48 << 20)
            let error = failure { () throws(VideoError) in
                _ = try frames(small, clip, at: [0, 0.5], preprocessing)
            }
            #expect(error?.code == .tooLarge && error?.isFaultOfSettings == true)
            #expect(
                error?.message
                    == "decoding takes about \(needed) MiB, more than the limit of 48 MiB for one clip"
            )
        }
    }

    @Test(
        "what the caller needs after the decoder is lent in its place and kept until the lease goes"
    )
    func companion() throws {
        let budget = MemoryBudget(total: 1 << 30)
        let pool = BuiltDecoder.pool(budget: budget, clipMemory: 800 << 20)
        let clip = try clips.numbered("a.mp4", frames: 3)
        do {
            let (_, lease) = try pool.read(path: bytes(clip), companion: { _ in 700 << 20 }) {
                (video) throws(VideoError) in try video.frames(at: [0], preprocessing: nil)
            }
            #expect(lease?.size == 700 << 20)
        }
        let error = failure { () throws(VideoError) in
            _ = try pool.read(path: bytes(clip), companion: { _ in 900 << 20 }) {
                (video) throws(VideoError) in try video.frames(at: [0], preprocessing: nil)
            }
        }
        #expect(
            error?.message
                == "encoding takes about 900 MiB, more than the limit of 800 MiB for one clip")
        let free = try BuiltDecoder.pool().read(
            path: bytes(clip), companion: { _ in 9 << 30 }
        ) { (video) throws(VideoError) in try video.frames(at: [0], preprocessing: nil) }
        #expect(free.value.frames.count == 1 && free.lease == nil)
    }

    @Test(
        "nothing bad is believed of a file before it was tried with all the memory that it may have"
    )
    func lossesNeedTheWholeLimit() throws {
        let budget = MemoryBudget(total: 1 << 30)
        let pool = BuiltDecoder.pool(budget: budget, clipMemory: 600 << 20)
        let whole = Array(try Data(contentsOf: try clips.numbered("a.ts")))
        let torn = try clips.write(
            "torn.ts", whole.prefix(whole.count / 2 + 40) + [UInt8](repeating: 0, count: 5000))
        var lent: [Int] = []
        let (_, sampled) = try pool.read(path: bytes(torn)) {
            (video) throws(VideoError) -> (VideoMetadata, SampledFrames) in
            lent.append(budget.used)
            return (video.metadata, try video.frames(at: [0, 9], preprocessing: nil))
        }.value
        #expect(!sampled.flags.isEmpty || sampled.failed > 0)
        #expect(lent == [DecoderMemory.opening, 600 << 20])
        lent = []
        let error = failure { () throws(VideoError) in
            _ = try pool.read(path: bytes(torn)) { (_) throws(VideoError) -> Int in
                lent.append(budget.used)
                throw VideoError(.decodeFailed, "no frame")
            }
        }
        #expect(error == VideoError(.decodeFailed, "no frame"))
        #expect(lent == [DecoderMemory.opening, 600 << 20])
    }

    @Test("that no process can be started is the machine's fault and not the file's")
    func noProcess() throws {
        let clip = try clips.numbered("a.mp4", frames: 3)
        let pool = BuiltDecoder.pool(program: clips.folder.appendingPathComponent("none").path)
        let error = failure { () throws(VideoError) in _ = try frames(pool, clip, at: [0]) }
        #expect(
            error?.message == "no decoder process could be started: No such file or directory")
        #expect(error?.isFaultOfSystem == true && pool.idleMemory == nil)
        #expect(failure { () throws(VideoError) in try pool.requireProcess() } == error)
        let other = BuiltDecoder.pool()
        try other.requireProcess()
        #expect(BuiltDecoder.children().count == 1 && (other.idleMemory ?? 0) > 1 << 20)
    }

    @Test("a pool that is restricted keeps no more processes than that, and never gets more again")
    func restricted() throws {
        let pool = BuiltDecoder.pool(capacity: 4)
        let clip = try clips.numbered("a.mp4", frames: 3)
        #expect(pool.restrict(to: 2) == 2)
        #expect(pool.restrict(to: 3) == 2)
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            _ = try? frames(pool, clip, at: [0])
        }
        #expect((1...2).contains(BuiltDecoder.children().count))
        #expect(pool.restrict(to: 0) == 1)
        #expect(BuiltDecoder.children().count == 1)
    }
}
