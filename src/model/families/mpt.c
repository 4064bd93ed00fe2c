/* MPT: layer norms and products without biases, ALiBi, one fused product. Replit's and MosaicML's first models are its earlier forms.
 * MosaicML 2023. There are two references: the code that lies beside the models, which honours every key, and transformers, which
 * takes ALiBi of range 8, a feed-forward part of four widths and no biases for granted. Where tensors cannot tell, auto_map does. */
#include <math.h>

#include "model/families/rows.h"

static const struct config_key keys[] = {
    VOCAB_KEYS,
    { "d_model|hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_GGUF_REQUIRED },
    { "n_layers|num_hidden_layers", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_GGUF_REQUIRED },
    { "n_heads|num_attention_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "attn_config.kv_n_heads", "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, 0 },
    { "max_seq_len", "context_length", CONFIG_INT, AT(context), 1, 1 << 28, CONFIG_GGUF_REQUIRED },
    { "attn_config.clip_qkv|attn_clip_qkv", "attention.clamp_kqv", CONFIG_FLOAT, AT(qkv_clip), 0, 1e6, 0 },
    { "attn_config.softmax_scale|softmax_scale", NULL, CONFIG_FLOAT, AT(attn_scale), 1e-6, 1e6, 0 },
    EPSILON_KEYS, TIED_KEYS,
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { "attn_config.prefix_lm|prefix_lm", NULL, "false" },
    { "attn_config.rope", NULL, "false" },
    { "attn_config.qk_gn", NULL, "false" },
    { "attn_config.sliding_window_size", NULL, "-1" },
    { "attn_config.attn_logit_softcapping", NULL, NULL },
    { "ffn_config.ffn_type", NULL, "mptmlp" },
    { "ffn_config.ffn_hidden_size", NULL, NULL },
    { "ffn_config.ffn_act_fn.name", NULL, "gelu" },
    { "block_overrides.order", NULL, NULL },
    END_GUARDS,
};

#define BIAS WEIGHT_OPTIONAL, AT(ffn_bias)
static const struct weight_name model_weights[] = {
    { W_embed, "transformer.wte.weight", "token_embd.weight", 0 },
    { W_position, "transformer.wpe.weight", "position_embd.weight", WEIGHT_OPTIONAL },
    { W_norm, "transformer.norm_f.weight|transformer.ln_f.weight", "output_norm.weight", 0 },
    { W_norm_bias, "transformer.norm_f.bias|transformer.ln_f.bias", "output_norm.bias", BIAS },
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

#define L "transformer.blocks.%d."
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, L "norm_1.weight|" L "ln_1.weight", "blk.%d.attn_norm.weight", 0 },
    { W_mixer_norm_bias, L "norm_1.bias|" L "ln_1.bias", "blk.%d.attn_norm.bias", BIAS },
    FUSED_QKV(L "attn.Wqkv.weight", "blk.%d.attn_qkv.weight", 0),
    FUSED_QKV_BIAS(L "attn.Wqkv.bias", "blk.%d.attn_qkv.bias", BIAS),
    { W_attn_q_norm, L "attn.q_ln.weight", "blk.%d.attn_q_norm.weight", WEIGHT_QK_NORM },
    { W_attn_q_norm_bias, L "attn.q_ln.bias", "blk.%d.attn_q_norm.bias", WEIGHT_QK_NORM | BIAS },
    { W_attn_k_norm, L "attn.k_ln.weight", "blk.%d.attn_k_norm.weight", WEIGHT_QK_NORM },
    { W_attn_k_norm_bias, L "attn.k_ln.bias", "blk.%d.attn_k_norm.bias", WEIGHT_QK_NORM | BIAS },
    { W_attn_out, L "attn.out_proj.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, L "attn.out_proj.bias", "blk.%d.attn_output.bias", BIAS },
    { W_ffn_norm, L "norm_2.weight|" L "ln_2.weight", "blk.%d.ffn_norm.weight", 0 },
    { W_ffn_norm_bias, L "norm_2.bias|" L "ln_2.bias", "blk.%d.ffn_norm.bias", BIAS },
    { W_ffn_up, L "ffn.up_proj.weight|" L "mlp.mlp_up.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_up_bias, L "ffn.up_proj.bias|" L "mlp.mlp_up.bias", "blk.%d.ffn_up.bias", BIAS },
    { W_ffn_down, L "ffn.down_proj.weight|" L "mlp.mlp_down.weight", "blk.%d.ffn_down.weight", 0 },
    { W_ffn_down_bias, L "ffn.down_proj.bias|" L "mlp.mlp_down.bias", "blk.%d.ffn_down.bias", BIAS },
};
#undef L

#define FIRST(name) "transformer.blocks.0." name "|blocks.0." name

static bool has_either(const struct config *c, const char *name, const char *without_prefix)
{
    return container_tensor(c->c, name) || container_tensor(c->c, without_prefix);
}

/* Key/value heads: as attn_type says, which transformers does not ask; the height of the fused product shows who wrote it. */
static int kv_heads(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *type = config_find(c, "attn_config.attn_type", NULL);
    const int64_t rows = config_rows(c, FIRST("attn.Wqkv.weight"), NULL);
    if (type && type->type == KV_STRING && str_is(type->s, "multiquery_attention")) a->n_kv = 1;
    else if (!a->n_kv || (type && type->type == KV_STRING && str_is(type->s, "multihead_attention"))) a->n_kv = a->n_head;
    if (rows == 3 * (int64_t)a->width) a->n_kv = a->n_head;
    if (a->n_head % a->n_kv) return fail(err, HEARTH_E_FORMAT, "%d query heads cannot share %d key/value heads", a->n_head, a->n_kv);
    return 0;
}

static int positions(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const bool table = has_either(c, "transformer.wpe.weight", "wpe.weight") || container_tensor(c->c, "position_embd.weight");
    bool alibi;
    double max;
    int status = config_bool(c, "attn_config.alibi|alibi", NULL, true, &alibi, err);
    if (!status)
        status = config_number(c, "attn_config.alibi_bias_max|alibi_bias_max", "attention.max_alibi_bias", c->gguf ? 0 : 8, &max,
                               err);
    if (status) return status;
    if (c->gguf) alibi = max != 0.0;
    if (!alibi && table) {
        a->position = POSITION_LEARNED;
        return 0;
    }
    if (!alibi && (c->gguf || config_own_code(c)))
        return fail(err, HEARTH_E_UNSUPPORTED, "the model has neither ALiBi nor a table of positions, which is not supported");
    if (!(max >= 1.0 && max <= 1024.0)) return fail(err, HEARTH_E_FORMAT, "alibi_bias_max %g makes no sense", max);
    if (c->gguf || config_own_code(c)) a->alibi_max = (float)max; /* transformers reads the key, but builds its slopes with 8 */
    return 0;
}

/* A factor of the logits, a number or a name; transformers passes it over. */
static int logit_scale(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *scale = config_find(c, "logit_scale", NULL);
    if (!scale || !config_own_code(c)) return 0;
    if (scale->type == KV_STRING && str_is(scale->s, "inv_sqrt_d_model")) a->head_scale = 1.0f / sqrtf((float)a->width);
    else if (scale->type == KV_INT || scale->type == KV_FLOAT) a->head_scale = (float)scale->f;
    if (a->head_scale == 0.0f || !isfinite(a->head_scale))
        return fail(err, HEARTH_E_UNSUPPORTED, "the model's logit_scale is not a usable number");
    return 0;
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *norm = config_find(c, "norm_type", NULL);
    const int64_t up = config_rows(c, FIRST("ffn.up_proj.weight") "|" FIRST("mlp.mlp_up.weight"), "blk.0.ffn_up.weight");
    bool no_bias = false, qk_ln = false;
    double ratio;
    int status = config_bool(c, "no_bias", NULL, !c->gguf, &no_bias, err);
    if (!status) status = config_bool(c, "attn_config.qk_ln|attn_qk_ln", NULL, false, &qk_ln, err);
    if (!status) status = config_number(c, "expansion_ratio|mlp_ratio", NULL, 4, &ratio, err);
    if (status) return status;
    if (norm && !(norm->type == KV_STRING && (str_is(norm->s, "low_precision_layernorm") || str_is(norm->s, "layernorm"))))
        return fail(err, HEARTH_E_UNSUPPORTED, "norm_type \"%.*s\" is not supported, only layernorm and low_precision_layernorm",
                    STR_ARG(norm->s));
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (c->gguf) a->tied = true;
    a->ffn_bias = !no_bias;
    a->key_width = a->value_width = a->width / a->n_head;
    a->ff_width = up && (c->gguf || (double)up == floor(ratio * a->width)) ? (int32_t)up : 4 * a->width;
    if (c->gguf) qk_ln = container_tensor(c->c, "blk.0.attn_q_norm.weight") != NULL;
    else if (!config_own_code(c)) qk_ln = qk_ln && has_either(c, "transformer.blocks.0.attn.q_ln.weight", "blocks.0.attn.q_ln.weight");
    a->qk_norm = qk_ln ? QK_NORM_WIDTH : QK_NORM_NONE;
    status = kv_heads(a, c, err);
    if (!status) status = positions(a, c, err);
    return status ? status : logit_scale(a, c, err);
}

const struct family family_mpt = {
    .name = "mpt", .models = "MPT 1B, 7B, 30B, StoryWriter, Instruct, Chat; Replit Code v1 and v1.5, GPT4All-MPT, SEA-LION",
    .hf_types = (const char *const[]){ "mpt", "mosaic_gpt", "replit_lm", NULL }, .gguf_archs = (const char *const[]){ "mpt", NULL },
    .heads = (const char *const[]){ "MPTForCausalLM", "MptForCausalLM", "MosaicGPT", "ReplitLM", NULL },
    .initial = { GPT_AXES, .act = ACT_GELU, .position = POSITION_ALIBI, .context = 2048, .width = 2048, .n_layer = 24,
                 .n_head = 16, .tied = true, .bos = -1, .eos = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .prefix = "transformer.", .finish = finish,
};
