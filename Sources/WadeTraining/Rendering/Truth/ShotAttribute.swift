//! What can be asked about a shot.

/// An attribute of a shot and the words it can have.
package enum ShotAttribute: String, CaseIterable, Sendable, Codable {
    case camera, shape, colour, motion, background, brightness, transition, film

    /// The attribute's words, without `unclear`.
    package var values: [String] {
        switch self {
        case .camera: ShotAttribute.words(of: CameraMovement.self)
        case .shape: ShotAttribute.words(of: SubjectShape.self)
        case .colour: ShotAttribute.words(of: SubjectColour.self)
        case .motion: ShotAttribute.words(of: ScreenMotion.self)
        case .background: ShotAttribute.words(of: BackgroundHue.self)
        case .brightness: ShotAttribute.words(of: Brightness.self)
        case .transition: ShotAttribute.words(of: Transition.self)
        case .film: ShotAttribute.words(of: Film.self)
        }
    }

    /// The word that every attribute of a part that cannot be told has.
    package static let unclear = "unclear"

    private static func words<Value: ShotValue>(of type: Value.Type) -> [String] {
        type.allCases.map(\.rawValue).filter { $0 != unclear }
    }
}

/// A word of an attribute.
package protocol ShotValue: RawRepresentable<String>, CaseIterable, Codable, Sendable, Equatable {
    /// The word as people say it within a sentence.
    var phrase: String { get }
}
