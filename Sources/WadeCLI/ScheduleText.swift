//! The texts that `wade schedule` prints, in one place.
import Foundation
import WadePipeline

/// A command that is to run every day.
struct ScheduleText {
    /// The command's words, paths absolute.
    let words: [String]
    /// When it starts, in the machine's local time.
    let start: TimeOfDay
    /// What the units are called; letters, digits, `-` and `_`.
    let name: String
    /// Seconds that a run may take to end after SIGTERM; systemd waits longer.
    let grace: Int

    /// One line for a crontab. cron mails whatever a command prints: wade prints nothing when all is well, and that another run is
    /// still at work (75) is no trouble. cron itself takes `%` for a line end unless a backslash stands before it.
    var crontab: String {
        let command = words.map(Self.shellQuoted).joined(separator: " ")
        let line =
            "out=$(nice -n 19 ionice -c 3 \(command) 2>&1); code=$?; "
            + "test $code -eq 75 || test -z \"$out\" || printf '%s\\n' \"$out\" \"exit code $code\""
        return "\(start.minute) \(start.hour) * * * " + line.replacing("%", with: "\\%")
    }

    /// A service and its timer, each after a comment with its file's name. 5 (time limit) and 75 (another run is at work) are successes;
    /// 3 and 4 (clips failed) and 1 are not, and show in `systemctl --failed`.
    var systemd: String {
        """
        # \(name).service
        [Unit]
        Description=wade annotates new videos (\(name))

        [Service]
        Type=oneshot
        ExecStart=\(words.map(Self.systemdQuoted).joined(separator: " "))
        SuccessExitStatus=5 75
        Nice=19
        CPUSchedulingPolicy=batch
        IOSchedulingClass=idle
        KillMode=mixed
        KillSignal=SIGTERM
        TimeoutStopSec=\(grace + 20)
        NoNewPrivileges=yes

        # \(name).timer
        [Unit]
        Description=Start \(name).service every day

        [Timer]
        OnCalendar=*-*-* \(Self.clock(start)):00
        Persistent=true

        [Install]
        WantedBy=timers.target
        """
    }

    /// What to do with the crontab line.
    static let crontabAdvice = """
        add the line to your table with `crontab -e`. Mail comes only when something went wrong (cron mails to MAILTO). Two \
        runs never meet: the output is locked, and a run that finds it locked ends at once.
        """

    /// What to do with the units.
    var systemdAdvice: String {
        """
        save the parts as /etc/systemd/system/\(name).service and \(name).timer (or in ~/.config/systemd/user, then with \
        `systemctl --user`), run `systemctl daemon-reload && systemctl enable --now \(name).timer`. For a mail when it fails \
        add OnFailure= with your mail unit to the service's [Unit]. `journalctl -u \(name)` has the messages.
        """
    }

    /// `HH:MM`.
    static func clock(_ time: TimeOfDay) -> String {
        "\(time.hour < 10 ? "0" : "")\(time.hour):\(time.minute < 10 ? "0" : "")\(time.minute)"
    }

    /// The path from `/`, as an argument.
    static func absolute(_ path: PathBytes) -> String { absolute(ArgumentBytes.text(path.bytes)) }

    /// The path from `/`.
    static func absolute(_ path: String) -> String {
        guard path != "-", !path.hasPrefix("/") else { return path }
        return FileManager.default.currentDirectoryPath + "/" + path
    }

    /// A word for sh.
    static func shellQuoted(_ word: String) -> String {
        let plain = word.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || "/._-:=,+@".contains($0))
        }
        guard !plain || word.isEmpty else { return word }
        return "'" + word.replacing("'", with: "'\\''") + "'"
    }

    /// A word for ExecStart (systemd.service(5), "Command lines"): `%` and `$` are doubled, quotes and backslashes escaped, and bytes that
    /// are not UTF-8, which no unit may hold, spelled as `\xFF`.
    static func systemdQuoted(_ word: String) -> String {
        let escaped = word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("%", with: "%%").replacing("$", with: "$$")
            .unicodeScalars.map { ArgumentBytes.byte($0).map(hexadecimal) ?? String($0) }.joined()
        return escaped == word && shellQuoted(word) == word ? word : "\"\(escaped)\""
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        "\\x" + String(byte, radix: 16)
    }
}
