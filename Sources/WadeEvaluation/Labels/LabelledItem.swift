//! One labelled clip or question: what a model is asked, and what people answered.

/// What is known to be right.
package enum Truth: Sendable, Equatable {
    /// Captions that people wrote.
    case captions([String])
    /// Answers that people gave, one for each person; the first one is shown in demonstrations.
    case answers([String])
    /// The right one of some choices; of the pipeline's when none are given.
    case label(String, choices: [String])

    /// What a demonstration of it shows.
    package var shown: String {
        switch self {
        case .captions(let texts), .answers(let texts): texts.first ?? ""
        case .label(let label, _): label
        }
    }

    /// What kind of answer it judges.
    package var kind: Kind {
        switch self {
        case .captions: .captions
        case .answers: .answers
        case .label: .labels
        }
    }

    /// The kinds of truths.
    package enum Kind: String, Sendable {
        case captions
        case answers
        case labels
    }
}

/// How a label file names a video.
package enum VideoName: Sendable, Hashable {
    /// A file below the folder of videos.
    case file(String)
    /// An id: a file's name without its extension.
    case id(String)

    /// The name as it stands in the file.
    package var text: String {
        switch self {
        case .file(let text), .id(let text): text
        }
    }
}

/// An item of a labelled set.
package struct LabelledItem: Sendable, Equatable {
    /// Its id, each once in a set.
    package let id: String
    /// The video.
    package let video: VideoName
    /// The question; nil where the pipeline's own is meant.
    package let question: String?
    /// What is right.
    package let truth: Truth
    /// Where it stands in its file: `line 7`, `sentences[3]`.
    package let place: String

    /// An item.
    package init(id: String, video: VideoName, question: String?, truth: Truth, place: String) {
        self.id = id
        self.video = video
        self.question = question
        self.truth = truth
        self.place = place
    }
}

/// The layouts of label files.
package enum LabelLayout: String, Sendable, CaseIterable {
    /// One JSON object a line, Wade's own.
    case jsonl
    /// COCO captions.
    case coco
    /// VQA annotations with their questions.
    case vqa
    /// MSR-VTT captions.
    case msrvtt
    /// MSRVTT-QA questions.
    case msrvttQA = "msrvtt-qa"
    /// VATEX captions.
    case vatex
}
