//! Small clips whose every frame says its number, made by the `ffmpeg` command in a folder for temporary files.
import Foundation

@testable import WadeVideo

/// Makes clips, and removes them with itself.
final class TestClips: Sendable {
    /// Why a clip could not be made: these tests need the `ffmpeg` command (package `ffmpeg`) and its libx264.
    struct CannotMakeClip: Error, CustomStringConvertible {
        let description: String
    }

    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("wade-video-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// Runs `ffmpeg` with `arguments` and the name of the file to make in front of the folder's path.
    func make(_ name: String, _ arguments: [String]) throws -> URL {
        let file = folder.appendingPathComponent(name)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ffmpeg", "-v", "error", "-nostdin", "-y"] + arguments + [file.path]
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw CannotMakeClip(
                description: "ffmpeg, which these tests need, could not make \(name): "
                    + String(decoding: said, as: UTF8.self))
        }
        return file
    }

    /// A lossless H.264 clip of flat grey frames, brightness 4 × number above black; at most 50 frames.
    func numbered(
        _ name: String, frames: Int = 50, size: String = "64x48", filter: String = "null",
        options: [String] = []
    ) throws -> URL {
        try make(
            name,
            [
                "-f", "lavfi", "-i", "color=c=black:s=\(size):r=25", "-frames:v", "\(frames)",
                "-vf", "geq=lum='16+4*N':cb=128:cr=128,format=yuv420p,\(filter)",
                "-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-bf", "2",
                "-x264-params", "b-adapt=0:keyint=10:scenecut=0:open-gop=1",
                "-fps_mode", "passthrough",
            ] + options)
    }

    /// A file that holds `bytes`.
    func write(_ name: String, _ bytes: [UInt8]) throws -> URL {
        let file = folder.appendingPathComponent(name)
        try Data(bytes).write(to: file)
        return file
    }

    /// A copy of an MP4 whose first track is shown through the matrix [a b; c d].
    func turned(_ clip: URL, name: String, a: Int32, b: Int32, c: Int32, d: Int32) throws -> URL {
        var bytes = [UInt8](try Data(contentsOf: clip))
        let mark = [UInt8]("tkhd".utf8)
        guard
            let header = bytes.indices.dropLast(84).first(where: {
                Array(bytes[$0..<$0 + 4]) == mark
            })
        else { throw CannotMakeClip(description: "\(name): no track header to turn") }
        // ISO/IEC 14496-12: name, version and flags, 20 bytes of times and number, 16 of layout, then the matrix.
        let matrix: [Int32] = [a << 16, b << 16, 0, c << 16, d << 16, 0]
        for (index, entry) in matrix.enumerated() {
            for byte in 0..<4 {
                let shift = UInt32(24 - 8 * byte)
                bytes[header + 44 + index * 4 + byte] = UInt8(
                    truncatingIfNeeded: UInt32(bitPattern: entry) >> shift)
            }
        }
        return try write(name, bytes)
    }
}

/// A file's path as the kernel knows it.
func bytes(_ file: URL) -> [UInt8] { Array(file.path.utf8) }

/// The number that a frame of `TestClips.numbered` carries: brightness 4 × number in 16...235 became 0...255.
func number(_ frame: VideoFrame) -> Int {
    let middle = (frame.image.height / 2 * frame.image.width + frame.image.width / 2) * 3
    return Int((Double(frame.image.pixels[middle]) * 219 / 255 / 4).rounded())
}

/// The code of the error that opening `path` throws; nil when it opens.
func openingError(_ path: [UInt8], limits: VideoLimits = VideoLimits()) -> VideoError.Code? {
    do throws(VideoError) {
        _ = try VideoReader(path: path, limits: limits)
        return nil
    } catch {
        return error.code
    }
}
