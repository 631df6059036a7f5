//! What a pipeline wants to know about an answer besides its words, and when it would rather have none.

/// What is measured about every answer beyond its log-probabilities, which cost nothing; each of these costs something.
package struct Confidence: Sendable, Equatable {
    /// The members that a pipeline's `confidence` may have.
    static let names = ["visual_gain", "agreement", "calibrate", "abstain_below"]
    /// Most orders of the demonstrations that are tried.
    static let mostOrders = 24
    /// Fewest demonstrations with clips that a probability is learned from.
    static let fewestExamples = 4

    /// Whether the answer is scored once more with the query's cross-attention closed.
    package var measuresVisualGain = false
    /// Orders of the demonstrations that are answered under, their own included; 1 measures no agreement.
    package var orders = 1
    /// Whether the probability of being right is learned from the demonstrations, each answered behind the others.
    package var isCalibrated = false
    /// Answers whose calibrated probability is below this are withheld.
    package var abstainBelow: Double?

    /// Nothing but what costs nothing.
    package init() {}
}

extension Confidence {
    /// What `field` asks for.
    init(_ field: YAMLField) throws(PipelineError) {
        let members = try field.members(Self.names)
        measuresVisualGain = try members["visual_gain"]?.flag() ?? false
        if let orders = members["agreement"] {
            self.orders = orders.isOff ? 1 : try orders.integer(in: 2...Self.mostOrders)
        }
        if let least = members["abstain_below"], !least.isOff {
            abstainBelow = try least.number(in: 0...1)
        }
        isCalibrated = abstainBelow != nil
        if let calibrate = members["calibrate"] {
            isCalibrated = try calibrate.flag()
            if let abstain = members["abstain_below"], abstainBelow != nil, !isCalibrated {
                throw abstain.wrong("`abstain_below` without `calibrate: off`, which it needs")
            }
        }
    }

    /// Throws when the demonstrations of one of `tasks` are too few for what `field` asks for; `count` gives how many stand in a
    /// task's prompt, `clips` how many have a clip.
    func check(
        _ field: YAMLField, tasks: [AnnotationTask], count: (AnnotationTask) -> Int,
        clips: (AnnotationTask) -> Int
    ) throws(PipelineError) {
        let members = try field.members(Self.names)
        for task in tasks {
            if orders > 1, count(task) < 2 {
                throw (members["agreement"] ?? field).wrong(
                    "at least two to reorder",
                    found: "agreement with \(count(task)) demonstrations of task \(task.id)")
            }
            if isCalibrated, clips(task) < Self.fewestExamples {
                throw (members["calibrate"] ?? members["abstain_below"] ?? field).wrong(
                    "at least \(Self.fewestExamples) to learn a probability from",
                    found: "\(clips(task)) demonstrations of task \(task.id) with clips")
            }
        }
    }

    /// What a recipe says about it.
    var description: JSONValue {
        [
            "visual_gain": .bool(measuresVisualGain), "agreement": .integer(orders),
            "calibrate": .bool(isCalibrated),
            "abstain_below": abstainBelow.map { .number($0) } ?? .null,
        ]
    }
}
