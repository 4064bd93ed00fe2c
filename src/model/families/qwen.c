/* Qwen2: the shape of LLaMA with biases on queries, keys and values. Qwen3: norms of queries and keys in their place. Layers from
 * max_window_layers on may have a window. Qwen team 2024, 2025. */
#include "model/families/rows.h"

static const struct config_key keys[] = { SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ACT_KEYS, END_KEYS };

static const struct config_key window_keys[] = {
    { "sliding_window", NULL, CONFIG_INT, AT(window), 1, 1 << 28, 0 },
    END_KEYS,
};

static const struct config_key bias_keys[] = { ATTENTION_BIAS_KEYS, END_KEYS };

static const struct config_guard guards[] = { COMMON_GUARDS, { NULL, "attention.sliding_window", "0" }, END_GUARDS };

static const struct weight_name model_weights[] = { MODEL_ROWS };
static const struct weight_name layer_weights[] = { PRE_NORM_ROWS, QKV_ROWS, QK_NORM_ROWS, OUT_ROWS, GATED_ROWS };

/* Without layer_types the first max_window_layers layers see everything. */
static int read_windows(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *window = container_kv(c->c, "sliding_window");
    bool used;
    double n_full;
    int status = config_bool(c, "use_sliding_window", NULL, false, &used, err);
    if (!status) status = config_number(c, "max_window_layers", NULL, 28, &n_full, err);
    if (status || !used || (window && window->type == KV_NULL)) return status;
    a->window = 4096;
    status = config_read(c, window_keys, a, err);
    if (!status) status = config_layer_types(c, a, 0, 0, err);
    if (status || config_find(c, "layer_types", NULL)) return status;
    uint8_t *full = arena_array(c->arena, (uint64_t)a->n_layer, 1);
    if (!full) return fail_memory(err, (uint64_t)a->n_layer, "the layers");
    for (int i = 0; i < a->n_layer; i++) full[i] = i < n_full;
    a->full_layers = full;
    return 0;
}

/* The class has 32 heads of keys when the key is absent, and as many as queries when it is null. */
static int finish_shape(struct arch *a, const struct config *c, struct hearth_error *err)
{
    if (!a->n_kv && !c->gguf && !container_kv(c->c, "num_key_value_heads")) a->n_kv = 32;
    int status = rows_heads_and_rope(a, c, err);
    return status ? status : read_windows(a, c, err);
}

static int finish_qwen2(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = finish_shape(a, c, err);
    a->qkv_bias = true;
    return status;
}

static int finish_qwen3(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = finish_shape(a, c, err);
    return status ? status : config_read(c, bias_keys, a, err);
}

const struct family family_qwen2 = {
    .name = "qwen2", .models = "Qwen1.5, Qwen2, Qwen2.5, CodeQwen1.5, Qwen2.5-Coder, QwQ, DeepSeek-R1-Distill-Qwen, OpenHands LM",
    .hf_types = (const char *const[]){ "qwen2", NULL }, .gguf_archs = (const char *const[]){ "qwen2", NULL },
    .heads = (const char *const[]){ "Qwen2ForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .rope.theta = 10000, .norm_eps = 1e-6f, .context = 32768, .bos = -1, .eos = -1,
                 .pad = -1 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish_qwen2,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};

const struct family family_qwen3 = {
    .name = "qwen3", .models = "Qwen3 (dense), DeepSeek-R1-0528-Qwen3-8B",
    .hf_types = (const char *const[]){ "qwen3", NULL }, .gguf_archs = (const char *const[]){ "qwen3", NULL },
    .heads = (const char *const[]){ "Qwen3ForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .rope.theta = 10000, .norm_eps = 1e-6f, .context = 32768, .key_width = 128,
                 .value_width = 128, .qk_norm = QK_NORM_HEAD,
                 .bos = -1, .eos = -1, .pad = -1 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish_qwen3,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
