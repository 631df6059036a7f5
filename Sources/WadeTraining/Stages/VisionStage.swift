//! Contrastive pre-training of the vision encoder (Radford et al., arXiv 2103.00020), on rendered frames and their words.
internal import Foundation
package import WadeFlamingo
internal import WadeImage
package import WadeTensor

/// Frames find their words and patches find their thumbnails: InfoNCE over a part of the batch.
package struct VisionStage: TrainingStage {
    package let name = "vision"
    package let parts: Int
    private let configuration: VisionTransformerConfiguration
    private let arithmetic: Arithmetic
    private let renderer: ClipRenderer
    private let seed: UInt64
    private let clipsPerPart: Int
    /// Frames taken of each clip, out of so many; they share many words, so that more of them would be mistaken for each other.
    private static let framesPerClip = 2
    private static let framesOfClip = 8
    /// Patches of each frame that look for their thumbnails.
    private static let patchesPerFrame = 2
    private static let temperature: Float = 0.06
    /// Clips whose seeds no stage trains on.
    static let heldOutSeed: UInt64 = 0xE7A1_0000_0000

    package init(
        _ configuration: VisionTransformerConfiguration, renderer: ClipRenderer, seed: UInt64,
        parts: Int,
        framesPerPart: Int,
        arithmetic: Arithmetic = Arithmetic(allowsGradients: true)
    ) {
        self.configuration = configuration
        self.arithmetic = arithmetic
        self.renderer = renderer
        self.seed = seed
        self.parts = parts
        clipsPerPart = framesPerPart / Self.framesPerClip
    }

    package func initialParameters() throws -> [String: Tensor] {
        var parameters = try ParameterInitialization(seed: seed).parameters {
            _ = try CLIPVisionTransformer(
                $0["vision"], configuration, arithmetic: arithmetic)
        }
        let heads = try ParameterInitialization(seed: seed &+ 1).parameters {
            _ = try ContrastiveHeads($0["heads"], width: configuration, arithmetic)
        }
        parameters.merge(heads) { first, _ in first }
        return parameters
    }

    package func learningRateFactor(of parameter: String) -> Float { 1 }

    package func loss(_ parameters: [String: Tensor], step: Int, part: Int) throws -> PartialLoss {
        let first = seed << 32 &+ UInt64(step * parts + part) &* UInt64(clipsPerPart)
        let frames = (0..<clipsPerPart).flatMap {
            pictures(ofClip: first &+ UInt64($0))
        }
        return try loss(parameters, frames, random: RandomStream(seed: first, purpose: 7))
    }

    package func evaluate(_ parameters: [String: Tensor]) throws -> [(name: String, score: Double)]
    {
        let frames = (0..<UInt64(clipsPerPart)).flatMap {
            pictures(ofClip: Self.heldOutSeed &+ $0)
        }
        let random = RandomStream(seed: Self.heldOutSeed, purpose: 7)
        return try loss(parameters, frames, random: random).measures
            .filter { $0.name.hasSuffix("accuracy") }.map { ($0.name, $0.sum / $0.count) }
    }

    /// Some frames of a clip with their words.
    private func pictures(ofClip seed: UInt64) -> [LabelledFrame] {
        let size = configuration.imageSize
        var random = RandomStream(seed: seed, purpose: 11)
        let chosen = random.shuffled(Array(0..<Self.framesOfClip)).prefix(Self.framesPerClip)
        let clip = renderer.clip(
            seed: seed, frames: Self.framesOfClip, chosen: chosen.sorted(), width: size,
            height: size)
        return clip.frames.indices.map { LabelledFrame(clip, frame: $0) }
    }

    private func loss(
        _ parameters: [String: Tensor], _ frames: [LabelledFrame], random: RandomStream
    ) throws -> PartialLoss {
        let weights = Weights(parameters: parameters, file: "stage \(name)")
        let vision = try CLIPVisionTransformer(
            weights["vision"], configuration, arithmetic: arithmetic)
        let heads = try ContrastiveHeads(weights["heads"], width: configuration, arithmetic)
        let size = configuration.imageSize
        let preprocessing = configuration.preprocessing
        let pixels = Tensor(
            preprocessing.pixelValues(of: frames.map(\.picture)),
            shape: [frames.count, 3, size, size])
        let tokens = try vision.tokens(pixels)
        guard let embedded = vision.projected(tokens) else {
            throw TrainingError.recipe(
                found: "a vision encoder without projection_width", expected: "one to train with")
        }
        let words = heads.words(frames.map(\.words) + almost(frames, random: random))
        let scores =
            embedded.normalizedRows().matmul(transposed: words.normalizedRows())
            * (1 / Self.temperature)
        let places = Array(0..<frames.count)
        let ones = [Float](repeating: 1 / Float(frames.count), count: frames.count)
        let wordsToFrames = scores.columns(0..<frames.count).transposed()
        let frameLoss =
            (scores.crossEntropy(targets: places, weights: ones)
                + wordsToFrames.crossEntropy(targets: places, weights: ones)) * 0.5
        let (patchLoss, patchHits, patchCount) = try self.patchLoss(
            vision.features(ofTokens: tokens), frames, heads, random: random)
        return PartialLoss(
            loss: frameLoss + patchLoss * 0.5,
            measures: [
                ("frame_loss", Double(frameLoss.values[0]), 1),
                ("patch_loss", Double(patchLoss.values[0]), 1),
                ("frame_accuracy", hits(scores, places), Double(frames.count)),
                ("patch_accuracy", patchHits, patchCount),
            ])
    }

    /// Words that are wrong about one property of a frame's subject. Among other frames' words alone light and hue are enough to
    /// find one's own, and shape is hardly learned.
    private func almost(_ frames: [LabelledFrame], random: RandomStream) -> [[Int]] {
        var random = random
        return frames.flatMap { frame in
            let other = random.element(
                [.colour, .x, .y, .radius] as [LabelledFrame.SubjectProperty])
            return [.shape, .shape, other].map { frame.almost($0, random: &random) }
        }.filter { !$0.isEmpty }
    }

    /// Patches look for their own thumbnails among all and among shifted ones of their own frame, so that features say where
    /// within a patch its texture lies: what a camera's movement is read from.
    private func patchLoss(
        _ features: Tensor, _ frames: [LabelledFrame], _ heads: ContrastiveHeads,
        random: RandomStream
    ) throws -> (Tensor, hits: Double, count: Double) {
        var random = random
        let side = configuration.patchSize
        let grid = configuration.imageSize / side
        var (rows, own, shifted): ([Int], [Float], [Float]) = ([], [], [])
        for (index, frame) in frames.enumerated() {
            for _ in 0..<Self.patchesPerFrame {
                let patch = random.index(grid * grid)
                rows.append(index * grid * grid + patch)
                let (x, y) = (patch % grid * side, patch / grid * side)
                own += frame.thumbnail(x: x, y: y, side: side)
                for _ in 0..<2 {
                    let dx = (3 + random.index(side - 3)) * (random.chance(0.5) ? 1 : -1)
                    let dy = random.index(2 * side) - side
                    let swaps = random.chance(0.5)
                    shifted += frame.thumbnail(
                        x: x + (swaps ? dy : dx), y: y + (swaps ? dx : dy), side: side)
                }
            }
        }
        let count = rows.count
        let thumbnails = Tensor(
            own + shifted, shape: [3 * count, LabelledFrame.thumbnailWidth])
        let flat = features.reshaped([features.rows, features.width])
        let queries = heads.patch(flat.gathered(rows)).normalizedRows()
        let scores =
            queries.matmul(transposed: heads.thumbnails(thumbnails).normalizedRows())
            * (1 / Self.temperature)
        let places = Array(0..<count)
        let loss = scores.crossEntropy(
            targets: places, weights: [Float](repeating: 1 / Float(count), count: count))
        return (loss, hits(scores, places), Double(count))
    }
}

/// How many rows have their largest value at their target.
func hits(_ scores: Tensor, _ targets: [Int]) -> Double {
    let (values, width) = (scores.values, scores.width)
    return Double(
        targets.indices.count { row in
            let line = values[row * width..<(row + 1) * width]
            return line.indices.max { line[$0] < line[$1] } == row * width + targets[row]
        })
}
