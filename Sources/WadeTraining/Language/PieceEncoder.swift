//! Encodes the few hundred pieces that all documents are made of, each only once.
package import WadeTokenizer
internal import Synchronization

/// A tokenizer that remembers.
package final class PieceEncoder: Sendable {
    /// The tokenizer.
    package let tokenizer: Tokenizer
    private let known = Mutex<[String: [Int]]>([:])
    /// The ids of the tokens that steer the model.
    package let image: Int
    package let endOfChunk: Int
    package let beginningOfText: Int

    /// An encoder for a tokenizer that has Flamingo's tokens; nil when it lacks one.
    package init?(_ tokenizer: Tokenizer) {
        guard let image = tokenizer.id(of: "<image>"),
            let endOfChunk = tokenizer.id(of: "<|endofchunk|>"),
            let beginningOfText = tokenizer.id(of: "<|endoftext|>")
        else { return nil }
        self.tokenizer = tokenizer
        self.image = image
        self.endOfChunk = endOfChunk
        self.beginningOfText = beginningOfText
    }

    /// The ids of a piece. Pieces begin and end where the tokenizer splits words anyway.
    package func callAsFunction(_ piece: String) -> [Int] {
        if let ids = known.withLock({ $0[piece] }) { return ids }
        let ids = tokenizer.encode(piece, applyingTemplate: false)
        known.withLock { known in
            // Labels are endless; the table is not.
            if known.count > 20_000 { known.removeAll(keepingCapacity: true) }
            known[piece] = ids
        }
        return ids
    }
}
