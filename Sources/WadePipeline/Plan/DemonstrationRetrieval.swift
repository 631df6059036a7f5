//! Which of a pool of demonstrations a clip gets: those that look most like it (RICES, retrieval of in-context examples by similarity).

/// How demonstrations are chosen for each clip: by the cosine between embeddings, which are the mean features of the frozen vision
/// encoder over frames and patches. The most similar one stands last, next to the query.
package struct DemonstrationRetrieval: Sendable, Equatable {
    /// Demonstrations in a prompt, where the pool has so many that may be taken.
    package var count: Int
    /// What is at least so similar to the clip is taken for a copy of it and left out; nil leaves out only the same content.
    package var nearDuplicate: Double?

    /// The similarity from which on a demonstration counts as a copy when the pipeline does not say. Rendered clips that were encoded
    /// again at five sixths of their size came out at 0.997 or more (flaminglet); the nearest of other clips at 0.975 or less.
    package static let standardNearDuplicate = 0.995

    /// Changes when embeddings or the order in a prompt do.
    private static let version = 1

    /// The `count` most similar demonstrations.
    package init(count: Int, nearDuplicate: Double? = standardNearDuplicate) {
        self.count = count
        self.nearDuplicate = nearDuplicate
    }

    /// What a recipe says about it.
    var description: JSONValue {
        [
            "retrieve": .integer(count), "version": .integer(Self.version),
            "near_duplicates": nearDuplicate.map { .number($0) } ?? .null,
        ]
    }
}

/// A demonstration in the prompt of one clip.
package struct RetrievedDemonstration: Sendable, Equatable {
    /// Its id.
    package var id: String
    /// The cosine between its embedding and the clip's.
    package var similarity: Double

    /// A demonstration at a similarity.
    package init(id: String, similarity: Double) {
        self.id = id
        self.similarity = similarity
    }
}
