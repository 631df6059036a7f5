//! What JPEG and MPEG do to a picture: blocks of 8 × 8 cosine coefficients, rounded.

/// Quantises pictures block by block; half the colour resolution, as encoders do.
struct BlockCompression {
    /// The transform, `matrix[k][n] = c(k) cos((2n + 1) k π / 16)`.
    private let matrix: [SIMD8<Float>]
    private let transposed: [SIMD8<Float>]
    /// Steps of luma and chroma coefficients.
    private let lumaSteps: [SIMD8<Float>]
    private let chromaSteps: [SIMD8<Float>]

    /// JPEG's quality 1...100 with the tables of its Annex K.
    init(quality: Float) {
        var matrix = [SIMD8<Float>](repeating: SIMD8(), count: 8)
        var transposed = matrix
        for k in 0..<8 {
            for n in 0..<8 {
                let value =
                    k == 0 ? 0.353_553_4 : 0.5 * Waves.cosine(Float((2 * n + 1) * k) / 32)
                matrix[k][n] = value
                transposed[n][k] = value
            }
        }
        self.matrix = matrix
        self.transposed = transposed
        let scale = (quality < 50 ? 50 / quality : 2 - quality / 50) / 255
        lumaSteps = Self.luma.map { $0 * scale }
        chromaSteps = Self.chroma.map { $0 * scale }
    }

    /// Rounds what lies within whole squares of 16 × 16 pixels; the rest stays.
    func apply(to picture: inout Picture) {
        var luma = [SIMD8<Float>](repeating: SIMD8(), count: 32)
        var blue = [SIMD8<Float>](repeating: SIMD8(), count: 8)
        var red = blue
        var work = blue
        for top in stride(from: 0, to: picture.height - 15, by: 16) {
            for left in stride(from: 0, to: picture.width - 15, by: 16) {
                take(picture, top, left, &luma, &blue, &red)
                for block in 0..<4 { round(&luma, block * 8, lumaSteps, &work) }
                round(&blue, 0, chromaSteps, &work)
                round(&red, 0, chromaSteps, &work)
                give(&picture, top, left, luma, blue, red)
            }
        }
    }

    private func take(
        _ picture: Picture, _ top: Int, _ left: Int, _ luma: inout [SIMD8<Float>],
        _ blue: inout [SIMD8<Float>], _ red: inout [SIMD8<Float>]
    ) {
        for y in 0..<8 {
            blue[y] = SIMD8()
            red[y] = SIMD8()
        }
        for y in 0..<16 {
            let row = (top + y) * picture.width + left
            for x in 0..<16 {
                let pixel = picture.pixels[row + x]
                let light = pixel.luma
                luma[(y >> 3) * 16 + (x >> 3) * 8 + (y & 7)][x & 7] = light
                blue[y >> 1][x >> 1] += (pixel.z - light) * (0.564 / 4)
                red[y >> 1][x >> 1] += (pixel.x - light) * (0.713 / 4)
            }
        }
    }

    private func give(
        _ picture: inout Picture, _ top: Int, _ left: Int, _ luma: [SIMD8<Float>],
        _ blue: [SIMD8<Float>], _ red: [SIMD8<Float>]
    ) {
        for y in 0..<16 {
            let row = (top + y) * picture.width + left
            for x in 0..<16 {
                let light = luma[(y >> 3) * 16 + (x >> 3) * 8 + (y & 7)][x & 7]
                let b = blue[y >> 1][x >> 1]
                let r = red[y >> 1][x >> 1]
                picture.pixels[row + x] = Paint(
                    light + 1.402 * r, light - 0.344 * b - 0.714 * r, light + 1.772 * b, 0)
            }
        }
    }

    /// Transforms the eight rows from `first`, rounds the coefficients to `steps`, and transforms back.
    private func round(
        _ block: inout [SIMD8<Float>], _ first: Int, _ steps: [SIMD8<Float>],
        _ work: inout [SIMD8<Float>]
    ) {
        // M X, then (M X) Mᵀ as rows times the transposed matrix.
        for k in 0..<8 { work[k] = product(matrix[k], block, first) }
        for k in 0..<8 {
            let coefficients = product(work[k], transposed, 0)
            // Adding and taking away 1.5 × 2^23 rounds to whole numbers.
            let whole = (coefficients / steps[k] + 12_582_912) - 12_582_912
            block[first + k] = whole * steps[k]
        }
        for n in 0..<8 { work[n] = product(transposed[n], block, first) }
        for n in 0..<8 { block[first + n] = product(work[n], matrix, 0) }
    }

    /// The row vector `row` times the eight rows of `block` from `first`.
    private func product(_ row: SIMD8<Float>, _ block: [SIMD8<Float>], _ first: Int)
        -> SIMD8<Float>
    {
        var sum = block[first] * row[0]
        for k in 1..<8 { sum += block[first + k] * row[k] }
        return sum
    }

    // ITU-T T.81, tables K.1 and K.2.
    private static let luma: [SIMD8<Float>] = [
        [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
    ]
    private static let chroma: [SIMD8<Float>] = [
        [17, 18, 24, 47, 99, 99, 99, 99], [18, 21, 26, 66, 99, 99, 99, 99],
        [24, 26, 56, 99, 99, 99, 99, 99], [47, 66, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99], [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99], [99, 99, 99, 99, 99, 99, 99, 99],
    ]
}
