//! Captions that stand in a list of their own, apart from the videos that they are about.
import WadePipeline

/// Texts by the id of what they are about, in the order of the ids.
struct TextGroups {
    private(set) var texts: [[String]] = []
    private var numbers: [String: Int] = [:]
    private var places: [String: String] = [:]
    /// Where texts with ids of their own stand, by these.
    private var ownPlaces: [String: String] = [:]

    /// Takes an id; throws when it was there before.
    mutating func add(_ id: String, at place: String, of file: LabelledSetBuilder)
        throws(PipelineError)
    {
        if let other = places[id] {
            throw file.fault(
                place, "the id \(quoted(id)) for the second time",
                "each once; it is that of \(other), too")
        }
        places[id] = place
        numbers[id] = texts.count
        texts.append([])
    }

    /// Notes the id that a text has of its own, if it has one, and which is called `name`; throws when another text has it.
    mutating func meet(
        _ id: LabelID?, _ name: String, at place: String, of file: LabelledSetBuilder
    )
        throws(PipelineError)
    {
        guard let id = id?.text else { return }
        if let other = ownPlaces[id] {
            throw file.fault(
                place, "\(name) \(id) for the second time",
                "each once; it is that of \(other), too")
        }
        ownPlaces[id] = place
    }

    /// Takes a text about `id`, which stands under `name`; throws when there is no such id.
    mutating func append(
        _ text: String, to id: String, at place: String, _ name: String, _ expected: String,
        of file: LabelledSetBuilder
    ) throws(PipelineError) {
        guard let number = numbers[id] else {
            throw file.fault(place, "\(name) \(quoted(id))", expected)
        }
        texts[number].append(text)
    }

    /// Where `id` stands.
    func place(of id: String) -> String { places[id] ?? "" }
}

extension LabelledSetBuilder {
    /// Takes the captions of a video as an item; without any it is counted, since it cannot be scored.
    mutating func add(_ captions: [String], of id: String, _ video: VideoName, at place: String)
        throws(PipelineError)
    {
        guard !captions.isEmpty else {
            unlabelled += 1
            return
        }
        try add(
            LabelledItem(
                id: id, video: video, question: nil, truth: .captions(captions), place: place))
    }
}
