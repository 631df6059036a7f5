//! A model bundle: the folder that Wade loads directly.

internal import Crypto
package import Foundation
package import WadeFlamingo
package import WadeTensor
package import WadeTokenizer

/// `config.json`, `model.safetensors` (or shards with an index), `tokenizer.json` and `card.md` in one folder.
package struct ModelBundle: Sendable {
    /// The folder as it was given.
    package let path: String
    package let configuration: FlamingoConfiguration
    /// The weights, mapped and not yet read.
    package let weights: TensorArchive

    /// The names of a bundle's files.
    enum FileName {
        static let configuration = "config.json"
        static let weights = "model.safetensors"
        static let index = "model.safetensors.index.json"
        static let tokenizer = "tokenizer.json"
        static let card = "card.md"
    }

    /// Opens the folder and checks the configuration; nothing of the weights is read.
    package init(path: String) throws {
        self.path = path
        let configurationPath = path + "/" + FileName.configuration
        let json = try contents(of: configurationPath)
        configuration = try FlamingoConfiguration(json: json, path: configurationPath)
        let single = path + "/" + FileName.weights
        weights =
            FileManager.default.fileExists(atPath: single)
            ? try Safetensors.read(path: single)
            : try Safetensors.readSharded(index: path + "/" + FileName.index)
    }

    /// What `weights_sha256` of a bundle with the weights at `path` must be.
    package static func weightsDigest(of path: String) throws -> String { try sha256(ofFile: path) }

    /// Checks without reading values that every tensor is there, has its shape and is used, and that the tokenizer fits.
    package func check() throws {
        _ = try Flamingo(
            Weights(weights, shapesOnly: true), configuration,
            arithmetic: Arithmetic(engine: .openBLAS))
        _ = try tokenizer()
    }

    /// Builds the model; every tensor of the bundle must be used and have its shape. `listener` is told of the layers that are packed.
    package func model(_ arithmetic: Arithmetic, listener: PackedParts? = nil) throws -> Flamingo {
        try Flamingo(
            Weights(weights, listener: listener), configuration, arithmetic: arithmetic)
    }

    /// The tokenizer with the model's own tokens added; their ids must be those of the configuration.
    package func tokenizer() throws -> Tokenizer {
        let file = path + "/" + FileName.tokenizer
        let tokenizer = try Tokenizer(path: file)
            .addingSpecialTokens(configuration.tokens.added)
        let wanted = [
            ("<image>", configuration.tokens.image),
            (configuration.endOfChunkText, configuration.tokens.endOfChunk),
        ]
        for (token, id) in wanted where tokenizer.id(of: token) != id {
            throw FlamingoError.file(
                path: file,
                found: "\(token) with id \(tokenizer.id(of: token).map(String.init) ?? "none")",
                expected: "id \(id), as in \(FileName.configuration)")
        }
        return tokenizer
    }
}

extension FlamingoConfiguration {
    /// The text of the token that ends an answer.
    var endOfChunkText: String {
        guard family == .idefics else { return "<|endofchunk|>" }
        return tokens.endOfChunk == tokens.endOfText ? "</s>" : IDEFICSPrompt.endOfUtterance
    }

    /// Reads and checks a bundle's `config.json`; `path` is for messages.
    package init(json: Data, path: String) throws {
        self = try decodeConfiguration(FlamingoConfiguration.self, json, path: path)
        do {
            try validate()
        } catch FlamingoError.configuration(let field, let found, let expected) {
            throw FlamingoError.file(path: path, found: "\(field) \(found)", expected: expected)
        }
    }
}

/// A whole file's bytes; the error names the path and the system's reason.
func contents(of path: String, limit: Int = 1 << 28) throws -> Data {
    let attributes: [FileAttributeKey: Any]
    do {
        // A hub's cache has links to its contents.
        let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        attributes = try FileManager.default.attributesOfItem(atPath: real)
    } catch {
        throw FlamingoError.file(path: path, found: "no such file", expected: "a readable file")
    }
    let size = (attributes[.size] as? Int) ?? 0
    guard attributes[.type] as? FileAttributeType == .typeRegular, size <= limit else {
        throw FlamingoError.file(
            path: path, found: "\(size) bytes or no regular file",
            expected: "a regular file of at most \(limit) bytes")
    }
    do {
        return try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
        throw FlamingoError.file(
            path: path, found: "\(error.localizedDescription)", expected: "a readable file")
    }
}

/// SHA-256 of a file in hexadecimal, read in pieces.
func sha256(ofFile path: String) throws -> String {
    guard let handle = FileHandle(forReadingAtPath: path) else {
        throw FlamingoError.file(path: path, found: "no readable file", expected: "a file")
    }
    defer { try? handle.close() }
    var hash = SHA256()
    while let piece = try handle.read(upToCount: 1 << 22), !piece.isEmpty {
        hash.update(data: piece)
    }
    return Hexadecimal.text(hash.finalize())
}
