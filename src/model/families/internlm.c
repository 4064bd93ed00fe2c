/* InternLM: LLaMA with biases in attention. InternLM2: the queries of a group, its key and its value lie together in one tensor.
 * Shanghai AI Laboratory 2023, 2024. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, RMS_KEYS, ACT_KEYS,
    { "bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },
    { "bias", NULL, CONFIG_BOOL, AT(out_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, END_GUARDS };

static const struct weight_name internlm_weights[] = { MODEL_ROWS };
static const struct weight_name internlm_layers[] = { PRE_NORM_ROWS, QKV_ROWS, OUT_ROWS, GATED_ROWS };

static const struct weight_name model_weights[] = {
    { W_embed, "model.tok_embeddings.weight", "token_embd.weight", 0 },
    { W_norm, "model.norm.weight", "output_norm.weight", 0 },
    { W_head, "output.weight", "output.weight", WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, LAYER "attention_norm.weight", "blk.%d.attn_norm.weight", 0 },
    FUSED_QKV(LAYER "attention.wqkv.weight", NULL, WEIGHT_GROUPED),
    FUSED_QKV_BIAS(LAYER "attention.wqkv.bias", NULL, WEIGHT_GROUPED, AT(qkv_bias)),
    { W_attn_q, NULL, "blk.%d.attn_q.weight", 0 },
    { W_attn_q_bias, NULL, "blk.%d.attn_q.bias", 0, AT(qkv_bias) },
    { W_attn_k, NULL, "blk.%d.attn_k.weight", 0 },
    { W_attn_k_bias, NULL, "blk.%d.attn_k.bias", 0, AT(qkv_bias) },
    { W_attn_v, NULL, "blk.%d.attn_v.weight", 0 },
    { W_attn_v_bias, NULL, "blk.%d.attn_v.bias", 0, AT(qkv_bias) },
    { W_attn_out, LAYER "attention.wo.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, LAYER "attention.wo.bias", "blk.%d.attn_output.bias", 0, AT(out_bias) },
    { W_ffn_norm, LAYER "ffn_norm.weight", "blk.%d.ffn_norm.weight", 0 },
    { W_ffn_gate, LAYER "feed_forward.w1.weight", "blk.%d.ffn_gate.weight", 0 },
    { W_ffn_up, LAYER "feed_forward.w3.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_down, LAYER "feed_forward.w2.weight", "blk.%d.ffn_down.weight", 0 },
};

/* GGUF keeps queries and keys in pairs, as LLaMA's. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->rope.interleaved = c->gguf;
    int status = rows_heads_and_rope(a, c, err);
    a->fused_groups = a->n_kv;
    return status;
}

#define INTERNLM_AXES                                                                                                  \
    DECODER_AXES, .act = ACT_SILU, .norm_eps = 1e-6f, .context = 2048, .rope.theta = 10000, .qkv_bias = true, .out_bias = true, \
    .bos = 1, .eos = 2, .pad = 0

const struct family family_internlm = {
    .name = "internlm", .models = "InternLM 7B and 20B",
    .hf_types = (const char *const[]){ "internlm", NULL }, .heads = (const char *const[]){ "InternLMForCausalLM", NULL },
    .initial = { INTERNLM_AXES },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(internlm_weights), LAYER_WEIGHTS(internlm_layers),
};

const struct family family_internlm2 = {
    .name = "internlm2", .models = "InternLM2, InternLM2.5, their chat and math models",
    .hf_types = (const char *const[]){ "internlm2", NULL }, .gguf_archs = (const char *const[]){ "internlm2", NULL },
    .heads = (const char *const[]){ "InternLM2ForCausalLM", NULL },
    .initial = { INTERNLM_AXES },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
