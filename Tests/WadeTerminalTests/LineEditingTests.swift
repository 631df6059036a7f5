//! Facts about the keys, the line and the history of a dialogue.
import Foundation
import Testing

@testable import WadeTerminal

@Suite("line editing")
struct LineEditingTests {
    private func keys(_ text: String) -> [Key] {
        var decoder = KeyDecoder()
        return text.utf8.compactMap { decoder.take($0) }
    }

    private func line(_ text: String, history: [String] = []) -> (LineBuffer, LineBuffer.Outcome) {
        var buffer = LineBuffer(history: history)
        var outcome = LineBuffer.Outcome.editing
        for key in keys(text) { outcome = buffer.press(key) }
        return (buffer, outcome)
    }

    @Test("UTF-8 of any length becomes characters, and broken bytes vanish")
    func characters() {
        #expect(keys("aé漢😀") == ["a", "é", "漢", "😀"].map { .character($0) })
        var decoder = KeyDecoder()
        #expect([0xC3, 0x28, 0x61].compactMap { decoder.take($0) } == [.character("a")])
        #expect([0x00, 0x07, 0x61].compactMap { decoder.take($0) } == [.character("a")])
    }

    @Test(
        "escape sequences of terminals are keys, unknown ones nothing",
        arguments: [
            ("\u{1B}[A", Key.up), ("\u{1B}OB", .down), ("\u{1B}[C", .right), ("\u{1B}[D", .left),
            ("\u{1B}[1;5C", .wordRight), ("\u{1B}b", .wordLeft), ("\u{1B}[H", .home),
            ("\u{1B}[4~", .end), ("\u{1B}[3~", .delete), ("\u{7F}", .backspace),
            ("\u{03}", .cancel),
            ("\u{04}", .endOfInput), ("\u{17}", .cutWord), ("\r", .enter),
        ])
    func sequences(text: String, key: Key) {
        #expect(keys(text + "x") == [key, .character("x")])
        #expect(keys("\u{1B}[15~x\u{1B}[200~y") == [.character("x"), .character("y")])
    }

    @Test("characters go in and out where the cursor is")
    func editing() {
        #expect(line("helo\u{1B}[Dl").0.text == Array("hello"))
        #expect(line("abc\u{01}\u{1B}[3~x").0.text == Array("xbc"))
        #expect(line("one two\u{17}three").0.text == Array("one three"))
        #expect(line("one two\u{1B}b\u{0B}").0.text == Array("one "))
        #expect(line("one two\u{1B}b\u{15}").0.text == Array("two"))
        #expect(line("\u{7F}\u{1B}[D\u{1B}[Ca").0.text == Array("a"))
        #expect(line("ab\r").1 == .done("ab"))
    }

    @Test("Ctrl-D ends an empty line only, and deletes in another; Ctrl-C throws away")
    func ends() {
        #expect(line("\u{04}").1 == .ended)
        let (buffer, outcome) = line("ab\u{01}\u{04}")
        #expect(buffer.text == ["b"] && outcome == .editing)
        #expect(line("ab\u{03}").1 == .cancelled)
    }

    @Test("up and down go through the history and come back to what was being written")
    func history() {
        let lines = ["first", "second"]
        #expect(line("dra\u{1B}[A", history: lines).0.text == Array("second"))
        #expect(line("dra\u{1B}[A\u{1B}[A\u{1B}[A", history: lines).0.text == Array("first"))
        #expect(
            line("dra\u{1B}[A\u{1B}[A\u{1B}[B\u{1B}[B\u{1B}[B", history: lines).0.text
                == Array("dra"))
        #expect(line("\u{1B}[A!\r", history: lines).1 == .done("second!"))
    }

    @Test("a row shows what fits around the cursor, and wide characters count twice")
    func rows() {
        let long = line("abcdefghij").0
        #expect(LineView(long, columns: 6) == LineView(text: "fghij", cursor: 5))
        #expect(
            LineView(line("abcdefghij\u{01}").0, columns: 6) == LineView(text: "abcde", cursor: 0))
        #expect(LineView(line("ab").0, columns: 80) == LineView(text: "ab", cursor: 2))
        #expect(LineView(line("漢字").0, columns: 80).cursor == 4)
        #expect(LineView(line("漢字漢").0, columns: 5) == LineView(text: "字漢", cursor: 4))
        #expect(LineView(line("ab").0, columns: -3).cursor >= 0)
    }

    @Test("the history is kept in a file of the user's own, without doubles in a row, and bounded")
    func file() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "history-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("deep/chat-history")
        var history = InputHistory(file: file)
        for line in ["a", "a", "", "b\nc"] { #expect(history.add(line) == nil) }
        #expect(InputHistory(file: file).lines == ["a", "b c"])
        let attributes = try FileManager.default.attributesOfItem(atPath: file.path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        for number in 0..<InputHistory.most + 5 { _ = history.add("\(number)") }
        #expect(InputHistory(file: file).lines.count == InputHistory.most)
        #expect(InputHistory(file: nil).lines.isEmpty)
        var nowhere = InputHistory(file: URL(fileURLWithPath: "/proc/wade/history"))
        #expect(nowhere.add("x")?.contains("cannot keep the history") == true)
        #expect(nowhere.lines == ["x"])
    }

    @Test("the history's place follows the XDG specification")
    func place() {
        let home = InputHistory.standardFile(["HOME": "/home/u"])
        #expect(home?.path == "/home/u/.local/state/wade/chat-history")
        let state = InputHistory.standardFile(["HOME": "/home/u", "XDG_STATE_HOME": "/s"])
        #expect(state?.path == "/s/wade/chat-history")
        #expect(InputHistory.standardFile(["XDG_STATE_HOME": "relative"]) == nil)
    }
}
