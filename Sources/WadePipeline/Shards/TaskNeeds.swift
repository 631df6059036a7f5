//! What a task of a cluster will need, told before it begins.
import WadeVideo

/// Time and memory for one part of many.
package struct TaskNeeds: Sendable, Equatable {
    /// Seconds of the longest part; nil without an estimate.
    package var seconds: Double?
    /// Bytes that a task may take with all its processes.
    package var memory: Int
    /// Files of all parts; nil when they cannot be seen from here.
    package var files: Int?

    /// Nothing is known but the memory.
    package init(memory: Int) {
        self.memory = memory
    }

    /// The program itself with its libraries, measured, and what is neither weights nor clips.
    private static let program = 192 << 20
    /// A decoder process that has worked.
    private static let decoder = 64 << 20

    /// Memory for weights of `weightBytes`, which are kept as float32, `workers` decoders, and one clip as large as any may be.
    static func memory(weightBytes: Int, workers: Int, clipMemory: Int?) -> Int {
        program + weightBytes + workers * decoder + (clipMemory ?? DecoderMemory.unbounded)
    }
}

extension AnnotationJob {
    /// What each of `count` tasks with as many workers as the settings say needs. Throws when the model cannot be found.
    package func taskNeeds(_ count: Int) throws -> TaskNeeds {
        let loads = try? partLoads(count)
        var needs = TaskNeeds(memory: try leastMemory())
        needs.seconds = loads?.compactMap(\.seconds).max()
        needs.files = loads?.reduce(0) { $0 + $1.files }
        return needs
    }
}
