/* Qwen's mixtures of experts: Qwen2-MoE with a shared expert that each token weighs, Qwen3-MoE with normalised queries and keys.
 * Qwen team 2024, 2025. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    BODY_KEYS, CONTEXT_KEYS, RMS_KEYS, ACT_KEYS, TIED_KEYS,
    { "num_key_value_heads", "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "head_dim", "attention.key_length", CONFIG_INT, AT(key_width), 2, 1024, 0 },
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_HF_REQUIRED },
    { "moe_intermediate_size", "expert_feed_forward_length", CONFIG_INT, AT(expert_ff_width), 1, 1 << 22, CONFIG_GGUF_REQUIRED },
    { "num_experts|num_local_experts", "expert_count", CONFIG_INT, AT(n_expert), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "num_experts_per_tok", "expert_used_count", CONFIG_INT, AT(n_expert_used), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "norm_topk_prob", "expert_weights_norm", CONFIG_BOOL, AT(expert_normalize), 0, 0, 0 },
    { NULL, "expert_weights_scale", CONFIG_FLOAT, AT(expert_scale), 0, 1e6, 0 },
    END_KEYS,
};

static const struct config_key qwen2_keys[] = {
    { "shared_expert_intermediate_size", "expert_shared_feed_forward_length", CONFIG_INT, AT(shared_ff_width), 1, 1 << 22,
      CONFIG_GGUF_REQUIRED },
    { "qkv_bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_key qwen3_keys[] = { ATTENTION_BIAS_KEYS, END_KEYS };

static const struct config_key window_key[] = {
    { "sliding_window", NULL, CONFIG_INT, AT(window), 1, 1 << 28, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { NULL, "expert_gating_func", "1" }, /* softmax */
    END_GUARDS,
};

static const struct weight_name model_weights[] = { MODEL_ROWS };

static const struct weight_name layer_weights[] = {
    PRE_NORM_ROWS, QKV_ROWS, QK_NORM_ROWS,
    { W_attn_out, LAYER "self_attn.o_proj.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, LAYER "self_attn.o_proj.bias", NULL, 0, AT(out_bias) },
    EXPERT_ROWS,
    { W_shared_router, LAYER "mlp.shared_expert_gate.weight", "blk.%d.ffn_gate_inp_shexp.weight", WEIGHT_EXPERTS | WEIGHT_SHARED },
    { W_shared_gate, LAYER "mlp.shared_expert.gate_proj.weight", "blk.%d.ffn_gate_shexp.weight", WEIGHT_EXPERTS | WEIGHT_SHARED },
    { W_shared_up, LAYER "mlp.shared_expert.up_proj.weight", "blk.%d.ffn_up_shexp.weight", WEIGHT_EXPERTS | WEIGHT_SHARED },
    { W_shared_down, LAYER "mlp.shared_expert.down_proj.weight", "blk.%d.ffn_down_shexp.weight", WEIGHT_EXPERTS | WEIGHT_SHARED },
};

/* Layers without experts: those listed, and all but every decoder_sparse_step-th. */
static int find_dense(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *only = config_find(c, "mlp_only_layers", NULL);
    uint8_t *dense = arena_array(c->arena, (uint64_t)a->n_layer, 1);
    struct kv_iter it;
    struct kv x;
    double step;
    if (!dense) return fail_memory(err, (uint64_t)a->n_layer, "the layers");
    int status = config_number(c, "decoder_sparse_step", NULL, 1, &step, err);
    if (status) return status;
    if (!(step >= 1 && step <= 4096)) return fail(err, HEARTH_E_FORMAT, "decoder_sparse_step is %g, but only 1 to 4096 makes sense", step);
    for (int32_t i = 0; i < a->n_layer; i++) dense[i] = (i + 1) % (int32_t)step != 0;
    if (only && only->type != KV_ARRAY) return fail(err, HEARTH_E_FORMAT, "mlp_only_layers is not a list");
    if (only) kv_iterate(&it, c->c, only);
    while (only && kv_next(&it, &x))
        if (x.type == KV_INT && x.i >= 0 && x.i < a->n_layer) dense[x.i] = 1;
    a->dense_list = dense;
    return 0;
}

static int finish_shape(struct arch *a, const struct config *c, struct hearth_error *err)
{
    if (!a->key_width) a->key_width = a->width / a->n_head;
    a->value_width = a->key_width;
    if (a->n_head % a->n_kv) return fail(err, HEARTH_E_FORMAT, "%d query heads cannot share %d key/value heads", a->n_head, a->n_kv);
    if (c->gguf) a->tied = true; /* GGUF says it by leaving the head out */
    int status = find_dense(a, c, err);
    return status ? status : config_rope(c, a, err);
}

/* Windows, when they are switched on, are those of every second of the first layers. */
static int find_windows(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool windows;
    double last;
    int status = config_bool(c, "use_sliding_window", NULL, false, &windows, err);
    if (!status) status = config_number(c, "max_window_layers", NULL, 28, &last, err);
    if (status || !windows) return status;
    a->window = 4096;
    status = config_read(c, window_key, a, err);
    if (!status) status = config_layer_types(c, a, 2, 1, err);
    for (int32_t i = 0; !status && i < a->n_layer && !config_find(c, "layer_types", NULL); i++)
        if (i >= last) ((uint8_t *)(uintptr_t)a->full_layers)[i] = 1;
    return status;
}

static int finish_qwen2(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = config_read(c, qwen2_keys, a, err);
    if (!status) status = find_windows(a, c, err);
    return status ? status : finish_shape(a, c, err);
}

static int finish_qwen3(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool windows;
    int status = config_read(c, qwen3_keys, a, err);
    if (!status) status = config_bool(c, "use_sliding_window", NULL, false, &windows, err);
    if (!status && windows) {
        const struct kv *window = container_kv(c->c, "sliding_window");
        a->window = window && window->type == KV_NULL ? 0 : 4096;
        status = config_read(c, window_key, a, err);
    }
    if (c->gguf) a->expert_normalize = true; /* all of them; the converter does not write it */
    return status ? status : finish_shape(a, c, err);
}

#define QWEN_AXES                                                                                                              \
    .task = HEARTH_TASK_LM, .mixer = MIXER_ATTENTION, .ffn = FFN_EXPERTS, .act = ACT_SILU, .norm = NORM_RMS, .norm_eps = 1e-6f, \
    .position = POSITION_ROTARY, .rope.theta = 10000, .context = 32768, .bos = -1, .eos = -1, .start = -1, .pad = -1

const struct family family_qwen2_moe = {
    .name = "qwen2_moe", .models = "Qwen1.5-MoE-A2.7B, Qwen2-57B-A14B",
    .hf_types = (const char *const[]){ "qwen2_moe", NULL }, .gguf_archs = (const char *const[]){ "qwen2moe", NULL },
    .heads = (const char *const[]){ "Qwen2MoeForCausalLM", NULL },
    .initial = { QWEN_AXES, .n_kv = 16, .n_expert = 60, .n_expert_used = 4, .expert_ff_width = 1408, .n_shared_expert = 1,
                 .shared_ff_width = 5632, .qkv_bias = true },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish_qwen2,
};

const struct family family_qwen3_moe = {
    .name = "qwen3_moe", .models = "Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder",
    .hf_types = (const char *const[]){ "qwen3_moe", NULL }, .gguf_archs = (const char *const[]){ "qwen3moe", NULL },
    .heads = (const char *const[]){ "Qwen3MoeForCausalLM", NULL },
    .initial = { QWEN_AXES, .n_kv = 4, .n_expert = 128, .n_expert_used = 8, .expert_ff_width = 768, .qk_norm = QK_NORM_HEAD },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish_qwen3,
};
