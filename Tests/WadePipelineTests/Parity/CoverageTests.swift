//! No fixture lies there untested.
import Testing
import WadeTestSupport

@Suite("Parity: coverage")
struct CoverageTests {
    /// Each family and the suite that runs it.
    private let suites = [
        "caption-metric": "Parity: caption metrics",
        "clip-preprocess": "Parity: preprocessing",
        "clip-vit": "Parity: CLIP's vision tower",
        "gated-xattn": "Parity: resampler and gated cross-attention",
        "idefics": "Parity: IDEFICS",
        "nfnet": "Parity: NFNet",
        "openflamingo-mpt": "Parity: whole models",
        "openflamingo-neox": "Parity: whole models",
        "otter-video": "Parity: whole models",
        "perceiver-resampler": "Parity: resampler and gated cross-attention",
        "tokenizers": "Parity: tokenizers",
        "tokenizers-real": "Parity: tokenizers",
        "training": "Parity: the training fixture, forward",
        "vqa-metric": "Parity: VQA metric",
    ]

    @Test("every folder of fixtures belongs to a family that a suite runs")
    func everyFolderIsKnown() {
        let folders = Fixtures.folders()
        #expect(!folders.isEmpty, "no fixtures at \(Fixtures.root.path)")
        for folder in folders {
            #expect(suites[folder] != nil, "nothing tests the fixture family \(folder)")
        }
    }
}
