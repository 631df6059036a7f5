//! IDEFICS' spelling of all parameters, in Hugging Face's files.

extension RenameTable {
    /// The whole model; gated block j stands before decoder layer j · `interval`.
    static func idefics(gatedBlocks: Int, interval: Int) -> [RenameRule] {
        // The final norm serves only the pooled feature, which nothing here uses.
        [.leaveOut("model.vision_model.post_layernorm.{*}")]
            + huggingFaceCLIP(prefix: "model.vision_model.", projection: nil)
            + ideficsResampler(prefix: "model.perceiver_resampler.")
            + (0..<gatedBlocks).flatMap {
                ideficsGatedBlock(
                    prefix: "model.gated_cross_attn_layers.\($0).",
                    to: "cross_attention.\($0 * interval).")
            }
            // Rows for the tokens that were added to LLaMA's.
            + [
                .rename(
                    "model.embed_tokens.additional_embedding.weight",
                    "language.token_embedding.weight", part: 1),
                .rename("lm_head.additional_fc.weight", "language.head.weight", part: 1),
            ] + language(.llama)
    }

    private static func ideficsResampler(prefix: String) -> [RenameRule] {
        let (attention, mlp) = (prefix + "blocks.{j}.0.", prefix + "blocks.{j}.1.")
        let to = "resampler.layers.{j}."
        return [
            .rename(prefix + "latents", "resampler.latents"),
            .rename(prefix + "layer_norm.{*}", "resampler.norm.{*}"),
            .rename(attention + "context_layer_norm.{*}", to + "attention.norm_media.{*}"),
            .rename(attention + "latents_layer_norm.{*}", to + "attention.norm_latents.{*}"),
            .rename(attention + "q_proj.{*}", to + "attention.to_q.{*}"),
            .rename(attention + "k_proj.{*}", to + "attention.to_kv.{*}", part: 0),
            .rename(attention + "v_proj.{*}", to + "attention.to_kv.{*}", part: 1),
            .rename(attention + "q_layer_norm.{*}", to + "attention.q_norm.{*}"),
            .rename(attention + "k_layer_norm.{*}", to + "attention.k_norm.{*}"),
            .rename(attention + "output_proj.{*}", to + "attention.to_out.{*}"),
            .rename(mlp + "ln.{*}", to + "feed_forward.norm.{*}"),
            .rename(mlp + "fc.{*}", to + "feed_forward.up.{*}"),
            .rename(mlp + "c_proj.{*}", to + "feed_forward.down.{*}"),
        ]
    }

    private static func ideficsGatedBlock(prefix: String, to: String) -> [RenameRule] {
        let attention = prefix + "cross_attn."
        return [
            .rename(prefix + "input_layernorm.{*}", to + "attention.norm.{*}"),
            .rename(attention + "q_proj.{*}", to + "attention.to_q.{*}"),
            .rename(attention + "k_proj.{*}", to + "attention.to_kv.{*}", part: 0),
            .rename(attention + "v_proj.{*}", to + "attention.to_kv.{*}", part: 1),
            .rename(attention + "q_layer_norm.{*}", to + "attention.q_norm.{*}"),
            .rename(attention + "k_layer_norm.{*}", to + "attention.k_norm.{*}"),
            .rename(attention + "o_proj.{*}", to + "attention.to_out.{*}"),
            // A buffer of the code of that time; nothing rotates here.
            .leaveOut(attention + "rotary_emb.inv_freq"),
            .rename(prefix + "post_attention_layernorm.{*}", to + "feed_forward.norm.{*}"),
            .rename(prefix + "mlp.gate_proj.{*}", to + "feed_forward.gate.{*}"),
            .rename(prefix + "mlp.up_proj.{*}", to + "feed_forward.up.{*}"),
            .rename(prefix + "mlp.down_proj.{*}", to + "feed_forward.down.{*}"),
            .rename(prefix + "alpha_cross_attn", to + "attention_gate"),
            .rename(prefix + "alpha_dense", to + "feed_forward_gate"),
        ]
    }
}
