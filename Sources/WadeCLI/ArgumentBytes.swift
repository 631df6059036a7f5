//! Arguments as the kernel passes them: a path on the command line need not be UTF-8.
import ArgumentParser
import Glibc
import WadePipeline

/// Arguments that no bytes are lost from on their way through ArgumentParser, which takes texts.
enum ArgumentBytes {
    /// U+10FF80...U+10FFFF, the end of the last private plane, stand for the bytes 0x80...0xFF.
    private static let base: UInt32 = 0x10_FF00
    private static let stand: ClosedRange<UInt32> = 0x10_FF80...0x10_FFFF

    /// The program's arguments without its name, each as `text(_:)` says.
    static func ofProgram() -> [String] {
        var arguments: [String] = []
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let start = unsafe CommandLine.unsafeArgv[index] else { break }
            let bytes = unsafe UnsafeRawBufferPointer(start: start, count: strlen(start))
            arguments.append(text(unsafe Array(bytes)))
        }
        return arguments
    }

    /// The text that `bytes` are in UTF-8; if they are not, or hold a stand-in, every byte beyond ASCII becomes its stand-in, so that
    /// `bytes(_:)` always gives back what was passed.
    static func text(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self),
            !text.unicodeScalars.contains(where: { stand.contains($0.value) })
        {
            return text
        }
        var text = String.UnicodeScalarView()
        for byte in bytes {
            let value = byte < 0x80 ? UInt32(byte) : base + UInt32(byte)
            text.append(Unicode.Scalar(value) ?? "\u{FFFD}")
        }
        return String(text)
    }

    /// The bytes that `text(_:)` made `argument`, or a part of it, from.
    static func bytes(_ argument: String) -> [UInt8] {
        argument.unicodeScalars.flatMap { scalar in
            byte(scalar).map { [$0] } ?? Array(String(scalar).utf8)
        }
    }

    /// The byte that `scalar` stands for; nil when it means itself.
    static func byte(_ scalar: Unicode.Scalar) -> UInt8? {
        stand.contains(scalar.value) ? UInt8(truncatingIfNeeded: scalar.value) : nil
    }
}

extension PathBytes: ExpressibleByArgument {
    /// The path that was passed; nil when it is empty, which the kernel would take for no file and Wade for the current folder.
    package init?(argument: String) {
        guard !argument.isEmpty else { return nil }
        self.init(bytes: ArgumentBytes.bytes(argument))
    }
}
