//! Single HTTP requests, waited for; the one file that sees FoundationNetworking.
internal import Dispatch
internal import Foundation
internal import FoundationNetworking
internal import Synchronization

/// What is asked.
struct HTTPRequest: Sendable {
    var method = "GET"
    var url: URL
    var fields: [String: String] = [:]
}

/// Status and fields of an answer.
struct HTTPHead: Sendable {
    let status: Int
    /// By names in lower case.
    private let fields: [String: String]

    init(status: Int, fields: [String: String]) {
        self.status = status
        self.fields = Dictionary(
            fields.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    subscript(name: String) -> String? { fields[name.lowercased()] }

    var isRedirect: Bool { [301, 302, 303, 307, 308].contains(status) }
    var isSuccess: Bool { (200..<300).contains(status) }
}

/// No answer, or not all of it.
struct HTTPFault: Error {
    /// Whether no connection came about at all.
    let isUnreachable: Bool
    let reason: String
}

/// Sends requests and follows no redirect: whoever asks decides where to go on, and what may be told to whom.
final class HTTPClient: Sendable {
    private let session: URLSession
    private let transfers = Transfers()
    private let timeout: Double

    /// A client that gives up on an answer in which nothing moves for `timeout` seconds.
    init(timeout: Double, connections: Int) {
        self.timeout = timeout
        let settings = URLSessionConfiguration.ephemeral
        // Note [Redirects are left alone]: the time is taken here.
        settings.timeoutIntervalForRequest = settings.timeoutIntervalForResource
        settings.httpMaximumConnectionsPerHost = connections
        settings.urlCache = nil
        settings.httpShouldSetCookies = false
        session = URLSession(configuration: settings, delegate: transfers, delegateQueue: nil)
    }

    deinit { session.invalidateAndCancel() }

    /// Sends `request` and waits. Of an answer that brings what was asked for, `isWanted` sees the head and says whether the body may
    /// come; `take` sees the body piece by piece and says whether more may come. An answer that was cut short by either is no fault.
    func send(
        _ request: HTTPRequest, isWanted: (HTTPHead) -> Bool, take: (Data) -> Bool
    ) throws(HTTPFault) -> HTTPHead {
        var raw = URLRequest(url: request.url)
        raw.httpMethod = request.method
        for (name, value) in request.fields { raw.setValue(value, forHTTPHeaderField: name) }
        let task = session.dataTask(with: raw)
        let transfer = Transfer(task)
        transfers.begin(task.taskIdentifier, transfer)
        task.resume()
        var head: HTTPHead?
        var (isCut, unwanted) = (false, 0)
        while true {
            guard let events = transfer.next(within: timeout) else {
                transfer.cancel()
                throw HTTPFault(isUnreachable: false, reason: "nothing came for too long")
            }
            for event in events {
                switch event {
                case .head(let new):
                    head = new
                    isCut = new.isSuccess && !isWanted(new)
                    if isCut { transfer.cancel() }
                case .body(let piece):
                    guard !isCut else { continue }
                    if head?.isSuccess ?? false {
                        isCut = !take(piece)
                    } else {
                        unwanted += piece.count
                        isCut = unwanted > Self.unwantedLimit
                    }
                    if isCut { transfer.cancel() }
                case .end(let fault):
                    // Of a refusal the status is all that counts.
                    if let head, isCut || fault == nil || !head.isSuccess { return head }
                    throw fault ?? HTTPFault(isUnreachable: false, reason: "no answer")
                }
            }
        }
    }

    /// Bytes of a refusal's body that are let in and forgotten.
    private static let unwantedLimit = 1 << 20

    /// What comes of one request, from the session's queue to whoever waits.
    ///
    /// Note [Redirects are left alone]: Foundation ends the process when a request ends, by being cancelled or by its own clock, while a
    /// redirect waits for its callback (HTTPURLProtocol.swift, "we're not waiting for it"). So requests have no clock of Foundation's, and
    /// of a cancelled one a redirect is never answered: lock and flag put the two in an order, which the task's own queue keeps.
    private final class Transfer: Sendable {
        enum Event: Sendable {
            case head(HTTPHead)
            case body(Data)
            case end(HTTPFault?)
        }

        private let task: URLSessionTask
        private let events = Mutex<[Event]>([])
        private let news = DispatchSemaphore(value: 0)
        private let isCancelled = Mutex(false)

        init(_ task: URLSessionTask) {
            self.task = task
        }

        func cancel() {
            isCancelled.withLock { isCancelled in
                isCancelled = true
                task.cancel()
            }
        }

        /// Calls `body`, which answers a redirect, unless the request was cancelled.
        func unlessCancelled(_ body: () -> Void) {
            isCancelled.withLock { isCancelled in
                if !isCancelled { body() }
            }
        }

        func add(_ event: Event) {
            events.withLock { $0.append(event) }
            news.signal()
        }

        /// What has come since; waits for it, nil when nothing comes for so many seconds. It may be empty, when it was given out before.
        func next(within seconds: Double) -> [Event]? {
            guard news.wait(timeout: .now() + seconds) == .success else { return nil }
            return events.withLock { events in
                defer { events = [] }
                return events
            }
        }
    }

    /// Tells what the session says to the request that it is about.
    private final class Transfers: NSObject, URLSessionDataDelegate, Sendable {
        private let running = Mutex<[Int: Transfer]>([:])

        func begin(_ task: Int, _ transfer: Transfer) {
            running.withLock { $0[task] = transfer }
        }

        private func transfer(_ task: URLSessionTask) -> Transfer? {
            let identifier = task.taskIdentifier
            return running.withLock { $0[identifier] }
        }

        func urlSession(
            _ session: URLSession, task: URLSessionTask,
            willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
            completionHandler: @escaping (URLRequest?) -> Void
        ) {
            // The new request would carry the token to wherever it goes.
            transfer(task)?.unlessCancelled { completionHandler(nil) }
        }

        func urlSession(
            _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
            completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
        ) {
            if let head = head(response) { transfer(dataTask)?.add(.head(head)) }
            completionHandler(.allow)
        }

        func urlSession(
            _ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data
        ) {
            transfer(dataTask)?.add(.body(data))
        }

        func urlSession(
            _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
        ) {
            let transfer = transfer(task)
            let identifier = task.taskIdentifier
            running.withLock { $0[identifier] = nil }
            // A redirect that leads nowhere is told of here only.
            if error == nil, let head = task.response.flatMap(head), head.isRedirect {
                transfer?.add(.head(head))
            }
            transfer?.add(.end(error.map(fault)))
        }

        func urlSession(
            _ session: URLSession, task: URLSessionTask,
            didReceive challenge: URLAuthenticationChallenge,
            completionHandler:
                @escaping (
                    URLSession.AuthChallengeDisposition, URLCredential?
                ) -> Void
        ) {
            // Nobody is there to be asked for a name and a password; the default waits for them without end.
            completionHandler(.cancelAuthenticationChallenge, nil)
        }

        private func head(_ response: URLResponse) -> HTTPHead? {
            guard let response = response as? HTTPURLResponse else { return nil }
            var fields: [String: String] = [:]
            for (name, value) in response.allHeaderFields {
                if let name = name as? String { fields[name] = "\(value)" }
            }
            return HTTPHead(status: response.statusCode, fields: fields)
        }

        private func fault(_ error: any Error) -> HTTPFault {
            let code = (error as? URLError)?.code ?? .unknown
            let unreachable: [URLError.Code: String] = [
                .cannotFindHost: "its address cannot be found",
                .dnsLookupFailed: "its address cannot be found",
                .cannotConnectToHost: "it cannot be connected to",
                .notConnectedToInternet: "this machine is not connected to the internet",
                .secureConnectionFailed: "no secure connection",
                .serverCertificateUntrusted: "its certificate is not trusted",
            ]
            if let reason = unreachable[code] {
                return HTTPFault(isUnreachable: true, reason: reason)
            }
            if code == .timedOut {
                return HTTPFault(isUnreachable: false, reason: "nothing came for too long")
            }
            return HTTPFault(isUnreachable: false, reason: error.localizedDescription)
        }
    }
}
