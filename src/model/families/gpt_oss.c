/* gpt-oss: experts in MXFP4 with biases and a clamped gate, sinks in the softmax, every second layer with a window. OpenAI 2025. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    BODY_KEYS, CONTEXT_KEYS, RMS_KEYS, TIED_KEYS,
    { "num_key_value_heads", "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "head_dim", "attention.key_length", CONFIG_INT, AT(key_width), 2, 1024, CONFIG_GGUF_REQUIRED },
    { "intermediate_size", "expert_feed_forward_length", CONFIG_INT, AT(expert_ff_width), 1, 1 << 22, CONFIG_REQUIRED },
    { "num_local_experts|num_experts", "expert_count", CONFIG_INT, AT(n_expert), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "num_experts_per_tok|experts_per_token", "expert_used_count", CONFIG_INT, AT(n_expert_used), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "sliding_window", "attention.sliding_window", CONFIG_INT, AT(window), 1, 1 << 28, CONFIG_GGUF_REQUIRED },
    { "swiglu_alpha", NULL, CONFIG_FLOAT, AT(glu_alpha), 1e-6, 1e6, 0 },
    { "swiglu_limit", NULL, CONFIG_FLOAT, AT(glu_limit), 1e-6, 1e6, 0 },
    { "attention_bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, "mxfp4" },
    END_GUARDS,
};

static const struct weight_name model_weights[] = { MODEL_ROWS };

/* Folders keep gate and up of an expert in one tensor, their rows taking turns. */
#define EXPERTS LAYER "mlp.experts."
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, LAYER "input_layernorm.weight", "blk.%d.attn_norm.weight", 0 },
    QKV_ROWS,
    { W_attn_sinks, LAYER "self_attn.sinks", "blk.%d.attn_sinks.weight", 0 },
    { W_attn_out, LAYER "self_attn.o_proj.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, LAYER "self_attn.o_proj.bias", "blk.%d.attn_output.bias", 0, AT(qkv_bias) },
    { W_ffn_norm, LAYER "post_attention_layernorm.weight", "blk.%d.post_attention_norm.weight", 0 },
    { W_router, LAYER "mlp.router.weight", "blk.%d.ffn_gate_inp.weight", 0 },
    { W_router_linear_bias, LAYER "mlp.router.bias", "blk.%d.ffn_gate_inp.bias", 0 },
    { W_expert_gate_up, EXPERTS "gate_up_proj", NULL, WEIGHT_IN_MAJOR | WEIGHT_MXFP4 },
    { W_expert_gate_up_bias, EXPERTS "gate_up_proj_bias", NULL, 0 },
    { W_expert_gate, NULL, "blk.%d.ffn_gate_exps.weight", 0 },
    { W_expert_gate_bias, NULL, "blk.%d.ffn_gate_exps.bias", 0 },
    { W_expert_up, NULL, "blk.%d.ffn_up_exps.weight", 0 },
    { W_expert_up_bias, NULL, "blk.%d.ffn_up_exps.bias", 0 },
    { W_expert_down, EXPERTS "down_proj", "blk.%d.ffn_down_exps.weight", WEIGHT_IN_MAJOR | WEIGHT_MXFP4 },
    { W_expert_down_bias, EXPERTS "down_proj_bias", "blk.%d.ffn_down_exps.bias", 0 },
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *window = container_kv(c->c, "sliding_window");
    if (window && window->type == KV_NULL)
        return fail(err, HEARTH_E_UNSUPPORTED, "the model sets sliding_window to null, which is not supported");
    a->value_width = a->key_width;
    a->ff_width = a->expert_ff_width;
    if (a->n_head % a->n_kv) return fail(err, HEARTH_E_FORMAT, "%d query heads cannot share %d key/value heads", a->n_head, a->n_kv);
    int status = config_layer_types(c, a, 2, 1, err);
    if (!status) status = config_rope(c, a, err);
    if (status) return status;
    if (c->gguf) {
        a->tied = true;             /* GGUF says it by leaving the head out */
        a->rope.no_truncate = true; /* all of them; GGUF has no key for it */
    } else if (!config_find(c, "rope_parameters.rope_type|rope_parameters.rope_theta|rope_parameters.factor|"
                               "rope_scaling.rope_type|rope_scaling.type", NULL)) {
        a->rope.kind = ROPE_YARN; /* the class's own */
        a->rope.factor = 32;
        a->rope.original_context = 4096;
        a->rope.no_truncate = true;
    }
    return 0;
}

const struct family family_gpt_oss = {
    .name = "gpt_oss", .models = "gpt-oss-20b, gpt-oss-120b",
    .hf_types = (const char *const[]){ "gpt_oss", NULL }, .gguf_archs = (const char *const[]){ "gpt-oss", NULL },
    .heads = (const char *const[]){ "GptOssForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_ATTENTION, .ffn = FFN_EXPERTS, .act = ACT_SILU, .norm = NORM_RMS, .norm_eps = 1e-5f,
                 .position = POSITION_ROTARY, .rope.theta = 150000, .context = 131072, .n_kv = 8, .key_width = 64, .window = 128,
                 .n_expert = 128, .n_expert_used = 4, .expert_normalize = true, .glu_limit = 7.0f, .glu_alpha = 1.702f, .qkv_bias = true,
                 .bos = -1, .eos = -1, .start = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish,
};
