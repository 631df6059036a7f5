//! One clip of a report: its frames, what was answered, and what is behind that.
import WadeImage

/// Writes a clip's article. Everything that comes from records passes `HTMLText`.
struct ReportArticle {
    /// The clip with its records.
    let clip: ReportClip
    /// Its frames.
    let strip: FilmStrip

    /// The clip as the article that stands at `place` of the page, from 0.
    func html(place: Int) -> String {
        let status = clip.status
        let sure = clip.confidence.map { HTMLText.decimal($0, places: 4) } ?? ""
        var html =
            "<article class=\"clip\" data-n=\"\(place)\" data-file=\"\(clip.number)\" "
            + "data-status=\"\(status.rawValue)\" data-p=\"\(sure)\">\n<header>"
        html += heading
        if status != .ok {
            html +=
                "<p class=\"state \(status.rawValue)\"><span class=\"dot \(status.rawValue)\"></span>"
                + "\(status.reportedWord)</p>"
        }
        html += "</header>\n" + film + "<div class=\"answers\">\n"
        html += failures
        for record in clip.records where record.status != .error { html += answer(record) }
        return html + details + "</div>\n</article>\n"
    }

    private var heading: String {
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

    private var film: String {
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
    private var failures: String {
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

    private var details: String {
        let parts = clip.records.map { record in
            (clip.records.count > 1 ? "<h4>\(HTMLText.isolated(record.task.id))</h4>" : "")
                + list(of: record)
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

    private func list(of record: AnnotationRecord) -> String {
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
}

extension AnnotationRecord.Status {
    /// What a reader is told of it.
    var reportedWord: String {
        switch self {
        case .ok: "ok"
        case .degraded: "frames lost"
        case .abstained: "abstained"
        case .error: "failed"
        case .removed: "removed"
        }
    }
}

extension ReportClip {
    /// What is to be said about the clip, each thing once.
    fileprivate var flags: [AnnotationRecord.Flag] {
        Array(Set(records.flatMap(\.flags))).sorted()
    }
}
