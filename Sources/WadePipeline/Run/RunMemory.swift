//! A run's share of the machine's memory: the model, its decoders, and what is left for clips.
import WadeVideo

/// The budget that the user gave, and who takes what of it.
struct RunMemory: Sendable {
    private let budget: MemoryBudget
    private let decoders: DecoderPool
    private let workers: Int

    /// Memory that libraries take on top of a process's start, in a decoder that has worked.
    private static let decoderGrowth = 16 << 20
    /// Memory for what is neither weights nor clips: prompts, keys and values, the output.
    private static let slack = 64 << 20
    /// Less than this for all clips together is no way to work.
    private static let leastForClips = 64 << 20

    /// A share of `budget` for `workers` decoders of `decoders`.
    init(_ budget: MemoryBudget, decoders: DecoderPool, workers: Int) {
        self.budget = budget
        self.decoders = decoders
        self.workers = workers
    }

    /// Takes what this process has resident, and `more`, out of the budget. Throws when too little is left to work with.
    func settle(more: Int = 0) throws(PipelineError) {
        let decoder: Int
        do { decoder = try decoders.idleMemory() } catch {
            if error.isFaultOfSystem { throw .system(error.message) }
            throw .request(
                found: error.message, expected: "a decoder process, which every run needs")
        }
        let own = ProcessMemory.resident + more + Self.slack
        let held = own + workers * (decoder + Self.decoderGrowth)
        budget.hold(held)
        guard budget.capacity >= Self.leastForClips else {
            let least = (held + Self.leastForClips) >> 20
            throw .request(
                found:
                    "a memory budget of \(budget.total >> 20) MiB with \(workers) workers",
                expected: "at least \(least + 1) MiB, \(own >> 20) of them for the model")
        }
    }
}
