//! The frames of a clip as small JPEG pictures, and how small they must be to keep a page within its size.
import Foundation
import WadeImage
import WadeVideo

/// What a page shows where a clip's frames belong.
enum FilmStrip: Sendable, Equatable {
    /// One frame.
    struct Picture: Sendable, Equatable {
        let time: Double
        let width: Int
        let height: Int
        let base64: String
    }

    /// Some of the recorded frames.
    case pictures([Picture])
    /// None, and why: a sentence for people; empty when the record names none.
    case none(String)
}

/// How pictures are made.
struct FilmFormat: Sendable, Equatable {
    /// Pixels from top to bottom of a picture that is wider than high; others get half as many again.
    let height: Int
    /// Pictures per clip, at most.
    let frames: Int

    /// FFmpeg's quantiser: no artefacts to be seen at the size of a stamp.
    private static let quantizer = 6

    /// The size of the picture of a frame of `width` × `height`.
    func size(width: Int, height: Int) -> (width: Int, height: Int) {
        let isTall = width < height
        let high = max(1, min(isTall ? self.height * 3 / 2 : self.height, height))
        let wide = max(1, width * high / max(1, height))
        guard wide > 4 * self.height else { return (wide, high) }
        // A panorama may not push everything else aside.
        return (4 * self.height, max(1, height * 4 * self.height / width))
    }

    /// Characters of a page that the pictures of a clip take, by estimate: JPEG's tables and 0.13 bytes a pixel, in base64.
    func estimate(_ clip: ReportClip) -> Int {
        let video = clip.shown.video
        guard video.width > 0, video.height > 0 else { return 0 }
        let size = size(width: video.width, height: video.height)
        let bytes = 620 + size.width * size.height * 13 / 100
        return clip.times(atMost: frames).count * (bytes * 4 / 3 + 140)
    }

    /// The finest format with which the pictures of `clips` take at most `room` characters by estimate; the coarsest when none does.
    static func fitting(_ clips: [ReportClip], frames: Int, room: Int) -> FilmFormat {
        let half = max(1, frames / 2), quarter = max(1, frames / 4)
        let formats = [
            FilmFormat(height: 120, frames: frames), FilmFormat(height: 96, frames: frames),
            FilmFormat(height: 76, frames: frames), FilmFormat(height: 76, frames: half),
            FilmFormat(height: 76, frames: quarter), FilmFormat(height: 60, frames: quarter),
            FilmFormat(height: 60, frames: 1),
        ]
        return formats.first { format in
            clips.reduce(0) { $0 + format.estimate($1) } <= room
        } ?? formats[formats.count - 1]
    }

    /// The pictures of a clip's recorded frames, decoded by `source`.
    func strip(of clip: ReportClip, from source: RecordedFrames) -> FilmStrip {
        let record = clip.shown
        let times = clip.times(atMost: frames)
        guard !times.isEmpty else { return .none("") }
        do throws(NoPictures) {
            let pictures = try source.frames(of: record.video, at: times) { frame in
                picture(of: frame)
            }
            return .pictures(try pictures.map { (picture) throws(NoPictures) in try picture.get() })
        } catch {
            return .none(error.reason)
        }
    }

    private func picture(of frame: VideoFrame) -> Result<FilmStrip.Picture, NoPictures> {
        let size = size(width: frame.image.width, height: frame.image.height)
        let small = frame.image.resized(width: size.width, height: size.height, filter: .bicubic)
        do throws(VideoError) {
            let bytes = try JPEG.encode(small, quantizer: Self.quantizer)
            return .success(
                FilmStrip.Picture(
                    time: frame.time, width: size.width, height: size.height,
                    base64: Data(bytes).base64EncodedString()))
        } catch {
            return .failure(NoPictures(reason: error.message))
        }
    }
}
