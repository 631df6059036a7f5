//! Which media a text position may see (§2.3 of the paper).
//!
//! Axis letters in this room: B batch, M media, F frames, V patches of a frame, R latents, D width, T text, H heads.

package import WadeTensor

/// The rule that ties text to media.
package enum MediaVisibility: String, Codable, Sendable, Hashable {
    /// The last media at or before the position, as the paper and every released model have it.
    case lastMedia = "last_media"
    /// Every media at or before the position.
    case allPreviousMedia = "all_previous_media"
    /// The last media at or before the position, unless a text has ended since; generated tokens see what the prompt's last
    /// token sees (IDEFICS).
    case lastMediaOfText = "last_media_of_text"
}

/// φ of the paper: for each text position, the number of media that stand at or before it.
package struct MediaMask: Sendable, Equatable {
    /// φ per text position: 0 before the first media, else the 1-based index of the last one.
    package let lastMedia: [Int]
    /// The number of media tokens up to the end.
    package let mediaSeen: Int
    /// Whether a text has ended and no media has come since; told by `.lastMediaOfText` only.
    package let textHasEnded: Bool
    private let visibility: MediaVisibility

    /// Counts the media tokens in `isMedia`, which follow `mediaBefore` earlier ones; a media token sees its own media, and
    /// an end of text (`endsText`, none when empty) what the text before it sees.
    package init(
        isMedia: [Bool], mediaBefore: Int = 0, endsText: [Bool] = [],
        afterEndOfText: Bool = false, visibility: MediaVisibility
    ) {
        precondition(endsText.isEmpty || endsText.count == isMedia.count, "one flag per position")
        var (count, ended) = (mediaBefore, afterEndOfText)
        lastMedia = isMedia.indices.map { place in
            if isMedia[place] { (count, ended) = (count + 1, false) }
            defer { if !endsText.isEmpty, endsText[place] { ended = true } }
            return ended && visibility == .lastMediaOfText ? 0 : count
        }
        mediaSeen = count
        textHasEnded = ended
        self.visibility = visibility
    }

    /// The visual tokens each position sees, of `mediaCount` media with `latents` tokens each.
    ///
    /// A position before any media sees nothing, so that cross-attention adds exactly zero. A position that counts more media
    /// tokens than there are media sees all visual tokens alike: the originals' softmax over a row of equal scores.
    package func windows(mediaCount: Int, latents: Int) -> [KeyWindow] {
        lastMedia.map { last in
            switch visibility {
            case .lastMediaOfText where last > mediaCount: return .nothing
            case .lastMedia, .lastMediaOfText:
                if last == 0 || mediaCount == 0 { return .nothing }
                if last > mediaCount { return .uniform }
                return .keys((last - 1) * latents..<last * latents)
            case .allPreviousMedia:
                if last == 0 || mediaCount == 0 { return mediaCount == 0 ? .nothing : .uniform }
                return .keys(0..<min(last, mediaCount) * latents)
            }
        }
    }
}
