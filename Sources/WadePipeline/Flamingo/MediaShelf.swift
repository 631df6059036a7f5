//! The clips that are asked about together, as the gated layers see them.
import WadeFlamingo
import WadeTensor

/// What the gated layers keep of the clips that are asked about: the questions about one clip share it.
final class MediaShelf {
    private let model: Flamingo
    private var kept: [(tokens: Tensor, media: Media)] = []

    init(_ model: Flamingo) {
        self.model = model
    }

    func media(_ tokens: Tensor) -> Media {
        if let known = kept.last(where: { $0.tokens.isSameWindow(as: tokens) }) {
            return known.media
        }
        let media = model.media([tokens])
        kept.append((tokens, media))
        return media
    }
}
