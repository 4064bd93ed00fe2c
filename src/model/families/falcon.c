/* Falcon: attention and feed-forward part side by side, one key/value head (7B) or groups of them behind two norms (40B, 180B); the
 * RefinedWeb sizes go one after the other, with ALiBi and biases. Almazrouei et al. 2023. Its first files call it RefinedWeb. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    BLOOM_KEYS,
    { "num_kv_heads|n_head_kv", "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "ffn_hidden_size", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    CONTEXT_KEYS,
    { "activation", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },
    { "bias", NULL, CONFIG_BOOL, AT(out_bias), 0, 0, 0 },
    { "bias", NULL, CONFIG_BOOL, AT(ffn_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { "apply_residual_connection_post_layernorm", NULL, "false" },
    WHOLE_HEAD_GUARDS, ROPE_SCALE_GUARDS,
    { NULL, "attention.clamp_kqv", NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "transformer.word_embeddings.weight", "token_embd.weight", 0 },
    { W_norm, "transformer.ln_f.weight", "output_norm.weight", 0 },
    { W_norm_bias, "transformer.ln_f.bias", "output_norm.bias", 0 },
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

/* GGUF's attn_norm is the norm of the feed-forward part where attn_norm_2 is there too. */
#define L "transformer.h.%d."
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, L "ln_attn.weight|" L "input_layernorm.weight", "blk.%d.attn_norm_2.weight|blk.%d.attn_norm.weight", 0 },
    { W_mixer_norm_bias, L "ln_attn.bias|" L "input_layernorm.bias", "blk.%d.attn_norm_2.bias|blk.%d.attn_norm.bias", 0 },
    FUSED_QKV(L "self_attention.query_key_value.weight", "blk.%d.attn_qkv.weight", WEIGHT_GROUPED),
    FUSED_QKV_BIAS(L "self_attention.query_key_value.bias", "blk.%d.attn_qkv.bias", WEIGHT_GROUPED, AT(qkv_bias)),
    { W_attn_out, L "self_attention.dense.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, L "self_attention.dense.bias", "blk.%d.attn_output.bias", 0, AT(out_bias) },
    { W_ffn_norm, L "ln_mlp.weight|" L "post_attention_layernorm.weight", "blk.%d.attn_norm.weight", 0, AT(two_norms) },
    { W_ffn_norm_bias, L "ln_mlp.bias|" L "post_attention_layernorm.bias", "blk.%d.attn_norm.bias", 0, AT(two_norms) },
    { W_ffn_up, L "mlp.dense_h_to_4h.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_up_bias, L "mlp.dense_h_to_4h.bias", "blk.%d.ffn_up.bias", 0, AT(ffn_bias) },
    { W_ffn_down, L "mlp.dense_4h_to_h.weight", "blk.%d.ffn_down.weight", 0 },
    { W_ffn_down_bias, L "mlp.dense_4h_to_h.bias", "blk.%d.ffn_down.bias", 0, AT(ffn_bias) },
};
#undef L

/* How the layers are built; the values at first are the configuration class's. */
struct build {
    bool grouped;     /* 40B's: heads in groups, branches always in parallel */
    bool multi_query; /* else 7B's one key/value head, or as many as queries */
    bool parallel, alibi;
    bool own_code;    /* files of before transformers knew the model */
};

static int read_build(struct build *b, const struct config *c, struct hearth_error *err)
{
    int status = config_bool(c, "new_decoder_architecture", NULL, b->grouped, &b->grouped, err);
    if (!status) status = config_bool(c, "multi_query", NULL, b->multi_query, &b->multi_query, err);
    if (!status) status = config_bool(c, "parallel_attn", NULL, b->parallel, &b->parallel, err);
    if (!status) status = config_bool(c, "alibi", NULL, b->alibi, &b->alibi, err);
    return status;
}

/* Norms: parallel branches share one, or have a norm each. */
static int read_norms(struct arch *a, const struct build *b, const struct config *c, struct hearth_error *err)
{
    double norms;
    int status = config_number(c, "num_ln_in_parallel_attn", NULL, b->grouped ? 2 : 1, &norms, err);
    if (status) return status;
    a->residual = b->grouped || b->parallel ? RESIDUAL_PARALLEL : RESIDUAL_PRE;
    a->two_norms = a->residual == RESIDUAL_PRE || norms == 2;
    if (c->gguf) a->two_norms = container_tensor(c->c, "blk.0.attn_norm_2.weight") != NULL;
    if (a->residual == RESIDUAL_PARALLEL && !c->gguf && !(norms == 1 || (norms == 2 && b->grouped)))
        return fail(err, HEARTH_E_FORMAT, "num_ln_in_parallel_attn %g makes no sense for this model", norms);
    return 0;
}

static int finish_build(struct arch *a, struct build b, const struct config *c, struct hearth_error *err)
{
    int status = read_build(&b, c, err);
    if (!status) status = read_norms(a, &b, c, err);
    if (status) return status;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (!c->gguf && !b.grouped) a->n_kv = b.multi_query ? 1 : a->n_head;
    if (!a->n_kv) a->n_kv = a->n_head;
    if (a->n_head % a->n_kv) return fail(err, HEARTH_E_FORMAT, "%d query heads cannot share %d key/value heads", a->n_head, a->n_kv);
    a->fused_groups = c->gguf ? 1 : a->n_kv;
    a->key_width = a->value_width = a->width / a->n_head;
    if (c->gguf) {
        a->tied = true;
        a->ff_width = (int32_t)config_rows(c, NULL, "blk.0.ffn_up.weight"); /* its key says four times the width, always */
    }
    if (!a->ff_width) a->ff_width = 4 * a->width;
    if (!b.alibi) return config_rope(c, a, err);
    a->position = POSITION_ALIBI;
    a->alibi_bf16 = true;
    /* transformers' plain attention, which recorded our references, adds ALiBi with the mask and once more with the scores */
    if (!b.own_code && !config_own_code(c)) a->alibi_scale = 2;
    return 0;
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    return finish_build(a, (struct build){ .multi_query = true, .parallel = true }, c, err);
}

/* The class beside the first 7B and 1B files, and the one beside 40B's, which knows only groups. */
static int finish_refined_model(struct arch *a, const struct config *c, struct hearth_error *err)
{
    return finish_build(a, (struct build){ .own_code = true }, c, err);
}

static int finish_refined(struct arch *a, const struct config *c, struct hearth_error *err)
{
    return finish_build(a, (struct build){ .grouped = true, .own_code = true }, c, err);
}

#define FALCON_AXES                                                                                                    \
    GPT_AXES, .act = ACT_GELU, .position = POSITION_ROTARY, .rope.theta = 10000, .context = 2048, .tied = true,        \
    .pad = -1
#define FALCON_TABLES                                                                                                  \
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),                        \
    .prefix = "transformer.", .harmless = (const char *const[]){ "rotary_emb.inv_freq", "rotary.inv_freq", NULL }

const struct family family_falcon = {
    .name = "falcon", .models = "Falcon 7B, 40B, 180B, Instruct, Chat; Falcon-RW 1B and 7B; Falcon2 11B; WizardLM-Falcon, OpenBuddy-Falcon",
    .hf_types = (const char *const[]){ "falcon", NULL }, .gguf_archs = (const char *const[]){ "falcon", NULL },
    .heads = (const char *const[]){ "FalconForCausalLM", "RWForCausalLM", NULL },
    .initial = { FALCON_AXES, .width = 4544, .n_layer = 32, .n_head = 71, .bos = 11, .eos = 11 }, .finish = finish, FALCON_TABLES,
};

const struct family family_refined_web_model = {
    .name = "RefinedWebModel", .models = "Falcon 7B and Falcon-RW as first published",
    .hf_types = (const char *const[]){ "RefinedWebModel", NULL },
    .heads = (const char *const[]){ "RWForCausalLM", "FalconForCausalLM", NULL },
    .initial = { FALCON_AXES, .width = 64, .n_layer = 2, .n_head = 8, .bos = 1, .eos = 2 }, .finish = finish_refined_model, FALCON_TABLES,
};

const struct family family_refined_web = {
    .name = "RefinedWeb", .models = "Falcon 40B as first published",
    .hf_types = (const char *const[]){ "RefinedWeb", NULL }, .heads = (const char *const[]){ "RWForCausalLM", "FalconForCausalLM", NULL },
    .initial = { FALCON_AXES, .width = 64, .n_layer = 2, .n_head = 8, .bos = 1, .eos = 2 }, .finish = finish_refined, FALCON_TABLES,
};
