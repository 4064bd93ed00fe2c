/* Nemotron: layer norms stored less 1, part of each head turns, squared ReLU without a gate. NVIDIA 2024. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, HEAD_KEYS, ACT_KEYS, ATTENTION_BIAS_KEYS,
    { "norm_eps", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "mlp_bias", NULL, CONFIG_BOOL, AT(ffn_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = {
    { W_embed, "model.embed_tokens.weight", "token_embd.weight", 0 },
    { W_norm, "model.norm.weight", "output_norm.weight", WEIGHT_PLUS_ONE },
    { W_norm_bias, "model.norm.bias", "output_norm.bias", 0 },
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, LAYER "input_layernorm.weight", "blk.%d.attn_norm.weight", WEIGHT_PLUS_ONE },
    { W_mixer_norm_bias, LAYER "input_layernorm.bias", "blk.%d.attn_norm.bias", 0 },
    QKV_ROWS, OUT_ROWS,
    { W_ffn_norm, LAYER "post_attention_layernorm.weight", "blk.%d.ffn_norm.weight", WEIGHT_PLUS_ONE },
    { W_ffn_norm_bias, LAYER "post_attention_layernorm.bias", "blk.%d.ffn_norm.bias", 0 },
    { W_ffn_up, LAYER "mlp.up_proj.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_up_bias, LAYER "mlp.up_proj.bias", "blk.%d.ffn_up.bias", 0, AT(ffn_bias) },
    { W_ffn_down, LAYER "mlp.down_proj.weight", "blk.%d.ffn_down.weight", 0 },
    { W_ffn_down_bias, LAYER "mlp.down_proj.bias", "blk.%d.ffn_down.bias", 0, AT(ffn_bias) },
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->ffn = FFN_DENSE;
    int status = rows_heads(a, c, err);
    if (!status) status = config_partial_rotary(c, a, "partial_rotary_factor|rope_percent", 0.5, err);
    return status ? status : config_rope(c, a, err);
}

const struct family family_nemotron = {
    .name = "nemotron", .models = "Minitron 4B and 8B, Nemotron-3 8B, Nemotron-4 15B",
    .hf_types = (const char *const[]){ "nemotron", NULL }, .gguf_archs = (const char *const[]){ "nemotron", NULL },
    .heads = (const char *const[]){ "NemotronForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_RELU2, .norm = NORM_LAYER, .norm_eps = 1e-5f, .context = 4096, .rope.theta = 10000,
                 .bos = 2, .eos = 3,
                 .pad = -1 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
