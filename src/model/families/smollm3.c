/* SmolLM3: the shape of LLaMA; every fourth layer does not turn its heads. Hugging Face 2025. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    SIZE_KEYS, HEAD_KEYS, RMS_KEYS, ACT_KEYS, ATTENTION_BIAS_KEYS,
    { "mlp_bias", NULL, CONFIG_BOOL, AT(ffn_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, { "use_sliding_window", NULL, "false" }, END_GUARDS };

static const struct weight_name model_weights[] = { MODEL_ROWS };
static const struct weight_name layer_weights[] = { PRE_NORM_ROWS, QKV_ROWS, OUT_ROWS, GATED_ROWS };

/* no_rope_layers has 1 where a layer turns, whatever its name says. */
static int still_layers(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *list = config_find(c, "no_rope_layers", NULL);
    struct kv_iter it;
    struct kv x;
    double interval;
    uint8_t *still = arena_array(c->arena, (uint64_t)a->n_layer, 1);
    int status = config_number(c, "no_rope_layer_interval", NULL, 4, &interval, err);
    if (!still) return fail_memory(err, (uint64_t)a->n_layer, "the layers");
    if (status) return status;
    if (!(interval >= 1 && interval <= 1 << 20))
        return fail(err, HEARTH_E_FORMAT, "no_rope_layer_interval %g makes no sense", interval);
    for (int i = 0; i < a->n_layer; i++) still[i] = (i + 1) % (int)interval == 0;
    a->still_layers = still;
    if (!list) return 0;
    if (list->type != KV_ARRAY || list->array.n < (uint64_t)a->n_layer)
        return fail(err, HEARTH_E_FORMAT, "no_rope_layers does not name all %d layers", a->n_layer);
    kv_iterate(&it, c->c, list);
    for (int i = 0; i < a->n_layer && kv_next(&it, &x); i++) {
        if (x.type != KV_INT) return fail(err, HEARTH_E_FORMAT, "no_rope_layers is not a list of whole numbers");
        still[i] = x.i == 0;
    }
    return 0;
}

/* GGUF keeps queries and keys in pairs, as LLaMA's. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    if (!a->n_kv && !c->gguf && !container_kv(c->c, "num_key_value_heads")) a->n_kv = 4;
    a->rope.interleaved = c->gguf;
    int status = rows_heads_and_rope(a, c, err);
    return status ? status : still_layers(a, c, err);
}

const struct family family_smollm3 = {
    .name = "smollm3", .models = "SmolLM3 3B",
    .hf_types = (const char *const[]){ "smollm3", NULL }, .gguf_archs = (const char *const[]){ "smollm3", NULL },
    .heads = (const char *const[]){ "SmolLM3ForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .norm_eps = 1e-6f, .context = 32768, .rope.theta = 2000000, .tied = true,
                 .bos = 128000,
                 .eos = 128001, .pad = 128004 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
