//! The words of every attribute, and how people say them.

/// How the camera moves; a moving crop of the picture counts as the camera.
package enum CameraMovement: String, ShotValue {
    case fixed = "static"
    case panLeft = "panleft"
    case panRight = "panright"
    case tiltUp = "tiltup"
    case tiltDown = "tiltdown"
    case zoomIn = "zoomin"
    case zoomOut = "zoomout"
    case unclear

    package var phrase: String {
        switch self {
        case .fixed: "the camera is static"
        case .panLeft: "the camera pans left"
        case .panRight: "the camera pans right"
        case .tiltUp: "the camera tilts up"
        case .tiltDown: "the camera tilts down"
        case .zoomIn: "the camera zooms in"
        case .zoomOut: "the camera zooms out"
        case .unclear: "the camera movement is unclear"
        }
    }

    /// The movement seen when time runs backwards.
    package var reversed: CameraMovement {
        switch self {
        case .fixed, .unclear: self
        case .panLeft: .panRight
        case .panRight: .panLeft
        case .tiltUp: .tiltDown
        case .tiltDown: .tiltUp
        case .zoomIn: .zoomOut
        case .zoomOut: .zoomIn
        }
    }
}

/// The outline of the subject.
package enum SubjectShape: String, ShotValue {
    case circle, square, triangle, star, cross, ring, unclear

    package var phrase: String { self == .unclear ? "no clear subject" : "a \(rawValue)" }
}

/// The colour of the subject.
package enum SubjectColour: String, ShotValue {
    case red, orange, yellow, green, blue, purple, white, black, unclear

    package var phrase: String { self == .unclear ? "of unclear colour" : rawValue }
}

/// Where the subject moves on the screen, whatever the camera does.
package enum ScreenMotion: String, ShotValue {
    case still, left, right, up, down, unclear

    package var phrase: String {
        switch self {
        case .still: "stays in its place"
        case .unclear: "moves in an unclear way"
        default: "moves \(rawValue)"
        }
    }

    /// The motion seen when time runs backwards.
    package var reversed: ScreenMotion {
        switch self {
        case .still, .unclear: self
        case .left: .right
        case .right: .left
        case .up: .down
        case .down: .up
        }
    }
}

/// The hue of most of the background.
package enum BackgroundHue: String, ShotValue {
    case red, yellow, green, blue, purple, brown, grey, unclear

    package var phrase: String {
        self == .unclear ? "on a background of no one colour" : "on a \(rawValue) background"
    }
}

/// How bright the shot is, fades and black bars apart.
package enum Brightness: String, ShotValue {
    case dark, normal, bright

    package var phrase: String { self == .normal ? "normally lit" : rawValue }
}

/// How the shot begins or ends, or whether another one follows.
package enum Transition: String, ShotValue {
    case none
    case cut
    case fadeOut = "fadeout"
    case fadeIn = "fadein"

    package var phrase: String {
        switch self {
        case .none: "one continuous shot"
        case .cut: "cuts to another shot"
        case .fadeOut: "fades to black"
        case .fadeIn: "fades in from black"
        }
    }

    /// The transition seen when time runs backwards.
    package var reversed: Transition {
        switch self {
        case .none, .cut: self
        case .fadeOut: .fadeIn
        case .fadeIn: .fadeOut
        }
    }
}

/// Whether there is colour in the picture.
package enum Film: String, ShotValue {
    case colourful, monochrome

    package var phrase: String { self == .colourful ? "in colour" : "in black and white" }
}
