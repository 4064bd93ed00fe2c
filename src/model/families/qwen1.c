/* Qwen, the first: the shape of LLaMA with one biased tensor for queries, keys and values, and a feed-forward width stated for
 * gate and value together. Beyond seq_length its class would change frequencies and queries with the length (use_dynamic_ntk,
 * use_logn_attn), so texts end there. Bai et al. 2023. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    BODY_KEYS,
    { "kv_channels", NULL, CONFIG_INT, AT(key_width), 2, 1024, 0 },
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 2, 1 << 22, CONFIG_REQUIRED },
    { "seq_length", "context_length", CONFIG_INT, AT(context), 1, 1 << 28, CONFIG_GGUF_REQUIRED },
    { "layer_norm_epsilon", "attention.layer_norm_rms_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    TIED_KEYS, END_KEYS,
};

static const struct config_guard guards[] = {
    COMMON_GUARDS, { "no_bias", NULL, "true" }, { "scale_attn_weights", NULL, "true" },
    { "use_cache_quantization", NULL, "false" }, END_GUARDS,
};

static const struct weight_name model_weights[] = { GPT_MODEL_ROWS };

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, GPT_LAYER "ln_1.weight", "blk.%d.attn_norm.weight", 0 },
    FUSED_QKV(GPT_LAYER "attn.c_attn.weight", "blk.%d.attn_qkv.weight", 0),
    FUSED_QKV_BIAS(GPT_LAYER "attn.c_attn.bias", "blk.%d.attn_qkv.bias", 0),
    { W_attn_out, GPT_LAYER "attn.c_proj.weight", "blk.%d.attn_output.weight", 0 },
    { W_ffn_norm, GPT_LAYER "ln_2.weight", "blk.%d.ffn_norm.weight", 0 },
    { W_ffn_gate, GPT_LAYER "mlp.w2.weight", "blk.%d.ffn_gate.weight", 0 },
    { W_ffn_up, GPT_LAYER "mlp.w1.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_down, GPT_LAYER "mlp.c_proj.weight", "blk.%d.ffn_down.weight", 0 },
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool ntk, logn;
    int status = config_bool(c, "use_dynamic_ntk", NULL, !c->gguf, &ntk, err);
    if (!status) status = config_bool(c, "use_logn_attn", NULL, !c->gguf, &logn, err);
    if (!status) status = config_number(c, "rotary_emb_base", NULL, 10000, &a->rope.theta, err);
    if (status) return status;
    a->context_is_limit = ntk || logn;
    a->ff_width /= 2;
    status = rows_heads(a, c, err);
    if (!status) status = config_partial_rotary(c, a, "rotary_pct", 1, err);
    return status ? status : config_rope(c, a, err);
}

const struct family family_qwen1 = {
    .name = "qwen", .models = "Qwen 1.8B, 7B, 14B, 72B and Qwen-Chat",
    .hf_types = (const char *const[]){ "qwen", NULL }, .gguf_archs = (const char *const[]){ "qwen", NULL },
    .heads = (const char *const[]){ "QWenLMHeadModel", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .norm_eps = 1e-6f, .context = 2048, .rope.theta = 10000, .bos = -1, .eos = -1,
                 .pad = -1 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
