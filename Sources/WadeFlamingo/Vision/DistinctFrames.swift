//! Held stills and frozen cameras: frames with the same pixels are encoded once.

import Glibc
package import WadeTensor

/// Encodes pixels (F, 3, S, S) with `encode`, which is given the distinct frames in the order of their first showing and must treat
/// each on its own; returns features (F, V, D) with the same bits as `encode(pixels)`. Frames are the same when all their bits are,
/// so that 0 and -0 are told apart.
package func encodingDistinctFrames(of pixels: Tensor, by encode: (Tensor) throws -> Tensor)
    rethrows -> Tensor
{
    guard pixels.shape.rank == 4, pixels.shape[0] > 1 else { return try encode(pixels) }
    var distinct: [(frame: Int, values: [Float])] = []
    let sources = (0..<pixels.shape[0]).map { frame -> Int in
        let values = pixels[frame].values
        if let met = distinct.firstIndex(where: { haveSameBits($0.values, values) }) { return met }
        distinct.append((frame, values))
        return distinct.count - 1
    }
    guard distinct.count < sources.count else { return try encode(pixels) }
    let chosen = Tensor.concatenated(distinct.map { pixels[$0.frame..<$0.frame + 1] })
    let features = try encode(chosen)
    return Tensor.concatenated(sources.map { features[$0..<$0 + 1] })
}

private func haveSameBits(_ one: [Float], _ other: [Float]) -> Bool {
    guard one.count == other.count else { return false }
    return unsafe one.withUnsafeBytes { one in
        unsafe other.withUnsafeBytes { other in
            guard let first = one.baseAddress, let second = other.baseAddress else { return true }
            return unsafe memcmp(first, second, one.count) == 0
        }
    }
}
