//! How long something takes when every worker does it at the same time.
import Foundation
import Glibc
import WadeTensor

/// Times work as a run does it: all workers at once, each with its own threads.
struct Stopwatch: Sendable {
    let workers: Int
    let threads: Int
    let engine: MatrixEngine
    /// Seconds to spend on each measurement.
    let budget: Double

    /// What was measured.
    struct Timing: Sendable {
        /// Seconds in which every worker does the work once, the best of several rounds: what else happens on a machine only ever
        /// makes them more.
        var seconds: Double
        /// Processor seconds of this process for one worker's work, in the mean.
        var processorSeconds: Double
        /// How often the work was done, by all workers together, the rounds that did not count included.
        var count: Int
    }

    /// A round lasts at least so long, whatever the work: much longer than threads take to start.
    private static let round = 0.03
    private static let mostRounds = 12

    /// Times `work`, which is given the worker's number.
    func time(_ work: @escaping @Sendable (Int) throws -> Void) throws -> Timing {
        // The first time primitives are made and memory is touched.
        _ = try round(1, work)
        let once = try round(1, work)
        let repeats = max(1, Int((min(Self.round, budget) / max(once.seconds, 1e-7)).rounded(.up)))
        var rounds = repeats == 1 ? [once] : []
        var spent = once.seconds
        while rounds.isEmpty || rounds.count < Self.mostRounds && spent < budget {
            let next = try round(repeats, work)
            rounds.append(next)
            spent += next.seconds
        }
        let best = rounds.map(\.seconds).min() ?? 0
        let processor = rounds.map(\.processorSeconds).reduce(0, +) / Double(rounds.count)
        return Timing(
            seconds: best / Double(repeats),
            processorSeconds: processor / Double(repeats * workers),
            count: workers * (1 + 1 + (repeats == 1 ? rounds.count - 1 : rounds.count * repeats)))
    }

    /// Times `work` done by every worker once, with nothing before it: for work that is long enough to come with its own beginnings.
    func once(_ work: @escaping @Sendable (Int) throws -> Void) throws -> Timing {
        let once = try round(1, work)
        return Timing(
            seconds: once.seconds, processorSeconds: once.processorSeconds / Double(workers),
            count: workers)
    }

    /// Seconds in which every worker does `work` so many times.
    private func round(_ repeats: Int, _ work: @escaping @Sendable (Int) throws -> Void) throws -> (
        seconds: Double, processorSeconds: Double
    ) {
        let pool = WorkerPool<Int, Result<Void, any Error>>(workers: workers, inFlight: workers) {
            worker in
            engine.useThreads(threads)
            return Result { for _ in 0..<repeats { try work(worker) } }
        }
        var next = 0
        let (start, used) = (ContinuousClock.now, Processor.seconds)
        while let result = pool.next(from: {
            guard next < workers else { return nil }
            defer { next += 1 }
            return next
        }) {
            try result.get()
        }
        return ((ContinuousClock.now - start) / .seconds(1), Processor.seconds - used)
    }
}

/// What the processor has done for this program, and which one it is.
enum Processor {
    /// Processor seconds of this process with all its threads.
    static var seconds: Double {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Processor seconds of the child processes that have ended.
    static var secondsOfChildren: Double {
        var ticks = tms()
        _ = unsafe times(&ticks)
        return Double(ticks.tms_cutime + ticks.tms_cstime) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// What the kernel calls the processor; empty when it does not say.
    static var name: String {
        let names = ["model name", "Model", "Hardware"]
        guard let text = FileManager.default.contents(atPath: "/proc/cpuinfo") else { return "" }
        for line in text.split(separator: 0x0A) {
            let parts = String(decoding: line, as: UTF8.self).split(separator: ":", maxSplits: 1)
            if parts.count == 2, names.contains(String(parts[0].filter { $0 != "\t" })) {
                return String(parts[1].drop { $0 == " " })
            }
        }
        return ""
    }

    /// Processes that wanted to run during the last minute, in the mean; 0 when the kernel does not say.
    static var load: Double {
        var averages = [0.0]
        return unsafe getloadavg(&averages, 1) == 1 ? averages[0] : 0
    }
}
