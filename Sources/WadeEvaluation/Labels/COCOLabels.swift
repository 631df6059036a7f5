//! The layouts of the COCO family: captions, and VQA with its questions in a file of their own.
internal import Foundation
import WadePipeline

extension LabelledSetBuilder {
    private struct Captions: Decodable {
        struct Image: Decodable {
            let id: LabelID
            let file: String

            private enum CodingKeys: String, CodingKey {
                case id
                case file = "file_name"
            }
        }
        struct Annotation: Decodable {
            let id: LabelID?
            let image: LabelID
            let caption: String

            private enum CodingKeys: String, CodingKey {
                case id
                case image = "image_id"
                case caption
            }
        }
        let images: [Image]
        let annotations: [Annotation]
    }

    /// `{"images": [{"id", "file_name"}], "annotations": [{"id", "image_id", "caption"}]}`
    mutating func readCOCO() throws(PipelineError) {
        let file = try decode(
            Captions.self, of: path,
            "COCO captions: {\"images\": [{\"id\", \"file_name\"}, …], \"annotations\": [{\"image_id\", \"caption\"}, …]}"
        )
        var groups = TextGroups()
        for (index, image) in file.images.enumerated() {
            try groups.add(image.id.text, at: "images[\(index)]", of: self)
        }
        for (index, annotation) in file.annotations.enumerated() {
            let place = "annotations[\(index)]"
            try groups.meet(annotation.id, "the id", at: place, of: self)
            try groups.append(
                annotation.caption, to: annotation.image.text, at: place, "image_id",
                "the id of one of the \(file.images.count) images", of: self)
        }
        for (image, captions) in zip(file.images, groups.texts) {
            try add(
                captions, of: image.id.text, .file(image.file),
                at: groups.place(of: image.id.text))
        }
    }

    private struct Questions: Decodable {
        let questions: [Question]
    }

    private struct Question: Decodable {
        let id: LabelID
        let image: LabelID
        let question: String

        private enum CodingKeys: String, CodingKey {
            case id = "question_id"
            case image = "image_id"
            case question
        }
    }

    private struct Annotations: Decodable {
        struct Annotation: Decodable {
            let id: LabelID
            let image: LabelID?
            let question: String?
            let answers: [Answer]

            private enum CodingKeys: String, CodingKey {
                case id = "question_id"
                case image = "image_id"
                case question
                case answers
            }
        }
        let annotations: [Annotation]
    }

    /// An answer alone, or in an object beside what else is known of it.
    private struct Answer: Decodable {
        let text: String

        private enum CodingKeys: String, CodingKey {
            case answer
        }

        init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self.text = text
            } else {
                text = try decoder.container(keyedBy: CodingKeys.self).decode(
                    String.self, forKey: .answer)
            }
        }
    }

    /// `{"annotations": [{"question_id", "image_id", "answers": [{"answer"}]}]}` and, in `questions`, `{"questions": [{"question_id",
    /// "image_id", "question"}]}`; annotations with questions of their own need no second file.
    mutating func readVQA(questions: PathBytes?) throws(PipelineError) {
        let file = try decode(
            Annotations.self, of: path,
            "VQA annotations: {\"annotations\": [{\"question_id\", \"image_id\", \"answers\": [{\"answer\"}, …]}, …]}"
        )
        let asked = try readQuestions(questions)
        var answered: Set<String> = []
        for (index, annotation) in file.annotations.enumerated() {
            let place = "annotations[\(index)]"
            let id = annotation.id.text
            let known = asked[id]
            guard let question = annotation.question ?? known?.question else {
                throw fault(
                    place, "question_id \(id) without a question",
                    questions.map { "one of the \(asked.count) ids in \($0.shown)" }
                        ?? "\"question\" beside it, or --questions with the file that has it")
            }
            guard let image = annotation.image ?? known?.image else {
                throw fault(place, "no image_id", "the id of the picture or video")
            }
            if let known, known.image != image {
                throw fault(
                    place, "image_id \(image.text)",
                    "\(known.image.text), as question \(id) has it")
            }
            answered.insert(id)
            guard !annotation.answers.isEmpty else {
                unlabelled += 1
                continue
            }
            try add(
                LabelledItem(
                    id: id, video: .id(image.text), question: question,
                    truth: .answers(annotation.answers.map(\.text)), place: place))
        }
        unlabelled += asked.keys.count { !answered.contains($0) }
    }

    private func readQuestions(_ questions: PathBytes?) throws(PipelineError) -> [String: Question]
    {
        guard let questions else { return [:] }
        let list = try decode(
            Questions.self, of: questions,
            "VQA questions: {\"questions\": [{\"question_id\", \"image_id\", \"question\"}, …]}"
        ).questions
        var asked: [String: Question] = [:]
        for (index, question) in list.enumerated() {
            guard asked.updateValue(question, forKey: question.id.text) == nil else {
                throw .pipeline(
                    place: "\(questions.shown): questions[\(index)]",
                    found: "question_id \(question.id.text) for the second time",
                    expected: "each once")
            }
        }
        return asked
    }
}
