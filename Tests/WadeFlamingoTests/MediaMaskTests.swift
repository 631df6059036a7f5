//! Which media a text position sees, rule by rule.
import Testing
import WadeTensor

@testable import WadeFlamingo

@Suite("Media mask")
struct MediaMaskTests {
    /// i: media, e: end of text, everything else: text.
    private func mask(
        _ text: String, mediaBefore: Int = 0, afterEndOfText: Bool = false,
        _ visibility: MediaVisibility
    ) -> MediaMask {
        MediaMask(
            isMedia: text.map { $0 == "i" }, mediaBefore: mediaBefore,
            endsText: text.map { $0 == "e" }, afterEndOfText: afterEndOfText,
            visibility: visibility)
    }

    @Test("text sees the last media before it, and nothing before the first")
    func lastMedia() {
        let mask = mask("tiitteit", .lastMedia)
        #expect(mask.lastMedia == [0, 1, 2, 2, 2, 2, 3, 3])
        #expect(
            mask.windows(mediaCount: 3, latents: 2).map { $0 } == [
                .nothing, .keys(0..<2), .keys(2..<4), .keys(2..<4), .keys(2..<4), .keys(2..<4),
                .keys(4..<6), .keys(4..<6),
            ])
    }

    @Test("an end of text still sees its media, what follows sees none until the next one")
    func endOfText() {
        #expect(mask("titetit", .lastMediaOfText).lastMedia == [0, 1, 1, 1, 0, 2, 2])
        #expect(mask("eeit", .lastMediaOfText).lastMedia == [0, 0, 1, 1])
    }

    @Test("a text that is read in pieces sees what it sees when it is read at once")
    func pieces() {
        let text = "tittetiettit"
        let whole = mask(text, .lastMediaOfText)
        for cut in 0...text.count {
            let first = mask(String(text.prefix(cut)), .lastMediaOfText)
            let second = mask(
                String(text.dropFirst(cut)), mediaBefore: first.mediaSeen,
                afterEndOfText: first.textHasEnded, .lastMediaOfText)
            #expect(first.lastMedia + second.lastMedia == whole.lastMedia, "cut at \(cut)")
        }
    }

    @Test("more media tokens than media: uniform in OpenFlamingo, nothing in IDEFICS")
    func tooManyTokens() {
        let windows = mask("iit", .lastMedia).windows(mediaCount: 1, latents: 2)
        #expect(windows == [.keys(0..<2), .uniform, .uniform])
        let idefics = mask("iit", .lastMediaOfText).windows(mediaCount: 1, latents: 2)
        #expect(idefics == [.keys(0..<2), .nothing, .nothing])
    }
}
