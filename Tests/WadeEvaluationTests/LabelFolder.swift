//! A folder with label files and files that stand for videos.
import Foundation
import WadePipeline

@testable import WadeEvaluation

final class LabelFolder {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
        "labels-\(UUID().uuidString)")

    init(videos: [String] = []) throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for video in videos { try write("x", video) }
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    @discardableResult
    func write(_ text: String, _ name: String) throws -> PathBytes {
        let file = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        return PathBytes(file.path)
    }

    var path: PathBytes { PathBytes(url.path) }

    /// What is wrong with `text` as a label file; empty when nothing is.
    func fault(
        _ text: String, _ layout: LabelLayout, questions: String? = nil, split: String? = nil
    ) throws -> String {
        let file = try write(text, "labels")
        let second = try questions.map { try write($0, "questions") }
        do {
            _ = try LabelledSet(file, layout: layout, questions: second, split: split)
            return ""
        } catch {
            return "\(error)".replacingOccurrences(of: url.path + "/", with: "")
        }
    }
}
