//! Which moments are looked at, and how files are cut into clips: arithmetic alone.
import Testing

@testable import WadeVideo

@Suite("Sampling and segmentation")
struct FrameSamplingTests {
    private func span(_ start: Double, _ end: Double) -> ClipSpan {
        ClipSpan(start: start, end: end, boundary: .whole)
    }

    @Test("Uniform sampling takes the middle of each part")
    func midpoints() {
        #expect(FrameSampling.uniform(count: 4).times(in: span(0, 2)) == [0.25, 0.75, 1.25, 1.75])
        #expect(FrameSampling.uniform(count: 2).times(in: span(10, 14)) == [11, 13])
        #expect(FrameSampling.uniform(count: 3).times(in: span(5, 5)) == [5, 5, 5])
    }

    @Test("A rate gives every k / rate before the end, and never nothing")
    func rate() {
        #expect(FrameSampling.rate(perSecond: 1, limit: 60).times(in: span(0, 2)) == [0, 1])
        #expect(FrameSampling.rate(perSecond: 1, limit: 60).times(in: span(0, 2.04)) == [0, 1, 2])
        #expect(FrameSampling.rate(perSecond: 2, limit: 9).times(in: span(3, 4)) == [3, 3.5])
        #expect(FrameSampling.rate(perSecond: 1, limit: 60).times(in: span(0, 0)) == [0])
    }

    @Test("A rate over its limit spreads the limit over the whole span")
    func limitedRate() {
        let day = span(0, 86_400)
        #expect(
            FrameSampling.rate(perSecond: 1, limit: 4).times(in: day)
                == FrameSampling.uniform(count: 4).times(in: day))
        #expect(FrameSampling.rate(perSecond: 1, limit: 4).times(in: span(0, 1e300)).count == 4)
    }

    @Test("Explicit times count from the span's start")
    func explicitTimes() {
        #expect(FrameSampling.times([0, 1.5]).times(in: span(2, 3)) == [2, 3.5])
    }

    @Test("Names are those of the record, and nonsense is called invalid")
    func names() {
        #expect(FrameSampling.uniform(count: 8).strategy == "uniform:8")
        #expect(FrameSampling.rate(perSecond: 1, limit: 9).strategy == "fps:1")
        #expect(FrameSampling.rate(perSecond: 0.5, limit: 9).strategy == "fps:0.5")
        #expect(!FrameSampling.uniform(count: 0).isValid)
        #expect(!FrameSampling.uniform(count: .max).isValid)
        #expect(!FrameSampling.rate(perSecond: .nan, limit: 9).isValid)
        #expect(!FrameSampling.times([.infinity]).isValid)
    }

    @Test("Windows end with the file and are not repeated inside each other")
    func windows() {
        let spans = Segmentation.windows(length: 4, stride: 3).spans(duration: 10)
        #expect(spans.map(\.start) == [0, 3, 6])
        #expect(spans.map(\.end) == [4, 7, 10])
        #expect(Segmentation.windows(length: 4, stride: 4).spans(duration: 0).count == 1)
        let absurd = Segmentation.windows(length: 1e-3, stride: 1e-3).spans(duration: 1e12)
        #expect(absurd.count == Segmentation.mostSpans)
    }

    @Test("Scenes lie between cuts; shots that are too short join the one before")
    func scenes() {
        let spans = Segmentation.scenes(minimumLength: 1).spans(
            duration: 10, cuts: [2, 2.5, 6, 9.5])
        #expect(spans.map(\.start) == [0, 2, 6])
        #expect(spans.map(\.end) == [2, 6, 10])
        #expect(Segmentation.scenes(minimumLength: 1).spans(duration: 10).count == 1)
    }
}
