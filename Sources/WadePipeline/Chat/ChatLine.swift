//! What a line of a dialogue asks for.

/// A question or a command.
package enum ChatLine: Sendable, Equatable {
    case question(String)
    /// Look at a clip.
    case add(PathBytes)
    /// The clips of the dialogue.
    case clips
    /// Let questions be about this clip, counted from 1.
    case use(Int)
    /// Write the frames that the model sees, to a file of this name if one is given.
    case frames(PathBytes?)
    /// Write the dialogue.
    case save(PathBytes)
    /// Forget what was said.
    case clear
    case help
    case quit
    /// Nothing.
    case empty
    /// What is wrong with it.
    case fault(String)

    /// What people may type.
    package static let commands = """
        /add CLIP      look at another video or picture; questions are about it from now on
        /clips         the clips, numbered
        /use N         ask about clip N again
        /frames [FILE] write a contact sheet of the frames that the model sees of the clip, with their times
        /save FILE     save the dialogue: JSON lines if FILE ends in .jsonl, else text
        /clear         forget what was said; the clips stay
        /quit          end (also Ctrl-D); Ctrl-C ends an answer
        Anything else is a question about the clip; // at the beginning stands for one slash.
        """

    /// The line that `bytes` are; `home` is what `~/` in the name of a file stands for.
    package init(_ bytes: [UInt8], home: String?) {
        let space: [UInt8] = [0x20, 0x09]
        let trimmed = Array(
            bytes.drop { space.contains($0) }.reversed().drop { space.contains($0) }.reversed())
        guard !trimmed.isEmpty else {
            self = .empty
            return
        }
        guard trimmed[0] == UInt8(ascii: "/"), trimmed.dropFirst().first != UInt8(ascii: "/") else {
            let question = trimmed[0] == UInt8(ascii: "/") ? trimmed.dropFirst() : trimmed[...]
            self = .question(String(decoding: question, as: UTF8.self))
            return
        }
        let name = trimmed.prefix { !space.contains($0) }
        let rest = Array(trimmed.dropFirst(name.count).drop { space.contains($0) })
        self = Self.command(
            String(decoding: name, as: UTF8.self), rest, Self.path(rest, home: home))
    }

    private static func command(_ name: String, _ rest: [UInt8], _ path: PathBytes) -> ChatLine {
        func alone(_ line: ChatLine) -> ChatLine {
            rest.isEmpty
                ? line
                : .fault(
                    "\(name): found \(PathBytes(bytes: rest).shown), expected nothing behind it")
        }
        switch name {
        case "/add": return rest.isEmpty ? .fault("/add: expected a file") : .add(path)
        case "/use":
            guard let number = Int(String(decoding: rest, as: UTF8.self)) else {
                return .fault("/use: expected the number of a clip; /clips lists them")
            }
            return .use(number)
        case "/frames": return .frames(rest.isEmpty ? nil : path)
        case "/save": return rest.isEmpty ? .fault("/save: expected a file") : .save(path)
        case "/clips": return alone(.clips)
        case "/clear": return alone(.clear)
        case "/help": return alone(.help)
        case "/quit", "/exit": return alone(.quit)
        default: return .fault("\(PathBytes(name).shown): no such command; /help lists them")
        }
    }

    /// A path as a shell would read it: quotes around it and `~/` before it mean what they mean there.
    private static func path(_ bytes: [UInt8], home: String?) -> PathBytes {
        var bytes = bytes
        if bytes.count > 1, let quote = bytes.first, quote == bytes.last,
            [UInt8(ascii: "\""), UInt8(ascii: "'")].contains(quote)
        {
            bytes = Array(bytes.dropFirst().dropLast())
        }
        if let home, bytes.starts(with: Array("~/".utf8)) {
            bytes = Array(home.utf8) + bytes.dropFirst()
        }
        return PathBytes(bytes: bytes)
    }
}
