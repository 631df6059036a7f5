//! A tokenizer of a few tokens, whose sections the tests replace by bad ones.
import WadeTokenizer

/// A `tokenizer.json` of LLaMA's kind that knows "a", "b", "ab" and the bytes of "é".
struct SmallTokenizer {
    var addedTokens = #"[{"id":0,"content":"<unk>","special":true,"normalized":false}]"#
    var normalizer = #"{"type":"Prepend","prepend":"▁"}"#
    var preTokenizer = "null"
    var postProcessor = "null"
    var decoder =
        #"{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},"#
        + #"{"type":"ByteFallback"},{"type":"Fuse"},"#
        + #"{"type":"Strip","content":" ","start":1,"stop":0}]}"#
    var modelType = "BPE"
    var vocabulary =
        #"{"<unk>":0,"▁":1,"a":2,"b":3,"ab":4,"▁ab":5,"<0xC3>":6,"<0xA9>":7,"<0xE2>":8,"<0x82>":9}"#
    var merges = #"["a b",["▁","ab"]]"#
    var extraModelOptions = ""

    /// The file's text.
    var json: String {
        #"{"version":"1.0","added_tokens":\#(addedTokens),"normalizer":\#(normalizer),"#
            + #""pre_tokenizer":\#(preTokenizer),"post_processor":\#(postProcessor),"#
            + #""decoder":\#(decoder),"model":{"type":"\#(modelType)","unk_token":"<unk>","#
            + #""fuse_unk":true,"byte_fallback":true,\#(extraModelOptions)"#
            + #""vocab":\#(vocabulary),"merges":\#(merges)}}"#
    }

    /// The tokenizer of the file.
    func tokenizer() throws -> Tokenizer {
        try Tokenizer(json: Array(json.utf8), file: "small.json")
    }

    /// The error that the file gives; nil when it can be read.
    var error: TokenizerError? {
        refusal(of: Array(json.utf8))
    }
}

/// The error that the bytes of a `tokenizer.json` give; nil when they can be read. Another kind of error is a failure
/// of the test, told by an unreadable case.
func refusal(of json: [UInt8]) -> TokenizerError? {
    do {
        _ = try Tokenizer(json: json, file: "small.json")
        return nil
    } catch let error as TokenizerError {
        return error
    } catch {
        return .unreadable(file: "small.json", reason: "untyped error \(error)")
    }
}
