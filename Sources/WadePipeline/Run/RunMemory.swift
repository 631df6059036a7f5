//! A run's share of the machine's memory: the model, its decoders, and what is left for clips.
import WadeVideo

/// The budget that the user gave, and who takes what of it.
struct RunMemory: Sendable {
    private let budget: MemoryBudget
    private let decoders: DecoderPool
    private let workers: Int
    private let clipMemory: Int

    /// What a decoder process has resident at its start, measured, for as long as none was started: a run whose clips are all in the
    /// cache starts none.
    private static let idleDecoder = 48 << 20
    /// Memory that libraries take on top of a process's start, in a decoder that has worked.
    private static let decoderGrowth = 16 << 20
    /// Memory for what is neither weights nor clips: prompts, keys and values, the output.
    private static let slack = 64 << 20

    /// A share of `budget` for at most `workers` processes of `decoders`, one of which at least has to have room for a clip of
    /// `clipMemory` bytes.
    init(_ budget: MemoryBudget, decoders: DecoderPool, workers: Int, clipMemory: Int) {
        self.budget = budget
        self.decoders = decoders
        self.workers = workers
        self.clipMemory = clipMemory
    }

    /// Takes what this process has resident, and `more`, out of the budget, and what as many decoders take as leave room for the
    /// largest clip that is admitted: what becomes of a clip must not follow from how many workers there are. Throws when not
    /// even one does.
    func settle(more: Int = 0) throws(PipelineError) {
        let idle = decoders.idleMemory ?? Self.idleDecoder
        let own = ProcessMemory.resident + more + Self.slack
        let decoder = idle + Self.decoderGrowth
        let count = min(workers, (budget.total - own - clipMemory) / decoder)
        guard count >= 1 else {
            let parts = [own, decoder, clipMemory].map { ($0 + (1 << 20) - 1) >> 20 }
            throw .request(
                found: "a memory budget of \(budget.total >> 20) MiB",
                expected:
                    "at least \(parts.reduce(0, +)) MiB: \(parts[0]) for the model and the program, \(parts[1]) for a decoder process, \(parts[2]) for one clip (--clip-memory)"
            )
        }
        budget.hold(own + decoders.restrict(to: count) * decoder)
    }
}
