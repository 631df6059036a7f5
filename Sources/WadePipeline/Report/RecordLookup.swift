//! From what a person types to the records that are meant, and a record in words for the terminal.
package import WadeImage
import WadeVideo

/// Records that a person names.
package struct RecordLookup: Sendable {
    /// What was found: records about one clip or several, in the order of the file.
    package let records: [AnnotationRecord]

    /// The records of `file` that `name` means: a key or its first digits, a path or a file's name, or a custom_id. Throws `request`
    /// when there are none, or when the digits begin several keys.
    package init(_ name: String, in file: RecordFile) throws {
        var byKey: [AnnotationRecord] = []
        var byName: [AnnotationRecord] = []
        let mayBeKey =
            name.utf8.count >= 4 && name.utf8.count <= 64 && name.allSatisfy(\.isHexDigit)
        let digits = name.lowercased()
        try file.forEachRecord { record in
            if mayBeKey, record.key.hasPrefix(digits) { byKey.append(record) }
            let path = record.video.pathBytes
            if path.text == name || path.name.text == name
                || (record.customID == name && !name.isEmpty)
            {
                byName.append(record)
            }
        }
        guard byKey.count <= 1 else {
            let keys = byKey.prefix(4).map { "\($0.key.prefix(name.utf8.count + 6))…" }
            throw PipelineError.request(
                found: "\(byKey.count) records whose keys begin with \(digits): "
                    + keys.joined(separator: ", "), expected: "one: more digits")
        }
        records = byKey.isEmpty ? byName : byKey
        guard !records.isEmpty else {
            throw PipelineError.request(
                found: "no record \(name.shownShort) in \(file.path.shown)",
                expected: "a key or its first digits, a path, a file's name or a custom_id")
        }
    }

    /// The records clip by clip.
    private var clips: [[AnnotationRecord]] {
        var clips: [[AnnotationRecord]] = []
        for record in records {
            if let last = clips.last?.first, last.video == record.video, last.clip == record.clip,
                last.frames == record.frames
            {
                clips[clips.count - 1].append(record)
            } else {
                clips.append([record])
            }
        }
        return clips
    }

    /// Everything in words.
    package var text: String { clips.map(text).joined(separator: "\n") }

    private func text(_ records: [AnnotationRecord]) -> String {
        let first = records[0]
        var lines = [Self.heading(first)]
        var facts: [String] = []
        if first.video.width > 0 { facts.append("\(first.video.width)x\(first.video.height)") }
        facts += [first.video.codec, first.frames.strategy].filter { !$0.isEmpty }
        facts += Array(Set(records.flatMap(\.flags))).sorted().map(\.rawValue)
        if !facts.isEmpty { lines.append("  " + Self.shown(facts.joined(separator: ", "))) }
        if !first.frames.times.isEmpty {
            lines.append(
                "  frames: "
                    + first.frames.times.map { ContactSheet.time($0) }.joined(separator: "  "))
        }
        for record in records { lines += answer(record) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func answer(_ record: AnnotationRecord) -> [String] {
        var head = "  \(Self.shown(record.task.id)): \(record.status.rawValue)"
        if let confidence = record.confidence {
            head += ", sure \(HTMLText.decimal(confidence.value, places: 2))"
        }
        var lines = ["", head]
        if !record.task.question.isEmpty { lines.append("    " + Self.shown(record.task.question)) }
        if record.status == .error {
            lines.append(
                "    \(Self.shown(record.error.code)): \(Self.shown(record.error.message))")
        } else {
            lines += record.output.text.split(separator: "\n").map {
                "    " + Self.shown(String($0))
            }
        }
        for (choice, share) in zip(record.task.choices, record.choiceProbabilities) {
            lines.append("      \(HTMLText.decimal(share, places: 2))  \(Self.shown(choice))")
        }
        return lines + ["    key \(Self.shown(record.key)), line \(record.run.sequence)"]
    }

    private static func heading(_ record: AnnotationRecord) -> String {
        var text = record.video.pathBytes.shown
        if record.clip.boundary != .whole, record.clip.end > record.clip.start {
            let kind = record.clip.boundary == .scene ? "shot" : "clip"
            text +=
                "  \(kind) \(record.clip.index + 1) of \(record.clip.count), "
                + "\(ContactSheet.time(record.clip.start)) to \(ContactSheet.time(record.clip.end))"
        }
        return text
    }

    /// Foreign words for a terminal, which obeys controls.
    private static func shown(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { $0 += $1.escapedForTerminal }
    }

    /// The recorded frames, decoded again by `source`, with the answers above them. Throws when the records are about several clips, when
    /// they name no frames, and when the file does not show these frames any more.
    package func contactSheet(from source: RecordedFrames) throws -> RGBImage {
        guard clips.count == 1, let record = records.first else {
            throw PipelineError.request(
                found: "\(clips.count) clips", expected: "one for a contact sheet: give a key")
        }
        guard !record.frames.times.isEmpty else {
            throw PipelineError.request(
                found: "a record without frames", expected: "one of a clip that was decoded")
        }
        let frames: [ContactSheet.Frame]
        do throws(NoPictures) {
            frames = try source.frames(of: record.video, at: record.frames.times) { frame in
                ContactSheet.Frame(
                    picture: frame.image.thumbnail(longest: 240), seconds: frame.time)
            }
        } catch {
            throw PipelineError.file(
                path: record.video.pathBytes.shown, action: "show the frames", reason: error.reason)
        }
        let notes = records.map { record in
            let said =
                record.status == .error
                ? "\(record.error.code): \(record.error.message)" : record.output.text
            return "\(record.task.id): "
                + said.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        return try ContactSheet(title: Self.heading(record), frames: frames, notes: notes)
            .composed()
    }
}

extension RGBImage {
    /// The picture with at most `longest` pixels on its longer side.
    func thumbnail(longest: Int) -> RGBImage {
        let longer = max(width, height)
        guard longer > longest else { return self }
        return resized(
            width: max(width * longest / longer, 1), height: max(height * longest / longer, 1),
            filter: .bicubic)
    }
}
