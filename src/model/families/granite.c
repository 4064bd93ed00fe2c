/* Granite: the shape of LLaMA with a multiplier on embeddings, branches, scores and logits. IBM 2024. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ACT_KEYS, ATTENTION_BIAS_KEYS,
    { "mlp_bias", NULL, CONFIG_BOOL, AT(ffn_bias), 0, 0, 0 },
    { "embedding_multiplier", "embedding_scale", CONFIG_FLOAT, AT(embed_scale), 1e-9, 1e9, 0 },
    { "residual_multiplier", "residual_scale", CONFIG_FLOAT, AT(residual_scale), 1e-9, 1e9, 0 },
    { "attention_multiplier", "attention.scale", CONFIG_FLOAT, AT(attn_scale), 1e-9, 1e9, 0 },
    { "logits_scaling", "logit_scale", CONFIG_FLOAT, AT(head_scale), 1e-9, 1e9, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, { NULL, "attention.sliding_window", "0" }, END_GUARDS };

static const struct weight_name model_weights[] = {
    MODEL_ROWS,
    { W_rope_divisors, NULL, "rope_freqs.weight", WEIGHT_OPTIONAL },
};
static const struct weight_name layer_weights[] = { PRE_NORM_ROWS, QKV_ROWS, OUT_ROWS, GATED_ROWS };

/* Logits are divided; GGUF keeps queries and keys in pairs, as LLaMA's. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->head_scale = 1.0f / a->head_scale;
    a->rope.interleaved = c->gguf;
    return rows_heads_and_rope(a, c, err);
}

const struct family family_granite = {
    .name = "granite", .models = "Granite 3.0, 3.1, 3.2, 3.3 (dense), PowerLM",
    .hf_types = (const char *const[]){ "granite", NULL }, .gguf_archs = (const char *const[]){ "granite", NULL },
    .heads = (const char *const[]){ "GraniteForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .rope.theta = 10000, .norm_eps = 1e-6f, .context = 2048, .attn_scale = 1, .head_scale = 1, .bos = 1, .eos = 2, .pad = -1 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
