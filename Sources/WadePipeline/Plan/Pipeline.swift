//! A pipeline: everything that decides an answer except the clip, as the user's YAML file says it.
package import WadeTensor
package import WadeVideo

/// What a pipeline file says, with the defaults filled in and every path made absolute.
package struct Pipeline: Sendable, Equatable {
    /// The pipeline's name: the file's name unless it gives one.
    package var name: String
    /// A model bundle's name, or its folder; default `flaminglet`, which ships with Wade.
    package var model: String
    /// Precision of the model's weights and products; nil for that in which the model's weights are kept, which is float32 unless
    /// `wade model quantize` wrote them.
    package var precision: PrecisionChoice?
    /// The tasks, in the order of the output; at least one.
    package var tasks: [AnnotationTask]
    /// The demonstrations, in the order of the prompt.
    package var demonstrations: [Demonstration]
    /// Which frames are looked at; default 8, uniformly.
    package var sampling: FrameSampling
    /// Frames that differ from one that was encoded by no more than this, on average over channels of 0...255, take its features;
    /// nil, the default, spares only frames that are the same.
    package var nearIdentical: Double?
    /// How a file is cut into clips; default not at all.
    package var segmentation: Segmentation
    /// How answers are generated; default greedily.
    package var decoding: Decoding
    /// Template of `custom_id`: `{id}`, `{index}` and `{task}` are filled in; empty if unused.
    package var customID: String
    /// What is measured about answers, and which are withheld; default what costs nothing.
    package var confidence = Confidence()
    /// How each clip's demonstrations are chosen out of `demonstrations`, which are a pool then; nil when every prompt has all.
    package var retrieval: DemonstrationRetrieval?
    /// An earlier pass over the shots of the same videos, whose answers stand before every question; nil for a pass of its own.
    package var shots: ShotSource?

    /// The demonstrations that answer `task`, in the order of the prompt or of the pool.
    package func demonstrations(for task: AnnotationTask) -> [Demonstration] {
        demonstrations.filter { $0.answers[task.id] != nil }
    }

    /// The precision in which a model computes whose weights are kept in `stored`.
    package func precision(storedAs stored: Precision) -> Precision {
        PrecisionChoice.resolve(precision, stored: stored)
    }

    /// The pipeline in the YAML file at `path`; throws `pipeline` with the place of the first fault.
    package static func read(_ path: PathBytes) throws(PipelineError) -> Pipeline {
        try PipelineReader(path: path).read()
    }
}
