//! The one owner of a terminal's settings.
import Glibc
import Synchronization

/// Switches standard input between the user's settings and reading key by key.
package final class TerminalMode: Sendable {
    /// The user's settings, while others hold.
    private let saved = Mutex<termios?>(nil)

    /// A terminal as the user has it.
    package init() {}

    /// Whether keys can be read one by one and lines be drawn: both streams are terminals, and not a dumb one.
    package static var isTerminal: Bool {
        let term = unsafe getenv("TERM").map { unsafe String(cString: $0) } ?? ""
        return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 && term != "dumb"
            && term != ""
    }

    /// Columns of a row.
    package static var columns: Int {
        var size = winsize()
        guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return 80
        }
        return Int(size.ws_col)
    }

    /// What keys do.
    package enum Use: Sendable {
        /// Each is read as it is pressed, Ctrl-C as well.
        case editing
        /// They wait until a line is edited again, unseen; Ctrl-C sends its signal.
        case working
    }

    /// Lets keys do what `use` says, until `restore`; whether that is possible.
    package func set(_ use: Use) -> Bool {
        saved.withLock { saved in
            var settings = saved ?? termios()
            if saved == nil {
                guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return false }
            }
            var raw = settings
            raw.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN | (use == .editing ? ISIG : 0))
            raw.c_iflag &= ~tcflag_t(IXON | ICRNL | INLCR | ISTRIP)
            guard unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0 else { return false }
            saved = settings
            return true
        }
    }

    /// Gives the user's settings back; from any thread, and as often as one likes.
    package func restore() {
        saved.withLock { saved in
            guard var settings = saved else { return }
            _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
            saved = nil
        }
    }
}
