//! Contact sheets: times, layout, letters; and that the PNG files hold the pixels they were given.
import Testing

@testable import WadeImage

@Suite struct ContactSheetTests {
    @Test("times have minutes, seconds and milliseconds, hours only when needed")
    func times() {
        #expect(ContactSheet.time(1.234) == "0:01.234")
        #expect(ContactSheet.time(0) == "0:00.000")
        #expect(ContactSheet.time(59.9996) == "1:00.000")
        #expect(ContactSheet.time(3723.456) == "1:02:03.456")
        #expect(ContactSheet.time(-1.5) == "-0:01.500")
        #expect(ContactSheet.time(.nan) == "?")
        #expect(ContactSheet.time(.infinity) == "?")
    }

    @Test("pictures lie unchanged in their cells, and ink stands under each")
    func layout() throws {
        let pictures = (0..<5).map { pattern(width: 100 + $0, height: 60) }
        let sheet = ContactSheet(
            title: "clip.mp4",
            frames: pictures.enumerated().map { .init(picture: $1, seconds: Double($0)) })
        #expect(sheet.columns == 3)
        let image = try sheet.composed()
        // Margins of 8, lines of 20, cells of 104 x 80.
        #expect(image.width == 3 * 112 + 8 && image.height == 8 + 20 + 2 * 88 + 8)
        for (i, picture) in pictures.enumerated() {
            let (left, top) = (8 + i % 3 * 112, 28 + i / 3 * 88)
            #expect(
                image.cropped(
                    columns: left..<left + picture.width, rows: top..<top + picture.height)
                    == picture)
            let caption = image.cropped(columns: left..<left + 104, rows: top + 60..<top + 80)
            #expect(caption.pixels.contains(32))
        }
    }

    @Test("text that is too long is cut, and a sheet without frames has a title only")
    func cuts() throws {
        let narrow = RGBImage(width: 1, height: 1, pixels: [0, 0, 0])
        let title = String(repeating: "W", count: 500)
        let sheet = ContactSheet(title: title, frames: [.init(picture: narrow, seconds: 1)])
        #expect(try sheet.composed().width == 640)
        #expect(try ContactSheet(title: "é", frames: []).composed().pixels.contains(32))
    }

    @Test("notes stand between title and grid, wrapped at spaces, and move nothing else")
    func notes() throws {
        let picture = pattern(width: 240, height: 60)
        let plain = ContactSheet(title: "t", frames: [.init(picture: picture, seconds: 1)])
        let short = try plain.composed()
        // 240 + 16 pixels hold 20 characters of 12 pixels.
        let words = "twelve words of four"
        #expect(words.count == 20)
        let noted = try ContactSheet(
            title: "t", frames: plain.frames, notes: [words + " " + words]
        ).composed()
        #expect(noted.width == 41 * 12 + 16 && noted.height == short.height + 20)
        let long = try ContactSheet(
            title: "t", frames: plain.frames,
            notes: [Array(repeating: words, count: 5).joined(separator: " "), "x"]
        ).composed()
        // 640 pixels hold 52 characters: two and a half times the words, and their rest.
        #expect(long.width == 640 && long.height == short.height + 4 * 20)
        let top = 28 + 4 * 20
        #expect(long.cropped(columns: 8..<248, rows: top..<top + 60) == picture)
    }

    @Test("every printable character has a picture of its own")
    func typeface() {
        let characters = (0x20...0x7E).map { Character(UnicodeScalar(UInt8($0))) }
        let pictures = characters.map { BitmapFont.dots($0) }
        #expect(pictures.allSatisfy { $0.count == 7 && $0.allSatisfy { $0.count == 5 } })
        #expect(Set(pictures).count == characters.count)
    }
}

@Suite struct PNGTests {
    @Test("a PNG's chunks carry the header, the deflated rows and valid checksums")
    func chunks() throws {
        for (width, height) in [(1, 1), (7, 5), (64, 33)] {
            let image = pattern(width: width, height: height)
            let file = try PNG.encode(image)
            #expect(Array(file[..<8]) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
            var at = 8
            var names: [String] = []
            var data: [[UInt8]] = []
            while at + 12 <= file.count {
                let length = bigEndian(file, at)
                let body = Array(file[at + 4..<at + 8 + length])
                #expect(bigEndian(file, at + 8 + length) == checksum(body))
                names.append(String(decoding: body[..<4], as: UTF8.self))
                data.append(Array(body[4...]))
                at += 12 + length
            }
            #expect(names == ["IHDR", "IDAT", "IEND"] && at == file.count)
            #expect(bigEndian(data[0], 0) == width && bigEndian(data[0], 4) == height)
            #expect(Array(data[0][8...]) == [8, 2, 0, 0, 0])
            // A zlib stream ends with the Adler-32 of what was deflated.
            let rows = PNG.filtered(image)
            #expect(data[1].first == 0x78 && bigEndian(data[1], data[1].count - 4) == adler(rows))
            #expect(unfiltered(rows, width * 3) == image.pixels)
        }
    }

    private func bigEndian(_ bytes: [UInt8], _ at: Int) -> Int {
        bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
    }

    /// CRC-32 by its definition, bit by bit (PNG, annex D).
    private func checksum(_ bytes: [UInt8]) -> Int {
        var remainder = UInt32.max
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder & 1 == 1 ? 0xEDB8_8320 ^ (remainder >> 1) : remainder >> 1
            }
        }
        return Int(~remainder)
    }

    /// Adler-32 by its definition (RFC 1950, 8.2).
    private func adler(_ bytes: [UInt8]) -> Int {
        var (low, high) = (1, 0)
        for byte in bytes {
            low = (low + Int(byte)) % 65521
            high = (high + low) % 65521
        }
        return high << 16 | low
    }

    /// Undoes filter 4 of every row, by the specification's formula.
    private func unfiltered(_ bytes: [UInt8], _ rowBytes: Int) -> [UInt8] {
        var out: [UInt8] = []
        for (i, byte) in bytes.enumerated() {
            let x = i % (rowBytes + 1) - 1
            guard x >= 0 else {
                #expect(byte == 4)
                continue
            }
            func earlier(_ distance: Int) -> Int {
                out.count >= distance ? Int(out[out.count - distance]) : 0
            }
            let a = x >= 3 ? earlier(3) : 0
            let b = earlier(rowBytes)
            let c = x >= 3 ? earlier(rowBytes + 3) : 0
            let p = a + b - c
            let nearest = [(abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c)].min {
                $0 < $1
            }
            out.append(byte &+ UInt8(nearest?.2 ?? 0))
        }
        return out
    }
}
