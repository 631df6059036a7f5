//! Ctrl-C in a dialogue: it ends the answer in work, and the dialogue when there is none.
import Dispatch
import Glibc
import Synchronization
import WadeTerminal

/// Whether an answer is being written, and whether the user wants it to end.
final class ChatSignals: Sendable {
    private enum State {
        case idle, working, interrupted
    }

    private let state = Mutex(State.idle)

    /// Watches the signals that a terminal and a system send; the settings of the terminal are given back before the process ends.
    init(_ mode: TerminalMode) {
        signal(SIGPIPE, SIG_IGN)
        let queue = DispatchQueue(label: "wade.chat.signals")
        for number in [SIGINT, SIGTERM, SIGHUP] {
            let inherited = unsafe unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
            guard unsafe inherited != unsafeBitCast(SIG_IGN, to: Int.self) else { continue }
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { [self] in
                if number != SIGINT || !interrupt() {
                    mode.restore()
                    _exit(128 + number)
                }
                withExtendedLifetime(source) {}
            }
            source.resume()
        }
    }

    /// Asks for the end of the work; false when there is none, or when that was asked for already.
    private func interrupt() -> Bool {
        state.withLock { state in
            guard state == .working else { return false }
            state = .interrupted
            return true
        }
    }

    /// Whether the work is to end.
    var isInterrupted: Bool { state.withLock { $0 == .interrupted } }

    /// Does work that a signal may ask to end.
    func working<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure)
        -> Result
    {
        state.withLock { $0 = .working }
        defer { state.withLock { $0 = .idle } }
        return try body()
    }
}
