//! Results on standard output: what cannot be written is an error, not a loss.
import Foundation
import WadePipeline

/// Standard output with its errors.
enum StandardOutput {
    /// Writes all bytes; throws `PipelineError` with the system's reason, or `readerGone` when nobody reads any more.
    static func write(_ bytes: [UInt8]) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(bytes))
        } catch {
            let outer = error as NSError
            let reason = outer.userInfo[NSUnderlyingErrorKey] as? NSError ?? outer
            if reason.domain == NSPOSIXErrorDomain, reason.code == Int(EPIPE) {
                throw PipelineError.readerGone
            }
            throw PipelineError.file(
                path: "standard output", action: "write", reason: reason.localizedDescription)
        }
    }

    /// Writes a text and a line end.
    static func line(_ text: String) throws {
        try write(Array(text.utf8) + [UInt8(ascii: "\n")])
    }
}
