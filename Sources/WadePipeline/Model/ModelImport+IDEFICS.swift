//! The import of an IDEFICS folder: one repository that holds everything.

internal import Foundation
internal import WadeFlamingo
internal import WadeTensor
internal import WadeTokenizer

extension ModelImport {
    /// The parts of the model at `checkpoint`, or nil when that is no IDEFICS folder.
    func ideficsParts(_ tokenizer: Tokenizer) throws -> IDEFICSParts? {
        let path = checkpoint + "/config.json"
        guard language == nil, FileManager.default.fileExists(atPath: path) else { return nil }
        let json = try contents(of: path)
        guard IDEFICSConfiguration.describes(json) else { return nil }
        let published = try IDEFICSConfiguration(json: json, path: path)
        let weights = try PublishedFiles(folder: checkpoint).weights()
        // The instruct models have a third row for the token that ends a turn; config.json is not always right about it.
        let added = weights.tensors["model.embed_tokens.additional_embedding.weight"]?.shape
        let isInstruct = (added?.sizes.first ?? 0) > 2
        return IDEFICSParts(
            checkpoint: weights, configuration: published, configurationPath: path, name: name,
            tokens: try specialTokens(tokenizer, published, isInstruct: isInstruct))
    }

    private func specialTokens(
        _ tokenizer: Tokenizer, _ published: IDEFICSConfiguration, isInstruct: Bool
    ) throws -> SpecialTokens {
        let added =
            [IDEFICSPrompt.fakeToken, IDEFICSPrompt.image]
            + (isInstruct ? [IDEFICSPrompt.endOfUtterance] : [])
        let complete = tokenizer.addingSpecialTokens(added)
        func id(_ token: String) throws -> Int {
            guard let id = complete.id(of: token) else {
                throw FlamingoError.file(
                    path: checkpoint, found: "a tokenizer without \(token)", expected: "its id")
            }
            return id
        }
        let end = try id("</s>")
        return SpecialTokens(
            image: try id(IDEFICSPrompt.image),
            endOfChunk: isInstruct ? try id(IDEFICSPrompt.endOfUtterance) : end, endOfText: end,
            beginningOfText: try id(IDEFICSPrompt.beginningOfText), padding: published.padding,
            added: added)
    }
}
