/* Granite: the shape of LLaMA with a multiplier on embeddings, branches, scores and logits. GraniteMoE has experts, and may
 * have one that every token passes. IBM 2024. */
#include "model/families/rows.h"

#define GRANITE_KEYS                                                                                                   \
    SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ACT_KEYS, ATTENTION_BIAS_KEYS,                                                     \
    { "embedding_multiplier", "embedding_scale", CONFIG_FLOAT, AT(embed_scale), 1e-9, 1e9, 0 },                        \
    { "residual_multiplier", "residual_scale", CONFIG_FLOAT, AT(residual_scale), 1e-9, 1e9, 0 },                       \
    { "attention_multiplier", "attention.scale", CONFIG_FLOAT, AT(attn_scale), 1e-9, 1e9, 0 },                         \
    { "logits_scaling", "logit_scale", CONFIG_FLOAT, AT(head_scale), 1e-9, 1e9, 0 }

static const struct config_key keys[] = {
    GRANITE_KEYS,
    { "mlp_bias", NULL, CONFIG_BOOL, AT(ffn_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_key moe_keys[] = {
    GRANITE_KEYS,
    { "num_local_experts", "expert_count", CONFIG_INT, AT(n_expert), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "num_experts_per_tok", "expert_used_count", CONFIG_INT, AT(n_expert_used), 1, 4096, CONFIG_GGUF_REQUIRED },
    END_KEYS,
};

static const struct config_key shared_keys[] = {
    { "shared_intermediate_size", "expert_shared_feed_forward_length", CONFIG_INT, AT(shared_ff_width), 0, 1 << 22, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, { NULL, "attention.sliding_window", "0" }, END_GUARDS };
static const struct config_guard moe_guards[] = { CONTAINER_GUARDS, { NULL, "attention.sliding_window", "0" }, END_GUARDS };

static const struct weight_name model_weights[] = {
    MODEL_ROWS,
    { W_rope_divisors, NULL, "rope_freqs.weight", WEIGHT_OPTIONAL },
};
static const struct weight_name layer_weights[] = { PRE_NORM_ROWS, QKV_ROWS, OUT_ROWS, GATED_ROWS };

#define MOE    LAYER "block_sparse_moe."
#define SHARED LAYER "shared_mlp."

static const struct weight_name moe_layers[] = {
    PRE_NORM_ROWS, QKV_ROWS, OUT_ROWS,
    { W_router, MOE "router.layer.weight", "blk.%d.ffn_gate_inp.weight", 0 },
    { W_expert_gate, MOE "input_linear.weight", "blk.%d.ffn_gate_exps.weight", 0 },
    { W_expert_up, MOE "input_linear.weight", "blk.%d.ffn_up_exps.weight", 0 },
    { W_expert_down, MOE "output_linear.weight", "blk.%d.ffn_down_exps.weight", 0 },
    { W_shared_gate, SHARED "input_linear.weight", "blk.%d.ffn_gate_shexp.weight", WEIGHT_SHARED },
    { W_shared_up, SHARED "input_linear.weight", "blk.%d.ffn_up_shexp.weight", WEIGHT_SHARED },
    { W_shared_down, SHARED "output_linear.weight", "blk.%d.ffn_down_shexp.weight", WEIGHT_SHARED },
};

/* Logits are divided; GGUF keeps queries and keys in pairs, as LLaMA's. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->head_scale = 1.0f / a->head_scale;
    a->rope.interleaved = c->gguf;
    return rows_heads_and_rope(a, c, err);
}

static int finish_moe(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->ffn = FFN_EXPERTS;
    a->n_shared_expert = a->shared_ff_width > 0;
    return finish(a, c, err);
}

static int finish_moe_shared(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = config_read(c, shared_keys, a, err);
    return status ? status : finish_moe(a, c, err);
}

#define GRANITE_AXES                                                                                                   \
    DECODER_AXES, .act = ACT_SILU, .rope.theta = 10000, .norm_eps = 1e-6f, .context = 2048, .attn_scale = 1, .head_scale = 1, \
    .bos = 1, .eos = 2, .pad = -1

const struct family family_granite = {
    .name = "granite", .models = "Granite 3.0, 3.1, 3.2, 3.3 (dense), PowerLM",
    .hf_types = (const char *const[]){ "granite", NULL }, .gguf_archs = (const char *const[]){ "granite", NULL },
    .heads = (const char *const[]){ "GraniteForCausalLM", NULL },
    .initial = { GRANITE_AXES },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};

/* Weights of the chosen experts are a softmax over them: the same as one over all, divided by their sum. */
const struct family family_granitemoe = {
    .name = "granitemoe", .models = "Granite 3.0 and 3.1 1B-A400M and 3B-A800M, PowerMoE",
    .hf_types = (const char *const[]){ "granitemoe", NULL },
    .heads = (const char *const[]){ "GraniteMoeForCausalLM", NULL },
    .initial = { GRANITE_AXES, .expert_normalize = true, .n_expert = 8, .n_expert_used = 2 },
    .keys = moe_keys, .guards = moe_guards, .harmless = rows_harmless, .finish = finish_moe,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(moe_layers),
};

const struct family family_granitemoeshared = {
    .name = "granitemoeshared", .models = "Granite MoE with a shared expert",
    .hf_types = (const char *const[]){ "granitemoeshared", NULL }, .gguf_archs = (const char *const[]){ "granitemoe", NULL },
    .heads = (const char *const[]){ "GraniteMoeSharedForCausalLM", NULL },
    .initial = { GRANITE_AXES, .expert_normalize = true, .n_expert = 8, .n_expert_used = 2 },
    .keys = moe_keys, .guards = moe_guards, .harmless = rows_harmless, .finish = finish_moe_shared,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(moe_layers),
};
