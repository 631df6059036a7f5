//! The report's HTML: one page that needs no network and runs nothing but its own script.
internal import Crypto
import Foundation

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
            ("answers failed", AnnotationRecord.Status.error), ("with frames lost", .degraded),
            ("answers withheld", .abstained),
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
                + "<span class=\"dot \(status.rawValue)\"></span>\(status.reportedWord) "
                + "<span class=\"n\">\(HTMLText.number(count))</span></label>"
        }.joined()
        return """
            <form class="tools" id="tools" hidden><div class="page">
            <label class="hidden" for="search">Search</label>
            <input type="search" id="search" name="search" placeholder="Search answers, paths, errors" autocomplete="off" spellcheck="false">
            <fieldset><legend>Status</legend>\(statuses)</fieldset>
            <label>Sure at most <input type="range" name="most" min="0" max="1" step="0.01" value="1"><output id="level">any</output></label>
            <label><span class="hidden">Order</span><select name="order"><option value="failures">Failures first</option><option value="unsure">Least sure first</option><option value="file">As in the file</option></select></label>
            <span class="count" id="shown" aria-live="polite"></span>
            </div></form>
            """
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
