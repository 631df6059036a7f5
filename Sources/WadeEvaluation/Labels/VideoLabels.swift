//! The layouts of video data sets: MSR-VTT, MSRVTT-QA and VATEX.
internal import Foundation
import WadePipeline

extension LabelledSetBuilder {
    private struct MSRVTT: Decodable {
        struct Video: Decodable {
            let id: String
            let split: String?

            private enum CodingKeys: String, CodingKey {
                case id = "video_id"
                case split
            }
        }
        struct Sentence: Decodable {
            let id: LabelID?
            let video: String
            let caption: String

            private enum CodingKeys: String, CodingKey {
                case id = "sen_id"
                case video = "video_id"
                case caption
            }
        }
        let videos: [Video]
        let sentences: [Sentence]
    }

    /// `{"videos": [{"video_id", "split"}], "sentences": [{"sen_id", "video_id", "caption"}]}`
    mutating func readMSRVTT(split: String?) throws(PipelineError) {
        let file = try decode(
            MSRVTT.self, of: path,
            "MSR-VTT captions: {\"videos\": [{\"video_id\", \"split\"}, …], \"sentences\": [{\"video_id\", \"caption\"}, …]}"
        )
        var groups = TextGroups()
        for (index, video) in file.videos.enumerated() {
            try groups.add(video.id, at: "videos[\(index)]", of: self)
        }
        if let split, !file.videos.contains(where: { $0.split == split }) {
            let splits = Set(file.videos.compactMap(\.split)).sorted()
            throw fault(
                "split", quoted(split),
                splits.isEmpty
                    ? "none, since no video has one"
                    : "one of " + splits.map(quoted).joined(separator: ", "))
        }
        for (index, sentence) in file.sentences.enumerated() {
            let place = "sentences[\(index)]"
            try groups.meet(sentence.id, "sen_id", at: place, of: self)
            try groups.append(
                sentence.caption, to: sentence.video, at: place, "video_id",
                "that of one of the \(file.videos.count) videos", of: self)
        }
        for (video, captions) in zip(file.videos, groups.texts) {
            guard split == nil || video.split == split else {
                otherSplits += 1
                continue
            }
            try add(captions, of: video.id, .id(video.id), at: groups.place(of: video.id))
        }
    }

    private struct MSRVTTQuestion: Decodable {
        let id: LabelID
        let video: LabelID
        let question: String
        let answer: String

        private enum CodingKeys: String, CodingKey {
            case id
            case video = "video_id"
            case question
            case answer
        }
    }

    /// `[{"id", "video_id", "question", "answer"}]`
    mutating func readMSRVTTQA() throws(PipelineError) {
        let list = try decode(
            [MSRVTTQuestion].self, of: path,
            "MSRVTT-QA questions: [{\"id\", \"video_id\", \"question\", \"answer\"}, …]")
        for (index, entry) in list.enumerated() {
            try add(
                LabelledItem(
                    id: entry.id.text, video: .id(entry.video.text), question: entry.question,
                    truth: .answers([entry.answer]), place: "[\(index)]"))
        }
    }

    private struct VATEXVideo: Decodable {
        let id: String
        let captions: [String]?

        private enum CodingKeys: String, CodingKey {
            case id = "videoID"
            case captions = "enCap"
        }
    }

    /// `[{"videoID", "enCap": […]}]`; videos without English captions, as in the public test set, are counted.
    mutating func readVATEX() throws(PipelineError) {
        let list = try decode(
            [VATEXVideo].self, of: path, "VATEX captions: [{\"videoID\", \"enCap\": […]}, …]")
        for (index, video) in list.enumerated() {
            try add(video.captions ?? [], of: video.id, .id(video.id), at: "[\(index)]")
        }
    }
}
