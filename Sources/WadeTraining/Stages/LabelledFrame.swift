//! A rendered frame with the words that the vision encoder learns from.
internal import WadeImage

/// A frame, and the ids of its words: subject, colours, places, light.
struct LabelledFrame {
    let picture: RGBImage
    /// Ids below `wordCount`, one per property.
    let words: [Int]

    /// The sizes of the groups of words, in their order: shape, colour, background, film, x, y, radius, light, and for each of
    /// 3 × 3 cells light and hue.
    private static let groups: [Int] =
        [7, 9, 8, 2, 15, 15, 8, 10] + (0..<9).flatMap { _ in [6, 7] }
    static let wordCount = groups.reduce(0, +)

    init(_ clip: RenderedClip, frame: Int) {
        let picture = clip.frames[frame]
        self.picture = picture
        let facts = ShotFacts(clip.truth)
        let light = Self.light(picture, 0..<picture.width, 0..<picture.height)
        let isVisible = light.luma > 0.03
        func place(_ attribute: ShotAttribute) -> Int {
            guard isVisible, let place = attribute.values.firstIndex(of: facts[attribute]) else {
                return 0
            }
            return place + 1
        }
        let point = clip.path[frame]
        let hasSubject = isVisible && facts.isClear(.shape) && point.radius > 0
        func bin(_ value: Float, _ count: Int) -> Int {
            Int(max(-1, min(Float(count), (value * Float(count)).rounded(.down))))
        }
        var ids = [
            place(.shape), place(.colour), place(.background),
            facts[.film] == "monochrome" ? 1 : 0,
            hasSubject ? bin(point.x, 12) + 2 : 0, hasSubject ? bin(point.y, 12) + 2 : 0,
            hasSubject ? max(0, min(5, bin(point.radius, 16))) + 1 : 0,
            min(9, Int(light.luma * 10)),
        ]
        for cell in 0..<9 {
            let (column, row) = (cell % 3, cell / 3)
            let part = Self.light(
                picture,
                picture.width * column / 3..<picture.width * (column + 1) / 3,
                picture.height * row / 3..<picture.height * (row + 1) / 3)
            ids += [min(5, Int(part.luma * 6)), part.hue]
        }
        var first = 0
        words = zip(ids, Self.groups).map { id, size in
            defer { first += size }
            return first + min(id, size - 1)
        }
    }

    /// The same words but for one of the subject's, drawn anew: what the frame must be told from. Empty where there is no subject.
    func almost(_ property: SubjectProperty, random: inout RandomStream) -> [Int] {
        let group = property.rawValue
        let first = Self.groups[..<group].reduce(0, +)
        guard words[SubjectProperty.shape.rawValue] > 0, words[group] > first else { return [] }
        // 0 stands for none.
        let others = (first + 1..<first + Self.groups[group]).filter { $0 != words[group] }
        var changed = words
        changed[group] = random.element(others)
        return changed
    }

    /// The groups of words that say something of the subject.
    enum SubjectProperty: Int {
        case shape = 0
        case colour = 1
        case x = 4
        case y = 5
        case radius = 6
    }

    /// Mean luma, 0...1, and the hue's sextant of a part of a picture, 0 where it is grey.
    private static func light(_ picture: RGBImage, _ columns: Range<Int>, _ rows: Range<Int>)
        -> (luma: Float, hue: Int)
    {
        var sums = (0, 0, 0)
        for y in rows {
            for x in columns {
                let i = 3 * (y * picture.width + x)
                sums.0 += Int(picture.pixels[i])
                sums.1 += Int(picture.pixels[i + 1])
                sums.2 += Int(picture.pixels[i + 2])
            }
        }
        let scale = 1 / (255 * Float(columns.count * rows.count))
        let (red, green, blue) = (
            Float(sums.0) * scale, Float(sums.1) * scale, Float(sums.2) * scale
        )
        let (top, bottom) = (max(red, green, blue), min(red, green, blue))
        let luma = 0.299 * red + 0.587 * green + 0.114 * blue
        guard top - bottom > 0.15 * (top + 0.02) else { return (luma, 0) }
        let hue: Float
        if top == red {
            hue = ((green - blue) / (top - bottom) + 6).truncatingRemainder(dividingBy: 6)
        } else if top == green {
            hue = (blue - red) / (top - bottom) + 2
        } else {
            hue = (red - green) / (top - bottom) + 4
        }
        return (luma, 1 + min(5, Int(hue.rounded()) % 6))
    }

    /// Luma 8 × 8, two colour differences 2 × 2.
    static let thumbnailWidth = 64 + 8

    /// The thumbnail of the square at (x, y), moved into the picture: luma without its mean, over its deviation, and colour.
    func thumbnail(x: Int, y: Int, side: Int) -> [Float] {
        let left = max(0, min(picture.width - side, x))
        let top = max(0, min(picture.height - side, y))
        var values = [Float](repeating: 0, count: Self.thumbnailWidth)
        let (fine, coarse) = (max(1, side / 8), max(1, side / 2))
        for row in 0..<side {
            for column in 0..<side {
                let i = 3 * ((top + row) * picture.width + left + column)
                let red = Float(picture.pixels[i]) / 64
                let green = Float(picture.pixels[i + 1]) / 64
                let blue = Float(picture.pixels[i + 2]) / 64
                let luma = (red + green + blue) / 3
                values[min(7, row / fine) * 8 + min(7, column / fine)] += luma
                let cell = 64 + (min(1, row / coarse) * 2 + min(1, column / coarse)) * 2
                values[cell] += red - luma
                values[cell + 1] += green - luma
            }
        }
        for index in 0..<64 { values[index] /= Float(fine * fine) }
        for index in 64..<Self.thumbnailWidth { values[index] *= 2 / Float(coarse * coarse) }
        let mean = values[..<64].reduce(0, +) / 64
        let variance = values[..<64].reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 64
        let scale = 1 / (variance.squareRoot() + 0.05)
        for index in 0..<64 { values[index] = (values[index] - mean) * scale }
        return values
    }
}
