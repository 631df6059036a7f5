//! Facts about memory that is lent, and about estimates of it.
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import WadeVideo

@Suite("memory budgets")
struct MemoryBudgetTests {
    @Test("what is held is not lent, and what is given back is lent again")
    func arithmetic() {
        let budget = MemoryBudget(total: 1000)
        budget.hold(400)
        #expect(budget.capacity == 600)
        do {
            let first = budget.reserve(500)
            first.shrink(to: 100)
            #expect(first.size == 100)
            first.shrink(to: 200)
            #expect(first.size == 100)
            let second = budget.reserve(500)
            #expect(second.size == 500)
        }
        #expect(budget.reserve(600).size == 600)
        budget.hold(2000)
        #expect(budget.capacity == 0)
    }

    @Test("what takes more than there is runs alone")
    func alone() {
        let budget = MemoryBudget(total: 100)
        #expect(budget.reserve(1000).size == 1000)
        #expect(budget.reserve(100).size == 100)
    }

    @Test("never more than the budget is lent at once, and everyone is served", arguments: [1, 8])
    func neverMore(threads: Int) {
        let budget = MemoryBudget(total: 100)
        let lent = Mutex((now: 0, most: 0, served: 0))
        DispatchQueue.concurrentPerform(iterations: threads) { thread in
            for round in 0..<200 {
                let size = 1 + (thread * 31 + round * 17) % 60
                let lease = budget.reserve(size)
                lent.withLock {
                    $0.now += size
                    $0.most = max($0.most, $0.now)
                    $0.served += 1
                }
                lent.withLock { $0.now -= size }
                withExtendedLifetime(lease) {}
            }
        }
        let (now, most, served) = lent.withLock { $0 }
        #expect(now == 0 && most <= 100 && served == threads * 200)
    }

    @Test("a large request is not passed by for ever by small ones that come later")
    func fair() {
        let budget = MemoryBudget(total: 100)
        let order = Mutex<[Int]>([])
        let group = DispatchGroup()
        var first: MemoryBudget.Lease? = budget.reserve(60)
        for (place, size) in [90, 20].enumerated() {
            let thread = DispatchQueue(label: "waiter \(size)")
            thread.async(group: group) {
                let lease = budget.reserve(size)
                order.withLock { $0.append(size) }
                withExtendedLifetime(lease) {}
            }
            while budget.waitingCount <= place { usleep(1000) }
        }
        #expect(order.withLock { $0 } == [])
        first = nil
        _ = first
        group.wait()
        #expect(order.withLock { $0 } == [90, 20])
    }

    @Test("estimates grow with the picture and stop at what is never decoded")
    func estimates() {
        func estimate(_ width: Int, _ height: Int) -> Int {
            DecoderMemory.estimate(width: width, height: height, bits: 12, pictures: 12)
        }
        #expect(estimate(1920, 1080) < DecoderMemory.opening)
        #expect(estimate(3840, 2160) == DecoderMemory.base + 3840 * 2160 * 30)
        #expect(estimate(7680, 4320) < DecoderMemory.unbounded)
        #expect(estimate(.max, .max) == DecoderMemory.unbounded)
        #expect(estimate(-1, 5) == DecoderMemory.base)
    }
}
