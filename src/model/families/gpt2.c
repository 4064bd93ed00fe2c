/* GPT-2: learned positions, layer norm, one fused qkv product. Hugging Face files keep matrices as [in, out] (Conv1D). Radford et
 * al. 2019. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    GPT_KEYS(CONFIG_REQUIRED),
    { "n_inner", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_GGUF_REQUIRED },
    { "scale_attn_by_inverse_layer_idx", NULL, CONFIG_BOOL, AT(attn_scale_by_layer), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { DECODER_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = { GPT2_MODEL_ROWS };

static const struct weight_name layer_weights[] = {
    GPT_LAYER_ROWS(WEIGHT_IN_MAJOR),
    FUSED_QKV(GPT_LAYER "attn.c_attn.weight", "blk.%d.attn_qkv.weight", WEIGHT_IN_MAJOR),
    FUSED_QKV_BIAS(GPT_LAYER "attn.c_attn.bias", "blk.%d.attn_qkv.bias", 0),
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool scaled;
    int status = config_bool(c, "scale_attn_weights", NULL, true, &scaled, err);
    if (status) return status;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (c->gguf) a->ff_width = (int32_t)config_rows(c, NULL, "blk.0.ffn_up.weight"); /* its key says four times the width, always */
    if (!a->ff_width) a->ff_width = 4 * a->width;
    if (!scaled) a->attn_scale = 1.0f;
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    return 0;
}

const struct family family_gpt2 = {
    .name = "gpt2", .models = "GPT-2, DistilGPT-2, GPT-2 Novel, DialoGPT, Cerebras-GPT 111M to 13B, AI Dungeon 2, DLite, HourAI",
    .hf_types = (const char *const[]){ "gpt2", NULL }, .gguf_archs = (const char *const[]){ "gpt2", NULL },
    .heads = (const char *const[]){ "GPT2LMHeadModel", NULL },
    .initial = { GPT_AXES, .act = ACT_GELU_TANH, .position = POSITION_LEARNED, .context = 1024, .tied = true, .bos = 50256,
                 .eos = 50256, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .prefix = "transformer.",
    .harmless = (const char *const[]){ ".attn.bias", ".attn.masked_bias", NULL }, .finish = finish,
};
