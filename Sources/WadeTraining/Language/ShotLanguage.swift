//! The language of Flaminglet: how a shot is described, asked about and answered.

/// The words for what a clip shows.
enum ShotLanguage {
    /// How a caption is worded; the demonstrations of a prompt show which wording is wanted.
    enum Style: CaseIterable {
        /// A whole sentence; what the model says without demonstrations.
        case sentence
        /// Key words with commas.
        case notes
    }

    /// The short answer to a question about `attribute`, such as `pans left`.
    static func answer(_ attribute: ShotAttribute, _ value: String) -> String {
        answers[attribute]?[value] ?? value
    }

    /// What an attribute is called in one word.
    static func name(_ attribute: ShotAttribute) -> String { attribute.rawValue }

    /// Ways to ask about an attribute; the first is the plainest.
    static func questions(_ attribute: ShotAttribute) -> [String] {
        switch attribute {
        case .camera:
            ["How does the camera move?", "What does the camera do?", "camera?"]
        case .shape:
            ["What shape is the subject?", "Which shape is it?", "shape?"]
        case .colour:
            ["What colour is the subject?", "What color is the subject?", "colour?"]
        case .motion:
            [
                "Which way does the subject move on the screen?", "How does the subject move?",
                "motion?",
            ]
        case .background:
            [
                "What colour is the background?", "What color is the background?", "background?",
            ]
        case .brightness:
            ["How bright is the shot?", "Is the shot dark or bright?", "brightness?"]
        case .transition:
            [
                "Which transition is there?", "Is there a cut or a fade?", "transition?",
            ]
        case .film:
            ["Is the film in colour?", "Is it black and white?", "film?"]
        }
    }

    /// The caption of a clip. What cannot be told is left out.
    static func caption(_ facts: ShotFacts, style: Style) -> String {
        switch style {
        case .sentence: sentence(facts)
        case .notes: notes(facts)
        }
    }

    private static func sentence(_ facts: ShotFacts) -> String {
        let film = facts[.film] == "monochrome" ? " black and white" : ""
        let kind = "\(capitalized(answer(.brightness, facts[.brightness])))\(film) shot"
        if facts[.transition] == "cut" { return kind + " that cuts to another." }
        var text = kind
        if let subject = subject(facts) {
            text += ": a \(subject)"
            if let motion = clear(facts, .motion) {
                text += motion == "still" ? " stays still" : " moves \(motion)"
            }
        }
        if let background = clear(facts, .background) {
            text += " on a \(background) background"
        }
        if let camera = clear(facts, .camera) {
            text +=
                camera == "static" ? ", static camera" : ", the camera \(answer(.camera, camera))"
        }
        switch facts[.transition] {
        case "fadeout": text += ", fades to black"
        case "fadein": text += ", fades from black"
        default: break
        }
        return text + "."
    }

    private static func notes(_ facts: ShotFacts) -> String {
        ShotAttribute.allCases.compactMap { attribute in
            guard let value = clear(facts, attribute) else { return nil }
            if attribute == .transition, value == "none" { return nil }
            return "\(name(attribute)) \(answer(attribute, value))"
        }.joined(separator: ", ")
    }

    private static func subject(_ facts: ShotFacts) -> String? {
        guard let shape = clear(facts, .shape) else { return nil }
        return [clear(facts, .colour), shape].compactMap { $0 }.joined(separator: " ")
    }

    /// The value of an attribute, unless nobody could tell it.
    private static func clear(_ facts: ShotFacts, _ attribute: ShotAttribute) -> String? {
        facts.isClear(attribute) ? facts[attribute] : nil
    }

    private static func capitalized(_ word: String) -> String {
        word.prefix(1).uppercased() + word.dropFirst()
    }

    /// Answers whose words differ from the value's name.
    private static let answers: [ShotAttribute: [String: String]] = [
        .camera: [
            "panleft": "pans left", "panright": "pans right", "tiltup": "tilts up",
            "tiltdown": "tilts down", "zoomin": "zooms in", "zoomout": "zooms out",
        ],
        .transition: ["fadeout": "fade out", "fadein": "fade in"],
        .film: ["colourful": "colour", "monochrome": "black and white"],
    ]
}
