//! Files that are broken, lie, or reach for others: each gives one code from the closed list, and nothing waits.
import Foundation
import Testing

@testable import WadeVideo

@Suite("Files that give no frames")
struct HostileFileTests {
    private let clips: TestClips

    init() throws { clips = try TestClips() }

    @Test("What is no media file is called so")
    func notMedia() throws {
        #expect(openingError(bytes(try clips.write("e.mp4", []))) == .emptyFile)
        #expect(openingError(bytes(try clips.write("t.mp4", Array("hello\n".utf8)))) == .notMedia)
        #expect(
            openingError(bytes(try clips.write("z.mp4", Array(repeating: 0, count: 50_000))))
                == .notMedia)
        #expect(openingError(bytes(clips.folder)) == .notRegularFile)
        #expect(
            openingError(bytes(clips.folder.appendingPathComponent("none.mp4"))) == .inputOutput)
        #expect(openingError([]) == .inputOutput)
        #expect(openingError([0x61, 0]) == .inputOutput)
    }

    @Test("Links to nothing, links in a circle and named pipes do not wait")
    func specialFiles() throws {
        let names = ["dangling", "a", "b", "pipe"].map {
            clips.folder.appendingPathComponent($0).path
        }
        symlink("nowhere", names[0])
        symlink("b", names[1])
        symlink("a", names[2])
        mkfifo(names[3], 0o600)
        let codes = names.map { openingError(Array($0.utf8)) }
        #expect(codes == [.brokenSymlink, .symlinkLoop, .symlinkLoop, .notRegularFile])
    }

    @Test("A name that is not UTF-8 is opened by its bytes")
    func nameOfBytes() throws {
        let clip = try clips.numbered("a.mp4", frames: 5)
        let odd = bytes(clips.folder) + [0x2F, 0xE9, 0xFF, 0x2E, 0x6D, 0x70, 0x34]
        #expect(link(clip.path, odd.map { CChar(bitPattern: $0) } + [0]) == 0)
        var reader = try VideoReader(path: odd)
        #expect(try reader.frames(at: [0.1]).frames.map(number) == [2])
    }

    @Test("Scripts and playlists that name other files are refused by the name of their format")
    func blockedFormats() throws {
        _ = try clips.numbered("inner.mp4", frames: 5)
        let script = try clips.write(
            "list.mp4", Array("ffconcat version 1.0\nfile inner.mp4\n".utf8))
        let playlist = try clips.write(
            "p.mp4",
            Array("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\ninner.mp4\n#EXT-X-ENDLIST\n".utf8))
        #expect(openingError(bytes(script)) == .blockedFormat)
        #expect(openingError(bytes(playlist)) == .blockedFormat)
    }

    @Test("Sound alone has no video stream")
    func soundOnly() throws {
        let sound = try clips.make(
            "s.mp4", ["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac"])
        #expect(openingError(bytes(sound)) == .noVideoStream)
    }

    @Test("A picture over the pixel limit is too large")
    func tooLarge() throws {
        let clip = try clips.numbered("a.mp4", frames: 2)
        var limits = VideoLimits()
        limits.maximumPixels = 64 * 48
        #expect(openingError(bytes(clip), limits: limits) == nil)
        limits.maximumPixels -= 1
        #expect(openingError(bytes(clip), limits: limits) == .tooLarge)
    }

    @Test("A picture without width or height is damaged, not too large")
    func emptyPicture() throws {
        for size in ["W0 H0", "W32 H0", "W0 H32"] {
            let clip = try clips.write("a.y4m", Array("YUV4MPEG2 \(size) F8:1\nFRAME\n".utf8))
            #expect(openingError(bytes(clip)) == .containerDamaged, "\(size)")
        }
        let huge = try clips.write("a.y4m", Array("YUV4MPEG2 W100000 H100000 F8:1\nFRAME\n".utf8))
        #expect(openingError(bytes(huge)) == .tooLarge)
    }

    @Test("Cut anywhere, a clip gives the frames it has and says that it was cut, or one error")
    func truncated() throws {
        for name in ["a.mkv", "a.mp4", "a.ts"] {
            let whole = [UInt8](
                try Data(contentsOf: clips.numbered(name, options: ["-movflags", "+faststart"])))
            for part in [2, 10, 40, 60, 90] {
                let cut = try clips.write(
                    "cut-\(name)", Array(whole.prefix(whole.count * part / 100)))
                do throws(VideoError) {
                    var reader = try VideoReader(path: bytes(cut))
                    let sampled = try reader.frames(at: [0, 0.5, 1, 1.9])
                    #expect(sampled.frames.count == 4)
                    // A transport stream may end anywhere.
                    if name != "a.ts" {
                        #expect(sampled.flags.contains(.truncatedFile), "\(name) at \(part) %")
                    }
                } catch {
                    #expect(part < 60, "\(name) at \(part) %: \(error)")
                }
            }
        }
    }

    @Test("A JPEG that is cut anywhere says so, though its decoder fills in what is missing")
    func truncatedJPEG() throws {
        let whole = [UInt8](
            try Data(
                contentsOf: clips.make(
                    "a.jpg", ["-f", "lavfi", "-i", "testsrc=s=320x240", "-frames:v", "1"])))
        for (count, isCut) in [
            (whole.count * 3 / 10, true), (whole.count * 6 / 10, true), (whole.count - 2, true),
            (whole.count, false),
        ] {
            let file = try clips.write("cut.jpg", Array(whole.prefix(count)))
            var reader = try VideoReader(path: bytes(file))
            let sampled = try reader.frames(at: [0])
            #expect(sampled.frames.count == 1)
            #expect(sampled.flags.contains(.truncatedFile) == isCut, "\(count) bytes")
        }
    }

    @Test("Random damage gives frames or an error, and never ends the program")
    func damaged() throws {
        var state: UInt64 = 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        for name in ["a.mkv", "a.mp4", "a.ts", "a.flv"] {
            let whole = [UInt8](try Data(contentsOf: clips.numbered(name)))
            for round in 0..<12 {
                var bad = whole
                for _ in 0..<(1 << round) { bad[random(bad.count)] = UInt8(random(256)) }
                let file = try clips.write("bad-\(name)", bad)
                do throws(VideoError) {
                    var reader = try VideoReader(path: bytes(file))
                    let sampled = try reader.frames(at: [0, 0.7, 1e6])
                    #expect(sampled.frames.count == 3)
                } catch {
                    #expect(!error.message.isEmpty)
                }
            }
        }
    }

    @Test("A file that grows after it was opened is reported")
    func changed() throws {
        let clip = try clips.numbered("a.mp4", frames: 5)
        var reader = try VideoReader(path: bytes(clip))
        let handle = try FileHandle(forWritingTo: clip)
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([1, 2, 3]))
        try handle.close()
        do throws(VideoError) {
            _ = try reader.frames(at: [0.1])
            Issue.record("the change went unnoticed")
        } catch {
            #expect(error.code == .changedWhileReading)
        }
    }

    @Test("a status that is no word of FFmpeg's is not told in the system's words")
    func strayStatus() {
        FFmpegLibrary.prepare(maximumAllocation: 1 << 30)
        FFmpegLibrary.forgetLines()
        #expect(
            failure(-16, "open the decoder", otherwise: .decodeFailed)
                == VideoError(.decodeFailed, "could not open the decoder: error -16"))
        #expect(
            failure(-22, "open the decoder", otherwise: .decodeFailed)
                == VideoError(.decodeFailed, "could not open the decoder: Invalid argument"))
    }
}
