//! What names a set of parameters: anything computed from others is not taken for computed from these.
internal import WadeTensor

/// FNV-1a over names and bits, enough to tell one training from another; nobody forges these.
struct ParameterDigest {
    /// 16 hexadecimal digits.
    let text: String

    /// What names texts, each ended by a byte that UTF-8 has not.
    init(_ texts: [String]) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for text in texts {
            for byte in Array(text.utf8) + [0xFF] {
                hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
            }
        }
        self.init(hash)
    }

    init(_ parameters: [String: Tensor]) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for name in parameters.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            for value in parameters[name]?.values ?? [] {
                hash = (hash ^ UInt64(value.bitPattern)) &* 0x100_0000_01B3
            }
        }
        self.init(hash)
    }

    private init(_ hash: UInt64) {
        let digits = String(hash, radix: 16)
        text = String(repeating: "0", count: 16 - digits.count) + digits
    }
}
