//! Temporal embeddings (§2.1 of the paper): what tells a clip's frames apart.

package import WadeTensor

/// One learned row per trained frame, added to every feature of that frame.
package struct TemporalEmbedding: Sendable {
    /// (N, D) for N trained frames.
    private let rows: Tensor
    private let rule: ResamplerConfiguration.FrameEmbedding

    package init(rows: Tensor, rule: ResamplerConfiguration.FrameEmbedding) {
        self.rows = rows
        self.rule = rule
    }

    /// The embeddings (F, D) of a clip of F frames.
    ///
    /// Frames are sampled at the midpoints of equal segments, so frame f of F stands at (f + ½)·N/F − ½ between the N trained rows
    /// (the paper interpolates linearly and does not say where the ends lie).
    package func rows(frames: Int) throws -> Tensor {
        let trained = rows.rows
        switch rule {
        case .indexed:
            guard frames <= trained else {
                throw FlamingoError.tooManyFrames(found: frames, expected: trained)
            }
            return rows[0..<frames]
        case .interpolated:
            guard frames != trained else { return rows }
            let interpolated = (0..<frames).map { frame -> Tensor in
                let middle = (Double(frame) + 0.5) * Double(trained) / Double(frames) - 0.5
                let place = min(max(middle, 0), Double(trained - 1))
                let lower = min(Int(place), trained - 1)
                let share = Float(place - Double(lower))
                var row = rows[lower] * (1 - share)
                row.add(rows[min(lower + 1, trained - 1)], scaledBy: share)
                return row.reshaped([1, rows.width])
            }
            return Tensor.concatenated(interpolated)
        }
    }
}
