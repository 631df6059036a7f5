//! Where the program begins, and the one place where an error that no command reported becomes a message and an exit code.
import ArgumentParser
import Foundation
import Glibc
import WadeVideo

extension Wade {
    /// Runs the command that the arguments name, or serves the run that started this process as one of its decoders.
    static func main() {
        if CommandLine.arguments.count == 3, CommandLine.arguments[1] == DecoderServer.argument,
            let parent = Int32(CommandLine.arguments[2])
        {
            DecoderServer.serve(parent: parent)
            return
        }
        reserveStandardStreams()
        let arguments = ArgumentBytes.ofProgram()
        if let refusal = EarlyRefusal.reason(arguments) {
            FileHandle.standardError.write(Data("wade: \(refusal)\n".utf8))
            exit(withError: ExitCode(75))
        }
        do {
            var command = try parseAsRoot(arguments)
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

    /// A stream that was closed at the start gets a descriptor that can be neither read nor written to anybody's use; without it the
    /// next file that is opened would take its number, and results or messages would end in that file.
    private static func reserveStandardStreams() {
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        where fcntl(stream, F_GETFD) < 0 {
            // The lowest free number is the stream's own, since those below are open by now.
            _ = unsafe open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY)
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
