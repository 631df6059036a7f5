//! Where the program begins, and the one place where an error that no command reported becomes a message and an exit code.
import ArgumentParser
import Foundation
import WadeVideo

extension Wade {
    /// Runs the command that the arguments name, or serves the run that started this process as one of its decoders.
    static func main() {
        let arguments = CommandLine.arguments
        if arguments.count == 3, arguments[1] == DecoderServer.argument,
            let parent = Int32(arguments[2])
        {
            DecoderServer.serve(parent: parent)
            return
        }
        do {
            var command = try parseAsRoot(ArgumentBytes.ofProgram())
            try command.run()
        } catch {
            // help, a version, wrong usage and exit codes are ArgumentParser's to say
            guard !(error is ExitCode), exitCode(for: error) == .failure else {
                exit(withError: error)
            }
            FileHandle.standardError.write(Data("wade: \(message(error))\n".utf8))
            exit(withError: ExitCode.failure)
        }
    }

    /// Our errors describe themselves; Foundation's describe themselves to programmers only.
    private static func message(_ error: any Error) -> String {
        switch error {
        case let error as CocoaError:
            let path = error.filePath.map { "\($0): " } ?? ""
            return path + error.localizedDescription
        case let error as POSIXError: return error.localizedDescription
        case let error where error as Any is NSObject: return error.localizedDescription
        default: return "\(error)"
        }
    }
}
