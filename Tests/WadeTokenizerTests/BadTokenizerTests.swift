//! Files that are no tokenizers, or no tokenizers that Wade can follow.
import Foundation
import Testing
import WadeTestSupport
import WadeTokenizer

@Suite("Bad tokenizer files")
struct BadTokenizerTests {
    private func isMalformed(_ error: TokenizerError?, at place: String) -> Bool {
        guard case .malformed(_, let found, _, _) = error else { return false }
        return found == place
    }

    private func isUnsupported(_ error: TokenizerError?, naming name: String) -> Bool {
        guard case .unsupported(_, _, let found, _) = error else { return false }
        return found.contains(name)
    }

    @Test("the small tokenizer itself can be read")
    func smallTokenizerIsFine() throws {
        let tokenizer = try SmallTokenizer().tokenizer()
        #expect(tokenizer.encode("abé", applyingTemplate: false) == [5, 6, 7])
        #expect(try tokenizer.decode([5, 6, 7], skipSpecialTokens: false) == "abé")
    }

    @Test("a file cut short anywhere is refused")
    func truncated() throws {
        let json = Array(SmallTokenizer().json.utf8)
        for length in 0..<json.count {
            let error = refusal(of: Array(json[..<length]))
            guard case .malformed = error else {
                Issue.record("\(length) bytes: \(String(describing: error))")
                return
            }
        }
    }

    @Test("values nested 100,000 deep are refused")
    func nested() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(refusal(of: Array(deep.utf8)) != nil)
        let objects = String(repeating: #"{"a":"#, count: 100_000)
        #expect(refusal(of: Array(objects.utf8)) != nil)
        #expect(SmallTokenizer(normalizer: deep).error != nil)
    }

    @Test(
        "an id that is no small whole number is refused, with its place",
        arguments: [
            "1e308", "-1", "1.5", "\"3\"", "null", "[]", "{}", "true", "2147483648", "1e999999999",
            "99999999999999999999999999",
        ])
    func badIdentifier(id: String) {
        let vocabulary = #"{"<unk>":0,"a":\#(id),"b":2,"ab":3}"#
        let error = SmallTokenizer(vocabulary: vocabulary, merges: "[]").error
        #expect(isMalformed(error, at: #"model.vocab["a"]"#), "\(String(describing: error))")
        let added = SmallTokenizer(addedTokens: #"[{"id":\#(id),"content":"<x>"}]"#).error
        #expect(isMalformed(added, at: "added_tokens[0].id"), "\(String(describing: added))")
    }

    @Test("one id for two tokens is refused")
    func duplicateIdentifiers() {
        let twice = SmallTokenizer(vocabulary: #"{"<unk>":0,"a":1,"b":1}"#, merges: "[]")
        #expect(isMalformed(twice.error, at: #"model.vocab["b"]"#))
        let again = SmallTokenizer(vocabulary: #"{"<unk>":0,"a":1,"a":2}"#, merges: "[]")
        #expect(isMalformed(again.error, at: #"model.vocab["a"]"#))
        let taken = SmallTokenizer(addedTokens: #"[{"id":2,"content":"<x>","special":true}]"#)
        #expect(isMalformed(taken.error, at: "added_tokens"))
        let moved = SmallTokenizer(addedTokens: #"[{"id":20,"content":"a","special":true}]"#)
        #expect(isMalformed(moved.error, at: "added_tokens"))
    }

    @Test("canonically equivalent tokens are two tokens")
    func equivalentTokens() throws {
        let vocabulary = #"{"<unk>":0,"\u00C5":1,"\u212B":2,"▁":3}"#
        let tokenizer = try SmallTokenizer(vocabulary: vocabulary, merges: "[]").tokenizer()
        #expect(tokenizer.vocabularyCount == 4)
        #expect(tokenizer.encode("\u{212B}\u{C5}", applyingTemplate: false) == [3, 2, 1])
    }

    @Test(
        "merges must be two tokens that make a third",
        arguments: [
            #"["a"]"#, #"["a b c"]"#, #"["a x"]"#, #"["b a"]"#, #"[["a"]]"#, #"[["a","b","a"]]"#,
            "[3]", "[null]", #"[["a",3]]"#, #"[" b"]"#,
        ])
    func badMerges(merges: String) {
        let error = SmallTokenizer(merges: merges).error
        #expect(isMalformed(error, at: "model.merges[0]"), "\(String(describing: error))")
    }

    @Test("what Wade does not do is refused by name")
    func unsupported() {
        #expect(isUnsupported(SmallTokenizer(modelType: "Unigram").error, naming: "Unigram"))
        #expect(isUnsupported(SmallTokenizer(modelType: "WordPiece").error, naming: "WordPiece"))
        let lowercase = SmallTokenizer(normalizer: #"{"type":"Lowercase"}"#)
        #expect(isUnsupported(lowercase.error, naming: "Lowercase"))
        let inSequence = SmallTokenizer(
            normalizer: #"{"type":"Sequence","normalizers":[{"type":"Precompiled"}]}"#)
        #expect(isUnsupported(inSequence.error, naming: "Precompiled"))
        let split = SmallTokenizer(preTokenizer: #"{"type":"Split"}"#)
        #expect(isUnsupported(split.error, naming: "Split"))
        let decoder = SmallTokenizer(decoder: #"{"type":"CTC"}"#)
        #expect(isUnsupported(decoder.error, naming: "CTC"))
        let processor = SmallTokenizer(postProcessor: #"{"type":"BertProcessing"}"#)
        #expect(isUnsupported(processor.error, naming: "BertProcessing"))
        let pattern = #"{"type":"Replace","pattern":{"Regex":"a+"},"content":""}"#
        let regular = SmallTokenizer(normalizer: pattern)
        #expect(isUnsupported(regular.error, naming: "regular expression"))
        let dropout = SmallTokenizer(extraModelOptions: #""dropout":0.1,"#)
        #expect(isUnsupported(dropout.error, naming: "0.1"))
        let suffix = SmallTokenizer(extraModelOptions: #""end_of_word_suffix":"</w>","#)
        #expect(isUnsupported(suffix.error, naming: "</w>"))
    }

    @Test("sections of the wrong type, or missing ones, are refused with their place")
    func wrongTypes() {
        #expect(isMalformed(SmallTokenizer(vocabulary: "[]").error, at: "model.vocab"))
        #expect(isMalformed(SmallTokenizer(vocabulary: "null").error, at: "model.vocab"))
        #expect(isMalformed(SmallTokenizer(merges: "{}").error, at: "model.merges"))
        #expect(isMalformed(SmallTokenizer(normalizer: "3").error, at: "normalizer"))
        #expect(isMalformed(SmallTokenizer(decoder: "{}").error, at: "decoder.type"))
        #expect(isMalformed(SmallTokenizer(addedTokens: "{}").error, at: "added_tokens"))
        #expect(isMalformed(refusal(of: Array("{}".utf8)), at: "model"))
        #expect(isMalformed(refusal(of: Array("[]".utf8)), at: "top level"))
        #expect(refusal(of: []) != nil)
        let template =
            #"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}}],"#
            + #""special_tokens":{"<s>":{"id":"<s>","ids":[77],"tokens":["<s>"]}}}"#
        #expect(isMalformed(SmallTokenizer(postProcessor: template).error, at: "post_processor"))
    }

    @Test("text that is no JSON or no UTF-8 is refused")
    func badText() {
        #expect(isMalformed(refusal(of: [0x22, 0xFF, 0x22]), at: "text"))
        for text in [
            #""\ud800""#, #""\udc00""#, #""\ud800\u0041""#, #""\u12G4""#, #""\x""#, "\"\n\"", "01",
            "1.", "-", "+1", "tru", "[1,]", #"{"a":1,}"#, #"{"a"}"#, "[1 2]", "1 2", "nul",
        ] {
            let error = refusal(of: Array(text.utf8))
            guard case .malformed(_, let place, _, _) = error else {
                Issue.record("\(text): \(String(describing: error))")
                continue
            }
            #expect(place.hasPrefix("byte "), "\(text): \(place)")
        }
    }

    @Test("a file that is not there, a folder and an empty file are refused")
    func unreadable() throws {
        let folder = FileManager.default.temporaryDirectory
        #expect(throws: TokenizerError.self) {
            try Tokenizer(path: folder.appendingPathComponent("no-such-file.json").path)
        }
        #expect(throws: TokenizerError.self) { try Tokenizer(path: folder.path) }
        #expect(throws: TokenizerError.self) { try Tokenizer(path: "/dev/null") }
        #expect(throws: TokenizerError.self) { try SentencePieceModel(path: "/dev/null") }
    }

    @Test("ids of no token are refused when decoding")
    func unknownIdentifiers() throws {
        let tokenizer = try SmallTokenizer().tokenizer()
        for id in [-1, tokenizer.vocabularyCount, Int.max, Int.min] {
            #expect(throws: TokenizerError.unknownIdentifier(id, vocabularyCount: 10)) {
                try tokenizer.decode([2, id], skipSpecialTokens: false)
            }
            var decoder = StreamingDecoder(tokenizer, skipSpecialTokens: true)
            #expect(throws: TokenizerError.self) { try decoder.append(id) }
            #expect(tokenizer.token(of: id) == nil)
        }
    }

    @Test("no single changed byte can trap")
    func mutations() throws {
        let json = Array(SmallTokenizer().json.utf8)
        for position in stride(from: 0, to: json.count, by: 2) {
            for byte in Array("0-\"]}e\\".utf8) + [0xFF] {
                var changed = json
                changed[position] = byte
                guard let tokenizer = try? Tokenizer(json: changed, file: "small.json") else {
                    continue
                }
                let ids = tokenizer.encode("ab é€ <unk>", applyingTemplate: true)
                _ = try tokenizer.decode(ids, skipSpecialTokens: false)
            }
        }
    }
}
