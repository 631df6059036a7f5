//! Facts about folders of rendered videos.
import Foundation
import Testing
import WadeImage
import WadePipeline
@testable import WadeVideo

@testable import WadeTraining

/// A path in the folder for temporary files that does not exist yet.
private func newFolder() -> URL {
    FileManager.default.temporaryDirectory.appendingPathComponent(
        "wade-render-\(UUID().uuidString)")
}

private func folder(_ url: URL, count: Int, seed: UInt64 = 5) -> ClipFolder {
    ClipFolder(
        path: PathBytes(url.path), count: count, seed: seed,
        size: FrameSize(width: 64, height: 48), rate: 8, seconds: 1.5)
}

@Suite struct ClipFolderTests {
    @Test func `videos decode to their pictures and lines say what is in them`() throws {
        let url = newFolder()
        defer { try? FileManager.default.removeItem(at: url) }
        #expect(try folder(url, count: 2).render(workers: 2) == 2)
        let text = try String(
            contentsOf: url.appendingPathComponent("truth.jsonl"), encoding: .utf8)
        let lines = try text.split(separator: "\n").map {
            try JSONDecoder().decode(TruthLine.self, from: Data($0.utf8))
        }
        #expect(lines.map(\.file) == ["000000.mp4", "000001.mp4"])
        for line in lines {
            #expect(line.truth == ClipRenderer().truth(seed: line.seed))
            #expect(line.phrases["camera"] == line.truth.camera.phrase)
            #expect(line.path.count == 8 && line.frames == 12 && line.fps == 8)
            let path = Array(url.appendingPathComponent(line.file).path.utf8)
            var reader = try VideoReader(path: path)
            #expect(reader.metadata.frameCount == 12)
            #expect(reader.metadata.width == 64 && reader.metadata.height == 48)
            #expect(abs(reader.metadata.duration - 1.5) < 0.01)
            let times = (0..<12).map { (Double($0) + 0.5) / 8 }
            let sampled = try reader.frames(at: times)
            #expect(sampled.distinctCount == 12 && sampled.flags.isEmpty)
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
        #expect(names == ["000000.mp4", "000001.mp4", "truth.jsonl", "truth.jsonl.lock"])
    }

    @Test
    func `rendering again keeps finished files, fills gaps with the same bytes and refuses others`()
        throws
    {
        let url = newFolder()
        defer { try? FileManager.default.removeItem(at: url) }
        #expect(try folder(url, count: 3).render(workers: 1) == 3)
        let second = url.appendingPathComponent("000001.mp4")
        let bytes = try Data(contentsOf: second)
        let truth = try Data(contentsOf: url.appendingPathComponent("truth.jsonl"))
        #expect(try folder(url, count: 3).render(workers: 2) == 0)
        try FileManager.default.removeItem(at: second)
        #expect(try folder(url, count: 3).render(workers: 2) == 1)
        #expect(try Data(contentsOf: second) == bytes)
        #expect(try Data(contentsOf: url.appendingPathComponent("truth.jsonl")) == truth)
        #expect(try folder(url, count: 4).render(workers: 2) == 1)
        #expect(try Data(contentsOf: url.appendingPathComponent("truth.jsonl")).starts(with: truth))
        #expect(throws: PipelineError.self) {
            try folder(url, count: 3, seed: 6).render(workers: 1)
        }
        #expect(try Data(contentsOf: second) == bytes)
    }

    @Test func `what cannot be written is said with its path`() throws {
        let url = newFolder()
        defer { try? FileManager.default.removeItem(at: url) }
        try Data("x".utf8).write(to: url)
        let expected = PipelineError.file(
            path: url.path, action: "make the folder", reason: "it is there and is no folder")
        #expect(throws: expected) { try folder(url, count: 1).render(workers: 1) }
        #expect(throws: VideoError.self) {
            _ = try VideoWriter(path: Array("/dev/null/x.mp4".utf8), width: 64, height: 48, rate: 8)
        }
    }

    @Test func `a full disk is said, not hidden`() throws {
        let error = #expect(throws: VideoError.self) {
            var writer = try VideoWriter(
                path: Array("/dev/full".utf8), width: 64, height: 48, rate: 8)
            let grey = RGBImage(width: 64, height: 48, pixels: [UInt8](repeating: 90, count: 9216))
            for _ in 0..<8 { try writer.append(grey) }
            try writer.finish()
        }
        #expect(error?.code == .inputOutput)
        #expect(error?.message.contains("No space left on device") == true)
    }

    @Test func `a written picture comes back nearly as it was`() throws {
        let url = newFolder()
        defer { try? FileManager.default.removeItem(at: url) }
        let pixels = (0..<48 * 64).flatMap { index -> [UInt8] in
            let (x, y) = (index % 64, index / 64)
            return [UInt8(x * 4), UInt8(y * 5), 120]
        }
        let image = RGBImage(width: 64, height: 48, pixels: pixels)
        var writer = try VideoWriter(
            path: Array(url.path.utf8), width: 64, height: 48, rate: 10, quality: 10)
        for _ in 0..<5 { try writer.append(image) }
        try writer.finish()
        var reader = try VideoReader(path: Array(url.path.utf8))
        let frame = try reader.frames(at: [0.25]).frames[0].image
        let error = zip(frame.pixels, pixels).map { abs(Int($0) - Int($1)) }.reduce(0, +)
        #expect(Double(error) / Double(pixels.count) < 4)
        #expect(reader.metadata.frameCount == 5)
    }
}
