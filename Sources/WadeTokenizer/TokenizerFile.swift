//! Reading a tokenizer from `tokenizer.json`.
internal import Foundation

extension Tokenizer {
    /// The tokenizer of the `tokenizer.json` at `path`; throws `TokenizerError`.
    package init(path: String) throws {
        try self.init(json: try readTokenizerFile(path), file: path)
    }

    /// The tokenizer of the `tokenizer.json` whose bytes are `json`; `file` names it in messages. Throws `TokenizerError`.
    package init(json: [UInt8], file: String) throws {
        // "truncation" and "padding" are left aside: they are the last user's settings, and `transformers` resets them.
        let document = try JSONReader.read(json, file: file)
        let added = try document.optional("added_tokens")?.elements() ?? []
        try self.init(
            file: file,
            normalizer: try NormalizationStep.read(try document.optional("normalizer")),
            preTokenizer: try PreTokenizationStep.read(try document.optional("pre_tokenizer")),
            model: try BytePairModelReader.read(try document.required("model")),
            template: try TemplatePart.read(try document.optional("post_processor")),
            decoder: try document.optional("decoder").map { try DecodingStep.read($0) },
            addedTokens: try added.map { try AddedToken.read($0) })
    }
}

/// A tokenizer file is at most this long; the largest published ones have 35 MB.
private let largestFile = 128 << 20

/// The bytes of the file at `path`; throws `unreadable` or `tooLarge`.
func readTokenizerFile(_ path: String) throws(TokenizerError) -> [UInt8] {
    do {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        var bytes: [UInt8] = []
        while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
            bytes.append(contentsOf: chunk)
            if bytes.count > largestFile {
                throw TokenizerError.tooLarge(file: path, bytes: bytes.count, limit: largestFile)
            }
        }
        return bytes
    } catch let error as TokenizerError {
        throw error
    } catch {
        throw .unreadable(file: path, reason: error.localizedDescription)
    }
}
