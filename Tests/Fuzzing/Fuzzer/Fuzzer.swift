//! The fuzzer's main program: libFuzzer over the parser that the environment variable WADE_FUZZ_PARSER names.
import Foundation
import WadeFuzzedParsers

/// The entry of libFuzzer (`FuzzerInterface.h`), for programs that have a main function of their own.
@_silgen_name("LLVMFuzzerRunDriver")
private func runLibFuzzer(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ testOneInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// Runs until libFuzzer ends.
@main
enum Fuzzer {
    /// The parser that this process fuzzes.
    private static let parser: FuzzedParser = {
        let name = ProcessInfo.processInfo.environment["WADE_FUZZ_PARSER"] ?? ""
        guard let parser = FuzzedParser(rawValue: name) else {
            let known = FuzzedParser.allCases.map(\.rawValue).joined(separator: ", ")
            FileHandle.standardError.write(
                Data("WADE_FUZZ_PARSER: found \"\(name)\", expected one of \(known)\n".utf8))
            exit(64)
        }
        return parser
    }()

    static func main() {
        _ = parser
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        let status = runLibFuzzer(&count, &arguments) { start, count in
            let bytes = Array(UnsafeBufferPointer(start: start, count: count))
            do {
                try Fuzzer.parser.feed(bytes)
            } catch {
                // A trap, so that libFuzzer keeps the input.
                fatalError("\(Fuzzer.parser.rawValue): \(error)")
            }
            return 0
        }
        exit(status)
    }
}
