/* DeepSeek V2, V3 and R1: latent attention, experts in groups with shared ones, first layers dense. DeepSeek-AI 2024. */
#include "model/families/rows.h"
#include "model/rope.h"

#include <math.h>
#include <stdio.h>

static const struct config_key keys[] = {
    BODY_KEYS, CONTEXT_KEYS, RMS_KEYS, ACT_KEYS, TIED_KEYS, ATTENTION_BIAS_KEYS,
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_REQUIRED },
    { "q_lora_rank", "attention.q_lora_rank", CONFIG_INT, AT(q_rank), 1, 1 << 16, 0 },
    { "kv_lora_rank", "attention.kv_lora_rank", CONFIG_INT, AT(kv_rank), 1, 1 << 16, CONFIG_REQUIRED },
    { "qk_nope_head_dim", NULL, CONFIG_INT, AT(nope_width), 1, 1024, CONFIG_HF_REQUIRED },
    { "qk_rope_head_dim", "rope.dimension_count", CONFIG_INT, AT(rope.part), 2, 1024, CONFIG_REQUIRED },
    { "v_head_dim", "attention.value_length_mla", CONFIG_INT, AT(latent_value_width), 1, 1024, CONFIG_REQUIRED },
    { NULL, "attention.key_length_mla", CONFIG_INT, AT(key_width), 1, 1024, CONFIG_GGUF_REQUIRED },
    { "n_routed_experts", "expert_count", CONFIG_INT, AT(n_expert), 1, 4096, CONFIG_REQUIRED },
    { "num_experts_per_tok", "expert_used_count", CONFIG_INT, AT(n_expert_used), 1, 4096, CONFIG_REQUIRED },
    { "moe_intermediate_size", "expert_feed_forward_length", CONFIG_INT, AT(expert_ff_width), 1, 1 << 22, CONFIG_REQUIRED },
    { "n_shared_experts", "expert_shared_count", CONFIG_INT, AT(n_shared_expert), 0, 64, 0 },
    { "first_k_dense_replace", "leading_dense_block_count", CONFIG_INT, AT(dense_layers), 0, 1024, 0 },
    { "n_group", "expert_group_count", CONFIG_INT, AT(expert_groups), 0, 4096, 0 },
    { "topk_group", "expert_group_used_count", CONFIG_INT, AT(expert_groups_used), 0, 4096, 0 },
    { NULL, "expert_weights_norm", CONFIG_BOOL, AT(expert_normalize), 0, 0, 0 },
    { "routed_scaling_factor", "expert_weights_scale", CONFIG_FLOAT, AT(expert_scale), 1e-6, 1e6, 0 },
    END_KEYS,
};

static const struct config_key v3_keys[] = {
    { "norm_topk_prob", NULL, CONFIG_BOOL, AT(expert_normalize), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { "scoring_func", NULL, "sigmoid" },
    { "topk_method", NULL, "noaux_tc" },
    { "moe_layer_freq", NULL, "1" },
    { NULL, "attention.temperature_scale", NULL },
    END_GUARDS,
};

static const struct config_guard v2_guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { "scoring_func", NULL, "softmax" },
    { "moe_layer_freq", NULL, "1" },
    { "mlp_bias", NULL, "false" },
    END_GUARDS,
};

static const struct weight_name model_weights[] = { MODEL_ROWS };

static const struct weight_name layer_weights[] = {
    PRE_NORM_ROWS,
    { W_latent_q, LAYER "self_attn.q_proj.weight", "blk.%d.attn_q.weight", WEIGHT_NO_QRANK },
    { W_latent_q_a, LAYER "self_attn.q_a_proj.weight", "blk.%d.attn_q_a.weight", WEIGHT_QRANK },
    { W_latent_q_a_bias, LAYER "self_attn.q_a_proj.bias", NULL, WEIGHT_QRANK, AT(qkv_bias) },
    { W_latent_q_norm, LAYER "self_attn.q_a_layernorm.weight", "blk.%d.attn_q_a_norm.weight", WEIGHT_QRANK },
    { W_latent_q_b, LAYER "self_attn.q_b_proj.weight", "blk.%d.attn_q_b.weight", WEIGHT_QRANK },
    { W_latent_kv_a, LAYER "self_attn.kv_a_proj_with_mqa.weight", "blk.%d.attn_kv_a_mqa.weight", 0 },
    { W_latent_kv_a_bias, LAYER "self_attn.kv_a_proj_with_mqa.bias", NULL, 0, AT(qkv_bias) },
    { W_latent_kv_norm, LAYER "self_attn.kv_a_layernorm.weight", "blk.%d.attn_kv_a_norm.weight", 0 },
    { W_latent_kv_b, LAYER "self_attn.kv_b_proj.weight", NULL, 0 },
    { W_latent_k_b, NULL, "blk.%d.attn_k_b.weight", 0 },
    { W_latent_v_b, NULL, "blk.%d.attn_v_b.weight", 0 },
    { W_latent_out, LAYER "self_attn.o_proj.weight", "blk.%d.attn_output.weight", 0 },
    { W_latent_out_bias, LAYER "self_attn.o_proj.bias", NULL, 0, AT(out_bias) },
    EXPERT_ROWS,
    { W_router_bias, LAYER "mlp.gate.e_score_correction_bias", "blk.%d.exp_probs_b.bias", WEIGHT_EXPERTS, AT(expert_sigmoid) },
    { W_shared_gate, LAYER "mlp.shared_experts.gate_proj.weight", "blk.%d.ffn_gate_shexp.weight", WEIGHT_EXPERTS | WEIGHT_SHARED },
    { W_shared_up, LAYER "mlp.shared_experts.up_proj.weight", "blk.%d.ffn_up_shexp.weight", WEIGHT_EXPERTS | WEIGHT_SHARED },
    { W_shared_down, LAYER "mlp.shared_experts.down_proj.weight", "blk.%d.ffn_down_shexp.weight", WEIGHT_EXPERTS | WEIGHT_SHARED },
};

static int finish_shape(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const int part = a->rope.part;
    const struct kv *q_rank = container_kv(c->c, "q_lora_rank");
    if (q_rank && q_rank->type == KV_NULL) a->q_rank = 0; /* null: queries are not compressed; absent: the class's 1536 */
    if (c->gguf && !config_find(c, NULL, "attention.q_lora_rank")) a->q_rank = 0;
    if (c->gguf) a->nope_width = a->key_width - part;
    if (c->gguf) a->tied = true; /* GGUF says it by leaving the head out */
    if (a->nope_width < 1)
        return fail(err, HEARTH_E_FORMAT, "keys of %d values have no room beside a rotary part of %d", a->key_width, part);
    a->key_width = part; /* for the rotary keys of the configuration: frequencies are those of a head as wide as the part */
    int status = config_rope(c, a, err);
    double log_multiplier;
    if (!status) status = config_number(c, NULL, "rope.scaling.yarn_log_multiplier", 0, &log_multiplier, err);
    if (status) return status;
    if (c->gguf) a->rope.mscale = a->rope.mscale_all_dim = 10 * log_multiplier; /* the converter multiplies by 0.1 */
    a->attn_scale = 1.0f / sqrtf((float)(a->nope_width + part));
    if (a->rope.kind != ROPE_DEFAULT && a->rope.mscale_all_dim != 0.0) {
        const double m = a->rope.factor <= 1.0 ? 1.0 : 0.1 * a->rope.mscale_all_dim * log(a->rope.factor) + 1.0;
        a->attn_scale *= (float)(m * m);
    }
    /* what the cache holds: one head of compressed keys with their rotary part; values are the compressed keys */
    a->n_kv = 1;
    a->key_width = a->kv_rank + part;
    a->value_width = a->kv_rank;
    return 0;
}

/* What V2's files leave out is another value than V3's. */
static void finish_gguf_v2(struct arch *a, const struct config *c)
{
    a->expert_group_best = true;
    if (!config_find(c, NULL, "expert_weights_norm")) a->expert_normalize = false;
    if (!config_find(c, NULL, "expert_weights_scale")) a->expert_scale = 1.0f;
    if (!config_find(c, NULL, "expert_group_count")) a->expert_groups = a->expert_groups_used = 0;
}

/* GGUF has one architecture for all: those of V3 have a bias for choosing, with sigmoids, those of V2 have not. */
static int finish_v3(struct arch *a, const struct config *c, struct hearth_error *err)
{
    char name[64];
    double gating;
    int status = config_bool(c, "rope_interleave", NULL, true, &a->rope.interleaved, err);
    if (!status) status = config_read(c, v3_keys, a, err);
    snprintf(name, sizeof name, "blk.%d.exp_probs_b.bias", a->dense_layers);
    if (!status && c->gguf) a->expert_sigmoid = container_tensor(c->c, name) != NULL;
    if (!status) status = config_number(c, NULL, "expert_gating_func", a->expert_sigmoid ? 2 : 1, &gating, err);
    if (status) return status;
    if (c->gguf && gating != (a->expert_sigmoid ? 2 : 1))
        return fail(err, HEARTH_E_UNSUPPORTED, "the model's expert_gating_func is %g, but it has %s bias for choosing experts",
                    gating, a->expert_sigmoid ? "a" : "no");
    if (c->gguf && !a->expert_sigmoid) finish_gguf_v2(a, c);
    return finish_shape(a, c, err);
}

/* DeepSeek's own code, where it lies beside the model, would divide and not scale; the class knows no such key. */
static const struct config_guard own_guards[] = {
    { "norm_topk_prob", NULL, "false" },
    END_GUARDS,
};

static int finish_v2(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = config_own_code(c) ? config_guards(c, own_guards, err) : 0;
    if (status) return status;
    const struct kv *method = config_find(c, "topk_method", NULL);
    if (!method || (method->type == KV_STRING && str_is(method->s, "greedy")))
        a->expert_groups = a->expert_groups_used = 0;
    else if (method->type != KV_STRING || !str_is(method->s, "group_limited_greedy"))
        return fail(err, HEARTH_E_UNSUPPORTED, "the model's topk_method is neither greedy nor group_limited_greedy");
    return finish_shape(a, c, err);
}

static struct tensor *view(struct arena *arena, const struct tensor *of, const char *name, int64_t offset, const int64_t *dim,
                           const int64_t *stride)
{
    struct tensor *t = arena_array(arena, 1, sizeof *t);
    if (!t) return NULL;
    *t = *of;
    t->name = name;
    t->rank = 3;
    memcpy(t->dim, dim, 3 * sizeof *dim);
    memcpy(t->stride, stride, 3 * sizeof *stride);
    t->data = (char *)of->data + offset;
    return t;
}

/* kv_b holds for each head its key rows, then its value rows, over the compressed form. The key part is used the other way round. */
static int derive(const struct arch *a, struct layer_weights *w, struct arena *arena, struct hearth_error *err)
{
    if (!w->latent_kv_b) return 0;
    const struct tensor *b = w->latent_kv_b;
    const int64_t value = b->stride[1], row = b->stride[0], head = (a->nope_width + a->latent_value_width) * row;
    if (type_of(b->type)->block != 1) return fail(err, HEARTH_E_UNSUPPORTED, "kv_b_proj has block type %s", type_of(b->type)->name);
    w->latent_k_b = view(arena, b, "latent_k_b", 0, (int64_t[]){ a->n_head, a->kv_rank, a->nope_width }, (int64_t[]){ head, value, row });
    w->latent_v_b = view(arena, b, "latent_v_b", a->nope_width * row, (int64_t[]){ a->n_head, a->latent_value_width, a->kv_rank },
                         (int64_t[]){ head, row, value });
    return w->latent_k_b && w->latent_v_b ? 0 : fail_memory(err, sizeof *b, "a tensor");
}

#define DEEPSEEK_AXES                                                                                                              \
    .task = HEARTH_TASK_LM, .mixer = MIXER_LATENT, .ffn = FFN_EXPERTS, .act = ACT_SILU, .norm = NORM_RMS, .norm_eps = 1e-6f,          \
    .latent_eps = 1e-6f, .position = POSITION_ROTARY, .rope.theta = 10000, .rope.interleaved = true, .q_rank = 1536, .start = -1, .pad = -1

const struct family family_deepseek_v3 = {
    .name = "deepseek_v3", .models = "DeepSeek V3, DeepSeek R1, and from GGUF DeepSeek V2",
    .hf_types = (const char *const[]){ "deepseek_v3", NULL }, .gguf_archs = (const char *const[]){ "deepseek2", NULL },
    .heads = (const char *const[]){ "DeepseekV3ForCausalLM", NULL },
    .initial = { DEEPSEEK_AXES, .context = 4096, .expert_sigmoid = true, .expert_normalize = true, .expert_scale = 2.5f,
                 .n_shared_expert = 1, .dense_layers = 3, .expert_groups = 8, .expert_groups_used = 4, .bos = 0, .eos = 1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish_v3, .derive = derive,
    .harmless = (const char *const[]){ "rotary_emb.inv_freq", "model.layers.61.", NULL }, /* 61: guesses a second token */
};

const struct family family_deepseek_v2 = {
    .name = "deepseek_v2", .models = "DeepSeek V2, V2-Lite, V2.5, DeepSeek-Coder-V2",
    .hf_types = (const char *const[]){ "deepseek_v2", NULL }, .heads = (const char *const[]){ "DeepseekV2ForCausalLM", NULL },
    .initial = { DEEPSEEK_AXES, .context = 2048, .n_shared_expert = 2, .expert_group_best = true, .bos = 1, .eos = 2 },
    .keys = keys, .guards = v2_guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish_v2, .derive = derive,
    .harmless = (const char *const[]){ "rotary_emb.inv_freq", NULL },
};
