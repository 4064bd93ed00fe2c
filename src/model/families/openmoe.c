/* OpenMoE: the shape of LLaMA as T5X trained it, with experts in every n-th layer and, behind them, a feed-forward part with a norm of
 * its own that every token passes. Scores are not scaled. Gates are twice as wide as what they open: x1 * silu(x2) * up. Xue et al. 2024.
 *
 * After ColossalAI's package (0.3.6, colossalai/moe: routers, experts, gates) and the code beside the models (modeling_openmoe.py). With
 * a cache that code turns the query of a lone token by one position too many; here it is turned as in a whole text.
 * The reference lets an expert take a limited share of a batch's tokens and leaves out the others, so that a token's result depends on
 * its neighbours. Here no token is left out: what the reference computes when router_capacity_factor_eval is large. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, RMS_KEYS,
    { "head_dim", NULL, CONFIG_INT, AT(key_width), 2, 1024, CONFIG_HF_REQUIRED },
    { "num_experts", NULL, CONFIG_INT, AT(n_expert), 1, 4096, CONFIG_HF_REQUIRED },
    { "router_topk", NULL, CONFIG_INT, AT(n_expert_used), 1, 2, 0 }, /* the reference has routers for one and for two */
    END_KEYS,
};

/* The class reads neither a base nor a scaling of its rotary frequencies, and has no biases. */
static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { "hidden_act", NULL, "swiglu" },
    { "mlp_gated", NULL, "true" },
    { "attention_bias", NULL, "false" },
    { "mlp_bias", NULL, "false" },
    PLAIN_ROPE_GUARDS,
    END_GUARDS,
};

static const struct weight_name model_weights[] = { MODEL_ROWS };

#define EXTRA   LAYER "extra_mlp."
#define EXPERTS LAYER "mlp.experts."
static const struct weight_name layer_weights[] = {
    PRE_NORM_ROWS,
    { W_attn_q, LAYER "self_attn.q_proj.weight", NULL, 0 },
    { W_attn_k, LAYER "self_attn.k_proj.weight", NULL, 0 },
    { W_attn_v, LAYER "self_attn.v_proj.weight", NULL, 0 },
    { W_attn_out, LAYER "self_attn.o_proj.weight", NULL, 0 },
    { W_ffn_gate_linear, LAYER "mlp.gate_proj.weight", NULL, WEIGHT_DENSE },
    { W_ffn_gate, LAYER "mlp.gate_proj.weight", NULL, WEIGHT_DENSE },
    { W_ffn_up, LAYER "mlp.up_proj.weight", NULL, WEIGHT_DENSE },
    { W_ffn_down, LAYER "mlp.down_proj.weight", NULL, WEIGHT_DENSE },
    { W_router, LAYER "mlp.gate_weight", NULL, WEIGHT_EXPERTS },
    { W_expert_gate_linear, EXPERTS "wi_gate", NULL, WEIGHT_EXPERTS | WEIGHT_IN_MAJOR },
    { W_expert_gate, EXPERTS "wi_gate", NULL, WEIGHT_EXPERTS | WEIGHT_IN_MAJOR },
    { W_expert_up, EXPERTS "wi_up", NULL, WEIGHT_EXPERTS | WEIGHT_IN_MAJOR },
    { W_expert_down, EXPERTS "wo", NULL, WEIGHT_EXPERTS | WEIGHT_IN_MAJOR },
    { W_extra_norm, LAYER "pre_extra_mlp_layernorm.weight", NULL, WEIGHT_EXPERTS },
    { W_extra_gate_linear, EXTRA "gate_proj.weight", NULL, WEIGHT_EXPERTS },
    { W_extra_gate, EXTRA "gate_proj.weight", NULL, WEIGHT_EXPERTS },
    { W_extra_up, EXTRA "up_proj.weight", NULL, WEIGHT_EXPERTS },
    { W_extra_down, EXTRA "down_proj.weight", NULL, WEIGHT_EXPERTS },
};

/* Its model_type is LLaMA's. */
static bool claims(const struct container *c) { return container_kv(c, "moe_layer_interval") != NULL; }

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double interval;
    uint8_t *dense = arena_array(c->arena, (uint64_t)a->n_layer, 1);
    if (!dense) return fail_memory(err, (uint64_t)a->n_layer, "the layers");
    int status = config_number(c, "moe_layer_interval", NULL, 0, &interval, err);
    if (status) return status;
    if (!(interval >= 1 && interval <= 4096))
        return fail(err, HEARTH_E_FORMAT, "moe_layer_interval is %g, but only 1 to 4096 makes sense", interval);
    if (!config_find(c, "hidden_act", NULL))
        return fail(err, HEARTH_E_UNSUPPORTED, "the model lacks hidden_act, which would have to be swiglu");
    if (a->n_expert_used > a->n_expert)
        return fail(err, HEARTH_E_FORMAT, "%d of %d experts a token makes no sense", a->n_expert_used, a->n_expert);
    for (int32_t i = 0; i < a->n_layer; i++) dense[i] = (i + 1) % (int32_t)interval != 0;
    a->dense_list = dense;
    return rows_heads_and_rope(a, c, err);
}

const struct family family_openmoe = {
    .name = "openmoe", .models = "OpenMoE Base, 8B and 34B, OpenMoE 8B chat",
    .hf_types = (const char *const[]){ "llama", NULL }, .claims = claims,
    .heads = (const char *const[]){ "OpenMoeForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_ATTENTION, .ffn = FFN_EXPERTS, .act = ACT_SILU, .norm = NORM_RMS, .norm_eps = 1e-6f,
                 .position = POSITION_ROTARY, .rope.theta = 10000, .attn_scale = 1.0f, .n_expert_used = 2, .context = 2048,
                 .bos = 1, .eos = 2, .start = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .harmless = rows_harmless, .finish = finish,
};
