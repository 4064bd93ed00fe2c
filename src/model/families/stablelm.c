/* StableLM: layer norms with biases, part of each head turns. StableLM 2 12B sums both branches and normalises every head by
 * itself. Stability AI 2023, 2024. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, ACT_KEYS,
    { "layer_norm_eps|norm_eps", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "use_qkv_bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = {
    MODEL_ROWS,
    { W_norm_bias, "model.norm.bias", "output_norm.bias", 0 },
};

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, LAYER "input_layernorm.weight", "blk.%d.attn_norm.weight", 0 },
    { W_mixer_norm_bias, LAYER "input_layernorm.bias", "blk.%d.attn_norm.bias", 0 },
    { W_ffn_norm, LAYER "post_attention_layernorm.weight", "blk.%d.ffn_norm.weight", WEIGHT_SERIAL },
    { W_ffn_norm_bias, LAYER "post_attention_layernorm.bias", "blk.%d.ffn_norm.bias", WEIGHT_SERIAL },
    QKV_ROWS,
    { W_attn_q_norm, LAYER "self_attn.q_layernorm.norms.%e.weight", "blk.%d.attn_q_norm.weight", WEIGHT_QK_NORM },
    { W_attn_k_norm, LAYER "self_attn.k_layernorm.norms.%e.weight", "blk.%d.attn_k_norm.weight", WEIGHT_QK_NORM },
    OUT_ROWS, GATED_ROWS,
};

/* A key of GGUF says that branches are parallel, and older converters wrote true for all models: there the second norm
 * decides, as it is what such a model lacks. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool parallel, norm;
    const bool no_second = c->gguf && !container_tensor(c->c, "blk.0.ffn_norm.weight");
    const bool has_norm = c->gguf && container_tensor(c->c, "blk.0.attn_q_norm.weight");
    int status = config_bool(c, "use_parallel_residual", NULL, no_second, &parallel, err);
    if (!status) status = config_bool(c, "qk_layernorm", NULL, has_norm, &norm, err);
    if (status) return status;
    if (!a->n_kv && !c->gguf) a->n_kv = 32;
    a->residual = parallel ? RESIDUAL_PARALLEL : RESIDUAL_PRE;
    a->qk_norm = norm ? QK_NORM_HEADS : QK_NORM_NONE;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    status = rows_heads(a, c, err);
    if (!status) status = config_partial_rotary(c, a, "partial_rotary_factor|rope_pct", 0.25, err);
    return status ? status : config_rope(c, a, err);
}

const struct family family_stablelm = {
    .name = "stablelm", .models = "StableLM 3B-4E1T, StableLM Zephyr 3B, StableLM 2 1.6B and 12B, Stable Code 3B, Rocket 3B",
    .hf_types = (const char *const[]){ "stablelm", "stablelm_epoch", NULL },
    .gguf_archs = (const char *const[]){ "stablelm", NULL },
    .heads = (const char *const[]){ "StableLmForCausalLM", "StableLMEpochForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .rope.theta = 10000, .norm = NORM_LAYER, .norm_eps = 1e-5f, .context = 4096,
                 .bos = 0, .eos = 0, .pad = -1 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
