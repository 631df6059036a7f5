//! A hub on this machine: repositories in memory, served over plain sockets as Hugging Face's hub serves them, and as badly as tests
//! wish. It ends when it is let go, and by itself after a minute.
import Crypto
import Foundation
import Glibc
import Synchronization

/// A hub and, on a port of its own, the content network that it sends for large files.
public final class HubServer: Sendable {
    /// Files of one repository.
    public struct Repository: Sendable {
        /// By path.
        public var files: [String: Data]
        /// What `main` stands for.
        public var commit = String(repeating: "c", count: 40)
        /// What its card states.
        public var licence = "mit"

        /// A repository of `files` by path.
        public init(files: [String: Data]) {
            self.files = files
        }

        /// The files of a folder, those below it included.
        public init(folder: URL, where isTaken: (String) -> Bool = { _ in true }) throws {
            files = [:]
            for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            where isTaken(name) {
                var isFolder: ObjCBool = false
                let path = folder.path + "/" + name
                if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
                    !isFolder.boolValue
                {
                    files[name] = try Data(contentsOf: URL(fileURLWithPath: path))
                }
            }
        }
    }

    /// What goes wrong with one answer.
    public enum Trouble: Sendable {
        case status(Int, [String: String])
        /// The connection ends after so many bytes of the body.
        case drop(after: Int)
        /// A body, whole by its own account, of so many bytes only.
        case short(Int)
        /// A web page in place of the file.
        case webPage
        /// The right length, but not the right bytes.
        case corrupt
        /// The whole file, whatever was asked for.
        case wholeFile
        /// Another range than was asked for.
        case otherRange
        /// Facts without a checksum.
        case noChecksum
        /// Facts with another size.
        case size(Int)
        /// Nothing more comes after so many bytes, for so many seconds.
        case stall(after: Int, seconds: Double)
    }

    /// What a trouble befalls.
    public enum Kind: Sendable { case facts, content }

    /// A request that came.
    public struct Request: Sendable {
        /// `GET` or `HEAD`.
        public let method: String
        /// Without percent encoding.
        public let path: String
        /// By names in lower case.
        public let fields: [String: String]
        /// Whether it came to the content network's port and not to the hub's.
        public let isContentHost: Bool
    }

    private struct State: Sendable {
        var repositories: [String: Repository]
        var troubles: [(kind: Kind, suffix: String, trouble: Trouble)] = []
        var requests: [Request] = []
        var token: String?
        var isClosed = false
    }

    private let state: Mutex<State>
    private let sockets: [Int32]
    private let ports: [UInt16]
    private let end = Date(timeIntervalSinceNow: 60)

    /// Serves `repositories` by `organisation/name`. Files of at least `largeSize` bytes lie on a content network, another port.
    public init(_ repositories: [String: Repository], largeSize: Int = 4096) throws {
        state = Mutex(State(repositories: repositories))
        let open = try (0..<2).map { _ in try Self.listen() }
        sockets = open.map(\.socket)
        ports = open.map(\.port)
        self.largeSize = largeSize
        for index in 0..<2 {
            let socket = sockets[index]
            Thread { [weak self] in
                while let connection = Self.accept(socket) {
                    guard let self else {
                        close(connection)
                        break
                    }
                    Thread { self.serve(connection, isContentHost: index == 1) }.start()
                }
            }.start()
        }
    }

    private let largeSize: Int

    deinit { stop() }

    /// Ends it: nobody listens any more.
    public func stop() {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        guard !wasClosed else { return }
        for socket in sockets {
            shutdown(socket, Int32(SHUT_RDWR))
            close(socket)
        }
    }

    /// The hub's address.
    public var address: String { "http://127.0.0.1:\(ports[0])" }

    /// All requests so far.
    public var requests: [Request] { state.withLock { $0.requests } }

    /// Requests for the bytes of files whose path ends like this.
    public func contentRequests(_ suffix: String) -> [Request] {
        requests.filter { $0.method == "GET" && $0.path.hasSuffix(suffix) && $0.isContentHost }
    }

    /// Only who has this token is answered by the hub.
    public func require(token: String) { state.withLock { $0.token = token } }

    /// The next answers about files whose path ends like this go wrong, one after the other.
    public func trouble(_ kind: Kind, _ suffix: String, _ troubles: [Trouble]) {
        state.withLock { state in
            state.troubles += troubles.map { (kind, suffix, $0) }
        }
    }

    /// Changes what it serves.
    public func change(_ body: @Sendable (inout [String: Repository]) -> Void) {
        state.withLock { body(&$0.repositories) }
    }

    /// SHA-256 in hexadecimal digits.
    public static func sha256(_ data: Data) -> String {
        SHA256.hash(data: data).map { String(format: "%02x", $0) }.joined()
    }

    /// Git's name of a blob.
    public static func gitBlob(_ data: Data) -> String {
        Insecure.SHA1.hash(data: Data("blob \(data.count)\0".utf8) + data)
            .map { String(format: "%02x", $0) }.joined()
    }

    // MARK: - Sockets

    private static func listen() throws -> (socket: Int32, port: UInt16) {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isOpen = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && Glibc.listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard descriptor >= 0, isOpen else { throw POSIXError(.EADDRINUSE) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    /// The next connection; nil when nobody listens any more.
    private static func accept(_ socket: Int32) -> Int32? {
        let connection = Glibc.accept(socket, nil, nil)
        guard connection >= 0 else { return nil }
        var time = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(
            connection, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(
            connection, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        return connection
    }

    private func serve(_ connection: Int32, isContentHost: Bool) {
        defer { close(connection) }
        while Date() < end, let request = read(connection, isContentHost) {
            state.withLock { $0.requests.append(request) }
            guard answer(request, connection) else { return }
        }
    }

    private func read(_ connection: Int32, _ isContentHost: Bool) -> Request? {
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while head.count < 1 << 14, !head.suffix(4).elementsEqual([13, 10, 13, 10]) {
            guard recv(connection, &byte, 1, 0) == 1 else { return nil }
            head.append(byte)
        }
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ").map(String.init)
        guard words.count == 3 else { return nil }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon].lowercased()] = line[line.index(after: colon)...]
                .trimmingCharacters(in: .whitespaces)
        }
        return Request(
            method: words[0], path: words[1].removingPercentEncoding ?? words[1], fields: fields,
            isContentHost: isContentHost)
    }

    @discardableResult
    private func send(_ bytes: Data, _ connection: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let rest = Array(bytes.dropFirst(sent).prefix(1 << 16))
            let count = Glibc.send(connection, rest, rest.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private func head(_ status: Int, _ fields: [String: String]) -> Data {
        let lines = fields.map { "\($0.key): \($0.value)\r\n" }.sorted().joined()
        return Data("HTTP/1.1 \(status) Status\r\n\(lines)\r\n".utf8)
    }

    // MARK: - Answers

    private func trouble(_ kind: Kind, _ path: String) -> Trouble? {
        state.withLock { state in
            guard
                let place = state.troubles.firstIndex(where: {
                    $0.kind == kind && path.hasSuffix($0.suffix)
                })
            else { return nil }
            return state.troubles.remove(at: place).trouble
        }
    }

    /// Answers; whether the connection goes on.
    private func answer(_ request: Request, _ connection: Int32) -> Bool {
        func plain(_ status: Int, _ fields: [String: String] = [:], _ body: Data = Data()) -> Bool {
            var fields = fields
            fields["Content-Length"] = "\(body.count)"
            return send(head(status, fields), connection)
                && (request.method == "HEAD" || send(body, connection))
        }
        let (repositories, token) = state.withLock { ($0.repositories, $0.token) }
        if !request.isContentHost, let token,
            request.fields["authorization"] != "Bearer \(token)"
        {
            return plain(401)
        }
        if request.path.hasPrefix("/api/models/") {
            return api(String(request.path.dropFirst(12)), repositories, plain)
        }
        guard let (repository, path, data) = file(request.path, repositories) else {
            let isKnown = repositories.keys.contains { request.path.hasPrefix("/\($0)/") }
            return plain(404, ["X-Error-Code": isKnown ? "EntryNotFound" : "RepoNotFound"])
        }
        let isLarge = data.count >= largeSize
        // What sends to the content network has no content itself.
        let kind: Kind? =
            request.method == "HEAD" ? .facts : isLarge && !request.isContentHost ? nil : .content
        let trouble = kind.flatMap { self.trouble($0, path) }
        if case .status(let status, let fields) = trouble {
            return plain(status, fields, Data("no".utf8))
        }
        if request.isContentHost { return content(data, request, connection, trouble) }
        var fields = ["X-Repo-Commit": repository.commit, "Accept-Ranges": "bytes"]
        if case .noChecksum = trouble {
            fields["ETag"] = "\"unknown\""
        } else if isLarge {
            fields["X-Linked-ETag"] = "\"\(Self.sha256(data))\""
            fields["X-Linked-Size"] = "\(data.count)"
        } else {
            fields["ETag"] = "\"\(Self.gitBlob(data))\""
        }
        if case .size(let size) = trouble { fields["X-Linked-Size"] = "\(size)" }
        if isLarge {
            fields["Location"] = "http://127.0.0.1:\(ports[1])\(request.path)"
            return plain(302, fields, Data("elsewhere".utf8))
        }
        if request.method == "HEAD" {
            fields["Content-Length"] = "\(data.count)"
            return send(head(200, fields), connection)
        }
        return content(data, request, connection, trouble)
    }

    private func file(
        _ path: String, _ repositories: [String: Repository]
    ) -> (Repository, String, Data)? {
        for (name, repository) in repositories {
            for revision in ["main", repository.commit] {
                let prefix = "/\(name)/resolve/\(revision)/"
                guard path.hasPrefix(prefix) else { continue }
                let file = String(path.dropFirst(prefix.count))
                return repository.files[file].map { (repository, file, $0) }
            }
        }
        return nil
    }

    private func api(
        _ path: String, _ repositories: [String: Repository],
        _ plain: (Int, [String: String], Data) -> Bool
    ) -> Bool {
        let words = path.components(separatedBy: "?")[0].components(separatedBy: "/tree/")
        guard let repository = repositories[words[0]] else { return plain(404, [:], Data()) }
        let value: Any
        if words.count == 2 {
            value = repository.files.map { name, data -> [String: Any] in
                data.count >= largeSize
                    ? [
                        "path": name, "size": data.count, "oid": "0",
                        "lfs": ["oid": Self.sha256(data), "size": data.count],
                    ]
                    : ["path": name, "size": data.count, "oid": Self.gitBlob(data)]
            }
        } else {
            value = ["cardData": ["license": repository.licence]]
        }
        let body = (try? JSONSerialization.data(withJSONObject: value)) ?? Data()
        return plain(200, ["Content-Type": "application/json"], body)
    }

    private func content(
        _ data: Data, _ request: Request, _ connection: Int32, _ trouble: Trouble?
    ) -> Bool {
        var range = 0..<data.count
        var isPart = false
        if let match = request.fields["range"]?.wholeMatch(of: /bytes=([0-9]+)-([0-9]+)/),
            let first = Int(match.output.1), let last = Int(match.output.2), first <= last,
            last < data.count
        {
            range = first..<last + 1
            isPart = true
        }
        if case .wholeFile = trouble {
            range = 0..<data.count
            isPart = false
        }
        var body = data.subdata(in: range)
        var fields = ["Content-Type": "application/octet-stream"]
        if case .webPage = trouble {
            body = Data("<html>sign in first</html>".utf8)
            fields["Content-Type"] = "text/html; charset=utf-8"
            isPart = false
        }
        if case .corrupt = trouble { body[body.startIndex] ^= 1 }
        if case .short(let count) = trouble { body = body.prefix(count) }
        if case .otherRange = trouble { range = range.lowerBound + 1..<range.upperBound + 1 }
        if isPart {
            fields["Content-Range"] =
                "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(data.count)"
        }
        fields["Content-Length"] = "\(body.count)"
        guard send(head(isPart ? 206 : 200, fields), connection) else { return false }
        switch trouble {
        case .drop(let count):
            send(body.prefix(count), connection)
            return false
        case .stall(let count, let seconds):
            send(body.prefix(count), connection)
            Thread.sleep(forTimeInterval: seconds)
            return false
        default: return send(body, connection)
        }
    }
}
