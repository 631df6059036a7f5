//! What the layouts of the field need of a record.

/// An answer on its way into a results file.
struct ExportedAnswer: Sendable {
    /// The file.
    let path: PathBytes
    /// The file's id.
    let videoID: String
    /// The clip's own id: `custom_id`, else the file's id, with the clip's number where the file was cut.
    let clipID: String
    /// The question's id; -1 if none.
    let questionID: Int
    /// Seconds; the end is not after the start when it is not known.
    let start: Double
    let end: Double
    /// The answer; empty when there is none.
    let text: String
    /// When it was made.
    let createdAt: String

    /// The answer of `record`.
    init(_ record: AnnotationRecord) {
        path = record.video.pathBytes
        videoID = record.video.id
        let isCut = record.clip.count > 1
        clipID =
            !record.customID.isEmpty
            ? record.customID : isCut ? "\(record.video.id)_\(record.clip.index)" : record.video.id
        questionID = Self.number(in: record.customID) ?? record.task.questionID
        start = record.clip.start
        end = record.clip.end
        let isAnswer = record.status == .ok || record.status == .degraded
        text = isAnswer ? record.output.text : ""
        createdAt = record.run.createdAt
    }

    /// COCO's integer: the digits of the id, or those at the end of a file name like `COCO_val2014_000000391895`. Other data sets name
    /// their pictures by texts, which scorers take as well.
    var imageID: JSONValue {
        if let number = Self.number(in: clipID) { return .integer(number) }
        if clipID.hasPrefix("COCO_"), let last = clipID.split(separator: "_").last,
            let number = Self.number(in: String(last))
        {
            return .integer(number)
        }
        return .string(clipID)
    }

    /// The whole number that `text` spells in digits alone.
    private static func number(in text: String) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }
}
