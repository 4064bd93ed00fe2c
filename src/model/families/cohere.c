/* Command-R: both branches see one norm without bias, rotary pairs (2i, 2i + 1), logits scaled. Cohere2 has windows in three
 * of four layers, and the fourth does not turn its heads. Cohere 2024. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, HEAD_KEYS, NORM_KEYS, ACT_KEYS, ATTENTION_BIAS_KEYS,
    { "logit_scale", "logit_scale", CONFIG_FLOAT, AT(head_scale), 1e-9, 1e9, 0 },
    END_KEYS,
};

static const struct config_key window_keys[] = {
    { "sliding_window", "attention.sliding_window", CONFIG_INT, AT(window), 1, 1 << 28, CONFIG_GGUF_REQUIRED },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = { MODEL_ROWS };
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, LAYER "input_layernorm.weight", "blk.%d.attn_norm.weight", 0 },
    QKV_ROWS, QK_NORM_ROWS, OUT_ROWS, GATED_ROWS,
};

static int finish_cohere(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool norm;
    int status = config_bool(c, "use_qk_norm", NULL, c->gguf && container_tensor(c->c, "blk.0.attn_q_norm.weight"), &norm, err);
    if (status) return status;
    a->qk_norm = norm ? QK_NORM_HEADS : QK_NORM_NONE;
    return rows_heads_and_rope(a, c, err);
}

/* Layers without a window do not turn. */
static int finish_cohere2(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *window = container_kv(c->c, "sliding_window");
    if (window && window->type == KV_NULL)
        return fail(err, HEARTH_E_UNSUPPORTED, "cohere2 without sliding_window is not supported");
    int status = config_read(c, window_keys, a, err);
    if (!status) status = config_layer_types(c, a, 4, 3, err);
    if (status) return status;
    a->still_layers = a->full_layers;
    a->key_width = a->value_width = a->width / a->n_head;
    return rows_heads_and_rope(a, c, err);
}

#define COHERE_AXES                                                                                                    \
    DECODER_AXES, .act = ACT_SILU, .norm = NORM_LAYER, .norm_eps = 1e-5f, .residual = RESIDUAL_PARALLEL, .context = 8192, \
    .tied = true, .head_scale = 0.0625f, .bos = 5, .eos = 255001, .pad = 0

const struct family family_cohere = {
    .name = "cohere", .models = "Command-R, Command-R+, Aya 23, Aya Expanse",
    .hf_types = (const char *const[]){ "cohere", NULL }, .gguf_archs = (const char *const[]){ "command-r", NULL },
    .heads = (const char *const[]){ "CohereForCausalLM", NULL },
    .initial = { COHERE_AXES, .rope.theta = 500000, .rope.interleaved = true },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish_cohere,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};

const struct family family_cohere2 = {
    .name = "cohere2", .models = "Command R7B, Command A, C4AI Command R7B Arabic",
    .hf_types = (const char *const[]){ "cohere2", NULL }, .gguf_archs = (const char *const[]){ "cohere2", NULL },
    .heads = (const char *const[]){ "Cohere2ForCausalLM", NULL },
    .initial = { COHERE_AXES, .rope.theta = 10000, .rope.interleaved = true, .window = 4096 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish_cohere2,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
