//! Where the videos are that a label file names.
internal import Foundation
package import WadePipeline

/// An item with its file.
package struct LocatedItem: Sendable, Equatable {
    /// The item.
    package let item: LabelledItem
    /// Its file, from `/`.
    package let path: PathBytes
}

/// The items of a set whose files were found, and the others.
package struct LocatedSet: Sendable {
    /// Items with their files, in the order of the set.
    package let items: [LocatedItem]
    /// Items without a file.
    package let missing: [LabelledItem]

    /// Looks for the videos of `set`, which was read from `labels`, below `folder`. Throws when a name stands for two files, and when
    /// files are missing unless `skipsMissing`.
    package init(
        _ set: LabelledSet, labels: PathBytes, folder: PathBytes, skipsMissing: Bool
    ) throws(PipelineError) {
        var videos = try VideoFolder(folder)
        var items: [LocatedItem] = []
        var missing: [LabelledItem] = []
        for item in set.items {
            do {
                if let path = try videos.path(of: item.video) {
                    items.append(LocatedItem(item: item, path: path))
                } else {
                    missing.append(item)
                }
            } catch {
                throw .pipeline(
                    place: "\(labels.shown): \(item.place)",
                    found: "\(quoted(item.video.text)), which stands for "
                        + error.paths.prefix(3).map(\.shown).joined(separator: " and "),
                    expected: "one file")
            }
        }
        guard missing.isEmpty || (skipsMissing && !items.isEmpty) else {
            let some = missing.prefix(3).map { "\(quoted($0.video.text)) (\($0.place))" }
                .joined(separator: ", ")
            throw .pipeline(
                place: labels.shown,
                found: "\(missing.count) of \(set.items.count) items without a video: \(some)"
                    + (missing.count > 3 ? ", …" : ""),
                expected: "files of these names below \(folder.shown)"
                    + (items.isEmpty ? "" : "; --skip-missing leaves them out and counts them"))
        }
        self.items = items
        self.missing = missing
    }
}

/// The videos and pictures below a folder, by their names.
private struct VideoFolder {
    /// A name that stands for several files.
    struct Ambiguity: Error {
        let paths: [PathBytes]
    }

    private let folder: PathBytes
    private let files: [FoundFile]
    private var byStem: [PathBytes: [PathBytes]] = [:]
    private var byName: [PathBytes: [PathBytes]] = [:]
    private var byNumber: [Int: [PathBytes]] = [:]

    init(_ folder: PathBytes) throws(PipelineError) {
        self.folder = folder.bytes.isEmpty ? PathBytes(".") : folder
        files = try ClipFinder.find([self.folder]).files.filter { $0.failure == nil }
        for file in files {
            byStem[file.path.stem, default: []].append(file.path)
            byName[file.path.name, default: []].append(file.path)
            if let number = Self.pictureNumber(file.path.stem.text) {
                byNumber[number, default: []].append(file.path)
            }
        }
    }

    /// The file that `name` stands for; nil when there is none.
    mutating func path(of name: VideoName) throws(Ambiguity) -> PathBytes? {
        switch name {
        case .file(let text):
            let path = PathBytes(text)
            let place = path.bytes.first == UInt8(ascii: "/") ? path : folder.appending(path)
            if let found = try? ClipFinder.find([place]).files.first, found.failure == nil,
                found.path.name == path.name
            {
                return found.path
            }
            return try only(byName[path.name])
        case .id(let text):
            if let found = try only(byStem[PathBytes(text)]) { return found }
            guard let number = Int(text) else { return try only(byName[PathBytes(text)]) }
            // MSRVTT-QA numbers what MSR-VTT calls video7010.
            if let found = try only(byStem[PathBytes("video\(number)")]) { return found }
            return try only(byNumber[number])
        }
    }

    private func only(_ paths: [PathBytes]?) throws(Ambiguity) -> PathBytes? {
        guard let paths, paths.count > 1 else { return paths?.first }
        throw Ambiguity(paths: paths)
    }

    /// The number in COCO's file names: `COCO_val2014_000000391895`, `000000391895`.
    private static func pictureNumber(_ stem: String) -> Int? {
        guard let last = stem.split(separator: "_").last, last.count == 12,
            last.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(last)
    }
}
