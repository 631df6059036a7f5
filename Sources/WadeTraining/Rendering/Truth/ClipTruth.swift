//! What is true of a rendered clip.

/// The truth about a clip, attribute by attribute; `unclear` where the picture does not tell.
package struct ClipTruth: Sendable, Equatable, Codable {
    package var camera: CameraMovement
    package var shape: SubjectShape
    package var colour: SubjectColour
    package var motion: ScreenMotion
    package var background: BackgroundHue
    package var brightness: Brightness
    package var transition: Transition
    package var film: Film

    package init(
        camera: CameraMovement, shape: SubjectShape, colour: SubjectColour, motion: ScreenMotion,
        background: BackgroundHue, brightness: Brightness, transition: Transition, film: Film
    ) {
        self.camera = camera
        self.shape = shape
        self.colour = colour
        self.motion = motion
        self.background = background
        self.brightness = brightness
        self.transition = transition
        self.film = film
    }

    /// The word for `attribute`, one of its `values` or `unclear`.
    package func answer(to attribute: ShotAttribute) -> String { value(of: attribute).word }

    /// `attribute` as people say it within a sentence.
    package func phrase(of attribute: ShotAttribute) -> String { value(of: attribute).phrase }

    /// Whether `attribute` can be told from the picture.
    package func isClear(_ attribute: ShotAttribute) -> Bool {
        answer(to: attribute) != ShotAttribute.unclear
    }

    /// The truth about the same frames in reverse order.
    package var reversed: ClipTruth {
        var other = self
        other.camera = camera.reversed
        other.motion = motion.reversed
        other.transition = transition.reversed
        return other
    }

    private func value(of attribute: ShotAttribute) -> (word: String, phrase: String) {
        switch attribute {
        case .camera: (camera.rawValue, camera.phrase)
        case .shape: (shape.rawValue, shape.phrase)
        case .colour: (colour.rawValue, colour.phrase)
        case .motion: (motion.rawValue, motion.phrase)
        case .background: (background.rawValue, background.phrase)
        case .brightness: (brightness.rawValue, brightness.phrase)
        case .transition: (transition.rawValue, transition.phrase)
        case .film: (film.rawValue, film.phrase)
        }
    }
}
