//! One file from a hub to the disk: in parts at the same time, from where the last try ended, and checked before it has its name.
internal import Foundation
internal import Synchronization
internal import WadePipeline

/// A file that is to be loaded.
struct Download: Sendable {
    let hub: Hub
    let repository: HubRepository
    let path: String
    let file: RemoteFile
    /// Where it will be.
    let place: String
    let meter: ProgressMeter
    /// Bytes of a part: enough for a connection to get up to speed, little enough to be held in memory while a slow disk writes.
    var partSize = Self.standardPartSize

    static let standardPartSize = 64 << 20

    /// The name of an unfinished file; other programs that share the cache use other names.
    static func unfinished(_ place: String) -> String { place + ".wade-part" }

    /// Loads and checks the file. It is at `place` afterwards, whole; or what came is kept for the next try.
    func run() throws(HubError) {
        for isLast in [false, true] {
            let unfinished = Self.unfinished(place)
            let partial = try FileInParts(
                path: unfinished, size: file.size, partSize: max(1, min(partSize, file.size)))
            let loaded = try load(partial)
            let found = try file.checksum.found(at: unfinished, size: file.size)
            if found == file.checksum {
                try loaded.finish(as: place)
                HubCache.synchronize(folder: (place as NSString).deletingLastPathComponent)
                return
            }
            // What was loaded is not what was promised, and nobody knows which byte is wrong.
            loaded.remove()
            meter.add(-file.size)
            guard isLast else { continue }
            throw .checksum(
                file: "\(repository.name)/\(path)", found: "\(found) twice",
                expected: "\(file.checksum), as \(hub.endpoint.absoluteString) says")
        }
    }

    /// Loads all parts that are missing; gives the file that they are in, divided as the server allows.
    private func load(_ partial: FileInParts) throws(HubError) -> FileInParts {
        do {
            try loadParts(of: partial)
            return partial
        } catch .rangesIgnored {
            // All in one go then, from the beginning.
            meter.add(-partial.bytesHere)
            let whole = try FileInParts(path: partial.path, size: file.size, partSize: file.size)
            try whole.reset()
            do {
                try loadParts(of: whole)
                return whole
            } catch {
                throw error.hubError
            }
        } catch {
            throw error.hubError
        }
    }

    private enum PartFailure: Error {
        /// The server sends the whole file whatever it is asked for.
        case rangesIgnored
        case failed(HubError)

        var hubError: HubError {
            guard case .failed(let error) = self else {
                return .answer(
                    url: "", found: "answers to ranges now and then", expected: "always or never")
            }
            return error
        }
    }

    private func loadParts(of partial: FileInParts) throws(PartFailure) {
        let isOver = Mutex(false)
        let pool = WorkerPool<Int, PartFailure?>(
            workers: Hub.connections, inFlight: 2 * Hub.connections
        ) { part in
            do throws(PartFailure) {
                try load(part, of: partial) { isOver.withLock { $0 } }
                return nil
            } catch {
                isOver.withLock { $0 = true }
                return error
            }
        }
        var parts = partial.openParts.makeIterator()
        var failure: PartFailure?
        while let result = pool.next(from: { isOver.withLock { $0 } ? nil : parts.next() }) {
            // The first failure ends the others, whose own then are its consequence.
            if failure == nil { failure = result }
        }
        if let failure { throw failure }
    }

    private func load(
        _ part: Int, of partial: FileInParts, isOver: () -> Bool
    ) throws(PartFailure) {
        var failures = 0
        while !partial.missing(of: part).isEmpty, !isOver() {
            let before = partial.missing(of: part).count
            guard let fault = try request(part, of: partial, isOver) else { continue }
            failures = partial.missing(of: part).count < before ? 1 : failures + 1
            do throws(HubError) {
                try hub.retrying.wait(after: fault, failures: failures)
            } catch {
                throw .failed(error)
            }
        }
    }

    /// Asks once for what is missing of a part; says what went wrong when not all of it came.
    private func request(
        _ part: Int, of partial: FileInParts, _ isOver: () -> Bool
    ) throws(PartFailure) -> HubFault? {
        let url = hub.address(
            of: path, in: HubRepository(name: repository.name, revision: file.commit))
        let range = partial.missing(of: part)
        var wrong: HubFault?
        var isIgnored = false
        func answer(_ found: String, _ expected: String) {
            wrong = HubFault(
                error: .answer(url: url.absoluteString, found: found, expected: expected))
        }
        let head: HTTPHead
        do {
            head = try hub.send(
                "GET", url, range: range,
                isWanted: { head in
                    if head["content-type"]?.lowercased().hasPrefix("text/html") ?? false,
                        !path.hasSuffix(".html")
                    {
                        answer("a web page (text/html)", "the file")
                        return false
                    }
                    if head.status == 206 {
                        let stated = ContentRange(head["content-range"])
                        guard stated == ContentRange(range: range, of: file.size) else {
                            answer(
                                "the range \(head["content-range"] ?? "of nothing")",
                                "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)")
                            return false
                        }
                        return true
                    }
                    guard range == 0..<file.size else {
                        isIgnored = true
                        return false
                    }
                    if let length = head["content-length"], Int(length) != file.size {
                        answer("\(length) bytes", "\(file.size)")
                        return false
                    }
                    return true
                },
                take: { piece in
                    guard !isOver() else { return false }
                    let room = partial.missing(of: part).count
                    do throws(HubError) {
                        try partial.append(piece.prefix(room), to: part)
                    } catch {
                        wrong = HubFault(error: error)
                        return false
                    }
                    meter.add(min(room, piece.count))
                    if piece.count > room {
                        answer("more than was asked for", "\(range.count) bytes")
                    }
                    return piece.count <= room
                })
        } catch {
            return error
        }
        if isIgnored { throw .rangesIgnored }
        if let wrong { return wrong }
        guard head.isSuccess else { return hub.fault(head, url) }
        let left = partial.missing(of: part).count
        guard left > 0, !isOver() else { return nil }
        return HubFault(
            error: .answer(
                url: url.absoluteString, found: "\(range.count - left) bytes",
                expected: "\(range.count)"), isTransient: true)
    }
}

/// The `Content-Range` field: `bytes 0-99/1000`.
struct ContentRange: Equatable {
    private let range: Range<Int>
    private let total: Int?

    init(range: Range<Int>, of total: Int) {
        self.range = range
        self.total = total
    }

    init?(_ text: String?) {
        guard let match = text?.wholeMatch(of: /bytes ([0-9]+)-([0-9]+)\/([0-9]+)/),
            let first = Int(match.output.1), let last = Int(match.output.2),
            let total = Int(match.output.3), first <= last, last < Int.max
        else { return nil }
        range = first..<last + 1
        self.total = total
    }
}
