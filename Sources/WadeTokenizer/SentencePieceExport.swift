//! A SentencePiece model written as the `tokenizer.json` that `transformers` makes of it.

extension SentencePieceModel {
    /// The bytes of a `tokenizer.json` that encodes as `tokenizer()` does, with `tokens` added as special tokens.
    /// (The format orders all merges, so where pieces of one score overlap its choice may differ from leftmost.)
    package func tokenizerJSON(addingSpecialTokens tokens: [String]) throws -> [UInt8] {
        let tokenizer = try tokenizer().addingSpecialTokens(tokens)
        let added = tokenizer.addedTokens.values.sorted { $0.id < $1.id }
        var json = #"{"version":"1.0","truncation":null,"padding":null,"added_tokens":["#
        json += added.map(entry).joined(separator: ",")
        json += #"],"normalizer":{"type":"Sequence","normalizers":["#
        if addsDummyPrefix { json += #"{"type":"Prepend","prepend":"▁"},"# }
        json += #"{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"#
        json += #""pre_tokenizer":null,"post_processor":\#(postProcessor),"#
        json += #""decoder":{"type":"Sequence","decoders":["#
        json += #"{"type":"Replace","pattern":{"String":"▁"},"content":" "},"#
        json += #"{"type":"ByteFallback"},{"type":"Fuse"}"#
        if addsDummyPrefix { json += #",{"type":"Strip","content":" ","start":1,"stop":0}"# }
        json += #"]},"model":\#(modelSection)}"#
        return Array(json.utf8)
    }

    private func entry(_ token: AddedToken) -> String {
        #"{"id":\#(token.id),"content":\#(quoted(token.content)),"single_word":false,"#
            + #""lstrip":false,"rstrip":false,"normalized":false,"special":true}"#
    }

    private var postProcessor: String {
        guard let id = beginningOfText else { return "null" }
        let name = quoted(pieces[id].text)
        let first = #"{"SpecialToken":{"id":\#(name),"type_id":0}}"#
        let text = #"{"Sequence":{"id":"A","type_id":0}}"#
        let pair =
            #"{"SpecialToken":{"id":\#(name),"type_id":1}},{"Sequence":{"id":"B","type_id":1}}"#
        return #"{"type":"TemplateProcessing","single":[\#(first),\#(text)],"#
            + #""pair":[\#(first),\#(text),\#(pair)],"#
            + #""special_tokens":{\#(name):{"id":\#(name),"ids":[\#(id)],"tokens":[\#(name)]}}}"#
    }

    private var modelSection: String {
        let names = pieces.map { quoted($0.text) }
        let unknown = pieces.firstIndex { $0.kind == .unknown }.map { names[$0] } ?? "null"
        let vocabulary = names.enumerated().map { "\($1):\($0)" }.joined(separator: ",")
        let pairs = merges.map { "[\(names[$0.left]),\(names[$0.right])]" }.joined(separator: ",")
        return #"{"type":"BPE","dropout":null,"unk_token":\#(unknown),"#
            + #""continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":true,"#
            + #""byte_fallback":\#(fallsBackToBytes),"ignore_merges":false,"#
            + #""vocab":{\#(vocabulary)},"merges":[\#(pairs)]}"#
    }

    /// `text` as a JSON string.
    private func quoted(_ text: TokenText) -> String {
        var result = "\""
        for scalar in text.string.unicodeScalars {
            switch scalar {
            case "\"", "\\":
                result += "\\"
                result.unicodeScalars.append(scalar)
            case "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
