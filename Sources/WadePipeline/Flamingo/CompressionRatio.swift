//! How much shorter zlib makes a text: the measure by which whisper tells loops from language.
internal import CZlib

/// Bytes of a text's UTF-8 over bytes of its zlib stream, as whisper's `compression_ratio`: below 1 for a few words (the stream has
/// a head and a checksum), 1 to 2 for sentences, far above for loops.
enum CompressionRatio {
    /// Longest end of a text that is judged, in bytes: about the 30 seconds of speech that whisper's threshold was made for. Longer
    /// texts compress better whatever they say.
    static let window = 1024

    /// The ratio of `bytes`; 0 for none, and for what zlib cannot take.
    static func of(_ bytes: some Collection<UInt8>) -> Double {
        let compressed = compressedCount(of: bytes)
        return compressed > 0 ? Double(bytes.count) / Double(compressed) : 0
    }

    /// Bytes of the zlib stream of `bytes`, at zlib's own level; 0 when zlib fails.
    static func compressedCount(of bytes: some Collection<UInt8>) -> Int {
        let bytes = Array(bytes)
        var length = compressBound(uLong(bytes.count))
        let capacity = Int(length)
        var status = Z_OK
        _ = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { out, initialized in
            status = unsafe bytes.withUnsafeBufferPointer {
                unsafe compress(out.baseAddress, &length, $0.baseAddress, uLong($0.count))
            }
            initialized = status == Z_OK ? Int(length) : 0
        }
        return status == Z_OK ? Int(length) : 0
    }

    /// The ratio of the end of `text`.
    static func ofEnd(of text: String) -> Double { of(text.utf8.suffix(window)) }
}
