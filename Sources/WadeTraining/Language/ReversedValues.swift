//! What becomes of a word when time runs backwards.

extension ShotAttribute {
    /// The value of this attribute when the frames come in reverse order.
    func reversed(_ value: String) -> String {
        switch self {
        case .camera: CameraMovement(rawValue: value)?.reversed.rawValue ?? value
        case .motion: ScreenMotion(rawValue: value)?.reversed.rawValue ?? value
        case .transition: Transition(rawValue: value)?.reversed.rawValue ?? value
        case .shape, .colour, .background, .brightness, .film: value
        }
    }
}
