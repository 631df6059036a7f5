//! Where the program begins, and the one place where an error that no command reported becomes a message and an exit code.
import ArgumentParser
import Foundation

extension Wade {
    /// Runs the command that the arguments name.
    static func main() {
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
