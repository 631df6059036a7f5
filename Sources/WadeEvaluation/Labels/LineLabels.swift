//! Wade's own layout: one JSON object a line.
internal import Foundation
import WadePipeline

extension LabelledSetBuilder {
    private static let expected =
        "{\"video\": …} with \"captions\": […], or \"question\" and \"answers\": […], or \"label\" and \"choices\": […]; \"id\" if wanted"

    private struct Line: Decodable {
        let id: LabelID?
        let video: String
        let caption: String?
        let captions: [String]?
        let question: String?
        let answer: String?
        let answers: [String]?
        let label: String?
        let choices: [String]?

        /// Lists of captions, lists of answers, labels: those that are there.
        var truths: [Truth] {
            let captions = self.captions ?? caption.map { [$0] }
            let answers = self.answers ?? answer.map { [$0] }
            return [
                captions.map { .captions($0) }, answers.map { .answers($0) },
                label.map { .label($0, choices: choices ?? []) },
            ].compactMap { $0 }
        }
    }

    /// Reads the file line by line; empty lines are none.
    mutating func readLines() throws(PipelineError) {
        let lines = try LabelFile.read(path).split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, bytes) in lines.enumerated()
        where !bytes.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) {
            let place = "line \(index + 1)"
            let line: Line
            do {
                line = try JSONDecoder().decode(Line.self, from: Data(bytes))
            } catch {
                throw fault(place, LabelFile.reason(error), Self.expected)
            }
            guard !line.video.isEmpty else { throw fault(place, "an empty video", "a file's name") }
            guard line.truths.count == 1, let truth = line.truths.first else {
                if line.truths.isEmpty {
                    unlabelled += 1
                    continue
                }
                throw fault(place, "captions, answers and a label together", "one of them")
            }
            if line.choices != nil, line.label == nil {
                throw fault(place, "choices without a label", "\"label\" beside \"choices\"")
            }
            switch truth {
            case .captions([]), .answers([]):
                unlabelled += 1
                continue
            case .captions where line.question != nil:
                throw fault(place, "a question with captions", "it with answers or a label")
            default: break
            }
            let own = line.video + (line.question.map { " " + $0 } ?? "")
            try add(
                LabelledItem(
                    id: line.id?.text ?? own, video: .file(line.video), question: line.question,
                    truth: truth, place: place))
        }
    }
}
