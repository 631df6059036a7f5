//! Makes a byte-level tokenizer out of texts: byte-pair encoding as Sennrich et al. train it (arXiv 1508.07909), in GPT-2's alphabet.

/// Learns merges from the words of some texts.
package struct BytePairTraining {
    /// How often each word occurs, by its symbols: places in `symbols`.
    private var words: [(symbols: [Int], count: Int)] = []
    private var places: [[Int]: Int] = [:]
    /// The 256 characters of the alphabet, then what the merges made.
    private var symbols: [String] = ByteAlphabet.scalars.compactMap {
        Unicode.Scalar($0).map { String(Character($0)) }
    }
    private var merges: [(left: Int, right: Int)] = []

    /// Nothing learned yet.
    package init() {}

    /// Counts the words of `text` `count` times.
    package mutating func add(_ text: String, count: Int = 1) {
        let scalars = text.unicodeScalars.map(\.value)
        let step = PreTokenizationStep.byteLevel(addsPrefixSpace: false, splitsWords: true)
        for word in step.apply(to: scalars, isFirst: true) {
            let bytes = word.compactMap { ByteAlphabet.scalars.firstIndex(of: $0) }
            if let place = places[bytes] {
                words[place].count += count
            } else {
                places[bytes] = words.count
                words.append((bytes, count))
            }
        }
    }

    /// Two symbols that stand side by side.
    private struct Pair: Hashable {
        let left: Int
        let right: Int
    }

    /// Learns until there are `vocabularySize` tokens (the 256 bytes included, special tokens not) or nothing occurs twice.
    /// Of equally frequent pairs the one whose symbols came first is taken, so that the same texts give the same tokenizer.
    package mutating func learn(vocabularySize: Int) {
        while symbols.count < vocabularySize {
            var counts: [Pair: Int] = [:]
            for word in words where word.symbols.count > 1 {
                for (left, right) in zip(word.symbols, word.symbols.dropFirst()) {
                    counts[Pair(left: left, right: right), default: 0] += word.count
                }
            }
            let best = counts.max {
                ($0.value, $1.key.left, $1.key.right) < ($1.value, $0.key.left, $0.key.right)
            }
            guard let best, best.value > 1 else { return }
            merges.append((best.key.left, best.key.right))
            symbols.append(symbols[best.key.left] + symbols[best.key.right])
            for place in words.indices { merge(best.key, into: symbols.count - 1, in: place) }
        }
    }

    private mutating func merge(_ pair: Pair, into symbol: Int, in place: Int) {
        let old = words[place].symbols
        guard old.count > 1, old.contains(pair.left) else { return }
        var merged: [Int] = []
        var index = 0
        while index < old.count {
            if index + 1 < old.count, old[index] == pair.left, old[index + 1] == pair.right {
                merged.append(symbol)
                index += 2
            } else {
                merged.append(old[index])
                index += 1
            }
        }
        words[place].symbols = merged
    }

    /// The bytes of a `tokenizer.json`; `specialTokens` get the first ids.
    package func tokenizerJSON(specialTokens: [String]) -> [UInt8] {
        let added = specialTokens.enumerated().map { id, text in
            #"{"id":\#(id),"content":\#(quoted(text)),"single_word":false,"#
                + #""lstrip":false,"rstrip":false,"normalized":false,"special":true}"#
        }
        let vocabulary =
            specialTokens.enumerated().map { "\(quoted($1)):\($0)" }
            + symbols.enumerated().map { "\(quoted($1)):\($0 + specialTokens.count)" }
        let pairs = merges.map { "[\(quoted(symbols[$0.left])),\(quoted(symbols[$0.right]))]" }
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
