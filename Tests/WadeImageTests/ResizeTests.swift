//! The resize against weights worked out by hand and against its own definition in floating point.
import Testing

@testable import WadeImage

@Suite struct ResizeTests {
    @Test("a picture resized to its own size is itself")
    func sameSize() {
        let image = pattern(width: 7, height: 5)
        #expect(image.resized(width: 7, height: 5, filter: .bicubic) == image)
    }

    @Test(
        "a flat picture stays flat at every size", arguments: ResampleFilter.allCases,
        [UInt8(0), 1, 127, 255])
    func flat(filter: ResampleFilter, level: UInt8) {
        let image = RGBImage(
            width: 13, height: 9, pixels: [UInt8](repeating: level, count: 13 * 9 * 3))
        for (width, height) in [(4, 3), (30, 20), (1, 1), (13, 2), (5, 9)] {
            let out = image.resized(width: width, height: height, filter: filter)
            #expect(out.pixels.allSatisfy { $0 == level }, "\(width)x\(height)")
        }
    }

    @Test("halving a row with the triangle weighs 1 3 3 1, and 3 3 1 at the border")
    func halvedBilinear() {
        let levels: [UInt8] = [10, 20, 40, 80, 160, 240]
        let image = RGBImage(width: 6, height: 1, pixels: levels.flatMap { [$0, $0, $0] })
        let out = image.resized(width: 3, height: 1, filter: .bilinear)
        // (3*10 + 3*20 + 40) / 7 = 18.57; (20 + 3*40 + 3*80 + 160) / 8 = 67.5; (80 + 3*160 + 3*240) / 7 = 182.86
        #expect(out.pixels == [19, 19, 19, 68, 68, 68, 183, 183, 183])
    }

    @Test(
        "a part that holds what a window is made of gives the same window as the whole",
        arguments: ResampleFilter.allCases, ResamplePassOrder.allCases)
    func part(filter: ResampleFilter, order: ResamplePassOrder) {
        let image = pattern(width: 61, height: 47)
        for (width, height) in [(20, 13), (80, 70), (61, 12), (17, 47)] {
            let (columns, rows) = (width / 4..<width / 4 * 3, height / 3..<height / 3 * 2)
            let across = PicturePart.sourceWindow(from: 61, to: width, columns, filter)
            let down = PicturePart.sourceWindow(from: 47, to: height, rows, filter)
            let part = PicturePart(
                image.cropped(columns: across, rows: down), left: across.lowerBound,
                top: down.lowerBound, width: 61, height: 47)
            #expect(
                part.resized(
                    width: width, height: height, filter: filter, order: order, columns: columns,
                    rows: rows)
                    == image.resized(
                        width: width, height: height, filter: filter, order: order,
                        columns: columns, rows: rows), "\(width)x\(height)")
        }
    }

    @Test(
        "a window of the resized picture equals the same window cut out afterwards",
        arguments: ResampleFilter.allCases)
    func window(filter: ResampleFilter) {
        let image = pattern(width: 41, height: 29)
        for (width, height) in [(20, 13), (64, 50), (41, 12), (17, 29)] {
            let whole = image.resized(width: width, height: height, filter: filter)
            let (columns, rows) = (3..<width - 2, 4..<height - 1)
            let part = image.resized(
                width: width, height: height, filter: filter, columns: columns, rows: rows)
            #expect(part == whole.cropped(columns: columns, rows: rows), "\(width)x\(height)")
            let other = image.resized(
                width: width, height: height, filter: filter, order: .strongerFirst)
            let otherPart = image.resized(
                width: width, height: height, filter: filter, order: .strongerFirst,
                columns: columns, rows: rows)
            #expect(
                otherPart == other.cropped(columns: columns, rows: rows), "\(width)x\(height)")
        }
    }

    @Test("the fixed-point resize stays within one level of the two passes in floating point")
    func againstDefinition() {
        let image = pattern(width: 37, height: 53)
        for (width, height) in [(16, 16), (80, 24), (50, 90)] {
            let fixed = image.resized(width: width, height: height, filter: .bicubic)
            let naive = resizedByDefinition(image, width: width, height: height)
            let worst = zip(fixed.pixels, naive).map { abs(Double($0) - $1) }.max() ?? 0
            #expect(worst <= 1, "\(width)x\(height): \(worst)")
        }
    }
}

@Suite struct OrientationTests {
    @Test("a quarter turn clockwise brings the top left corner to the top right")
    func quarterTurn() {
        let image = RGBImage(width: 2, height: 1, pixels: [1, 2, 3, 4, 5, 6])
        let turned = image.rotatedClockwise(quarterTurns: 1)
        #expect(turned == RGBImage(width: 1, height: 2, pixels: [1, 2, 3, 4, 5, 6]))
        let tall = RGBImage(width: 1, height: 2, pixels: [1, 2, 3, 4, 5, 6])
        #expect(
            tall.rotatedClockwise(quarterTurns: 1)
                == RGBImage(width: 2, height: 1, pixels: [4, 5, 6, 1, 2, 3]))
    }

    @Test("turns add up and four of them change nothing")
    func turnsCompose() {
        let image = pattern(width: 5, height: 3)
        let once = image.rotatedClockwise(quarterTurns: 1)
        #expect(once.rotatedClockwise(quarterTurns: 1) == image.rotatedClockwise(quarterTurns: 2))
        #expect(once.rotatedClockwise(quarterTurns: -1) == image)
        #expect(image.rotatedClockwise(quarterTurns: 3) == image.rotatedClockwise(quarterTurns: -1))
        #expect(image.rotatedClockwise(quarterTurns: 4) == image)
    }

    @Test("both mirrorings together are half a turn, and each undoes itself")
    func flips() {
        let image = pattern(width: 4, height: 3)
        #expect(
            image.flippedHorizontally().flippedVertically()
                == image.rotatedClockwise(quarterTurns: 2))
        #expect(image.flippedHorizontally() != image)
        #expect(image.flippedHorizontally().flippedHorizontally() == image)
        let row = RGBImage(width: 2, height: 1, pixels: [1, 2, 3, 4, 5, 6])
        #expect(row.flippedHorizontally().pixels == [4, 5, 6, 1, 2, 3])
    }
}

/// A picture without symmetries, the same on every run.
func pattern(width: Int, height: Int) -> RGBImage {
    var state: UInt32 = 1
    let pixels = (0..<width * height * 3).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223  // Numerical Recipes' linear congruence
        return UInt8(truncatingIfNeeded: state >> 24)
    }
    return RGBImage(width: width, height: height, pixels: pixels)
}

/// Keys' cubic in both directions in double precision, rounded once in between as the original does.
private func resizedByDefinition(_ image: RGBImage, width: Int, height: Int) -> [Double] {
    func axis(_ line: [Double], _ target: Int) -> [Double] {
        let scale = Double(line.count) / Double(target)
        let widening = max(scale, 1)
        return (0..<target).map { position in
            let center = (Double(position) + 0.5) * scale - 0.5
            var sum = 0.0
            var total = 0.0
            for (i, value) in line.enumerated() where abs(Double(i) - center) < 2 * widening {
                let x = abs(Double(i) - center) / widening
                let weight =
                    x < 1
                    ? 1.5 * x * x * x - 2.5 * x * x + 1
                    : -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2
                sum += weight * value
                total += weight
            }
            return min(max((sum / total).rounded(), 0), 255)
        }
    }
    var out = [Double](repeating: 0, count: width * height * 3)
    for channel in 0..<3 {
        let rows = (0..<image.height).map { y in
            axis(
                (0..<image.width).map {
                    Double(image.pixels[(y * image.width + $0) * 3 + channel])
                },
                width)
        }
        for x in 0..<width {
            for (y, value) in axis(rows.map { $0[x] }, height).enumerated() {
                out[(y * width + x) * 3 + channel] = value
            }
        }
    }
    return out
}
