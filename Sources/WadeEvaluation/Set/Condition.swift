//! Under which circumstances a set is asked: how many demonstrations, and which.

/// How the demonstrations of a query are chosen.
package enum DemonstrationPolicy: String, Sendable, CaseIterable, Codable {
    /// There are none.
    case none
    /// The same ones for all queries, drawn by a seed.
    case fixed
    /// For each query those that look most like it: retrieval of in-context examples by similarity.
    case rices
}

/// A number of demonstrations and how they are chosen.
package struct Condition: Sendable, Hashable {
    /// Demonstrations.
    package let shots: Int
    /// How they are chosen; `none` at 0 shots.
    package let policy: DemonstrationPolicy
    /// What draws them; nil where nothing is drawn.
    package let seed: Int?

    /// No demonstrations.
    package static let zeroShot = Condition(shots: 0, policy: .none, seed: nil)

    /// `shots` demonstrations drawn by `seed`.
    package static func drawn(_ shots: Int, seed: Int) -> Condition {
        Condition(shots: shots, policy: .fixed, seed: seed)
    }

    /// The `shots` demonstrations nearest to each query.
    package static func retrieved(_ shots: Int) -> Condition {
        Condition(shots: shots, policy: .rices, seed: nil)
    }

    /// The conditions of all `shots` with each of `policies`: drawn ones with all `seeds`, the others once.
    package static func all(shots: [Int], seeds: [Int], policies: [DemonstrationPolicy])
        -> [Condition]
    {
        shots.flatMap { count -> [Condition] in
            guard count > 0 else { return [.zeroShot] }
            return policies.flatMap { policy -> [Condition] in
                switch policy {
                case .none: []
                case .fixed: seeds.map { .drawn(count, seed: $0) }
                case .rices: [.retrieved(count)]
                }
            }
        }
    }

    /// Its name in those of files.
    package var name: String {
        "\(shots)-shots" + (seed.map { ".seed-\($0)" } ?? "") + (policy == .rices ? ".rices" : "")
    }
}
