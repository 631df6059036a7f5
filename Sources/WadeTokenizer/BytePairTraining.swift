//! Makes a byte-level tokenizer out of texts: byte-pair encoding as Sennrich et al. train it (arXiv 1508.07909), in GPT-2's alphabet.

/// Learns merges from the words of some texts.
package struct BytePairTraining {
    /// How often each word occurs, by its symbols.
    private var words: [(symbols: [String], count: Int)] = []
    private var places: [String: Int] = [:]
    private var merges: [(String, String)] = []

    /// Nothing learned yet.
    package init() {}

    /// Counts the words of `text` `count` times.
    package mutating func add(_ text: String, count: Int = 1) {
        let scalars = text.unicodeScalars.map(\.value)
        let step = PreTokenizationStep.byteLevel(addsPrefixSpace: false, splitsWords: true)
        for word in step.apply(to: scalars, isFirst: true) {
            let symbols = word.compactMap { Unicode.Scalar($0).map { String(Character($0)) } }
            let key = symbols.joined()
            if let place = places[key] {
                words[place].count += count
            } else {
                places[key] = words.count
                words.append((symbols, count))
            }
        }
    }

    /// Learns until there are `vocabularySize` tokens (the 256 bytes included, special tokens not) or nothing occurs twice.
    /// Of equally frequent pairs the first in byte order is taken, so that the same texts give the same tokenizer.
    package mutating func learn(vocabularySize: Int) {
        while 256 + merges.count < vocabularySize {
            var counts: [[String]: Int] = [:]
            for word in words {
                for index in word.symbols.indices.dropLast() {
                    counts[[word.symbols[index], word.symbols[index + 1]], default: 0] += word.count
                }
            }
            let best = counts.max { left, right in
                left.value != right.value
                    ? left.value < right.value
                    : left.key.joined(separator: " ") > right.key.joined(separator: " ")
            }
            guard let best, best.value > 1 else { return }
            merges.append((best.key[0], best.key[1]))
            for place in words.indices { merge(best.key[0], best.key[1], in: place) }
        }
    }

    private mutating func merge(_ left: String, _ right: String, in place: Int) {
        let symbols = words[place].symbols
        guard symbols.count > 1, symbols.contains(left) else { return }
        var merged: [String] = []
        var index = 0
        while index < symbols.count {
            if index + 1 < symbols.count, symbols[index] == left, symbols[index + 1] == right {
                merged.append(left + right)
                index += 2
            } else {
                merged.append(symbols[index])
                index += 1
            }
        }
        words[place].symbols = merged
    }

    /// The bytes of a `tokenizer.json`; `specialTokens` get the first ids.
    package func tokenizerJSON(specialTokens: [String]) -> [UInt8] {
        let alphabet = ByteAlphabet.scalars.compactMap {
            Unicode.Scalar($0).map { String(Character($0)) }
        }
        let tokens = alphabet + merges.map { $0.0 + $0.1 }
        let added = specialTokens.enumerated().map { id, text in
            #"{"id":\#(id),"content":\#(quoted(text)),"single_word":false,"#
                + #""lstrip":false,"rstrip":false,"normalized":false,"special":true}"#
        }
        let vocabulary =
            specialTokens.enumerated().map { "\(quoted($1)):\($0)" }
            + tokens.enumerated().map { "\(quoted($1)):\($0 + specialTokens.count)" }
        let pairs = merges.map { "[\(quoted($0.0)),\(quoted($0.1))]" }
        return Array(
            (#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":["#
                + added.joined(separator: ",")
                + #"],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","#
                + #""add_prefix_space":false,"trim_offsets":true,"use_regex":true},"#
                + #""post_processor":null,"decoder":{"type":"ByteLevel","#
                + #""add_prefix_space":true,"trim_offsets":true,"use_regex":true},"#
                + #""model":{"type":"BPE","dropout":null,"unk_token":null,"#
                + #""continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"#
                + #""byte_fallback":false,"ignore_merges":false,"#
                + #""vocab":{\#(vocabulary.joined(separator: ","))},"#
                + #""merges":[\#(pairs.joined(separator: ","))]}}"#).utf8)
    }

    /// `text`, which has no control characters, as a JSON string.
    private func quoted(_ text: String) -> String {
        "\"" + text.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] } + "\""
    }
}
