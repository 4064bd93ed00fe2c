/* OLMo: norms without weights, and projections held in a range. OLMo 2: branches normalised after instead of before, queries
 * and keys over their whole width. Groeneveld et al. 2024; Team OLMo 2024. */
#include "model/families/rows.h"

static const struct config_key olmo_keys[] = {
    SIZE_KEYS, HEAD_KEYS, ACT_KEYS, ATTENTION_BIAS_KEYS,
    { NULL, "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "clip_qkv", "attention.clamp_kqv", CONFIG_FLOAT, AT(qkv_clip), 1e-9, 1e9, 0 },
    END_KEYS,
};

static const struct config_key olmo2_keys[] = { SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ACT_KEYS, ATTENTION_BIAS_KEYS, END_KEYS };

static const struct config_guard guards[] = { COMMON_GUARDS, { NULL, "attention.sliding_window", "0" }, END_GUARDS };

static const struct weight_name olmo_weights[] = {
    { W_embed, "model.embed_tokens.weight", "token_embd.weight", 0 },
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};
static const struct weight_name olmo_layers[] = { QKV_ROWS, OUT_ROWS, GATED_ROWS };

static const struct weight_name olmo2_weights[] = { MODEL_ROWS };
static const struct weight_name olmo2_layers[] = {
    QKV_ROWS, QK_NORM_ROWS, OUT_ROWS, GATED_ROWS,
    { W_mixer_post_norm, LAYER "post_attention_layernorm.weight", "blk.%d.post_attention_norm.weight", 0 },
    { W_ffn_post_norm, LAYER "post_feedforward_layernorm.weight", "blk.%d.post_ffw_norm.weight", 0 },
};

/* GGUF keeps OLMo's queries and keys in pairs, as LLaMA's. */
static int finish_olmo(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->rope.interleaved = c->gguf;
    return rows_heads_and_rope(a, c, err);
}

const struct family family_olmo = {
    .name = "olmo", .models = "OLMo 1B, 7B, OLMo 1.7, OLMo 7B 0424 and 0724",
    .hf_types = (const char *const[]){ "olmo", NULL }, .gguf_archs = (const char *const[]){ "olmo", NULL },
    .heads = (const char *const[]){ "OlmoForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .rope.theta = 10000, .norm = NORM_LAYER, .norm_bare = true, .norm_eps = 1e-5f,
                 .context = 2048, .bos = -1, .eos = 50279, .pad = 1 },
    .keys = olmo_keys, .guards = guards, .harmless = rows_harmless, .finish = finish_olmo,
    MODEL_WEIGHTS(olmo_weights), LAYER_WEIGHTS(olmo_layers),
};

const struct family family_olmo2 = {
    .name = "olmo2", .models = "OLMo 2 1B, 7B, 13B, 32B, Tulu 3 on OLMo 2",
    .hf_types = (const char *const[]){ "olmo2", NULL }, .gguf_archs = (const char *const[]){ "olmo2", NULL },
    .heads = (const char *const[]){ "Olmo2ForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .rope.theta = 10000, .norm_eps = 1e-5f, .qk_norm = QK_NORM_WIDTH,
                 .context = 2048, .bos = -1, .eos = 50279, .pad = 1 },
    .keys = olmo2_keys, .guards = guards, .harmless = rows_harmless, .finish = rows_heads_and_rope,
    MODEL_WEIGHTS(olmo2_weights), LAYER_WEIGHTS(olmo2_layers),
};
