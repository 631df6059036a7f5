//! A sheet of small pictures with the time under each: what the model sees of a clip, at a glance.

/// Frames in a grid, row by row, each with a caption under it, and a title above.
package struct ContactSheet: Sendable {
    /// One picture and the line under it.
    package struct Frame: Sendable {
        /// The picture as it is shown, never scaled.
        package let picture: RGBImage
        /// The line under it, cut where it is wider than the cell.
        package let caption: String

        /// A picture with a caption of its own.
        package init(picture: RGBImage, caption: String) {
            self.picture = picture
            self.caption = caption
        }

        /// A picture captioned by its presentation time in seconds.
        package init(picture: RGBImage, seconds: Double) {
            self.init(picture: picture, caption: ContactSheet.time(seconds))
        }
    }

    /// The line above the grid, cut where it is wider than the sheet.
    package let title: String
    /// The frames, left to right, then top to bottom.
    package let frames: [Frame]
    /// Frames in a row; at least 1.
    package let columns: Int
    /// Lines between the title and the grid, wrapped at spaces where they are wider than the sheet.
    package let notes: [String]

    /// A sheet of `columns` frames a row; as square as possible when not given.
    package init(title: String, frames: [Frame], columns: Int? = nil, notes: [String] = []) {
        self.title = title
        self.frames = frames
        self.notes = notes
        let square = Int(Double(frames.count).squareRoot().rounded(.up))
        self.columns = max(1, min(columns ?? square, max(frames.count, 1)))
    }

    /// `0:01.234`, with hours when there are any: `1:02:03.456`; `?` for what is no time.
    package static func time(_ seconds: Double) -> String {
        guard let milliseconds = Int(exactly: (seconds.magnitude * 1000).rounded()) else {
            return "?"
        }
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let minutes = milliseconds / 60_000
        let rest =
            padded(milliseconds / 1000 % 60, 2) + "." + padded(milliseconds % 1000, 3)
        let sign = seconds < 0 && milliseconds > 0 ? "-" : ""
        guard minutes >= 60 else { return "\(sign)\(minutes):\(rest)" }
        return "\(sign)\(minutes / 60):\(padded(minutes % 60, 2)):\(rest)"
    }
}

extension ContactSheet {
    /// Pixels between cells and around the sheet.
    private static let margin = 8
    /// Pixels a dot of the typeface.
    private static let scale = 2
    /// Pixels down a line of text, with the space above it.
    private static let line = (BitmapFont.height + 3) * scale
    /// The largest sheet, in bytes: 1 GiB.
    private static let byteLimit = 1 << 30
    private static let paper: UInt8 = 255
    private static let ink: UInt8 = 32

    /// The composed sheet; throws `ImageError.tooLarge` beyond 1 GiB of pixels.
    package func composed() throws -> RGBImage {
        let margin = Self.margin
        let cellWidth = frames.map(\.picture.width).max() ?? 0
        let cellHeight = (frames.map(\.picture.height).max() ?? 0) + Self.line
        let rows = (frames.count + columns - 1) / columns
        let longest = ([title] + notes).map(\.count).max() ?? 0
        let textWidth = longest * BitmapFont.advance * Self.scale
        // A few narrow frames must not cut the words away: up to 640 pixels are kept for them.
        let width = max(columns * (cellWidth + margin) + margin, min(textWidth + 2 * margin, 640))
        let lines = notes.flatMap { Self.wrapped($0, room: width - 2 * margin) }
        let head = margin + Self.line * (1 + lines.count)
        let height = head + rows * (cellHeight + margin) + margin
        let (bytes, overflow) = (width * 3).multipliedReportingOverflow(by: height)
        guard !overflow, bytes <= Self.byteLimit else {
            throw ImageError.tooLarge(
                what: "contact sheet", width: width, height: height, limit: "1 GiB of pixels")
        }
        var canvas = Canvas(width: width, height: height, level: Self.paper)
        canvas.write(
            title, left: margin, top: margin, room: width - 2 * margin, Self.scale, Self.ink)
        for (index, line) in lines.enumerated() {
            canvas.write(
                line, left: margin, top: margin + Self.line * (1 + index),
                room: width - 2 * margin, Self.scale, Self.ink)
        }
        for (index, frame) in frames.enumerated() {
            let left = margin + index % columns * (cellWidth + margin)
            let top = head + index / columns * (cellHeight + margin)
            canvas.place(frame.picture, left: left, top: top)
            canvas.write(
                frame.caption, left: left,
                top: top + frame.picture.height + Self.line - BitmapFont.height * Self.scale,
                room: cellWidth, Self.scale, Self.ink)
        }
        return RGBImage(width: width, height: height, pixels: canvas.pixels)
    }

    /// `text` in lines of at most `room` pixels, broken at spaces, or within a word that is longer than a line.
    private static func wrapped(_ text: String, room: Int) -> [String] {
        let most = max(1, room / scale / BitmapFont.advance)
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ").map(String.init) {
            var word = word[...]
            while !word.isEmpty {
                let space = line.isEmpty ? 0 : 1
                if line.count + space + word.count <= most {
                    line += (space == 1 ? " " : "") + word
                    word = ""
                } else if line.isEmpty {
                    lines.append(String(word.prefix(most)))
                    word = word.dropFirst(most)
                } else {
                    lines.append(line)
                    line = ""
                }
            }
        }
        return line.isEmpty ? lines : lines + [line]
    }
}

/// Pixels that are drawn on; what is drawn must fit.
private struct Canvas {
    let width: Int
    private(set) var pixels: [UInt8]

    init(width: Int, height: Int, level: UInt8) {
        self.width = width
        pixels = [UInt8](repeating: level, count: width * height * 3)
    }

    mutating func place(_ picture: RGBImage, left: Int, top: Int) {
        for y in 0..<picture.height {
            let first = ((top + y) * width + left) * 3
            let source = y * picture.width * 3
            pixels.replaceSubrange(
                first..<first + picture.width * 3,
                with: picture.pixels[source..<source + picture.width * 3])
        }
    }

    /// Writes as many characters as fit in `room` pixels.
    mutating func write(
        _ text: String, left: Int, top: Int, room: Int, _ scale: Int, _ level: UInt8
    ) {
        // The last character needs no space behind it.
        let spacing = BitmapFont.advance - BitmapFont.width
        let count = max(0, (room / scale + spacing) / BitmapFont.advance)
        for (position, character) in text.prefix(count).enumerated() {
            for (y, row) in BitmapFont.dots(character).enumerated() {
                for (x, isInk) in row.enumerated() where isInk {
                    fill(
                        left: left + (position * BitmapFont.advance + x) * scale,
                        top: top + y * scale, side: scale, level)
                }
            }
        }
    }

    private mutating func fill(left: Int, top: Int, side: Int, _ level: UInt8) {
        for y in top..<top + side {
            for index in (y * width + left) * 3..<(y * width + left + side) * 3 {
                pixels[index] = level
            }
        }
    }
}
