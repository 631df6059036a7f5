//! A label file of any layout, read whole and checked: every item once, and nothing left out without being counted.
internal import Foundation
package import WadePipeline

/// The items of a label file, in its order.
package struct LabelledSet: Sendable, Equatable {
    /// The items.
    package private(set) var items: [LabelledItem] = []
    /// Videos or questions of the file that have no label, by what they are: they cannot be scored.
    package private(set) var unlabelled = 0
    /// Items of other splits than the one asked for.
    package private(set) var otherSplits = 0

    /// The set in the file at `path`. `questions` is the second file that VQA has, `split` the part of MSR-VTT that is meant. Throws
    /// `file` when a file cannot be read, and `pipeline` with the place of the first fault.
    package init(
        _ path: PathBytes, layout: LabelLayout, questions: PathBytes? = nil, split: String? = nil
    ) throws(PipelineError) {
        if questions != nil, layout != .vqa {
            throw .request(
                found: "a file of questions with the layout \(layout.rawValue)",
                expected: "it with vqa alone")
        }
        if split != nil, layout != .msrvtt {
            throw .request(
                found: "a split with the layout \(layout.rawValue)",
                expected: "it with msrvtt alone")
        }
        var builder = LabelledSetBuilder(path)
        switch layout {
        case .jsonl: try builder.readLines()
        case .coco: try builder.readCOCO()
        case .vqa: try builder.readVQA(questions: questions)
        case .msrvtt: try builder.readMSRVTT(split: split)
        case .msrvttQA: try builder.readMSRVTTQA()
        case .vatex: try builder.readVATEX()
        }
        guard let first = builder.items.first else {
            throw .pipeline(
                place: path.shown,
                found: builder.unlabelled > 0
                    ? "\(builder.unlabelled) entries and no label" : "no labels",
                expected: "at least one")
        }
        if let other = builder.items.first(where: { $0.truth.kind != first.truth.kind }) {
            throw .pipeline(
                place: "\(path.shown): \(other.place)", found: other.truth.kind.rawValue,
                expected: "\(first.truth.kind.rawValue), as in \(first.place)")
        }
        items = builder.items
        unlabelled = builder.unlabelled
        otherSplits = builder.otherSplits
    }

    /// What its items are judged by.
    package var kind: Truth.Kind { items[0].truth.kind }

    /// The set with its first `count` items alone.
    package func prefix(_ count: Int) -> LabelledSet {
        var some = self
        some.items = Array(items.prefix(count))
        return some
    }
}

/// Collects the items of one file.
struct LabelledSetBuilder {
    let path: PathBytes
    private(set) var items: [LabelledItem] = []
    var unlabelled = 0
    var otherSplits = 0
    private var places: [String: String] = [:]

    init(_ path: PathBytes) { self.path = path }

    /// Takes an item; throws when its id was there before or a text is empty.
    mutating func add(_ item: LabelledItem) throws(PipelineError) {
        if let other = places[item.id] {
            throw fault(
                item.place, "the id \(quoted(item.id)) for the second time",
                "each once; it is that of \(other), too")
        }
        let texts: [String]
        switch item.truth {
        case .captions(let captions): texts = captions
        case .answers(let answers): texts = answers
        case .label(let label, let choices):
            texts = [label] + choices
            if !choices.isEmpty, !choices.contains(label) {
                throw fault(
                    item.place, "the label \(quoted(label))",
                    "one of the choices " + choices.map(quoted).joined(separator: ", "))
            }
            if Set(choices).count < choices.count {
                throw fault(item.place, "a choice twice", "each once")
            }
        }
        let question = item.question.map { [$0] } ?? []
        if (texts + question).contains(where: { $0.allSatisfy(\.isWhitespace) }) {
            throw fault(item.place, "an empty text", "words in every caption, answer and question")
        }
        if (texts + question).contains(where: { $0.contains(PromptTemplate.imageToken) }) {
            throw fault(
                item.place, "\(PromptTemplate.imageToken) in a text", "texts without it")
        }
        places[item.id] = item.place
        items.append(item)
    }

    /// The error that something wrong at `place` of the file is.
    func fault(_ place: String, _ found: String, _ expected: String) -> PipelineError {
        .pipeline(place: "\(path.shown): \(place)", found: found, expected: expected)
    }

    /// The JSON value of a whole file.
    func decode<Value: Decodable>(_ type: Value.Type, of file: PathBytes, _ expected: String)
        throws(PipelineError) -> Value
    {
        let bytes = try LabelFile.read(file)
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw .pipeline(
                place: file.shown, found: LabelFile.reason(error), expected: expected)
        }
    }
}

/// A text in quotes for a message.
func quoted(_ text: String) -> String { "\"\(PathBytes(String(text.prefix(60))).shown)\"" }

/// An id, which some files write as a number and others as a text.
struct LabelID: Decodable, Hashable {
    let text: String

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let number = try? value.decode(Int.self) {
            text = String(number)
        } else {
            text = try value.decode(String.self)
        }
    }
}
