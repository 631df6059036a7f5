//! Facts about the report: what it shows, and that nothing in a record becomes markup.
import Foundation
import Testing

@testable import WadePipeline

/// A page's elements, read by the strictest rules that the report keeps: every element is closed in order, every attribute is quoted.
private struct PageReader {
    struct Fault: Error, CustomStringConvertible { let description: String }
    struct Element {
        let name: String
        let attributes: [String: String]
    }

    /// Elements in the order of their beginnings.
    private(set) var elements: [Element] = []
    /// The page's words.
    private(set) var text = ""
    private static let void: Set<String> = ["meta", "input", "img", "br"]

    init(_ html: String) throws {
        var rest = html[...]
        guard rest.hasPrefix("<!doctype html>") else { throw Fault(description: "no doctype") }
        rest = rest.dropFirst("<!doctype html>".count)
        var open: [String] = []
        while let less = rest.firstIndex(of: "<") {
            text += rest[..<less]
            guard let greater = rest[less...].firstIndex(of: ">") else {
                throw Fault(description: "a tag without an end")
            }
            let tag = rest[rest.index(after: less)..<greater]
            rest = rest[rest.index(after: greater)...]
            if tag.hasPrefix("/") {
                guard let last = open.popLast(), last == tag.dropFirst() else {
                    throw Fault(description: "</\(tag.dropFirst())> closes \(open)")
                }
                continue
            }
            let element = try Self.element(tag)
            elements.append(element)
            if Self.void.contains(element.name) || tag.hasSuffix("/") { continue }
            if ["style", "script"].contains(element.name) {
                guard let end = rest.range(of: "</\(element.name)>") else {
                    throw Fault(description: "an endless \(element.name)")
                }
                rest = rest[end.upperBound...]
                continue
            }
            open.append(element.name)
        }
        guard open.isEmpty else { throw Fault(description: "never closed: \(open)") }
    }

    private static func element(_ tag: Substring) throws -> Element {
        let pattern = /([a-z][a-z0-9]*)((?:\s+[a-zA-Z0-9-]+(?:="[^"<>]*")?)*)\s*\/?/
        guard let match = tag.wholeMatch(of: pattern) else {
            throw Fault(description: "<\(tag.prefix(200))>")
        }
        var attributes: [String: String] = [:]
        for attribute in match.2.matches(of: /([a-zA-Z0-9-]+)(?:="([^"]*)")?/) {
            attributes[String(attribute.1)] = String(attribute.2 ?? "")
        }
        return Element(name: String(match.1), attributes: attributes)
    }

    func count(_ name: String, class style: String? = nil) -> Int {
        elements.count { $0.name == name && (style == nil || $0.attributes["class"] == style) }
    }
}

@Suite("the report")
struct ReportTests {
    private func page(
        _ records: [AnnotationRecord], rest: String = "",
        _ change: (inout ReportSettings, TemporaryFolder) -> Void = { settings, _ in
            settings.frames = 0
        }
    ) throws -> (html: String, written: Report.Written) {
        let folder = try TemporaryFolder()
        let file = try RecordFile(try folder.write(records, to: "out <1>.jsonl", rest: rest))
        var settings = ReportSettings(workers: 2, folders: [folder.path])
        change(&settings, folder)
        let report = try Report(file, RecordSelection(file), settings)
        var seen: [Int] = []
        let written = try report.write(to: folder("page.html")) { seen.append($0) }
        #expect(seen == Array(1..<(report.clipCount + 1)))
        return (String(decoding: try folder.bytes("page.html"), as: UTF8.self), written)
    }

    @Test("failures come first, the answers of one clip stand together, and everything is counted")
    func order() throws {
        let (html, written) = try page([
            madeRecord("a.mp4", text: "first", sequence: 0),
            madeRecord("a.mp4", task: "colour", text: "second", sequence: 1),
            failed(madeRecord("b/bad.mp4", sequence: 2), "no <container>"),
            failed(madeRecord("b/bad.mp4", task: "colour", sequence: 3), "no <container>"),
        ])
        let page = try PageReader(html)
        #expect(written.clips == 2 && written.bytes == html.utf8.count)
        let clips = page.elements.filter { $0.name == "article" }.map(\.attributes)
        #expect(clips.map { $0["data-status"] } == ["error", "ok"])
        #expect(
            clips.map { $0["data-n"] } == ["0", "1"] && clips.map { $0["data-file"] } == ["1", "0"])
        #expect(clips.map { $0["data-p"] } == ["", "0.7788"])
        // The failure of both tasks is told once.
        #expect(page.count("p", class: "failure") == 1 && page.count("p", class: "text") == 2)
        #expect(page.text.contains("no &lt;container&gt;") && page.text.contains("not_media"))
        #expect(page.text.contains("2 files, annotated 2026-11-23 02:00 UTC"))
        #expect(page.elements.contains { $0.attributes["data-search"] == "not_media" })
    }

    @Test("demonstrations are named, with their similarities where they were chosen by these")
    func demonstrations() throws {
        var record = madeRecord("a.mp4", task: "c", text: "x", sequence: 0)
        record.demonstrations.ids = ["p1", "p2"]
        record.demonstrations.policy = .fixed
        #expect(try page([record]).html.contains(">p1, p2<"))
        record.demonstrations.similarities = [0.5, 0.98765]
        record.demonstrations.policy = .rices
        #expect(try page([record]).html.contains(">p1 (0.500), p2 (0.988)<"))
    }

    @Test("hostile paths, answers, ids and messages stay words")
    func hostile() throws {
        let attack =
            "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;\u{0}\u{202E}\u{1B}[31m</bdi>"
        var record = madeRecord("a/\(attack).mp4", task: attack, text: attack, sequence: 0)
        record.task.question = attack
        record.task.choices = [attack, "</script>"]
        record.output.choice = 0
        record.output.choiceLogProbabilities = [-0.5, -1]
        record.output.raw = attack + "!"
        record.output.json = attack
        record.customID = attack
        record.demonstrations.ids = [attack]
        record.demonstrations.policy = .fixed
        record.model.name = attack
        record.model.weightsSHA256 = attack
        record.model.quantization = attack
        record.recipeID = attack
        record.frames.strategy = attack
        record.video.codec = attack
        record.run.host = attack
        record.run.wadeVersion = attack
        record.run.createdAt = attack
        record.run.id = attack
        record.sameAs = attack
        var failure = failed(record, attack)
        failure.error.code = attack
        failure.error.stage = attack
        failure.key = String(repeating: "e", count: 64)
        failure.video.path = "b"
        let (html, _) = try page([record, failure], rest: "<b>\n<i>")
        let page = try PageReader(html)
        let allowed: Set<String> = [
            "html", "head", "meta", "title", "style", "body", "header", "div", "h1", "h2", "h3",
            "h4", "p",
            "dl", "dt", "dd", "ul", "ol", "li", "form", "label", "input", "fieldset", "legend",
            "span",
            "output", "select", "option", "main", "article", "section", "bdi", "code", "table",
            "tr",
            "td", "button", "svg", "rect", "line", "details", "summary", "footer", "script",
            "strong",
        ]
        #expect(Set(page.elements.map(\.name)).isSubset(of: allowed))
        #expect(page.count("script") == 1)
        for element in page.elements {
            for (name, value) in element.attributes {
                #expect(!name.hasPrefix("on") && name != "style" && name != "href", "\(name)")
                #expect(name != "src", "\(value)")
            }
        }
        #expect(!html.unicodeScalars.contains { $0.value == 0 || $0.value == 0x1B })
        #expect(!html.contains("<script>alert"))
    }

    @Test("the page names its own script and style by their hashes, and nothing may be loaded")
    func policy() throws {
        let (html, _) = try page([madeRecord("a.mp4", sequence: 0)])
        let page = try PageReader(html)
        let policy = try #require(
            page.elements.first { $0.attributes["http-equiv"] == "Content-Security-Policy" }?
                .attributes["content"])
        #expect(policy.hasPrefix("default-src 'none'; img-src data:; style-src 'sha256-"))
        for name in ["style", "script"] {
            let inner = try #require(
                html.firstMatch(
                    of: try Regex(
                        "<\(name)>([\\s\\S]*?)</\(name)>", as: (Substring, Substring).self))
            ).1
            #expect(policy.contains("'\(ReportPage.hash(String(inner)))'"), "\(name)")
        }
        #expect(!html.contains("http://") && !html.contains("https://"))
        #expect(!html.contains("url(") && !html.contains("@import"))
    }

    @Test("videos that are gone, changed or outside have a place that says so, with the times")
    func missingVideos() throws {
        let outside = madeRecord("../secret.mp4", sequence: 2)
        let (html, written) = try page([
            madeRecord("gone.mp4", sequence: 0), madeRecord("other.mp4", sequence: 1), outside,
        ]) { _, folder in folder.write("another content", to: "other.mp4") }
        let page = try PageReader(html)
        #expect(page.count("div", class: "empty") == 3 && page.count("img") == 0)
        #expect(
            written.withoutPictures == [
                "the file was not found": 1, "the file has been changed since it was annotated": 1,
                "its path leads out of the folder of videos": 1,
            ])
        #expect(page.text.contains("0:01.000 &nbsp; 0:03.000"))
    }

    @Test("records of earlier recipes, faulty lines and a torn one are told")
    func notes() throws {
        let (html, _) = try page(
            [
                madeRecord("a.mp4", text: "old", sequence: 0, recipe: "1111111111111111"),
                madeRecord("a.mp4", text: "new", sequence: 1, recipe: "2222222222222222"),
            ], rest: "{\"a\":1}\n{")
        let text = try PageReader(html).text
        #expect(text.contains("1 records of other recipes are not shown."))
        #expect(text.contains("1 lines are no records and are not shown; the first is line 3:"))
        #expect(text.contains("The last line is not whole yet"))
        #expect(text.contains("new") && !text.contains(">old<"))
    }

    @Test("confidence comes from calibration, else from the choices, else from the tokens")
    func confidence() {
        var record = madeRecord("a.mp4", sequence: 0)
        #expect(record.confidence?.kind == .meanToken)
        #expect(abs((record.confidence?.value ?? 0) - exp(-0.25)) < 1e-12)
        record.task.choices = ["a", "b", "c"]
        record.output.choice = 1
        record.output.choiceLogProbabilities = [-2, -1, -3]
        let shares = [exp(-2.0), exp(-1.0), exp(-3.0)]
        #expect(record.confidence?.kind == .amongChoices)
        #expect(abs((record.confidence?.value ?? 0) - shares[1] / shares.reduce(0, +)) < 1e-12)
        record.score.calibratedProbability = 0.5
        #expect(record.confidence?.kind == .calibrated && record.confidence?.value == 0.5)
        #expect(failed(record).confidence == nil)
    }

    @Test("many clips get smaller and fewer pictures, and tall frames get higher ones")
    func format() {
        let clips = (0..<5).map {
            ReportClip(number: $0, records: [madeRecord("\($0).mp4", sequence: $0)])
        }
        let roomy = FilmFormat.fitting(clips, frames: 8, room: 1 << 30)
        #expect(roomy == FilmFormat(height: 120, frames: 8))
        let estimate = clips.reduce(0) { $0 + roomy.estimate($1) }
        let tight = FilmFormat.fitting(clips, frames: 8, room: estimate - 1)
        #expect(tight.height < 120 && clips.reduce(0) { $0 + tight.estimate($1) } < estimate)
        #expect(FilmFormat.fitting(clips, frames: 8, room: 0) == FilmFormat(height: 60, frames: 1))
        #expect(roomy.size(width: 1920, height: 1080) == (213, 120))
        #expect(roomy.size(width: 1080, height: 1920) == (101, 180))
        #expect(roomy.size(width: 32, height: 24) == (32, 24))
        #expect(roomy.size(width: 10000, height: 100) == (480, 4))
    }

    @Test("each time is shown once, and few of many are spread evenly")
    func times() {
        var record = madeRecord("a.mp4", sequence: 0)
        record.frames.times = [0, 0, 1, 2, 3, 4, 5, 6, 7, 7]
        let clip = ReportClip(number: 0, records: [record])
        #expect(clip.times(atMost: 8) == [0, 1, 2, 3, 4, 5, 6, 7])
        #expect(clip.times(atMost: 4) == [1, 3, 5, 7])
        #expect(clip.times(atMost: 1) == [4])
    }

    @Test("numbers and sizes are written for people")
    func numbers() {
        #expect(HTMLText.number(0) == "0" && HTMLText.number(1234567) == "1,234,567")
        #expect(
            HTMLText.decimal(0.005, places: 2) == "0.01"
                && HTMLText.decimal(-1.25, places: 1) == "-1.3")
        #expect(
            HTMLText.decimal(-0.0001, places: 2) == "0.00"
                && HTMLText.decimal(.infinity, places: 1) == "?")
        #expect(HTMLText.size(999) == "999 bytes" && HTMLText.size(48_160_000) == "48.2 MB")
    }
}
