//! The clean-up of spaces that `transformers` did after decoding unless told otherwise (`clean_up_tokenization_spaces`).

/// `text` with the spaces before English punctuation and contractions removed, in the original's order.
package func cleaningUpSpaces(in text: String) -> String {
    let replacements = [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
        (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ]
    var bytes = Array(text.utf8)
    for (pattern, content) in replacements {
        bytes = replacing(Array(pattern.utf8), with: Array(content.utf8), in: bytes)
    }
    return String(decoding: bytes, as: UTF8.self)
}
