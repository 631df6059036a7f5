//! The three spellings of CLIP's vision tower.

extension RenameTable {
    /// Hugging Face's CLIPVisionModel below `prefix`, such as `vision_model.`; the text tower is left out.
    static func huggingFaceCLIP(prefix: String, projection: String? = "visual_projection.weight")
        -> [RenameRule]
    {
        let layer = prefix + "encoder.layers.{i}."
        let to = "vision.layers.{i}."
        return [
            .rename(prefix + "embeddings.class_embedding", "vision.class_embedding"),
            .rename(prefix + "embeddings.position_embedding.weight", "vision.position_embedding"),
            .rename(prefix + "embeddings.patch_embedding.weight", "vision.patch_embedding.weight"),
            .leaveOut(prefix + "embeddings.position_ids"),
            // The originals' spelling.
            .rename(prefix + "pre_layrnorm.{*}", "vision.pre_norm.{*}"),
            .rename(layer + "layer_norm1.{*}", to + "attention_norm.{*}"),
            .rename(layer + "self_attn.q_proj.{*}", to + "attention.qkv.{*}", part: 0),
            .rename(layer + "self_attn.k_proj.{*}", to + "attention.qkv.{*}", part: 1),
            .rename(layer + "self_attn.v_proj.{*}", to + "attention.qkv.{*}", part: 2),
            .rename(layer + "self_attn.out_proj.{*}", to + "attention.out.{*}"),
            .rename(layer + "layer_norm2.{*}", to + "mlp_norm.{*}"),
            .rename(layer + "mlp.fc1.{*}", to + "mlp.up.{*}"),
            .rename(layer + "mlp.fc2.{*}", to + "mlp.down.{*}"),
            .rename(prefix + "post_layernorm.{*}", "vision.post_norm.{*}"),
            .leaveOut("text_model.{*}"),
            .leaveOut("text_projection.weight"),
            .leaveOut("logit_scale"),
        ] + (projection.map { [.rename($0, "vision.projection.weight")] } ?? [])
    }

    /// OpenAI's archive and OpenCLIP's files; the text tower and OpenAI's three scalars are left out.
    static let openCLIP: [RenameRule] = {
        let layer = "visual.transformer.resblocks.{i}."
        let to = "vision.layers.{i}."
        return [
            .rename("visual.class_embedding", "vision.class_embedding"),
            .rename("visual.positional_embedding", "vision.position_embedding"),
            .rename("visual.conv1.weight", "vision.patch_embedding.weight"),
            .rename("visual.ln_pre.{*}", "vision.pre_norm.{*}"),
            .rename(layer + "ln_1.{*}", to + "attention_norm.{*}"),
            .rename(layer + "attn.in_proj_weight", to + "attention.qkv.weight"),
            .rename(layer + "attn.in_proj_bias", to + "attention.qkv.bias"),
            .rename(layer + "attn.out_proj.{*}", to + "attention.out.{*}"),
            .rename(layer + "ln_2.{*}", to + "mlp_norm.{*}"),
            .rename(layer + "mlp.c_fc.{*}", to + "mlp.up.{*}"),
            .rename(layer + "mlp.c_proj.{*}", to + "mlp.down.{*}"),
            .rename("visual.ln_post.{*}", "vision.post_norm.{*}"),
            .rename("visual.proj", "vision.projection.weight", .transposed),
            .leaveOut("transformer.{*}"),
            .leaveOut("token_embedding.weight"),
            .leaveOut("positional_embedding"),
            .leaveOut("ln_final.{*}"),
            .leaveOut("text_projection"),
            .leaveOut("attn_mask"),
            .leaveOut("logit_scale"),
            .leaveOut("logit_bias"),
            .leaveOut("input_resolution"),
            .leaveOut("context_length"),
            .leaveOut("vocab_size"),
        ]
    }()
}
