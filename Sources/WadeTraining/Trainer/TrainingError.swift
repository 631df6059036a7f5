//! What can go wrong while training.

/// An error of this target; the message says where, what, found, expected.
package enum TrainingError: Error, CustomStringConvertible, Equatable {
    /// The loss is no number any more.
    case diverged(stage: String, step: Int, loss: String)
    /// A checkpoint or a store of features that is not what this recipe makes.
    case file(path: String, found: String, expected: String)
    /// What is asked for cannot be done.
    case request(found: String, expected: String)
    /// A recipe that cannot be trained.
    case recipe(found: String, expected: String)

    package var description: String {
        switch self {
        case .diverged(let stage, let step, let loss):
            "stage \(stage), step \(step): found a loss of \(loss), expected a finite number; a smaller learning rate may help"
        case .file(let path, let found, let expected):
            "\(path): found \(found), expected \(expected)"
        case .request(let found, let expected): "found \(found), expected \(expected)"
        case .recipe(let found, let expected):
            "recipe: found \(found), expected \(expected)"
        }
    }
}
