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

    @Test(
        "a second stage gets results several at a time, oldest first, and never waits for more than there are",
        arguments: [(1, 9), (2, 20), (7, 40), (3, 1)])
    func gathering(workers: Int, inFlight: Int) {
        let gatherings = Mutex<[[Int]]>([])
        let pool = WorkerPool<Int, Int>(
            workers: workers, inFlight: inFlight,
            gathering: Gathering(
                // Every fifth needs no second stage.
                load: { $0 % 5 == 0 ? 0 : 2 }, enough: 8,
                finish: { numbers in
                    gatherings.withLock { $0.append(numbers) }
                    return numbers.map { -$0 }
                })
        ) { number in
            usleep(UInt32((number * 7919) % 1000))
            return number
        }
        var input = (1...200).makeIterator()
        var output: [Int] = []
        while let value = pool.next(from: { input.next() }) { output.append(value) }
        #expect(output == (1...200).map { $0 % 5 == 0 ? $0 : -$0 } && !pool.hasDropped)
        let found = gatherings.withLock { $0 }
        #expect(found.joined().count == 160 && found.allSatisfy { (1...8).contains($0.count) })
        #expect(found.allSatisfy { $0 == $0.sorted() })
        if workers == 1, inFlight == 9 {
            #expect(found.filter { $0.count >= 4 }.count > 20, "batches are full: \(found)")
        }
    }

    @Test("a pool that is stopped finishes what its workers have in hand and drops the rest")
    func stopped() {
        let isStopped = Mutex(false)
        let begun = Mutex(0)
        let pool = WorkerPool<Int, Int>(
            workers: 2, inFlight: 30,
            gathering: Gathering(
                load: { _ in 1 }, enough: 3,
                finish: { numbers in
                    if numbers.contains(6) { isStopped.withLock { $0 = true } }
                    return numbers
                }),
            isStopped: { isStopped.withLock { $0 } }
        ) { number in
            begun.withLock { $0 += 1 }
            usleep(2000)
            return number
        }
        var input = (0..<100).makeIterator()
        var output: [Int] = []
        while let value = pool.next(from: { input.next() }) { output.append(value) }
        #expect(output == Array(0..<output.count) && output.count >= 1 && output.count < 30)
        #expect(pool.hasDropped && begun.withLock { $0 } < 30)
    }

    @Test("a pool that goes away while its workers are at the first stage begins no second one")
    func goesAway() {
        let begun = DispatchSemaphore(value: 0)
        let finished = Mutex(0)
        let mayEnd = DispatchSemaphore(value: 0)
        var pool: WorkerPool<Int, Int>? = WorkerPool(
            workers: 1, inFlight: 2,
            gathering: Gathering(
                load: { _ in 1 }, enough: 1,
                finish: { numbers in
                    finished.withLock { $0 += numbers.count }
                    return numbers
                })
        ) { number in
            if number > 0 {
                begun.signal()
                mayEnd.wait()
            }
            return number
        }
        var input = [0, 1].makeIterator()
        #expect(pool?.next(from: { input.next() }) == 0)
        begun.wait()
        // The worker may end only once the pool is about to: its end waits for the worker.
        DispatchQueue.global().asyncAfter(deadline: .now() + 0.2) { mayEnd.signal() }
        pool = nil
        #expect(finished.withLock { $0 } == 1)
    }
}
