//! Every reader of foreign bytes that Wade wrote itself, as one function from bytes to nothing: for the fuzzer and for the tests.

/// A parser that may be given any bytes: it reads them or says with one of Wade's own errors why not.
package enum FuzzedParser: String, CaseIterable, Sendable {
    /// A safetensors file, or whatever else `CheckpointFile` takes a checkpoint for; its tensors are read.
    case checkpoint
    /// A PyTorch zip archive.
    case torch
    /// The pickle of a PyTorch archive, which is put around it.
    case pickle
    /// A `tokenizer.json`; what can be read encodes and decodes some texts.
    case tokenizer
    /// A SentencePiece `.model`, and the `tokenizer.json` that is written of it.
    case sentencepiece
    /// Text for a tokenizer that is right: encoded, decoded, decoded in a stream.
    case text
    /// A pipeline's YAML.
    case pipeline
    /// A JSONL file of demonstrations.
    case demonstrations
    /// An output of Wade: read as ledger, and as records that are written again.
    case ledger
    /// An output of Wade: checked line by line against the schema.
    case checker
    /// `config.json` of a bundle or of a published model.
    case configuration
    /// What a run and its decoder processes say to each other.
    case decoder

    /// Gives `bytes` to the parser and says whether they were read; else they were refused in order. Throws `BrokenPromise` when the
    /// parser does what it must not (short of trapping, which no one can catch).
    @discardableResult
    package func feed(_ bytes: [UInt8]) throws -> Bool {
        switch self {
        case .checkpoint: return try feedCheckpoint(bytes)
        case .torch: return try feedTorchArchive(bytes)
        case .pickle: return try feedTorchArchive(StoredArchive.torch(pickle: bytes).bytes)
        case .tokenizer: return try feedTokenizer(bytes)
        case .sentencepiece: return try feedSentencePiece(bytes)
        case .text: return try feedText(bytes)
        case .pipeline: return try feedPipeline(bytes)
        case .demonstrations: return try feedDemonstrations(bytes)
        case .ledger: return try feedLedger(bytes)
        case .checker: return try feedChecker(bytes)
        case .configuration: return try feedConfiguration(bytes)
        case .decoder: return try feedDecoder(bytes)
        }
    }
}
