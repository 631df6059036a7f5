//! A hub of models: what its HTTP interface says about a repository's files (Hugging Face's, and whatever speaks like it).
package import Foundation

/// What a hub knows of one file.
package struct RemoteFile: Sendable, Equatable {
    /// The commit that the revision stands for; the revision itself where the hub does not say.
    package let commit: String
    package let size: Int
    package let checksum: Checksum
}

/// A repository of a hub and one of its revisions.
package struct HubRepository: Sendable, Hashable {
    /// `organisation/name`.
    package let name: String
    /// A branch, a tag or a commit.
    package let revision: String

    package init(name: String, revision: String) {
        self.name = name
        self.revision = revision
    }
}

/// A hub at an address.
package struct Hub: Sendable {
    /// Where repositories are, without a slash at the end.
    package let endpoint: URL
    let token: String?
    let retrying: Retrying
    let client: HTTPClient

    /// Requests at the same time, which is how many parts of a file are loaded at once.
    static let connections = 8
    /// Enough for a link to a file that has moved, and for a content network behind it.
    private static let redirectLimit = 8
    /// No answer about files is longer.
    private static let factLimit = 32 << 20

    /// A hub at `address`, an http or https URL. `token` is told to nobody else.
    package init(
        address: String, token: String?, retrying: Retrying = Retrying(), timeout: Double = 60
    ) throws(HubError) {
        let trimmed = String(address.reversed().drop { $0 == "/" }.reversed())
        guard let url = URL(string: trimmed), ["http", "https"].contains(url.scheme?.lowercased()),
            let host = url.host, !host.isEmpty, url.user == nil, url.query == nil
        else {
            throw .request(
                found: "the hub \"\(address)\"", expected: "a URL like https://huggingface.co")
        }
        endpoint = url
        self.token = token.flatMap { $0.isEmpty ? nil : $0 }
        self.retrying = retrying
        client = HTTPClient(timeout: timeout, connections: Self.connections)
    }

    // MARK: - Facts

    /// What the hub knows of `path`; nil when the revision has no such file. Nothing of the file is loaded.
    package func file(_ path: String, of repository: HubRepository) throws(HubError) -> RemoteFile?
    {
        let url = address(of: path, in: repository)
        let head: HTTPHead
        do {
            head = try retrying.retried { () throws(HubFault) in
                let head = try send(
                    "HEAD", url, stopsAt: { $0["x-linked-etag"] != nil || !$0.isRedirectInside },
                    take: { _ in true })
                if head.isRedirect || head.isSuccess || Self.saysNoSuchFile(head) { return head }
                throw fault(head, url)
            }
        }
        guard head.isSuccess || head.isRedirect else { return nil }
        let commit = head["x-repo-commit"] ?? repository.revision
        let size = head["x-linked-size"] ?? (head.isSuccess ? head["content-length"] : nil)
        if let checksum = Checksum(tag: head["x-linked-etag"] ?? head["etag"]),
            let size = size.flatMap({ Int($0) }), size >= 0
        {
            return RemoteFile(commit: commit, size: size, checksum: checksum)
        }
        return try listedFile(path, of: repository, commit: commit)
    }

    /// The same from the list of all files, for hubs that say less in their fields.
    private func listedFile(
        _ path: String, of repository: HubRepository, commit: String
    ) throws(HubError) -> RemoteFile {
        struct Entry: Decodable {
            struct Large: Decodable {
                let oid: String?
                let size: Int?
            }
            let path: String
            let size: Int?
            let oid: String?
            let lfs: Large?
        }
        let url = endpoint.appendingPathComponent("api/models")
            .appendingPathComponent(repository.name).appendingPathComponent("tree")
            .appendingPathComponent(repository.revision)
        let wanted =
            "a size and a SHA-256 of \(path) in its fields (X-Linked-Size, "
            + "X-Linked-ETag) or in this list"
        let entries =
            (try? facts(
                [Entry].self,
                at: url.appending(queryItems: [URLQueryItem(name: "recursive", value: "true")])))
            ?? []
        guard let entry = entries.first(where: { $0.path == path }),
            let checksum = Checksum(tag: entry.lfs?.oid ?? entry.oid),
            let size = entry.lfs?.size ?? entry.size, size >= 0
        else {
            throw .answer(url: url.absoluteString, found: "neither", expected: wanted)
        }
        return RemoteFile(commit: commit, size: size, checksum: checksum)
    }

    /// The licence that the repository's card states; nil when it states none or the hub does not say.
    package func licence(of repository: HubRepository) -> String? {
        struct Card: Decodable { let license: String? }
        struct Facts: Decodable { let cardData: Card? }
        let url = endpoint.appendingPathComponent("api/models")
            .appendingPathComponent(repository.name)
        return (try? facts(Facts.self, at: url))?.cardData?.license
    }

    private func facts<Facts: Decodable>(_ type: Facts.Type, at url: URL) throws(HubError) -> Facts
    {
        var body = Data()
        try retrying.retried { () throws(HubFault) in
            body = Data()
            let head = try send("GET", url) { piece in
                body += piece
                return body.count <= Self.factLimit
            }
            guard head.isSuccess else { throw fault(head, url) }
        }
        guard let facts = try? JSONDecoder().decode(type, from: body) else {
            throw .answer(url: url.absoluteString, found: "something else", expected: "JSON")
        }
        return facts
    }

    // MARK: - Requests

    /// Where `path` is served.
    func address(of path: String, in repository: HubRepository) -> URL {
        [repository.name, "resolve", repository.revision, path].reduce(endpoint) {
            $0.appendingPathComponent($1)
        }
    }

    /// Sends a request and follows redirects, except of an answer that `stopsAt` holds. The token goes to the hub's own origin only.
    func send(
        _ method: String, _ url: URL, range: Range<Int>? = nil,
        stopsAt: (HTTPHead) -> Bool = { _ in false },
        isWanted: (HTTPHead) -> Bool = { _ in true }, take: (Data) -> Bool
    ) throws(HubFault) -> HTTPHead {
        var place = url
        for _ in 0...Self.redirectLimit {
            var fields = ["Accept-Encoding": "identity", "User-Agent": "wade"]
            if let range { fields["Range"] = "bytes=\(range.lowerBound)-\(range.upperBound - 1)" }
            if let token, mayKnowToken(place) { fields["Authorization"] = "Bearer \(token)" }
            let head: HTTPHead
            do {
                head = try client.send(
                    HTTPRequest(method: method, url: place, fields: fields),
                    isWanted: isWanted, take: take)
            } catch {
                throw fault(error, place)
            }
            guard head.isRedirect, !stopsAt(head) else { return head }
            place = try destination(of: head, from: place)
        }
        throw HubFault(
            error: .answer(
                url: url.absoluteString, found: "more than \(Self.redirectLimit) redirects",
                expected: "the file"))
    }

    private func destination(of head: HTTPHead, from place: URL) throws(HubFault) -> URL {
        let location = head["location"] ?? ""
        guard let next = URL(string: location, relativeTo: place)?.absoluteURL,
            let scheme = next.scheme?.lowercased(), ["http", "https"].contains(scheme),
            next.host != nil, scheme == "https" || place.scheme?.lowercased() == "http"
        else {
            throw HubFault(
                error: .answer(
                    url: place.absoluteString, found: "a redirect to \"\(location)\"",
                    expected: "one to http or https, and from https to https only"))
        }
        return next
    }

    /// Only the hub itself, and only where nobody can listen: by https, or on this machine.
    private func mayKnowToken(_ url: URL) -> Bool {
        let isHub =
            url.scheme?.lowercased() == endpoint.scheme?.lowercased()
            && url.host?.lowercased() == endpoint.host?.lowercased() && url.port == endpoint.port
        let isLocal = ["localhost", "127.0.0.1", "::1"].contains(url.host?.lowercased() ?? "")
        return isHub && (url.scheme?.lowercased() == "https" || isLocal)
    }

    // MARK: - Faults

    /// Whether the revision is there and only the file is not.
    private static func saysNoSuchFile(_ head: HTTPHead) -> Bool {
        head.status == 404
            && !["RepoNotFound", "RevisionNotFound"].contains(head["x-error-code"] ?? "")
    }

    private func fault(_ fault: HTTPFault, _ url: URL) -> HubFault {
        guard fault.isUnreachable else {
            return HubFault(
                error: .answer(
                    url: url.absoluteString, found: fault.reason, expected: "a whole answer"),
                isTransient: true)
        }
        return HubFault(
            error: .unreachable(host: url.host ?? "", reason: fault.reason), isTransient: true)
    }

    /// What an answer without success means.
    func fault(_ head: HTTPHead, _ url: URL) -> HubFault {
        let advice: String
        switch head.status {
        case 401:
            advice =
                token == nil
                ? "there is no such repository, or it asks for a token; HF_TOKEN is not set"
                : mayKnowToken(endpoint)
                    ? "there is no such repository, or the token in HF_TOKEN does not open it"
                    : "the token in HF_TOKEN is not sent over plain http; use an https address"
        case 403: advice = "the repository's owner has to grant access, on its page, to your token"
        case 404: advice = "the hub has no such repository, revision or file"
        case 429: advice = "the hub wants fewer requests; try again later"
        default: advice = "try again later"
        }
        return HubFault(
            error: .refused(url: url.absoluteString, status: head.status, advice: advice),
            isTransient: [408, 425, 429].contains(head.status) || head.status >= 500,
            pause: RetryAfter.seconds(head["retry-after"]))
    }
}

extension HTTPHead {
    /// A redirect within the hub, as of a repository that has another name now.
    fileprivate var isRedirectInside: Bool {
        isRedirect && (self["location"] ?? "").hasPrefix("/")
    }
}
