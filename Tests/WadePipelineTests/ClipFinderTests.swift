//! Facts about walking folders with troublesome names.
import Foundation
import Testing

@testable import WadePipeline

@Suite("finding clips")
struct ClipFinderTests {
    @Test("names are bytes: no two are confused, none is lost, and the order is that of the bytes")
    func names() throws {
        let folder = try TemporaryFolder()
        let names: [[UInt8]] = [
            Array("caf\u{E9}.mp4".utf8), Array("cafe\u{301}.mp4".utf8),
            Array("latin1-".utf8) + [0xE9, 0xFF] + Array(".mp4".utf8),
            Array("new\nline.mp4".utf8), Array("UPPER.MP4".utf8), Array("-dash.mp4".utf8),
            Array("a b.mkv".utf8),
        ]
        for name in names { folder.write("x", to: PathBytes(bytes: name)) }
        folder.makeFolder("a")
        folder.write("x", to: "a/z.mp4")
        folder.write("x", to: "a.mp4")
        let found = try ClipFinder.find([folder.path])
        let paths = found.files.map(\.relativePath)
        #expect(paths == paths.sorted())
        #expect(paths.count == names.count + 2)
        #expect(
            Set(paths)
                == Set(
                    names.map { PathBytes(bytes: $0) } + [PathBytes("a/z.mp4"), PathBytes("a.mp4")])
        )
        let lossy = try #require(paths.first { $0.isLossy })
        #expect(lossy.text == "latin1-\u{FFFD}\u{FFFD}.mp4")
        #expect(Data(base64Encoded: lossy.base64WhenLossy) == Data(lossy.bytes))
        #expect(paths.first { $0.bytes.contains(0x0A) }?.shown == "new\\u{a}line.mp4")
    }

    @Test(
        "what is no clip is skipped with its reason, and what cannot be read is an item with its code"
    )
    func reasons() throws {
        let folder = try TemporaryFolder()
        folder.write("x", to: "good.mp4")
        folder.write("x", to: "notes.txt")
        folder.write("x", to: "half.mp4.part")
        folder.write("x", to: ".~lock.mp4")
        folder.write("x", to: ".hidden.mp4")
        folder.makeFolder(".cache")
        folder.write("x", to: ".cache/thumb.mp4")
        folder.makeFolder("directory.mp4")
        folder.write("x", to: "directory.mp4/inside.mp4")
        #expect(mkfifo(folder("fifo.mp4").text, 0o644) == 0)
        #expect(symlink("good.mp4", folder("link.mp4").text) == 0)
        #expect(symlink("nowhere", folder("dangling.mp4").text) == 0)
        #expect(symlink("loop-b.mp4", folder("loop-a.mp4").text) == 0)
        #expect(symlink("loop-a.mp4", folder("loop-b.mp4").text) == 0)
        #expect(symlink("..", folder("up").text) == 0)
        #expect(symlink("directory.mp4", folder("folder.mp4").text) == 0)
        let found = try ClipFinder.find([folder.path])
        let files = Dictionary(
            uniqueKeysWithValues: found.files.map { ($0.relativePath.text, $0.failure?.code) })
        #expect(
            files == [
                "good.mp4": nil, "directory.mp4/inside.mp4": nil, "link.mp4": nil,
                "dangling.mp4": .brokenSymlink, "loop-a.mp4": .symlinkLoop,
                "loop-b.mp4": .symlinkLoop,
            ])
        let skipped = Dictionary(
            uniqueKeysWithValues: found.skipped.map {
                ($0.path.relative(to: found.root).text, $0.reason)
            })
        #expect(
            skipped == [
                "notes.txt": .otherExtension, "half.mp4.part": .partialDownload,
                ".~lock.mp4": .partialDownload,
                ".hidden.mp4": .hidden, ".cache": .hidden, "fifo.mp4": .notRegularFile,
                "up": .otherExtension,
                "folder.mp4": .folderLink,
            ])
    }

    @Test("a path named by the user is tried whatever its name, once, and a missing one is an item")
    func arguments() throws {
        let folder = try TemporaryFolder()
        folder.write("x", to: "notes.txt")
        folder.write("x", to: "a.mp4")
        #expect(mkfifo(folder("fifo.mp4").text, 0o644) == 0)
        let found = try ClipFinder.find([
            folder("notes.txt"), folder.path, folder("./a.mp4"), folder("gone.mp4"),
            folder("fifo.mp4"),
        ])
        #expect(
            found.files.map(\.relativePath.text) == ["notes.txt", "a.mp4", "gone.mp4", "fifo.mp4"])
        #expect(found.files.map(\.failure?.code) == [nil, nil, .inputOutput, .notRegularFile])
        #expect(found.root == folder.path)
    }

    @Test("a folder that may not be read is an item")
    func unreadable() throws {
        guard getuid() != 0 else { return }
        let folder = try TemporaryFolder()
        folder.makeFolder("locked")
        chmod(folder("locked").text, 0)
        let found = try ClipFinder.find([folder.path])
        chmod(folder("locked").text, 0o755)
        #expect(found.files.map(\.failure?.code) == [.permissionDenied])
    }

    @Test("several folders share the deepest folder above them as root")
    func root() throws {
        let folder = try TemporaryFolder()
        folder.makeFolder("one")
        folder.makeFolder("two")
        folder.write("x", to: "one/c.mp4")
        folder.write("x", to: "two/c.mp4")
        let found = try ClipFinder.find([folder("two"), folder("one")])
        #expect(found.files.map(\.relativePath.text) == ["two/c.mp4", "one/c.mp4"])
    }

    @Test("a run's own output and the files beside it are no clips, whatever they are called")
    func ownOutput() throws {
        let folder = try TemporaryFolder()
        folder.write("x", to: "a.mp4")
        folder.write("x", to: "out.mp4")
        folder.write("x", to: "out.mp4.lock")
        folder.write("x", to: "out.mp4.torn")
        folder.write("x", to: "runs.jsonl")
        #expect(link(folder("out.mp4").text, folder("other.mp4").text) == 0)
        let output = folder("./out.mp4")
        #expect(
            try ClipFinder.find([folder.path], output: output).files.map(\.relativePath.text)
                == ["a.mp4"])
        let named = ["a.mp4", "out.mp4.lock", "out.mp4.torn", "runs.jsonl"].map { folder($0) }
        #expect(
            try ClipFinder.find(named, output: output).files.map(\.relativePath.text) == ["a.mp4"])
        for name in ["out.mp4", "other.mp4"] {
            #expect(throws: PipelineError.self) {
                try ClipFinder.find([folder(name)], output: output)
            }
        }
        #expect(throws: PipelineError.self) {
            try ClipFinder.find([folder("new.mp4")], output: folder("new.mp4"))
        }
    }
}
