/* BLOOM: embeddings with a norm of their own, ALiBi, products with queries, keys and values of each head together. Le Scao et al. 2022. */
#include "model/families/rows.h"

/* GGUF's context_length is the width where config.json says no seq_length, so it is not read. */
static const struct config_key keys[] = {
    BLOOM_KEYS,
    { "seq_length", NULL, CONFIG_INT, AT(context), 1, 1 << 28, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { NULL, "attention.clamp_kqv", NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "transformer.word_embeddings.weight", "token_embd.weight", 0 },
    { W_embed_norm, "transformer.word_embeddings_layernorm.weight", "token_embd_norm.weight", 0 },
    { W_embed_norm_bias, "transformer.word_embeddings_layernorm.bias", "token_embd_norm.bias", 0 },
    { W_norm, "transformer.ln_f.weight", "output_norm.weight", 0 },
    { W_norm_bias, "transformer.ln_f.bias", "output_norm.bias", 0 },
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

#define L "transformer.h.%d."
static const struct weight_name layer_weights[] = {
    BIASED_NORM_ROWS(L),
    FUSED_QKV(L "self_attention.query_key_value.weight", "blk.%d.attn_qkv.weight", WEIGHT_GROUPED),
    FUSED_QKV_BIAS(L "self_attention.query_key_value.bias", "blk.%d.attn_qkv.bias", WEIGHT_GROUPED),
    { W_attn_out, L "self_attention.dense.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, L "self_attention.dense.bias", "blk.%d.attn_output.bias", 0 },
    DENSE_4H_ROWS(L),
};
#undef L

/* With it the class adds up slices of two products, and forgets their biases. */
static const struct config_guard sliced[] = {
    { "slow_but_exact", NULL, "false" },
    END_GUARDS,
};

/* GGUF files keep queries, keys and values apart. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool normed;
    double slices;
    int status = config_bool(c, "apply_residual_connection_post_layernorm", NULL, false, &normed, err);
    if (!status) status = config_number(c, "pretraining_tp", NULL, 1, &slices, err);
    if (!status && slices > 1) status = config_guards(c, sliced, err);
    if (status) return status;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (normed) a->residual = RESIDUAL_NORMED;
    if (c->gguf) a->tied = true;
    a->n_kv = a->n_head;
    a->fused_groups = c->gguf ? 1 : a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    a->ff_width = 4 * a->width;
    return 0;
}

const struct family family_bloom = {
    .name = "bloom", .models = "BLOOM 560M to 176B, BLOOMZ, BLOOMChat, TigerBot, Belle, Vigogne-BLOOM, Petals' BLOOM",
    .hf_types = (const char *const[]){ "bloom", NULL }, .gguf_archs = (const char *const[]){ "bloom", NULL },
    .heads = (const char *const[]){ "BloomForCausalLM", "BloomModel", NULL },
    .initial = { GPT_AXES, .act = ACT_GELU_TANH, .position = POSITION_ALIBI, .context = 2048, .width = 64, .n_layer = 2,
                 .n_head = 8, .tied = true, .bos = 1, .eos = 2, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .prefix = "transformer.", .finish = finish,
};
