//! The published spellings of the language models.

extension RenameTable {
    /// A language model's own names below `prefix`. `layer` stands between a layer's number and its parts when the model was
    /// taken apart (`decoder_layer.`).
    static func language(
        _ architecture: LanguageConfiguration.Architecture, prefix: String = "", layer: String = ""
    ) -> [RenameRule] {
        switch architecture {
        case .mpt: return mpt(prefix: prefix, layer: layer)
        case .gptNeoX: return gptNeoX(prefix: prefix, layer: layer)
        case .llama: return llama(prefix: prefix, layer: layer)
        }
    }

    /// Where the layers of an architecture stand, up to the layer's number.
    static func layers(of architecture: LanguageConfiguration.Architecture) -> String {
        switch architecture {
        case .mpt: return "transformer.blocks."
        case .gptNeoX: return "gpt_neox.layers."
        case .llama: return "model.layers."
        }
    }

    /// MPT-1B (`mosaic_gpt`) and MPT-7B (`mpt`) differ in the names of norms and feed-forward.
    private static func mpt(prefix: String, layer: String) -> [RenameRule] {
        let from = prefix + "transformer.blocks.{i}." + layer
        let to = "language.layers.{i}."
        return [
            .rename(prefix + "transformer.wte.weight", "language.token_embedding.weight"),
            .rename(prefix + "transformer.ln_f.{*}", "language.norm.{*}"),
            .rename(prefix + "transformer.norm_f.{*}", "language.norm.{*}"),
            .rename(from + "attn.Wqkv.{*}", to + "attention.qkv.{*}"),
            .rename(from + "attn.q_ln.{*}", to + "attention.q_norm.{*}"),
            .rename(from + "attn.k_ln.{*}", to + "attention.k_norm.{*}"),
            .rename(from + "attn.out_proj.{*}", to + "attention.out.{*}"),
            .rename(from + "ln_1.{*}", to + "attention_norm.{*}"),
            .rename(from + "norm_1.{*}", to + "attention_norm.{*}"),
            .rename(from + "ln_2.{*}", to + "mlp_norm.{*}"),
            .rename(from + "norm_2.{*}", to + "mlp_norm.{*}"),
            .rename(from + "mlp.mlp_up.{*}", to + "mlp.up.{*}"),
            .rename(from + "mlp.mlp_down.{*}", to + "mlp.down.{*}"),
            .rename(from + "ffn.up_proj.{*}", to + "mlp.up.{*}"),
            .rename(from + "ffn.down_proj.{*}", to + "mlp.down.{*}"),
        ]
    }

    private static func gptNeoX(prefix: String, layer: String) -> [RenameRule] {
        let from = prefix + "gpt_neox.layers.{i}." + layer
        let to = "language.layers.{i}."
        return [
            .rename(prefix + "gpt_neox.embed_in.weight", "language.token_embedding.weight"),
            .rename(prefix + "embed_out.weight", "language.head.weight"),
            .rename(prefix + "gpt_neox.final_layer_norm.{*}", "language.norm.{*}"),
            .rename(from + "input_layernorm.{*}", to + "attention_norm.{*}"),
            .rename(from + "post_attention_layernorm.{*}", to + "mlp_norm.{*}"),
            .rename(
                from + "attention.query_key_value.{*}", to + "attention.qkv.{*}",
                .headwiseQueryKeyValue),
            .rename(from + "attention.dense.{*}", to + "attention.out.{*}"),
            .rename(from + "mlp.dense_h_to_4h.{*}", to + "mlp.up.{*}"),
            .rename(from + "mlp.dense_4h_to_h.{*}", to + "mlp.down.{*}"),
            // Buffers of the code of that time: causal mask and frequencies.
            .leaveOut(from + "attention.bias"),
            .leaveOut(from + "attention.masked_bias"),
            .leaveOut(from + "attention.rotary_emb.inv_freq"),
        ]
    }

    private static func llama(prefix: String, layer: String) -> [RenameRule] {
        let from = prefix + "model.layers.{i}." + layer
        let to = "language.layers.{i}."
        return [
            .rename(prefix + "model.embed_tokens.weight", "language.token_embedding.weight"),
            .rename(prefix + "model.norm.{*}", "language.norm.{*}"),
            .rename(prefix + "lm_head.weight", "language.head.weight"),
            .rename(from + "input_layernorm.{*}", to + "attention_norm.{*}"),
            .rename(from + "post_attention_layernorm.{*}", to + "mlp_norm.{*}"),
            .rename(from + "self_attn.q_proj.{*}", to + "attention.qkv.{*}", part: 0),
            .rename(from + "self_attn.k_proj.{*}", to + "attention.qkv.{*}", part: 1),
            .rename(from + "self_attn.v_proj.{*}", to + "attention.qkv.{*}", part: 2),
            .rename(from + "self_attn.o_proj.{*}", to + "attention.out.{*}"),
            .rename(from + "mlp.gate_proj.{*}", to + "mlp.gate.{*}"),
            .rename(from + "mlp.up_proj.{*}", to + "mlp.up.{*}"),
            .rename(from + "mlp.down_proj.{*}", to + "mlp.down.{*}"),
            .leaveOut(from + "self_attn.rotary_emb.inv_freq"),
        ]
    }
}
