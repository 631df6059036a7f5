//! Where the answers about a video's shots come from, when a second pass is asked about the whole video behind them.

/// An output of an earlier run whose pipeline cuts files into clips: the answers about a video's clips stand before the question about
/// the whole video, each with its clip, in the order of time.
package struct ShotSource: Sendable, Equatable {
    /// The JSONL file, which grows while new files come.
    package var file: PathBytes
    /// The task whose answers are taken, by its id there.
    package var task: String
    /// Most shots before a question; of more, as many evenly spaced ones are taken.
    package var limit = Self.standardLimit
    /// The words around a shot; nil for OpenFlamingo's for the kind of the task.
    package var template: PromptTemplate?

    /// What a prompt takes when the pipeline does not say.
    package static let standardLimit = 8
    /// Changes when the choice of shots or the way they are joined does.
    private static let version = 1

    /// The answers to `task` in `file`.
    package init(file: PathBytes, task: String) {
        self.file = file
        self.task = task
    }

    /// What `field` asks for; paths start from `folder`. Whether the file is there is looked at when a run begins: the first pass may be
    /// yet to come.
    init(_ field: YAMLField, folder: PathBytes) throws(PipelineError) {
        let members = try field.members(["file", "task", "at_most", "template"])
        guard let file = members["file"], let task = members["task"] else {
            throw field.wrong(
                "`file:`, an output of wade annotate, and `task:`, the id of a task in it",
                found: "`shots` without them")
        }
        self.init(
            file: PathBytes(try file.text()).absolute(below: folder), task: try task.text())
        limit = try members["at_most"]?.integer(in: 1...256) ?? Self.standardLimit
        guard let field = members["template"] else { return }
        guard let template = PromptTemplate(try field.text()), template.showsClip else {
            throw field.wrong("a text with <image> once and {answer} once, in this order")
        }
        self.template = template
    }

    /// What a recipe says about it. The answers themselves belong to each video: `demos.set_id` covers them.
    var description: JSONValue {
        [
            "shots": .string(task), "version": .integer(Self.version),
            "at_most": .integer(limit), "template": .string(template?.text ?? ""),
        ]
    }
}
