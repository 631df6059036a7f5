//! The report's HTML: one page that needs no network and runs nothing but its own script.
internal import Crypto
import Foundation
import WadeImage

/// Writes the parts of a page. Everything that comes from records passes `HTMLText`; beyond that the page's policy lets no script
/// and no style run but those whose hashes it names.
struct ReportPage {
    /// The JSONL file's name.
    let title: String
    /// What is shown.
    let content: ReportContent
    /// Names of pipelines, as far as `runs.jsonl` tells them.
    let pipelines: [String]
    /// Sentences about the file that a reader has to know.
    let notes: [String]

    private static let style = String(decoding: PackageResources.report_css, as: UTF8.self)
    private static let script = String(decoding: PackageResources.report_js, as: UTF8.self)

    /// What a page's policy calls a script or style of exactly these characters.
    static func hash(_ text: String) -> String {
        "sha256-" + Data(SHA256.hash(data: Array(text.utf8))).base64EncodedString()
    }

    // MARK: - Head

    /// Everything before the first clip.
    var opening: String {
        let policy =
            "default-src 'none'; img-src data:; style-src '\(Self.hash(Self.style))'; "
            + "script-src '\(Self.hash(Self.script))'; base-uri 'none'; form-action 'none'"
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="\(policy)">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta name="referrer" content="no-referrer">
            <title>\(HTMLText.escaped(title)) · wade report</title>
            <style>\(Self.style)</style>
            </head>
            <body>
            \(head)
            \(tools)
            <main class="page" id="clips">

            """
    }

    private var head: String {
        var html = "<header class=\"head\"><div class=\"page\">\n"
        html += "<h1>\(HTMLText.isolated(title))</h1>\n<p class=\"lede\">\(lede)</p>\n"
        html += counts
        let right = codes + spread
        html += "<div class=\"columns\">\n\(facts)<div>\(right)</div>\n</div>\n"
        if !notes.isEmpty {
            html += "<ul class=\"notes\">"
            html += notes.map { "<li>\(HTMLText.escaped($0))</li>" }.joined()
            html += "</ul>\n"
        }
        return html + "</div></header>"
    }

    private func plural(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(HTMLText.number(count)) \(count == 1 ? one : many ?? one + "s")"
    }

    private var lede: String {
        let clips = plural(content.clips.count, "clip")
        let files = plural(content.files, "file")
        let what = content.clips.count == content.files ? files : "\(clips) of \(files)"
        guard let times = content.times else { return what }
        let (first, last) = (minute(times.first), minute(times.last))
        return what + ", annotated "
            + (first == last ? first : "from \(first) to \(last)") + " UTC"
    }

    /// `2026-11-23 02:00` of a record's time.
    private func minute(_ time: String) -> String {
        HTMLText.escaped(String(time.prefix(16)).replacing("T", with: " "))
    }

    private var counts: String {
        let statuses = content.statuses
        let answers = [AnnotationRecord.Status.ok, .degraded].reduce(0) {
            $0 + (statuses[$1] ?? 0)
        }
        var cells = [("clips", "", content.clips.count), ("answers", "", answers)]
        for (name, status) in [
            ("failed", AnnotationRecord.Status.error), ("frames lost", .degraded),
            ("abstained", .abstained),
        ] {
            let count = statuses[status] ?? 0
            if count > 0 || status == .error {
                cells.append((name, count > 0 ? status.rawValue : "", count))
            }
        }
        return "<dl class=\"counts\">"
            + cells.map { name, style, count in
                "<div class=\"\(style)\"><dt>\(name)</dt><dd>\(HTMLText.number(count))</dd></div>"
            }.joined() + "</dl>\n"
    }

    private var facts: String {
        var rows: [(String, [String])] = []
        func add(_ name: String, _ values: [String]) {
            let filled = values.filter { !$0.isEmpty }
            if !filled.isEmpty { rows.append((name, filled)) }
        }
        add("Pipeline", pipelines.map(HTMLText.isolated))
        add(
            "Model",
            content.models.map {
                HTMLText.isolated($0.name)
                    + ($0.quantization.isEmpty ? "" : ", \(HTMLText.escaped($0.quantization))")
                    + ($0.weightsSHA256.isEmpty
                        ? ""
                        : ", <code>\(HTMLText.escaped(String($0.weightsSHA256.prefix(12))))</code>")
            })
        add(
            "Recipes",
            content.recipes.map {
                "<code>\(HTMLText.escaped($0.recipe))</code> \(HTMLText.isolated($0.task))"
            })
        add("Frames", content.strategies.map(HTMLText.escaped))
        add("Demonstrations", content.demonstrations.map(HTMLText.escaped))
        add("Machine", content.hosts.map(HTMLText.isolated))
        add("Version", content.versions.map { "wade \(HTMLText.escaped($0))" })
        add("Runs", [HTMLText.number(content.runs.count)])
        return "<dl class=\"facts\">"
            + rows.map { name, values in
                "<dt>\(name)</dt>" + values.map { "<dd>\($0)</dd>" }.joined()
            }.joined(separator: "\n") + "</dl>\n"
    }

    private var codes: String {
        guard !content.codes.isEmpty else { return "" }
        let rows = content.codes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return "<div class=\"codes-box\"><h2>Failures</h2><table class=\"codes\">"
            + rows.map { code, count in
                let name = HTMLText.escaped(code)
                return "<tr><td class=\"number\">\(HTMLText.number(count))</td><td>"
                    + "<button type=\"button\" data-search=\"\(name)\">\(name)</button></td></tr>"
            }.joined() + "</table></div>\n"
    }

    /// How the confidences lie between 0 and 1, in 25 equal parts.
    private var spread: String {
        guard content.confidences.count >= 20 else { return "" }
        let parts = 25
        var heights = [Int](repeating: 0, count: parts)
        for value in content.confidences {
            heights[min(parts - 1, max(0, Int(value * Double(parts))))] += 1
        }
        let most = max(1, heights.max() ?? 1)
        let bars = heights.enumerated().map { index, count -> String in
            // A part that holds anything is seen.
            let height = count == 0 ? 0 : max(1.5, 60 * Double(count) / Double(most))
            return
                "<rect x=\"\(index * 10 + 1)\" y=\"\(HTMLText.decimal(60 - height, places: 1))\" "
                + "width=\"8\" height=\"\(HTMLText.decimal(height, places: 1))\"/>"
        }.joined()
        return "<div class=\"spread\"><h2>How sure the answers are</h2>"
            + "<svg viewBox=\"0 0 250 62\" preserveAspectRatio=\"none\" role=\"img\" "
            + "aria-label=\"Histogram of confidences\">\(bars)"
            + "<line x1=\"0\" x2=\"250\" y1=\"61\" y2=\"61\"/></svg>"
            + "<p class=\"number\"><span>0</span><span>0.5</span><span>1</span></p></div>\n"
    }

    private var tools: String {
        let statuses = ReportClip.worstFirst.compactMap { status -> String? in
            let count = content.clips.count { $0.status == status }
            guard count > 0 else { return nil }
            return
                "<label><input type=\"checkbox\" name=\"status\" value=\"\(status.rawValue)\" checked>"
                + "<span class=\"dot \(status.rawValue)\"></span>\(word(for: status)) "
                + "<span class=\"n\">\(HTMLText.number(count))</span></label>"
        }.joined()
        return """
            <form class="tools" id="tools" hidden><div class="page">
            <label class="hidden" for="search">Search</label>
            <input type="search" id="search" name="search" placeholder="Search answers, paths, questions, errors, keys" autocomplete="off" spellcheck="false">
            <fieldset><legend>Status</legend>\(statuses)</fieldset>
            <label>Sure at most <input type="range" name="most" min="0" max="1" step="0.01" value="1"><output id="level">any</output></label>
            <label><span class="hidden">Order</span><select name="order"><option value="failures">Failures first</option><option value="unsure">Least sure first</option><option value="file">As in the file</option></select></label>
            <span class="count" id="shown" aria-live="polite"></span>
            </div></form>
            """
    }

    private func word(for status: AnnotationRecord.Status) -> String {
        switch status {
        case .ok: "ok"
        case .degraded: "frames lost"
        case .abstained: "abstained"
        case .error: "failed"
        case .removed: "removed"
        }
    }

    // MARK: - Clips

    /// One clip; `place` is its position on the page, from 0.
    func article(_ clip: ReportClip, _ strip: FilmStrip, place: Int) -> String {
        let status = clip.status
        let sure = clip.confidence.map { HTMLText.decimal($0, places: 4) } ?? ""
        var html =
            "<article class=\"clip\" data-n=\"\(place)\" data-file=\"\(clip.number)\" "
            + "data-status=\"\(status.rawValue)\" data-p=\"\(sure)\">\n<header>"
        html += heading(clip)
        if status != .ok {
            html +=
                "<p class=\"state \(status.rawValue)\"><span class=\"dot \(status.rawValue)\"></span>"
                + "\(word(for: status))</p>"
        }
        html += "</header>\n" + film(clip, strip) + "<div class=\"answers\">\n"
        html += failures(clip)
        for record in clip.records where record.status != .error { html += answer(record) }
        return html + details(clip) + "</div>\n</article>\n"
    }

    private func heading(_ clip: ReportClip) -> String {
        let record = clip.shown
        let path = record.video.pathBytes
        let name = path.name.shown
        let folder = path.shown.hasSuffix(name) ? String(path.shown.dropLast(name.count)) : ""
        let dir = folder.isEmpty ? "" : "<span class=\"dir\">\(HTMLText.escaped(folder))</span>"
        var facts: [String] = []
        if record.clip.boundary != .whole, record.clip.end > record.clip.start {
            let kind = record.clip.boundary == .scene ? "shot" : "clip"
            facts.append("\(kind) \(record.clip.index + 1) of \(record.clip.count)")
            facts.append(
                "\(ContactSheet.time(record.clip.start)) – \(ContactSheet.time(record.clip.end))")
        } else if record.video.duration > 0 {
            facts.append("\(HTMLText.decimal(record.video.duration, places: 1)) s")
        }
        if record.video.width > 0 {
            facts.append("\(record.video.width) × \(record.video.height)")
        }
        if !record.video.codec.isEmpty { facts.append(HTMLText.escaped(record.video.codec)) }
        facts += clip.flags.map { HTMLText.escaped($0.rawValue.replacing("_", with: " ")) }
        let meta = facts.map { "<span>\($0)</span>" }.joined()
        return "<h2><bdi>\(dir)\(HTMLText.escaped(name))</bdi></h2><p class=\"meta\">\(meta)</p>"
    }

    private func film(_ clip: ReportClip, _ strip: FilmStrip) -> String {
        let recorded = clip.shown.frames
        switch strip {
        case .pictures(let pictures):
            // Many pictures go over several rows, a few are made to fit one.
            var html = "<ol class=\"film\(pictures.count > 10 ? " long" : "")\">"
            for picture in pictures {
                let isTall = picture.height > picture.width
                let time = ContactSheet.time(picture.time)
                html +=
                    "<li><img\(isTall ? " class=\"tall\"" : "") width=\"\(picture.width)\" "
                    + "height=\"\(picture.height)\" alt=\"frame at \(time)\" "
                    + "data-jpeg=\"\(picture.base64)\"><span>\(time)</span></li>"
            }
            if pictures.count < recorded.times.count {
                html += "<li class=\"rest\">\(pictures.count) of \(recorded.times.count)</li>"
            }
            return html + "</ol>\n"
        case .none(let reason):
            guard !reason.isEmpty else { return "" }
            let times = recorded.times.prefix(32).map { ContactSheet.time($0) }
                .joined(separator: " &nbsp; ")
            return "<div class=\"empty\"><span>No pictures: \(HTMLText.escaped(reason))</span>"
                + "<span class=\"times\">\(times)</span></div>\n"
        }
    }

    /// What failed, the same failure of several tasks once.
    private func failures(_ clip: ReportClip) -> String {
        var groups: [(failure: AnnotationRecord.Failure, records: [AnnotationRecord])] = []
        for record in clip.records where record.status == .error {
            if let index = groups.firstIndex(where: { $0.failure == record.error }) {
                groups[index].records.append(record)
            } else {
                groups.append((record.error, [record]))
            }
        }
        return groups.map { failure, records in
            let tasks = records.map { HTMLText.isolated($0.task.id) }.joined(separator: ", ")
            let again = failure.isRetryable ? " A later run tries again." : ""
            return "<section class=\"answer\"><h3>\(tasks)</h3><div class=\"body\">"
                + "<p class=\"failure\"><strong>\(HTMLText.escaped(failure.code))</strong>"
                + "\(HTMLText.isolated(failure.message))\(again)</p></div></section>\n"
        }.joined()
    }

    private func answer(_ record: AnnotationRecord) -> String {
        var body = ""
        if !record.task.question.isEmpty {
            body += "<p class=\"question\">\(HTMLText.isolated(record.task.question))</p>"
        }
        body +=
            record.output.text.isEmpty
            ? "<p class=\"text none\">\(record.status == .abstained ? "no answer" : "nothing")</p>"
            : "<p class=\"text\">\(HTMLText.isolated(record.output.text))</p>"
        body += choices(record)
        return "<section class=\"answer\"><h3>\(HTMLText.isolated(record.task.id))</h3>"
            + "<div class=\"body\">\(body)</div>\(sure(record))</section>\n"
    }

    private func bar(_ share: Double, width: Int) -> String {
        "<svg viewBox=\"0 0 \(width) 6\" aria-hidden=\"true\">"
            + "<rect class=\"track\" width=\"\(width)\" height=\"6\"/><rect class=\"level\" width=\""
            + "\(HTMLText.decimal(share * Double(width), places: 1))\" height=\"6\"/></svg>"
    }

    private func sure(_ record: AnnotationRecord) -> String {
        guard let confidence = record.confidence else { return "<p class=\"sure\"></p>" }
        let kind =
            switch confidence.kind {
            case .calibrated: "calibrated probability of being right"
            case .amongChoices: "probability among the choices"
            case .meanToken: "mean probability of the answer's tokens"
            }
        return "<p class=\"sure\" title=\"\(kind)\">\(bar(confidence.value, width: 44))"
            + "\(HTMLText.decimal(confidence.value, places: 2))</p>"
    }

    private func choices(_ record: AnnotationRecord) -> String {
        let shares = record.choiceProbabilities
        guard !shares.isEmpty else { return "" }
        let most = shares.indices.sorted { shares[$0] > shares[$1] }.prefix(6)
        let rows = most.map { index in
            "<tr\(index == record.output.choice ? " class=\"chosen\"" : "")>"
                + "<td>\(HTMLText.isolated(record.task.choices[index]))</td>"
                + "<td>\(bar(shares[index], width: 120))</td>"
                + "<td class=\"number\">\(HTMLText.decimal(shares[index], places: 2))</td></tr>"
        }.joined()
        return "<table class=\"choices\">\(rows)</table>"
    }

    private func details(_ clip: ReportClip) -> String {
        let parts = clip.records.map { record in
            (clip.records.count > 1 ? "<h4>\(HTMLText.isolated(record.task.id))</h4>" : "")
                + details(record)
        }
        return
            "<section class=\"answer\"><h3></h3><div class=\"body\"><details><summary>Details</summary>"
            + parts.joined() + "</details></div></section>\n"
    }

    /// The demonstrations' ids, with their similarities where they were chosen by these.
    private func named(_ demonstrations: AnnotationRecord.Demonstrations) -> String {
        let similarities = demonstrations.similarities
        return demonstrations.ids.enumerated().map { place, id in
            guard similarities.indices.contains(place) else { return id }
            return "\(id) (\(HTMLText.decimal(similarities[place], places: 3)))"
        }.joined(separator: ", ")
    }

    private func details(_ record: AnnotationRecord) -> String {
        var rows: [(String, String)] = []
        func add(_ name: String, _ value: String) { rows.append((name, value)) }
        if record.output.raw != record.output.text, !record.output.raw.isEmpty {
            add("raw", HTMLText.isolated(record.output.raw))
        }
        if !record.output.json.isEmpty {
            add("json", "<code>\(HTMLText.escaped(record.output.json))</code>")
        }
        if record.status != .error {
            var ending = [record.output.finish.rawValue, "\(record.output.tokens) tokens"]
            if record.output.attempts > 1 { ending.append("\(record.output.attempts) attempts") }
            add("ended by", ending.joined(separator: ", "))
            add(
                "log-probability",
                "mean \(HTMLText.decimal(record.score.meanLogProbability, places: 3)), "
                    + "least \(HTMLText.decimal(record.score.minimumLogProbability, places: 3))")
        }
        if record.score.hasVisualGain {
            add("visual gain", HTMLText.decimal(record.score.visualGain, places: 3))
        }
        if record.score.agreement >= 0 {
            add("agreement", HTMLText.decimal(record.score.agreement, places: 2))
        }
        if !record.demonstrations.ids.isEmpty {
            add("demonstrations", HTMLText.isolated(named(record.demonstrations)))
        }
        if !record.sameAs.isEmpty {
            add("same as", "<code>\(HTMLText.escaped(record.sameAs))</code>")
        }
        if !record.customID.isEmpty { add("custom id", HTMLText.isolated(record.customID)) }
        if !record.error.stage.isEmpty { add("stage", HTMLText.escaped(record.error.stage)) }
        add("key", "<code>\(HTMLText.escaped(record.key))</code>")
        add(
            "made",
            "\(HTMLText.escaped(record.run.createdAt)), line \(record.run.sequence)")
        return "<dl>" + rows.map { "<dt>\($0.0)</dt><dd>\($0.1)</dd>" }.joined() + "</dl>"
    }

    // MARK: - End

    /// Everything after the last clip; `pictures` says how they were made.
    func closing(pictures: String) -> String {
        """
        </main>
        <p class="page nothing" id="nothing" hidden>No clip fits these filters.</p>
        <footer class="page foot">
        <p>\(HTMLText.escaped(pictures))</p>
        <p>Sure: the calibrated probability of being right where it was computed, else the probability among the choices, else the \
        geometric mean of the probabilities of the answer’s tokens.</p>
        <p>Made by wade \(HTMLText.escaped(Program.version)).</p>
        </footer>
        <script>\(Self.script)</script>
        </body>
        </html>

        """
    }
}

extension ReportClip {
    /// What is to be said about the clip, each thing once.
    fileprivate var flags: [AnnotationRecord.Flag] {
        Array(Set(records.flatMap(\.flags))).sorted()
    }
}
