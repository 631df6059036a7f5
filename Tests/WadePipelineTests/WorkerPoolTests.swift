//! Facts about the pool of workers.
import CLinux
import Foundation
import Synchronization
import Testing

@testable import WadePipeline

@Suite("the pool of workers")
struct WorkerPoolTests {
    @Test(
        "results come in the order of the input and never more than the bound is in flight",
        arguments: [(1, 1), (2, 3), (7, 20)])
    func order(workers: Int, inFlight: Int) {
        let state = Mutex((running: 0, most: 0))
        let taken = Mutex(0)
        let pool = WorkerPool<Int, Int>(workers: workers, inFlight: inFlight) { number in
            state.withLock {
                $0.running += 1
                $0.most = max($0.most, $0.running)
            }
            usleep(UInt32((number * 7919) % 2000))
            state.withLock { $0.running -= 1 }
            return number * number
        }
        var input = (0..<200).makeIterator()
        var output: [Int] = []
        while let value = pool.next(from: {
            let next = input.next()
            if next != nil { taken.withLock { $0 += 1 } }
            return next
        }) {
            output.append(value)
            #expect(taken.withLock { $0 } - output.count < inFlight)
        }
        #expect(output == (0..<200).map { $0 * $0 })
        #expect(state.withLock { $0.most } <= workers)
    }

    @Test("workers are as nice as they are told to be, though Dispatch makes its threads anew")
    func niceness() {
        let pool = WorkerPool<Int, Int32>(workers: 2, inFlight: 4, niceness: 7) { _ in
            usleep(1000)
            return linux_niceness()
        }
        var input = (0..<16).makeIterator()
        var seen: [Int32] = []
        while let value = pool.next(from: { input.next() }) { seen.append(value) }
        #expect(seen == [Int32](repeating: 7, count: 16))
    }
}
