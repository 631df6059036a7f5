//! A user's own clips with what is to be said about them: what a model is tuned on, one JSON object a line.
internal import Foundation

/// A clip with its texts: one line of the file.
package struct CaptionedClip: Sendable, Equatable {
    /// A prompt and the answer to it.
    package struct Pair: Sendable, Equatable {
        /// The task's id: pairs of one task stand in one prompt.
        package let task: String
        /// The words up to the answer, with one `<image>`.
        package let prompt: String
        /// The answer with what ends it.
        package let answer: String
    }

    /// The number of the line, counted from 1.
    package let line: Int
    /// The clip's file.
    package let clip: PathBytes
    /// At least one.
    package let pairs: [Pair]
}

/// The lines of a file that can be used, and why the others cannot.
package struct CaptionedClips: Sendable, Equatable {
    /// In the order of the file.
    package let clips: [CaptionedClip]
    /// By the number of the line, in the order of the file; each says place, what was found and what was expected.
    package let faults: [Int: PipelineError]

    /// More than a person writes: a hundred thousand clips have some 20 MB of words.
    private static let mostBytes = 1 << 30

    /// Reads the file at `path`, whose clips are relative to it. A line has the members of a demonstration (`clip`, `answers`,
    /// `questions`, by the ids of `pipeline`'s tasks), or `caption`, or `question` and `answer`, which are those of its first captioning
    /// and question answering task. Without a pipeline OpenFlamingo's templates are used, and every answer but `caption` has a question.
    package init(_ path: PathBytes, pipeline: Pipeline? = nil) throws(PipelineError) {
        let bytes = try SmallFile.read(path, atMost: Self.mostBytes)
        let folder = PathBytes(FileManager.default.currentDirectoryPath)
        let reader = CaptionedClipReader(
            folder: path.absolute(below: folder).folder, tasks: pipeline?.tasks)
        var clips: [CaptionedClip] = []
        var faults: [Int: PipelineError] = [:]
        let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
        let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated()
        where !line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) {
            do throws(PipelineError) {
                clips.append(
                    try reader.read(
                        Array(line), number: index + 1, place: "\(path.shown):\(index + 1)"))
            } catch {
                faults[index + 1] = error
            }
        }
        self.clips = clips
        self.faults = faults
    }
}

/// A reader of lines.
private struct CaptionedClipReader {
    /// The folder that clips' paths begin at.
    let folder: PathBytes
    /// The tasks that answers may be given for; nil for any.
    let tasks: [AnnotationTask]?

    /// The ids of the answers in `caption` and `answer` where there is no pipeline.
    private static let (caption, answer) = ("caption", "answer")
    /// Texts that steer the model; an answer that holds one would say something else than its words.
    private static let marks = [PromptTemplate.imageToken, PromptTemplate.endOfChunkToken]
    private static let members = ["id", "clip", "answers", "questions"]
    private static let expected =
        "`clip` with `caption`, with `question` and `answer`, or with `answers` and `questions` by task id"

    func read(_ line: [UInt8], number: Int, place: String) throws(PipelineError) -> CaptionedClip {
        let value: JSONValue
        do throws(JSONFault) {
            value = try JSONReader.read(line)
        } catch {
            throw .pipeline(
                place: "\(place):\(error.byte + 1)", found: error.found, expected: error.expected)
        }
        guard case .object(let members) = value else {
            throw .pipeline(place: place, found: value.summary, expected: "an object")
        }
        let (plain, words) = try split(members, place: place)
        let tasks =
            if let given = self.tasks { given } else { try Self.tasks(of: plain, place: place) }
        var demonstration = try DemonstrationReader(folder: folder, tasks: tasks)
            .read(.object(plain), number: number, place: place)
        try add(words, to: &demonstration, tasks, place: place)
        guard let clip = demonstration.clip else {
            throw .pipeline(place: place, found: "no `clip`", expected: Self.expected)
        }
        var pairs: [CaptionedClip.Pair] = []
        for task in tasks {
            guard let answer = demonstration.answers[task.id] else { continue }
            let question = demonstration.questions[task.id] ?? task.question
            pairs.append(try pair(task, question: question, answer: answer, place: place))
        }
        guard !pairs.isEmpty else {
            throw .pipeline(place: place, found: "no text", expected: Self.expected)
        }
        return CaptionedClip(line: number, clip: clip, pairs: pairs)
    }

    /// The members that a demonstration has, and the texts of the short form.
    private func split(_ members: [JSONMember], place: String) throws(PipelineError) -> (
        plain: [JSONMember], words: [String: String]
    ) {
        var plain: [JSONMember] = []
        var words: [String: String] = [:]
        for member in members {
            if Self.members.contains(member.name) {
                plain.append(member)
            } else if ["caption", "question", "answer"].contains(member.name),
                let text = member.value.text
            {
                words[member.name] = text
            } else {
                throw .pipeline(
                    place: place, found: "\(member.name.shownShort) with \(member.value.summary)",
                    expected: Self.expected)
            }
        }
        return (plain, words)
    }

    /// What a line without a pipeline asks: its captions, and its questions under the ids that it gives them.
    private static func tasks(of members: [JSONMember], place: String) throws(PipelineError)
        -> [AnnotationTask]
    {
        var tasks = [
            AnnotationTask(id: caption, type: .caption),
            AnnotationTask(id: answer, type: .vqa, question: "?"),
        ]
        let questions = members.last { $0.name == "questions" }?.value
        guard case .object(let answers) = members.last(where: { $0.name == "answers" })?.value
        else { return tasks }
        for member in answers where member.name != caption {
            guard let question = questions?[member.name]?.text else {
                throw .pipeline(
                    place: place, found: "the answer \(member.name.shownShort) without a question",
                    expected: "its question in `questions`, or a pipeline with this task")
            }
            tasks.removeAll { $0.id == member.name }
            tasks.append(AnnotationTask(id: member.name, type: .vqa, question: question))
        }
        return tasks
    }

    /// Adds the texts of the short form.
    private func add(
        _ words: [String: String], to demonstration: inout Demonstration,
        _ tasks: [AnnotationTask], place: String
    ) throws(PipelineError) {
        func task(_ type: AnnotationRecord.TaskType, _ name: String) throws(PipelineError) -> String
        {
            guard let task = tasks.first(where: { $0.type == type }) else {
                throw .pipeline(
                    place: place, found: "`\(name)`",
                    expected: "`answers` for one of " + tasks.map(\.id).joined(separator: ", "))
            }
            guard demonstration.answers[task.id] == nil else {
                throw .pipeline(
                    place: place, found: "`\(name)` and an answer \(task.id)", expected: "one")
            }
            return task.id
        }
        if let caption = words["caption"] {
            demonstration.answers[try task(.caption, "caption")] = caption
        }
        switch (words["question"], words["answer"]) {
        case (nil, nil): break
        case (let question?, let answer?):
            let id = try task(.vqa, "answer")
            demonstration.answers[id] = answer
            demonstration.questions[id] = question
        case (_?, nil):
            throw .pipeline(place: place, found: "`question` alone", expected: "its `answer`")
        case (nil, _?):
            throw .pipeline(place: place, found: "`answer` alone", expected: "its `question`")
        }
    }

    private func pair(
        _ task: AnnotationTask, question: String, answer: String, place: String
    ) throws(PipelineError) -> CaptionedClip.Pair {
        for text in [question, answer] {
            if let mark = Self.marks.first(where: { text.contains($0) }) {
                throw .pipeline(
                    place: place, found: "\(mark) in \(text.shownShort)", expected: "words alone")
            }
        }
        guard !answer.allSatisfy(\.isWhitespace) else {
            throw .pipeline(
                place: place, found: "an empty text for \(task.id)", expected: "what is to be said")
        }
        let prompt = task.template.query(question: question)
        guard prompt.contains(PromptTemplate.imageToken) else {
            throw .pipeline(
                place: place, found: "task \(task.id), whose template has no <image>",
                expected: "a template that shows the clip")
        }
        let whole = task.template.demonstration(question: question, answer: answer, hasClip: true)
        return CaptionedClip.Pair(
            task: task.id, prompt: prompt,
            answer: String(decoding: whole.utf8.dropFirst(prompt.utf8.count), as: UTF8.self))
    }
}
