//! The decoder process: takes one file after the other as open descriptors and sends back facts and frames.
internal import CLinux
internal import Glibc
internal import WadeImage

/// A decoder's side of the talk. It ends when the run closes its end or says something that is no request.
package struct DecoderServer: ~Copyable {
    /// The hidden argument after which a process is a decoder; the id of the run's process follows it.
    package static let argument = "decode-child"
    /// Where the run's end of the talk is connected.
    private static let socketDescriptor: Int32 = 3
    /// Requests are short: the times of the frames.
    private static let longestRequest = 16 * DecoderRequest.mostTimes + 4096
    /// How many times longer than one file's limit the search for cuts may take, in which every frame counts as a sign of life.
    static let patience = 20.0

    private let socket: DecoderSocket
    private let process: ChildProcess

    /// Serves the run with process id `parent` until it goes.
    package static func serve(parent: Int32) {
        let process = ChildProcess(parent: parent)
        let server = DecoderServer(
            socket: DecoderSocket(descriptor: socketDescriptor), process: process)
        do {
            try server.run()
        } catch .gone {
            exit(0)
        } catch {
            exit(1)
        }
    }

    private init(socket: consuming DecoderSocket, process: ChildProcess) {
        self.socket = socket
        self.process = process
    }

    private func run() throws(DecoderSocket.Failure) {
        if let complaint = process.complaint {
            return try say(.failed(VideoError(.inputOutput, complaint)))
        }
        try say(.ready(resident: ProcessMemory.resident))
        var next = try request()
        while true {
            guard case .open(let limits, let memory) = next.request else {
                try say(.closed)
                next = try request()
                continue
            }
            process.limit(memory: memory)
            process.limit(processorSeconds: limits.timeout)
            next = try serve(next.file, limits)
            linux_give_back_memory()
        }
    }

    /// Everything about one file; gives the request that is about another one.
    private func serve(_ descriptor: Int32, _ limits: VideoLimits) throws(DecoderSocket.Failure)
        -> (request: DecoderRequest, file: Int32)
    {
        var reader: VideoReader
        do throws(VideoError) {
            reader = try VideoReader(file: InputFile(owning: descriptor), limits: limits)
        } catch {
            try say(error.neededMemory.map { .needs(memory: $0) } ?? .failed(error))
            return try request()
        }
        try say(.opened(reader.metadata, memory: reader.memory))
        while true {
            let (request, file) = try request()
            do throws(VideoError) {
                switch request {
                case .open, .close: return (request, file)
                case .cuts:
                    process.limit(processorSeconds: limits.timeout * Self.patience)
                    try sendCuts(&reader)
                case .frames(let times, let preprocessing):
                    process.limit(processorSeconds: limits.timeout)
                    let outcome = try reader.forEachFrame(
                        at: times, preprocessing: preprocessing
                    ) { (index, frame) throws(VideoError) in try send(index, frame) }
                    try tell(
                        .sampled(
                            distinct: outcome.distinctCount, failed: outcome.failed,
                            flags: outcome.flags))
                }
            } catch {
                try say(.failed(error))
            }
        }
    }

    private func sendCuts(_ reader: inout VideoReader) throws(VideoError) {
        var last = InputState.now()
        let cuts = try reader.sceneCuts { () throws(VideoError) in
            let now = InputState.now()
            guard now > last + 200_000_000 else { return }
            last = now
            try tell(.progress)
        }
        try tell(.cuts(cuts))
    }

    private func send(_ index: Int, _ frame: VideoFrame?) throws(VideoError) {
        try tell(frame.map { .picture(index: index, $0) } ?? .again(index: index))
    }

    private func request() throws(DecoderSocket.Failure) -> (request: DecoderRequest, file: Int32) {
        let (message, file) = try socket.receive(atMost: Self.longestRequest)
        do {
            return (try DecoderRequest(message), file)
        } catch {
            throw .garbled(error)
        }
    }

    private func say(_ reply: DecoderReply) throws(DecoderSocket.Failure) {
        try socket.send(reply.message)
    }

    /// Says something in the middle of decoding; a run that has gone needs no answer.
    private func tell(_ reply: DecoderReply) throws(VideoError) {
        do { try socket.send(reply.message) } catch { exit(0) }
    }
}
