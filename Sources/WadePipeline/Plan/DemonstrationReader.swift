//! Reads demonstrations: a list in the pipeline, or a JSONL file with one demonstration a line.

/// A reader of demonstrations whose paths start from `folder`, the folder of the pipeline file.
struct DemonstrationReader {
    /// The folder of the pipeline file.
    let folder: PathBytes
    /// The tasks that answers may be given for.
    let tasks: [AnnotationTask]

    /// The demonstrations in `field`; none when it is nil.
    func read(_ field: YAMLField?) throws(PipelineError) -> [Demonstration] {
        guard let field else { return [] }
        guard field.isMapping else {
            var list: [Demonstration] = []
            for element in try field.elements() {
                list.append(try read(element, number: list.count + 1))
            }
            return list
        }
        guard let file = try field.members(["file"])["file"] else {
            throw field.wrong("a list, or `file:` with a JSONL file", found: "neither")
        }
        let path = PathBytes(try file.text()).absolute(below: folder)
        guard isFile(path) else {
            throw file.wrong("a file", found: "\(path.shown), which is not there")
        }
        return try readLines(path)
    }

    private func isFile(_ path: PathBytes) -> Bool {
        (try? FileStatus.of(path, followingLinks: true))?.kind == .regular
    }

    private func read(_ field: YAMLField, number: Int) throws(PipelineError) -> Demonstration {
        let members = try field.members(["id", "clip", "answers", "questions"])
        guard let answers = members["answers"] else {
            throw field.wrong("`answers`", found: "a demonstration without answers")
        }
        var demonstration = Demonstration(
            id: try members["id"]?.text() ?? "d\(number)", clip: nil,
            answers: try readTexts(answers, isAnswers: true),
            questions: try members["questions"].map { (field) throws(PipelineError) in
                try readTexts(field)
            } ?? [:])
        if let clip = members["clip"] {
            let path = PathBytes(try clip.text()).absolute(below: folder)
            guard isFile(path) else {
                throw clip.wrong("a clip", found: "\(path.shown), which is not there")
            }
            demonstration.clip = path
        }
        return demonstration
    }

    /// Texts by task id; an id that no task has is an error.
    private func readTexts(_ field: YAMLField, isAnswers: Bool = false) throws(PipelineError)
        -> [String: String]
    {
        let texts = try field.members(tasks.map(\.id))
        var read: [String: String] = [:]
        for (id, text) in texts {
            read[id] = try text.text()
            if isAnswers, let expected = misfit(read[id] ?? "", task: id) {
                throw text.wrong(expected)
            }
        }
        return read
    }

    /// What an answer to `task` should have been, if `text` does not have its form: the model would be shown what it may not write.
    private func misfit(_ text: String, task: String) -> String? {
        guard let format = tasks.first(where: { $0.id == task })?.format, !format.admits(text)
        else { return nil }
        return "an answer of the form that task \(task) asks for"
    }

    private func readLines(_ path: PathBytes) throws(PipelineError) -> [Demonstration] {
        var demonstrations: [Demonstration] = []
        let lines = try SmallFile.read(path).split(
            separator: 0x0A, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.isEmpty {
            let place = "\(path.shown):\(index + 1)"
            do {
                let value = try JSONReader.read(Array(line))
                demonstrations.append(
                    try read(value, number: demonstrations.count + 1, place: "\(place):1"))
            } catch let fault as JSONFault {
                throw .pipeline(
                    place: "\(place):\(fault.byte + 1)", found: fault.found,
                    expected: fault.expected)
            } catch let error as PipelineError {
                throw error
            } catch {
                throw .pipeline(place: place, found: "\(error)", expected: "a demonstration")
            }
        }
        return demonstrations
    }

    /// The demonstration that `value` says, which stands at `place`.
    func read(_ value: JSONValue, number: Int, place: String) throws(PipelineError)
        -> Demonstration
    {
        guard case .object(let members) = value else {
            throw .pipeline(place: place, found: value.summary, expected: "an object")
        }
        var demonstration = Demonstration(id: "d\(number)", clip: nil, answers: [:])
        for member in members {
            switch (member.name, member.value) {
            case ("id", .string(let id)): demonstration.id = id
            case ("clip", .string(let clip)):
                let clipPath = PathBytes(clip).absolute(below: folder)
                guard isFile(clipPath) else {
                    throw .pipeline(
                        place: place, found: "\(clipPath.shown), which is not there",
                        expected: "a clip")
                }
                demonstration.clip = clipPath
            case ("answers", .object(let texts)):
                demonstration.answers = try readTexts(texts, place: place)
                for (task, text) in demonstration.answers.sorted(by: { $0.key < $1.key }) {
                    guard let expected = misfit(text, task: task) else { continue }
                    throw .pipeline(place: place, found: text.shownShort, expected: expected)
                }
            case ("questions", .object(let texts)):
                demonstration.questions = try readTexts(texts, place: place)
            default:
                throw .pipeline(
                    place: place, found: "\(member.name.shownShort) with \(member.value.summary)",
                    expected: "`id` and `clip` as texts, `answers` and `questions` by task id")
            }
        }
        return demonstration
    }

    private func readTexts(_ members: [JSONMember], place: String) throws(PipelineError)
        -> [String: String]
    {
        var texts: [String: String] = [:]
        for member in members {
            guard let text = member.value.text, tasks.contains(where: { $0.id == member.name })
            else {
                throw .pipeline(
                    place: place, found: "\(member.name.shownShort) with \(member.value.summary)",
                    expected: "a text for one of " + tasks.map(\.id).joined(separator: ", "))
            }
            texts[member.name] = text
        }
        return texts
    }
}
