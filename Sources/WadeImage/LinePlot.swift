//! Lines over numbers: loss curves and scores over shots, as a picture.

/// A plot of several named lines with axes and a legend.
package struct LinePlot: Sendable {
    /// A line through points, in the order of x.
    package struct Line: Sendable {
        package let name: String
        package let points: [(x: Double, y: Double)]
        /// What is drawn as a bar up and down: intervals of some of the points.
        package let intervals: [(x: Double, low: Double, high: Double)]

        package init(
            name: String, points: [(x: Double, y: Double)],
            intervals: [(x: Double, low: Double, high: Double)] = []
        ) {
            self.name = name
            self.points = points
            self.intervals = intervals
        }
    }

    package let title: String
    package let lines: [Line]
    /// The range of y; that of the points when not given.
    package let yRange: ClosedRange<Double>?
    /// Whether x is shown by log₂(1 + x), for shots that double.
    package let doublesX: Bool
    /// Values of x that are written at the axis; five even ones when not given.
    package let ticks: [Double]?

    package init(
        title: String, lines: [Line], yRange: ClosedRange<Double>? = nil, doublesX: Bool = false,
        ticks: [Double]? = nil
    ) {
        self.title = title
        self.lines = lines
        self.yRange = yRange
        self.doublesX = doublesX
        self.ticks = ticks
    }

    private static let colours: [(UInt8, UInt8, UInt8)] = [
        (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189),
        (140, 86, 75), (227, 119, 194), (90, 90, 90), (188, 189, 34), (23, 190, 207),
    ]
    private static let (left, right, top, bottom) = (64, 190, 30, 30)
    /// Points of a line that are marked at most.
    private static let mostMarks = 12

    /// The picture, `width` × `height` pixels.
    package func picture(width: Int = 800, height: Int = 480) -> RGBImage {
        var pixels = [UInt8](repeating: 255, count: width * height * 3)
        func dot(_ x: Int, _ y: Int, _ colour: (UInt8, UInt8, UInt8)) {
            guard (0..<width).contains(x), (0..<height).contains(y) else { return }
            let i = (y * width + x) * 3
            (pixels[i], pixels[i + 1], pixels[i + 2]) = colour
        }
        func write(_ text: String, _ x: Int, _ y: Int, _ colour: (UInt8, UInt8, UInt8)) {
            for (place, character) in text.enumerated() {
                for (row, line) in BitmapFont.dots(character).enumerated() {
                    for (column, isInk) in line.enumerated() where isInk {
                        dot(x + place * BitmapFont.advance + column, y + row, colour)
                    }
                }
            }
        }
        func stroke(
            _ from: (x: Double, y: Double), _ to: (x: Double, y: Double),
            _ colour: (UInt8, UInt8, UInt8), isThick: Bool
        ) {
            let steps = max(1, Int(max(abs(to.x - from.x), abs(to.y - from.y)) * 2))
            for step in 0...steps {
                let t = Double(step) / Double(steps)
                let x = Int(from.x + (to.x - from.x) * t)
                let y = Int(from.y + (to.y - from.y) * t)
                dot(x, y, colour)
                if isThick {
                    dot(x, y + 1, colour)
                    dot(x + 1, y, colour)
                }
            }
        }
        let frame = frame(width: width, height: height)
        let (ink, faint): ((UInt8, UInt8, UInt8), (UInt8, UInt8, UInt8)) = (
            (40, 40, 40), (225, 225, 225)
        )
        write(title, Self.left, 12, ink)
        for tick in 0...4 {
            let value =
                frame.y.lowerBound + (frame.y.upperBound - frame.y.lowerBound) * Double(tick) / 4
            let y = frame.place(frame.x.lowerBound, value).y
            stroke(
                (Double(Self.left), y), (Double(width - Self.right), y), faint, isThick: false)
            write(Self.text(value), 4, Int(y) - 3, ink)
        }
        for value in ticks ?? Self.even(frame.x) {
            let x = Int(frame.place(value, frame.y.lowerBound).x)
            write(Self.text(value), x - 6, height - Self.bottom + 8, ink)
        }
        for (index, line) in lines.enumerated() {
            let colour = Self.colours[index % Self.colours.count]
            let places = line.points.filter { $0.x.isFinite && $0.y.isFinite }
                .map { frame.place($0.x, $0.y) }
            for (from, to) in zip(places, places.dropFirst()) {
                stroke(from, to, colour, isThick: true)
            }
            // Few points are measurements that one wants to see; many are a curve.
            for place in places where places.count <= Self.mostMarks {
                for row in -2...2 {
                    stroke(
                        (place.x - 2, place.y + Double(row)), (place.x + 2, place.y + Double(row)),
                        colour, isThick: false)
                }
            }
            for bar in line.intervals where [bar.x, bar.low, bar.high].allSatisfy(\.isFinite) {
                let ends = [bar.low, bar.high].map { frame.place(bar.x, $0) }
                stroke(ends[0], ends[1], colour, isThick: false)
                for end in ends {
                    stroke((end.x - 4, end.y), (end.x + 4, end.y), colour, isThick: false)
                }
            }
            write(
                String(line.name.prefix(28)), width - Self.right + 10, Self.top + index * 14,
                colour)
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    /// Where numbers are on the picture.
    private struct Frame {
        let x: ClosedRange<Double>
        let y: ClosedRange<Double>
        let doubles: Bool
        let width: Double
        let height: Double

        func place(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
            let across = share(spread(x), spread(self.x.lowerBound), spread(self.x.upperBound))
            let up = share(y, self.y.lowerBound, self.y.upperBound)
            return (
                Double(LinePlot.left) + across * width,
                Double(LinePlot.top) + (1 - min(max(up, 0), 1)) * height
            )
        }

        /// log₂(1 + x) by its definition is not needed to more than a pixel.
        private func spread(_ x: Double) -> Double {
            guard doubles else { return x }
            var (rest, whole) = (1 + max(x, 0), 0.0)
            while rest >= 2 { (rest, whole) = (rest / 2, whole + 1) }
            return whole + rest - 1
        }

        private func share(_ value: Double, _ low: Double, _ high: Double) -> Double {
            high > low ? (value - low) / (high - low) : 0.5
        }
    }

    private func frame(width: Int, height: Int) -> Frame {
        let ends = lines.flatMap(\.intervals).flatMap { [($0.x, $0.low), ($0.x, $0.high)] }
        let points = (lines.flatMap(\.points) + ends).filter { $0.x.isFinite && $0.y.isFinite }
        let (xs, ys) = (points.map(\.x), points.map(\.y))
        return Frame(
            x: (xs.min() ?? 0)...(xs.max() ?? 1),
            y: yRange ?? (ys.min() ?? 0)...(ys.max() ?? 1), doubles: doublesX,
            width: Double(width - Self.left - Self.right),
            height: Double(height - Self.top - Self.bottom))
    }

    private static func even(_ range: ClosedRange<Double>) -> [Double] {
        (0...4).map {
            range.lowerBound + (range.upperBound - range.lowerBound) * Double($0) / 4
        }
    }

    /// At most four digits that matter.
    private static func text(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e6 { return String(Int(value)) }
        let scaled = (value * 1000).rounded() / 1000
        return String("\(scaled)".prefix(7))
    }
}
