//! OpenFlamingo's and Otter's spellings of the resampler and of the gated blocks.

extension RenameTable {
    /// The resampler below `prefix`; OpenFlamingo numbers the two halves of a layer, Otter names them.
    static func resampler(prefix: String) -> [RenameRule] {
        let layer = prefix + "layers.{j}."
        let to = "resampler.layers.{j}."
        return [
            .rename(prefix + "latents", "resampler.latents"),
            .rename(prefix + "frame_embs", "resampler.temporal_embeddings"),
            .rename(prefix + "media_time_embs", "resampler.media_embeddings"),
            .rename(prefix + "norm.{*}", "resampler.norm.{*}"),
            .rename(layer + "0.{*}", to + "attention.{*}"),
            .rename(layer + "1.0.{*}", to + "feed_forward.norm.{*}"),
            .rename(layer + "1.1.{*}", to + "feed_forward.up.{*}"),
            .rename(layer + "1.3.{*}", to + "feed_forward.down.{*}"),
            .rename(layer + "feed_forward.0.{*}", to + "feed_forward.norm.{*}"),
            .rename(layer + "feed_forward.1.{*}", to + "feed_forward.up.{*}"),
            .rename(layer + "feed_forward.3.{*}", to + "feed_forward.down.{*}"),
            .rename(layer + "{*}", to + "attention.{*}"),
        ]
    }

    /// A gated block below `prefix`, which may hold `{i}` for the decoder layer that the block stands before.
    static func gatedCrossAttention(prefix: String, to: String = "cross_attention.{i}.")
        -> [RenameRule]
    {
        [
            .rename(prefix + "attn_gate", to + "attention_gate"),
            .rename(prefix + "ff_gate", to + "feed_forward_gate"),
            .rename(prefix + "attn.{*}", to + "attention.{*}"),
        ]
            + ["ff", "feed_forward"].flatMap { part -> [RenameRule] in
                [
                    .rename(prefix + part + ".0.{*}", to + "feed_forward.norm.{*}"),
                    .rename(prefix + part + ".1.{*}", to + "feed_forward.up.{*}"),
                    .rename(prefix + part + ".3.{*}", to + "feed_forward.down.{*}"),
                ]
            }
    }
}
