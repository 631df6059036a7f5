//! Pictures of high dynamic range brought into the range that the vision encoders were trained on.
internal import Foundation
internal import WadeImage

/// The two transfer functions of ITU-R BT.2100.
enum HighDynamicRange {
    /// SMPTE ST 2084 (HDR10, Dolby Vision).
    case perceptualQuantizer
    /// ARIB STD-B67.
    case hybridLogGamma
}

/// BT.2100 RGB to 8-bit BT.709: light in units of reference white (203 cd/m², BT.2408), BT.2020 to BT.709 primaries,
/// unchanged up to 3/4 of white, above it bent smoothly below white by the brightest channel, so that hues stay.
struct ToneMap {
    let transfer: HighDynamicRange
    /// Light of a 12-bit code value (16-bit value >> 4), 1 = reference white.
    private let light: [Float]
    /// BT.709 code value of light 0...1 in 4096 steps.
    private let code: [UInt8]

    init(_ transfer: HighDynamicRange) {
        self.transfer = transfer
        light = (0..<4096).map { index in
            let signal = Double(index) / 4095
            return switch transfer {
            case .perceptualQuantizer: Float(ToneMap.perceptualQuantizer(signal) / 203)
            case .hybridLogGamma: Float(ToneMap.hybridLogGamma(signal) / 203)
            }
        }
        code = (0..<4097).map { index in
            let value = Double(index) / 4096
            // The transfer function that displays expect of BT.709 material: sRGB's is what still pictures use.
            let signal = value <= 0.0031308 ? 12.92 * value : 1.055 * pow(value, 1 / 2.4) - 0.055
            return UInt8(min(255, max(0, (signal * 255).rounded())))
        }
    }

    /// RGB48 rows (16 bits a channel, little endian) as an 8-bit picture.
    func picture(rows: [UInt8], stride: Int, width: Int, height: Int) -> RGBImage {
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        var target = 0
        for y in 0..<height {
            var source = y * stride
            for _ in 0..<width {
                let shown = mapped(
                    sample(rows, source), sample(rows, source + 2), sample(rows, source + 4))
                pixels[target] = shown.0
                pixels[target + 1] = shown.1
                pixels[target + 2] = shown.2
                source += 6
                target += 3
            }
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    private func sample(_ rows: [UInt8], _ index: Int) -> Float {
        light[(Int(rows[index]) | Int(rows[index + 1]) << 8) >> 4]
    }

    /// One pixel's light in BT.2020 primaries as BT.709 code values. Matrix: ITU-R BT.2087.
    private func mapped(_ r: Float, _ g: Float, _ b: Float) -> (UInt8, UInt8, UInt8) {
        let red = max(0, 1.6605 * r - 0.5876 * g - 0.0728 * b)
        let green = max(0, -0.1246 * r + 1.1329 * g - 0.0083 * b)
        let blue = max(0, -0.0182 * r - 0.1006 * g + 1.1187 * b)
        let peak = max(red, green, blue)
        let knee: Float = 0.75
        var gain: Float = 1
        if peak > knee {
            let over = peak - knee
            gain = (knee + (1 - knee) * over / (over + 1 - knee)) / peak
        }
        return (encoded(red * gain), encoded(green * gain), encoded(blue * gain))
    }

    private func encoded(_ value: Float) -> UInt8 {
        code[Int(min(1, max(0, value)) * 4096)]
    }

    /// cd/m² of a PQ signal 0...1 (SMPTE ST 2084).
    private static func perceptualQuantizer(_ signal: Double) -> Double {
        let m1 = 2610.0 / 16384, m2 = 2523.0 / 4096 * 128
        let c1 = 3424.0 / 4096, c2 = 2413.0 / 4096 * 32, c3 = 2392.0 / 4096 * 32
        let power = pow(signal, 1 / m2)
        return 10_000 * pow(max(power - c1, 0) / (c2 - c3 * power), 1 / m1)
    }

    /// cd/m² of an HLG signal 0...1 on a display of 1000 cd/m² with system gamma 1.2 taken per channel (BT.2100).
    private static func hybridLogGamma(_ signal: Double) -> Double {
        let a = 0.17883277, b = 0.28466892, c = 0.55991073
        let scene = signal <= 0.5 ? signal * signal / 3 : (exp((signal - c) / a) + b) / 12
        return 1000 * pow(scene, 1.2)
    }
}
