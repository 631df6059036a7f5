//! Pictures as PNG files: 8-bit RGB, every row filtered by Paeth's predictor, deflated by zlib.

internal import CZlib

/// The PNG format, third edition (W3C, 2025); writing only.
package enum PNG {
    /// Longest side and longest chunk that the format can express: 2^31 - 1.
    private static let limit = Int(Int32.max)

    /// The bytes of a PNG file; throws `ImageError` when the picture exceeds the format or zlib fails.
    package static func encode(_ image: RGBImage) throws -> [UInt8] {
        let compressed = try deflate(filtered(image))
        guard image.width <= limit, image.height <= limit, compressed.count <= limit else {
            throw ImageError.tooLarge(
                what: "png", width: image.width, height: image.height,
                limit: "2^31 - 1 a side and in all compressed bytes")
        }
        // Bit depth 8, colour type 2 (RGB), deflate, adaptive filters, not interlaced.
        let header =
            bigEndian(UInt32(image.width)) + bigEndian(UInt32(image.height)) + [8, 2, 0, 0, 0]
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header)
            + chunk("IDAT", compressed) + chunk("IEND", [])
    }

    /// Length, name, data, and the CRC-32 of name and data.
    private static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + data
        let checksum = unsafe body.withUnsafeBufferPointer {
            unsafe crc32_z(0, $0.baseAddress, $0.count)
        }
        return bigEndian(UInt32(data.count)) + body
            + bigEndian(UInt32(truncatingIfNeeded: checksum))
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    /// height × (1 + width × 3) bytes: each row's filter type 4, then each byte less its prediction.
    static func filtered(_ image: RGBImage) -> [UInt8] {
        let rowBytes = image.width * 3
        let count = image.height * (rowBytes + 1)
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { out, initialized in
            initialized = count
            unsafe image.pixels.withUnsafeBufferPointer { pixels in
                var index = 0
                for y in 0..<image.height {
                    unsafe out[index] = 4
                    index += 1
                    for x in 0..<rowBytes {
                        let here = y * rowBytes + x
                        let left = unsafe x < 3 ? 0 : pixels[here - 3]
                        let above = unsafe y == 0 ? 0 : pixels[here - rowBytes]
                        let corner = unsafe x < 3 || y == 0 ? 0 : pixels[here - rowBytes - 3]
                        unsafe out[index] = pixels[here] &- paeth(left, above, corner)
                        index += 1
                    }
                }
            }
        }
    }

    /// The neighbour nearest to left + above - corner; PNG, 9.4.
    private static func paeth(_ left: UInt8, _ above: UInt8, _ corner: UInt8) -> UInt8 {
        let estimate = Int(left) + Int(above) - Int(corner)
        let toLeft = abs(estimate - Int(left))
        let toAbove = abs(estimate - Int(above))
        let toCorner = abs(estimate - Int(corner))
        if toLeft <= toAbove && toLeft <= toCorner { return left }
        return toAbove <= toCorner ? above : corner
    }

    /// The zlib stream of `bytes`.
    private static func deflate(_ bytes: [UInt8]) throws -> [UInt8] {
        var status = Z_OK
        let capacity = Int(compressBound(uLong(bytes.count)))
        let out = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { out, initialized in
            var length = uLong(capacity)
            status = unsafe bytes.withUnsafeBufferPointer {
                unsafe compress(out.baseAddress, &length, $0.baseAddress, uLong($0.count))
            }
            initialized = status == Z_OK ? Int(length) : 0
        }
        guard status == Z_OK else { throw ImageError.compressionFailed(status: Int(status)) }
        return out
    }
}
