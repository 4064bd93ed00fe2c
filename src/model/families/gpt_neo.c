/* GPT-Neo: GPT-2 with plain matrices, scores that are not scaled, and every second layer with a window. Black et al. 2021. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "hidden_size", NULL, CONFIG_INT, AT(width), 1, 1 << 20, 0 },
    { "num_hidden_layers|num_layers", NULL, CONFIG_INT, AT(n_layer), 1, 1024, 0 },
    { "num_attention_heads|num_heads", NULL, CONFIG_INT, AT(n_head), 1, 4096, 0 },
    { "max_position_embeddings", NULL, CONFIG_INT, AT(context), 1, 1 << 28, 0 },
    { "intermediate_size", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "window_size", NULL, CONFIG_INT, AT(window), 1, 1 << 28, 0 },
    { "layer_norm_epsilon", NULL, CONFIG_FLOAT, AT(norm_eps), 0, 1, 0 },
    { "activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "transformer.wte.weight", NULL, 0 },
    { W_position, "transformer.wpe.weight", NULL, 0 },
    { W_norm, "transformer.ln_f.weight", NULL, 0 },
    { W_norm_bias, "transformer.ln_f.bias", NULL, 0 },
    { W_head, "lm_head.weight", NULL, WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, GPT_LAYER "ln_1.weight", NULL, 0 },
    { W_mixer_norm_bias, GPT_LAYER "ln_1.bias", NULL, 0 },
    { W_attn_q, GPT_LAYER "attn.attention.q_proj.weight", NULL, 0 },
    { W_attn_k, GPT_LAYER "attn.attention.k_proj.weight", NULL, 0 },
    { W_attn_v, GPT_LAYER "attn.attention.v_proj.weight", NULL, 0 },
    { W_attn_out, GPT_LAYER "attn.attention.out_proj.weight", NULL, 0 },
    { W_attn_out_bias, GPT_LAYER "attn.attention.out_proj.bias", NULL, 0 },
    { W_ffn_norm, GPT_LAYER "ln_2.weight", NULL, 0 },
    { W_ffn_norm_bias, GPT_LAYER "ln_2.bias", NULL, 0 },
    { W_ffn_up, GPT_LAYER "mlp.c_fc.weight", NULL, 0 },
    { W_ffn_up_bias, GPT_LAYER "mlp.c_fc.bias", NULL, 0 },
    { W_ffn_down, GPT_LAYER "mlp.c_proj.weight", NULL, 0 },
    { W_ffn_down_bias, GPT_LAYER "mlp.c_proj.bias", NULL, 0 },
};

/* Kinds of layers as they are filled in: one byte each, 1 for those that see everything. */
struct kinds {
    const struct container *c;
    uint8_t                *full;
    int32_t                 n, room;
    struct hearth_error    *err;
};

/* Appends the names of a list of "global" and "local". */
static int add_names(struct kinds *k, const struct kv *list)
{
    struct kv_iter it;
    struct kv name;
    for (kv_iterate(&it, k->c, list); kv_next(&it, &name);) {
        const bool full = name.type == KV_STRING && str_is(name.s, "global");
        if (!full && !(name.type == KV_STRING && str_is(name.s, "local")))
            return fail(k->err, HEARTH_E_FORMAT,
                        "the model's layers are to be \"global\" or \"local\", but its list of them holds something else");
        if (k->n == k->room) return fail(k->err, HEARTH_E_FORMAT, "the model lists more kinds of layers than it has layers, %d", k->room);
        k->full[k->n++] = full;
    }
    return 0;
}

/* attention_types: [[["global", "local"], 12], ...], names and how often they repeat. */
static int add_types(struct kinds *k, const struct kv *types)
{
    struct kv_iter it, parts;
    struct kv item, names, times;
    for (kv_iterate(&it, k->c, types); kv_next(&it, &item);) {
        if (item.type == KV_ARRAY) kv_iterate(&parts, k->c, &item);
        if (item.type != KV_ARRAY || !kv_next(&parts, &names) || !kv_next(&parts, &times) || names.type != KV_ARRAY || times.type != KV_INT)
            return fail(k->err, HEARTH_E_FORMAT, "attention_types is no list of names and how often they repeat");
        if (times.i < 0 || times.i > k->room)
            return fail(k->err, HEARTH_E_FORMAT, "attention_types repeats %lld times in %d layers", (long long)times.i, k->room);
        for (int64_t i = 0; i < times.i && names.array.n; i++) {
            int status = add_names(k, &names);
            if (status) return status;
        }
    }
    return 0;
}

/* attention_layers names every layer; it is made from attention_types, which alone older files may have. */
static int layer_kinds(struct arch *a, const struct config *c, struct hearth_error *err)
{
    const struct kv *layers = config_find(c, "attention_layers", NULL), *types = config_find(c, "attention_types", NULL);
    uint8_t *full = arena_array(c->arena, (uint64_t)a->n_layer, 1);
    struct kinds k = { .c = c->c, .full = full, .room = a->n_layer, .err = err };
    int status = 0;
    if (!full) return fail_memory(err, (uint64_t)a->n_layer, "the layers");
    if (layers && layers->type == KV_ARRAY) status = add_names(&k, layers);
    else if (types && types->type == KV_ARRAY) status = add_types(&k, types);
    else for (; k.n < k.room; k.n++) full[k.n] = k.n % 2 == 0;
    if (!status && k.n != a->n_layer) return fail(err, HEARTH_E_FORMAT, "the model lists kinds of %d layers, but has %d", k.n, a->n_layer);
    a->full_layers = full;
    return status;
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (!a->ff_width) a->ff_width = 4 * a->width;
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    return layer_kinds(a, c, err);
}

const struct family family_gpt_neo = {
    .name = "gpt_neo", .models = "GPT-Neo 125M, 1.3B, 2.7B; Horni, Shinen, Picard, AID-Neo; TinyStories",
    .hf_types = (const char *const[]){ "gpt_neo", NULL }, .heads = (const char *const[]){ "GPTNeoForCausalLM", NULL },
    .initial = { GPT_AXES, .act = ACT_GELU_TANH, .position = POSITION_LEARNED, .context = 2048, .width = 2048, .n_layer = 24,
                 .n_head = 16, .window = 256, .attn_scale = 1, .tied = true, .bos = 50256, .eos = 50256, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .prefix = "transformer.",
    .harmless = (const char *const[]){ ".attn.attention.bias", ".attn.attention.masked_bias", NULL }, .finish = finish,
};
