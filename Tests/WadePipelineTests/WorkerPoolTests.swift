//! Facts about the pool of workers.
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
}
