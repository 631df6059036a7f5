//! The thread that starts decoder processes and lives as long as they may.
internal import CLinux
internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization

/// Starts processes from one thread: the kernel ends a decoder when the thread that started it ends (PR_SET_PDEATHSIG), and the
/// threads that ask for one come and go.
final class ChildSpawner: Sendable {
    /// A started process with the run's end of its socket, or an error number.
    typealias Start = (process: Int32, socket: Int32, code: Int32)

    /// A start that someone waits for.
    private final class Order: Sendable {
        let start = Mutex<Start>((-1, -1, 0))
        let ready = DispatchSemaphore(value: 0)
    }

    /// What the thread and those who ask share.
    private final class Desk: Sendable {
        let orders = Mutex<(waiting: [Order], isClosed: Bool)>(([], false))
        let work = DispatchSemaphore(value: 0)
    }

    private let desk = Desk()

    /// A spawner of `program`, a path.
    init(program: String) {
        let thread = Thread { [desk] in
            while true {
                desk.work.wait()
                let (order, isClosed) = desk.orders.withLock { orders in
                    (orders.waiting.isEmpty ? nil : orders.waiting.removeFirst(), orders.isClosed)
                }
                guard let order else {
                    if isClosed { return }
                    continue
                }
                let start = Self.spawn(program)
                order.start.withLock { $0 = start }
                order.ready.signal()
            }
        }
        thread.name = "wade.decoders"
        thread.start()
    }

    deinit {
        desk.orders.withLock { $0.isClosed = true }
        desk.work.signal()
    }

    /// Starts a decoder.
    func start() -> Start {
        let order = Order()
        desk.orders.withLock { $0.waiting.append(order) }
        desk.work.signal()
        order.ready.wait()
        return order.start.withLock { $0 }
    }

    private static func spawn(_ program: String) -> Start {
        var sockets: [Int32] = [-1, -1]
        guard unsafe linux_socket_pair(&sockets) == 0 else { return (-1, -1, errno) }
        var process: pid_t = -1
        let code = unsafe linux_spawn(
            program, DecoderServer.argument, "\(getpid())", sockets[1], &process)
        close(sockets[1])
        guard code == 0 else {
            close(sockets[0])
            return (-1, -1, code)
        }
        return (process, sockets[0], 0)
    }
}
