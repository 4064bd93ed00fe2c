/* Persimmon: GPT-NeoX's fused product and partial rotary, with queries and keys normalised head by head, and squared ReLU.
 * Adept 2023. */
#include "model/families/rows.h"

static const struct config_key keys[] = { VOCAB_KEYS, DEFAULT_SIZE_KEYS, NORM_KEYS, ACT_KEYS, END_KEYS };

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { NULL, "attention.clamp_kqv", NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "model.embed_tokens.weight", "token_embd.weight", 0 },
    { W_norm, "model.final_layernorm.weight", "output_norm.weight", 0 },
    { W_norm_bias, "model.final_layernorm.bias", "output_norm.bias", 0 },
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    BIASED_NORM_ROWS(LAYER),
    FUSED_QKV(LAYER "self_attn.query_key_value.weight", "blk.%d.attn_qkv.weight", WEIGHT_GROUPED),
    FUSED_QKV_BIAS(LAYER "self_attn.query_key_value.bias", "blk.%d.attn_qkv.bias", WEIGHT_GROUPED),
    { W_attn_q_norm, LAYER "self_attn.q_layernorm.weight", "blk.%d.attn_q_norm.weight", WEIGHT_QK_NORM },
    { W_attn_q_norm_bias, LAYER "self_attn.q_layernorm.bias", "blk.%d.attn_q_norm.bias", WEIGHT_QK_NORM },
    { W_attn_k_norm, LAYER "self_attn.k_layernorm.weight", "blk.%d.attn_k_norm.weight", WEIGHT_QK_NORM },
    { W_attn_k_norm_bias, LAYER "self_attn.k_layernorm.bias", "blk.%d.attn_k_norm.bias", WEIGHT_QK_NORM },
    { W_attn_out, LAYER "self_attn.dense.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, LAYER "self_attn.dense.bias", "blk.%d.attn_output.bias", 0 },
    DENSE_4H_ROWS(LAYER),
};

/* GGUF keeps the fused product as it is. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool qk_norm = true;
    int status = config_bool(c, "qk_layernorm", NULL, true, &qk_norm, err);
    if (status) return status;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (c->gguf) {
        a->tied = true;
        qk_norm = container_tensor(c->c, "blk.0.attn_q_norm.weight") != NULL;
    }
    a->qk_norm = qk_norm ? QK_NORM_HEAD : QK_NORM_NONE;
    a->n_kv = a->fused_groups = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    status = config_partial_rotary(c, a, "partial_rotary_factor", 0.5, err);
    return status ? status : config_rope(c, a, err);
}

const struct family family_persimmon = {
    .name = "persimmon", .models = "Persimmon 8B base and chat",
    .hf_types = (const char *const[]){ "persimmon", NULL }, .gguf_archs = (const char *const[]){ "persimmon", NULL },
    .heads = (const char *const[]){ "PersimmonForCausalLM", NULL },
    .initial = { GPT_AXES, .act = ACT_RELU2, .position = POSITION_ROTARY, .rope.theta = 10000, .context = 16384,
                 .width = 4096, .n_layer = 36, .n_head = 64, .ff_width = 16384, .bos = 1, .eos = 2, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
    .harmless = rows_harmless, .finish = finish,
};
