/* GPTBigCode: GPT-2 with plain matrices and one key/value head for all queries, or GPT-NeoX's product fused by head. SantaCoder's first
 * files are of another class: a GPT-2 whose queries and keys/values are products of their own. Ben Allal, Li et al. 2023. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    GPT_KEYS(CONFIG_GGUF_REQUIRED),
    { NULL, "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, 0 },
    { "n_inner", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { DECODER_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = { GPT2_MODEL_ROWS };

static const struct weight_name layer_weights[] = {
    GPT_LAYER_ROWS(0),
    FUSED_QKV(GPT_LAYER "attn.c_attn.weight", "blk.%d.attn_qkv.weight", WEIGHT_GROUPED),
    FUSED_QKV_BIAS(GPT_LAYER "attn.c_attn.bias", "blk.%d.attn_qkv.bias", WEIGHT_GROUPED),
};

static const struct weight_name santacoder_weights[] = {
    GPT_LAYER_ROWS(WEIGHT_IN_MAJOR),
    { W_attn_q, GPT_LAYER "attn.q_attn.weight", NULL, WEIGHT_IN_MAJOR },
    { W_attn_q_bias, GPT_LAYER "attn.q_attn.bias", NULL, 0 },
    { W_attn_k, GPT_LAYER "attn.kv_attn.weight", NULL, WEIGHT_IN_MAJOR },
    { W_attn_v, GPT_LAYER "attn.kv_attn.weight", NULL, WEIGHT_IN_MAJOR },
    { W_attn_k_bias, GPT_LAYER "attn.kv_attn.bias", NULL, 0 },
    { W_attn_v_bias, GPT_LAYER "attn.kv_attn.bias", NULL, 0 },
};

static int finish_shape(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool scaled;
    int status = config_bool(c, "scale_attn_weights", NULL, true, &scaled, err);
    if (status) return status;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (!scaled) a->attn_scale = 1.0f;
    if (c->gguf) a->ff_width = (int32_t)config_rows(c, NULL, "blk.0.ffn_up.weight"); /* its key says four times the width, always */
    if (!a->ff_width) a->ff_width = 4 * a->width;
    a->key_width = a->value_width = a->width / a->n_head;
    return 0;
}

/* GGUF leaves the product as it is. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool multi_query;
    int status = config_bool(c, "multi_query", NULL, true, &multi_query, err);
    if (!status && c->gguf) multi_query = a->n_kv <= 1;
    a->n_kv = multi_query ? 1 : a->n_head;
    a->fused_groups = multi_query ? 1 : a->n_head;
    return status ? status : finish_shape(a, c, err);
}

static const struct config_guard santacoder_guards[] = {
    { "attention_head_type", NULL, "multiquery" },
    DECODER_GUARDS, END_GUARDS,
};

static int finish_santacoder(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = config_bool(c, "scale_attn_by_inverse_layer_idx", NULL, false, &a->attn_scale_by_layer, err);
    a->n_kv = 1;
    return status ? status : finish_shape(a, c, err);
}

#define BIGCODE_AXES                                                                                                   \
    GPT_AXES, .act = ACT_GELU_TANH, .position = POSITION_LEARNED, .context = 1024, .width = 768, .n_layer = 12,        \
    .n_head = 12, .tied = true, .bos = 50256, .eos = 50256, .pad = -1

const struct family family_gpt_bigcode = {
    .name = "gpt_bigcode", .models = "StarCoder, StarCoderBase 1B to 15B, StarCoderPlus, StarChat, WizardCoder 15B, SantaCoder, OctoCoder",
    .hf_types = (const char *const[]){ "gpt_bigcode", NULL }, .gguf_archs = (const char *const[]){ "starcoder", NULL },
    .heads = (const char *const[]){ "GPTBigCodeForCausalLM", NULL },
    .initial = { BIGCODE_AXES }, .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
    .prefix = "transformer.", .harmless = (const char *const[]){ ".attn.bias", ".attn.masked_bias", NULL }, .finish = finish,
};

const struct family family_santacoder = {
    .name = "santacoder", .models = "SantaCoder as first published",
    .hf_types = (const char *const[]){ "gpt2", NULL }, .heads = (const char *const[]){ "GPT2LMHeadCustomModel", NULL },
    .initial = { BIGCODE_AXES }, .keys = keys, .guards = santacoder_guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(santacoder_weights),
    .prefix = "transformer.", .harmless = (const char *const[]){ ".attn.bias", ".attn.masked_bias", NULL }, .finish = finish_santacoder,
};
