//! Reads demonstrations: a list in the pipeline, or a JSONL file with one demonstration a line.

/// A reader of demonstrations whose paths start from `folder`, the folder of the pipeline file.
struct DemonstrationReader {
    /// The folder of the pipeline file.
    let folder: PathBytes
    /// The tasks that answers may be given for.
    let tasks: [AnnotationTask]

    /// Whether each demonstration needs a clip, by which it is found.
    private var needsClips = false

    /// A reader of answers to `tasks`.
    init(folder: PathBytes, tasks: [AnnotationTask]) {
        self.folder = folder
        self.tasks = tasks
    }

    /// The demonstrations in `field`, none when it is nil, and how each clip's are chosen out of them.
    func read(_ field: YAMLField?) throws(PipelineError) -> (
        demonstrations: [Demonstration], retrieval: DemonstrationRetrieval?
    ) {
        guard let field else { return ([], nil) }
        guard field.isMapping else { return (try readList(field), nil) }
        let members = try field.members(["file", "list", "retrieve", "near_duplicates"])
        let retrieval = try readRetrieval(members)
        var reader = self
        reader.needsClips = retrieval != nil
        let demonstrations: [Demonstration]
        switch (members["file"], members["list"]) {
        case (let file?, nil):
            let path = PathBytes(try file.text()).absolute(below: folder)
            guard isFile(path) else {
                throw file.wrong("a file", found: "\(path.shown), which is not there")
            }
            demonstrations = try reader.readLines(path)
        case (nil, let list?): demonstrations = try reader.readList(list)
        default:
            throw field.wrong(
                "a list, `file:` with a JSONL file, or `list:` with a list",
                found: members["file"] == nil ? "none of them" : "both `file` and `list`")
        }
        if let retrieval, let field = members["retrieve"] {
            try requirePool(demonstrations, for: retrieval, field)
        }
        return (demonstrations, retrieval)
    }

    private func readRetrieval(_ members: [String: YAMLField]) throws(PipelineError)
        -> DemonstrationRetrieval?
    {
        guard let count = members["retrieve"] else {
            if let stray = members["near_duplicates"] {
                throw stray.wrong("`near_duplicates` beside `retrieve` only")
            }
            return nil
        }
        var retrieval = DemonstrationRetrieval(count: try count.integer(in: 1...256))
        if let least = members["near_duplicates"] {
            retrieval.nearDuplicate = least.isOff ? nil : try least.number(in: 0...1)
        }
        return retrieval
    }

    /// Throws when a task that has demonstrations has fewer than a prompt is to have.
    private func requirePool(
        _ pool: [Demonstration], for retrieval: DemonstrationRetrieval, _ field: YAMLField
    ) throws(PipelineError) {
        for task in tasks {
            let count = pool.count { $0.answers[task.id] != nil }
            guard count >= retrieval.count || (count == 0 && pool.count >= retrieval.count) else {
                throw field.wrong(
                    "at most as many as the pool has",
                    found:
                        "\(retrieval.count) to retrieve out of \(count) demonstrations of task \(task.id)"
                )
            }
        }
    }

    private func readList(_ field: YAMLField) throws(PipelineError) -> [Demonstration] {
        var list: [Demonstration] = []
        var ids: Set<String> = []
        for element in try field.elements() {
            let demonstration = try read(element, number: list.count + 1)
            if let expected = fault(of: demonstration, after: &ids) {
                throw element.wrong(expected, found: demonstration.summary)
            }
            list.append(demonstration)
        }
        return list
    }

    /// What `demonstration` should have been, behind others whose ids are `ids`.
    private func fault(of demonstration: Demonstration, after ids: inout Set<String>) -> String? {
        guard ids.insert(demonstration.id).inserted else { return "each id once" }
        guard needsClips, demonstration.clip == nil else { return nil }
        return "a `clip`, by whose looks it is found"
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
        var ids: Set<String> = []
        let lines = try SmallFile.read(path).split(
            separator: 0x0A, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.isEmpty {
            let place = "\(path.shown):\(index + 1)"
            do {
                let value = try JSONReader.read(Array(line))
                let demonstration = try read(
                    value, number: demonstrations.count + 1, place: "\(place):1")
                if let expected = fault(of: demonstration, after: &ids) {
                    throw PipelineError.pipeline(
                        place: "\(place):1", found: demonstration.summary, expected: expected)
                }
                demonstrations.append(demonstration)
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

extension Demonstration {
    /// A few words for a message.
    fileprivate var summary: String {
        "demonstration \(id.shownShort)\(clip == nil ? " without a clip" : "")"
    }
}
