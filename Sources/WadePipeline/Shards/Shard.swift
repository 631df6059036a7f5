//! One of the parts that the tasks of a cluster do a folder in, and how a task learns which one is its own.

/// Part `index` of `count`, counted from 1 as test runners count their shards: `1/8` to `8/8`.
package struct Shard: Sendable, Equatable {
    /// Which part, from 1.
    package let index: Int
    /// How many parts there are.
    package let count: Int

    /// More parts than a scheduler has tasks for.
    package static let most = 100_000

    /// Where the number of parts is told to tasks whose scheduler tells them their own number only.
    package static let countVariable = "WADE_SHARDS"

    /// Nil unless 1 ≤ `index` ≤ `count` ≤ `most`.
    package init?(index: Int, count: Int) {
        guard (1...Self.most).contains(count), (1...count).contains(index) else { return nil }
        self.index = index
        self.count = count
    }

    /// The part that `text` names: `3/8`.
    package init(_ text: String) throws(PipelineError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in
            part.allSatisfy { $0.isASCII && $0.isNumber } ? Int(part) : nil
        }
        guard parts.count == 2, numbers.count == 2,
            let shard = Shard(index: numbers[0], count: numbers[1])
        else {
            throw .request(
                found: "shard \(PathBytes(text).shown)",
                expected:
                    "I/N with 1 ≤ I ≤ N ≤ \(Self.most), such as 1/8 for the first of eight parts")
        }
        self = shard
    }

    /// The part of the task that a scheduler started with `environment`: the place of a Slurm array's task in its array, or that of
    /// an indexed Kubernetes job's pod, which is told its own index only and needs `WADE_SHARDS` beside it.
    package static func ofTask(_ environment: [String: String]) throws(PipelineError) -> Shard {
        let isSlurm = environment["SLURM_ARRAY_TASK_ID"] != nil
        let isKubernetes = environment["JOB_COMPLETION_INDEX"] != nil
        switch (isSlurm, isKubernetes) {
        case (true, false): return try ofSlurm(environment)
        case (false, true):
            let index = try number("JOB_COMPLETION_INDEX", in: environment)
            let count = try number(countVariable, in: environment)
            guard index < Int.max, let shard = Shard(index: index + 1, count: count) else {
                throw .request(
                    found: "JOB_COMPLETION_INDEX \(index) and \(countVariable) \(count)",
                    expected: "an index below \(countVariable), which is the job's completions")
            }
            return shard
        case (true, true):
            throw .request(
                found: "both SLURM_ARRAY_TASK_ID and JOB_COMPLETION_INDEX",
                expected: "one of them, or --shard I/N")
        case (false, false):
            throw .request(
                found: "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX",
                expected: "a task of a Slurm array or of an indexed Kubernetes job, or --shard I/N")
        }
    }

    /// An array's tasks are numbered from any number in any steps, but a list with gaps does not say which place a number has.
    private static func ofSlurm(_ environment: [String: String]) throws(PipelineError) -> Shard {
        let prefix = "SLURM_ARRAY_TASK_"
        let id = try number(prefix + "ID", in: environment)
        let least = try number(prefix + "MIN", in: environment)
        let most = try number(prefix + "MAX", in: environment)
        let count = try number(prefix + "COUNT", in: environment)
        let hasStep = environment[prefix + "STEP"] != nil
        let step = max(1, hasStep ? try number(prefix + "STEP", in: environment) : 1)
        guard least <= id, id <= most, (id - least).isMultiple(of: step),
            (most - least) / step + 1 == count,
            let shard = Shard(index: (id - least) / step + 1, count: count)
        else {
            throw .request(
                found:
                    "Slurm array task \(id) of \(count) from \(least) to \(most) in steps of \(step)",
                expected: "an array without gaps, or --shard \"$SLURM_ARRAY_TASK_ID/N\"")
        }
        return shard
    }

    private static func number(_ name: String, in environment: [String: String])
        throws(PipelineError) -> Int
    {
        guard let text = environment[name], let number = Int(text), number >= 0 else {
            let found = environment[name].map { PathBytes($0).shown } ?? "nothing"
            throw .request(found: "\(found) in \(name)", expected: "a number from 0")
        }
        return number
    }
}
