//! How long a cluster would take for a folder that is not there, by the same partition as real runs have and a measured cost of a clip.
import Foundation
import WadeFlamingo

/// A folder and a cluster in numbers.
package struct ClusterSimulation: Sendable {
    /// Clips, a file each.
    package var clips = 1_000_000
    /// Parts.
    package var shards = 1000
    /// Tasks that run at once.
    package var slots = 250
    /// Seconds that a clip of mean size takes a task.
    package var secondsPerClip = 2.0
    /// Bytes of a file in the mean, and the standard deviation of their logarithm: folders of videos have about 1.
    package var bytesPerFile = 5e6
    package var spread = 1.0
    /// The part of a clip's time that grows with its file's size; the rest is the same for all.
    package var shareOfSize = 0.5
    /// The standard deviation of the logarithm of what sizes do not tell: the lengths of answers, the codecs.
    package var noise = 0.3
    /// Seconds from a task's start to its first clip: listing the folder, loading the model.
    package var startup = 30.0
    /// Hours after which one slot's node fails, in the mean.
    package var hoursToFailure = 2000.0
    /// Seconds until the scheduler notices and starts the task again elsewhere, and until the node is back.
    package var requeueDelay = 300.0
    package var repair = 3600.0
    /// Seconds after which a task is stopped and requeued; 0 for none.
    package var timeLimit = 0.0
    /// One slot of so many has half the speed; the others differ by some hundredth parts.
    package var slowSlotOf = 50
    /// Draws depend on it alone.
    package var seed: UInt64 = 1

    /// The folder and cluster of the documentation.
    package init() {}

    /// What came of it.
    package struct Outcome: Sendable, Equatable {
        /// Seconds of the longest part over those of the mean, by what sizes let expect and as it came.
        package var expectedImbalance = 0.0
        package var imbalance = 0.0
        /// Files that are not where their hash wants them.
        package var moved = 0
        /// Seconds until all parts are done, and what they would take with nothing lost or waited for.
        package var makespan = 0.0
        package var ideal = 0.0
        /// Seconds from the median part's end to the last one's.
        package var tail = 0.0
        /// Tasks started again after a failure and after the time limit, and seconds of work that were lost to the former.
        package var failures = 0
        package var timeouts = 0
        package var lost = 0.0
    }

    /// Seconds of work that a failure takes along: what was written since the last synchronisation, and half a clip.
    private var lostByFailure: Double {
        Double(JSONLinesWriter.syncInterval) / 2 + secondsPerClip / 2
    }

    /// Runs it with parts made equally long (as `annotate --shard` does), or by hashes of names alone.
    package func run(balanced: Bool) -> Outcome {
        var random = SplitMix64(seed: seed)
        let cost = ShardCost(
            secondsPerClip: secondsPerClip * (1 - shareOfSize), bytesPerClip: nil,
            secondsPerByte: secondsPerClip * shareOfSize / max(bytesPerFile, 1))
        var files: [ShardMap.Weighed] = []
        files.reserveCapacity(clips)
        var actual: [Double] = []
        actual.reserveCapacity(clips)
        var owners: [Int32] = []
        for clip in 0..<clips {
            // The mean of exp(spread·z) is exp(spread²/2).
            let bytes = bytesPerFile * exp(spread * random.normal() - spread * spread / 2)
            let expected = cost.seconds(bytes: Int(min(bytes, 1e15)))
            files.append(ShardMap.Weighed(path: Self.path(clip), cost: expected))
            actual.append(expected * exp(noise * random.normal() - noise * noise / 2))
        }
        let map =
            balanced
            ? ShardMap(count: shards, balancing: files) : ShardMap(count: shards)
        owners = (0..<clips).map { Int32(map.owner(of: Self.path($0))) }
        var expectedLoads = [Double](repeating: 0, count: shards)
        var loads = expectedLoads
        for (clip, owner) in owners.enumerated() {
            expectedLoads[Int(owner)] += files[clip].cost
            loads[Int(owner)] += actual[clip]
        }
        var outcome = schedule(loads, &random)
        outcome.expectedImbalance = Self.imbalance(expectedLoads)
        outcome.imbalance = Self.imbalance(loads)
        outcome.moved = map.moved.count
        return outcome
    }

    private static func path(_ clip: Int) -> PathBytes {
        PathBytes("videos/\(clip / 1000)/clip-\(clip).mp4")
    }

    private static func imbalance(_ loads: [Double]) -> Double {
        let mean = loads.reduce(0, +) / Double(max(loads.count, 1))
        return mean > 0 ? (loads.max() ?? 0) / mean : 1
    }

    /// A part that waits, and when it may begin.
    private struct Waiting {
        var work: Double
        var from: Double
    }

    /// Gives parts to slots as they become free, those that were requeued first.
    private func schedule(_ loads: [Double], _ random: inout SplitMix64) -> Outcome {
        var outcome = Outcome()
        var slots = (0..<self.slots).map { slot in
            let isSlow = slowSlotOf > 0 && slot % slowSlotOf == slowSlotOf - 1
            return (free: 0.0, speed: (isSlow ? 0.5 : 1) * exp(0.05 * random.normal()))
        }
        let speed = slots.reduce(0) { $0 + $1.speed }
        outcome.ideal = loads.reduce(0, +) / max(speed, 1e-9)
        var fresh = loads.makeIterator()
        var requeued: [Waiting] = []
        var ends: [Double] = []
        while let slot = slots.indices.min(by: { slots[$0].free < slots[$1].free }) {
            let now = slots[slot].free
            let next: Waiting
            if let place = requeued.firstIndex(where: { $0.from <= now }) {
                next = requeued.remove(at: place)
            } else if let work = fresh.next() {
                next = Waiting(work: work, from: now)
            } else if let place = requeued.indices.min(by: { requeued[$0].from < requeued[$1].from }
            ) {
                // Nothing else is left: the slot waits for it.
                next = requeued.remove(at: place)
            } else {
                break
            }
            let start = max(now, next.from)
            let needed = startup + next.work / slots[slot].speed
            let failure = -log(1 - random.unit()) * hoursToFailure * 3600
            let limit = timeLimit > 0 ? timeLimit : .infinity
            let spent = min(needed, failure, limit)
            guard spent < needed else {
                slots[slot].free = start + needed
                ends.append(start + needed)
                continue
            }
            let done = max(0, spent - startup) * slots[slot].speed
            if failure <= limit {
                outcome.failures += 1
                let lost = min(done, lostByFailure)
                outcome.lost += lost
                requeued.append(
                    Waiting(work: next.work - done + lost, from: start + spent + requeueDelay))
                slots[slot].free = start + spent + repair
            } else {
                outcome.timeouts += 1
                requeued.append(Waiting(work: next.work - done, from: start + spent))
                slots[slot].free = start + spent
            }
            // A limit below the start would go on for ever.
            if outcome.timeouts > 1000 * shards { break }
        }
        ends.sort()
        outcome.makespan = ends.last ?? 0
        outcome.tail = outcome.makespan - (ends.isEmpty ? 0 : ends[ends.count / 2])
        return outcome
    }
}

extension SplitMix64 {
    /// A number from 0 up to, not including, 1.
    fileprivate mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A standard normal number (Box and Muller).
    fileprivate mutating func normal() -> Double {
        let radius = (-2 * log(1 - unit())).squareRoot()
        return radius * cos(2 * .pi * unit())
    }
}
