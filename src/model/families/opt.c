/* OPT: learned positions from row 2 on, ReLU, norms before the branches; its 350M size has them after, and narrower embeddings.
 * Zhang et al. 2022. GALACTICA (Taylor et al. 2022) has no biases and GELU. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "hidden_size", NULL, CONFIG_INT, AT(width), 1, 1 << 20, 0 },
    { "num_hidden_layers", NULL, CONFIG_INT, AT(n_layer), 1, 1024, 0 },
    { "num_attention_heads", NULL, CONFIG_INT, AT(n_head), 1, 4096, 0 },
    { "ffn_dim", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "max_position_embeddings", NULL, CONFIG_INT, AT(context), 1, 1 << 28, 0 },
    { "word_embed_proj_dim", NULL, CONFIG_INT, AT(embed_width), 1, 1 << 20, 0 },
    { "activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "enable_bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },
    { "enable_bias", NULL, CONFIG_BOOL, AT(out_bias), 0, 0, 0 },
    { "enable_bias", NULL, CONFIG_BOOL, AT(ffn_bias), 0, 0, 0 },
    { "layer_norm_elementwise_affine", NULL, CONFIG_BOOL, AT(norm_bias), 0, 0, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { "scale_embeddings", NULL, "false" },
    { "learned_embeddings", NULL, "true" },
    END_GUARDS,
};

/* Norms that have weights; the last one is not there when the norms come after the branches. */
static const struct weight_name model_weights[] = {
    { W_embed, "model.decoder.embed_tokens.weight", NULL, 0 },
    { W_position, "model.decoder.embed_positions.weight", NULL, 0 },
    { W_project_in, "model.decoder.project_in.weight", NULL, 0, AT(projected) },
    { W_project_out, "model.decoder.project_out.weight", NULL, 0, AT(projected) },
    { W_norm, "model.decoder.final_layer_norm.weight|model.decoder.layer_norm.weight", NULL, 0, AT(last_norm) },
    { W_norm_bias, "model.decoder.final_layer_norm.bias|model.decoder.layer_norm.bias", NULL, 0, AT(last_norm) },
    { W_head, "lm_head.weight", NULL, WEIGHT_OPTIONAL },
};

#define L "model.decoder.layers.%d."
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, L "self_attn_layer_norm.weight", NULL, 0, AT(norm_bias) },
    { W_mixer_norm_bias, L "self_attn_layer_norm.bias", NULL, 0, AT(norm_bias) },
    { W_attn_q, L "self_attn.q_proj.weight", NULL, 0 },
    { W_attn_q_bias, L "self_attn.q_proj.bias", NULL, 0, AT(qkv_bias) },
    { W_attn_k, L "self_attn.k_proj.weight", NULL, 0 },
    { W_attn_k_bias, L "self_attn.k_proj.bias", NULL, 0, AT(qkv_bias) },
    { W_attn_v, L "self_attn.v_proj.weight", NULL, 0 },
    { W_attn_v_bias, L "self_attn.v_proj.bias", NULL, 0, AT(qkv_bias) },
    { W_attn_out, L "self_attn.out_proj.weight", NULL, 0 },
    { W_attn_out_bias, L "self_attn.out_proj.bias", NULL, 0, AT(out_bias) },
    { W_ffn_norm, L "final_layer_norm.weight", NULL, 0, AT(norm_bias) },
    { W_ffn_norm_bias, L "final_layer_norm.bias", NULL, 0, AT(norm_bias) },
    { W_ffn_up, L "fc1.weight", NULL, 0 },
    { W_ffn_up_bias, L "fc1.bias", NULL, 0, AT(ffn_bias) },
    { W_ffn_down, L "fc2.weight", NULL, 0 },
    { W_ffn_down_bias, L "fc2.bias", NULL, 0, AT(ffn_bias) },
};
#undef L

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool before, removed;
    int status = config_bool(c, "do_layer_norm_before", NULL, true, &before, err);
    if (!status) status = config_bool(c, "_remove_final_layer_norm", NULL, false, &removed, err);
    if (status) return status;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    a->norm_bare = !a->norm_bias;
    if (removed && before && a->norm_bare)
        return fail(err, HEARTH_E_UNSUPPORTED,
                    "the model sets _remove_final_layer_norm, which is not supported with norms without weights");
    a->residual = before ? RESIDUAL_PRE : RESIDUAL_POST;
    a->last_norm = before && !removed && a->norm_bias;
    a->projected = a->embed_width && a->embed_width != a->width;
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    return 0;
}

const struct family family_opt = {
    .name = "opt", .models = "OPT 125M to 66B, OPT-IML, GALACTICA, Erebus, Nerys, Nerybus, BLIP-2's OPT",
    .hf_types = (const char *const[]){ "opt", NULL }, .heads = (const char *const[]){ "OPTForCausalLM", NULL },
    .initial = { GPT_AXES, .act = ACT_RELU, .position = POSITION_LEARNED, .position_offset = 2, .context = 2048, .width = 768,
                 .n_layer = 12, .n_head = 12, .ff_width = 3072, .qkv_bias = true, .out_bias = true, .ffn_bias = true,
                 .norm_bias = true, .tied = true, .bos = 2, .eos = 2, .pad = 1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .prefix = "model.",
    .harmless = (const char *const[]){ "decoder.version", NULL }, .finish = finish,
};
