/* RWKV-5 Eagle: the state is a matrix for each head. Peng et al. 2024. 5.2 is the released form; before it came models whose
 * decay and bonus are single numbers for each head (5.0, and 5.1 with a gate), which exist under native names only. */
#include "model/families/rwkv_sizes.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, 0 },
    RWKV_KEYS,
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = { RWKV_MODEL_ROWS };

#define SAME_IN_ALL                                                                                                    \
    RWKV_LAYER_ROWS,                                                                                                   \
    { W_time_norm, BOTH("attention.ln_x.weight", "att.ln_x.weight"), 0 },                                              \
    { W_time_norm_bias, BOTH("attention.ln_x.bias", "att.ln_x.bias"), 0 }

static const struct weight_name layer_weights[] = {
    SAME_IN_ALL,
    { W_time_mix_gate, BOTH("attention.time_mix_gate", "att.time_mix_g"), 0 },
    { W_time_gate, BOTH("attention.gate.weight", "att.gate.weight"), 0 },
    { W_time_decay, BOTH("attention.time_decay", "att.time_decay"), 0 },
    { W_time_first, BOTH("attention.time_faaaa|rwkv.blocks.%d.attention.time_first", "att.time_faaaa|blocks.%d.att.time_first"), 0 },
};

static const struct weight_name head_layer_weights[] = {
    SAME_IN_ALL,
    { W_time_mix_gate, NULL, "blocks.%d.att.time_mix_g", WEIGHT_OPTIONAL },
    { W_time_gate, NULL, "blocks.%d.att.gate.weight", WEIGHT_OPTIONAL },
    { W_time_head_decay, NULL, "blocks.%d.att.time_decay", 0 },
    { W_time_head_first, NULL, "blocks.%d.att.time_faaaa|blocks.%d.att.time_first", 0 },
};

static bool is_fifth(const struct container *c)
{
    return container_tensor(c, "blocks.0.att.ln_x.weight") && container_tensor(c, "blocks.0.att.time_mix_k");
}

static bool claims(const struct container *c)
{
    return rwkv_claims(c, "blocks.0.att.ln_x.weight") && (!container_tensor(c, "emb.weight") ||
                                                          (is_fifth(c) && rwkv_dim(c, "blocks.0.att.time_decay", 1) > 1));
}

static bool head_claims(const struct container *c) { return is_fifth(c) && rwkv_dim(c, "blocks.0.att.time_decay", 1) <= 1; }

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double divisor;
    int status = config_number(c, "head_size_divisor", NULL, 8, &divisor, err);
    if (status) return status;
    if (!(divisor > 0 && divisor < 1e4)) return fail(err, HEARTH_E_FORMAT, "head_size_divisor %g makes no sense", divisor);
    a->final_eps = 1e-5f; /* the reference builds this one norm without the configured number */
    a->head_eps = (float)(1e-5 * divisor * divisor);
    /* rwkv.cpp stores the numbers that the state is multiplied by, and normalises without the divisor; time_first is a logarithm,
     * its successor time_faaaa is none */
    if (rwkv_is_cpp(c)) a->decay = DECAY_PLAIN;
    if (rwkv_is_cpp(c)) a->head_eps = 1e-5f;
    a->bonus_log = !rwkv_is_cpp(c) && (container_tensor(c->c, "blocks.0.att.time_first") ||
                                       container_tensor(c->c, "rwkv.blocks.0.attention.time_first"));
    return rwkv_sizes(a, c, "blocks.0.att.time_decay|rwkv.blocks.0.attention.time_decay", err);
}

/* A gate comes with the weights that mix its input. */
static int derive(const struct arch *a, struct layer_weights *w, struct arena *arena, struct hearth_error *err)
{
    (void)a, (void)arena;
    if (!w->time_gate == !w->time_mix_gate) return 0;
    return fail(err, HEARTH_E_FORMAT, "a layer has only one of att.gate.weight and att.time_mix_g");
}

#define INITIAL { .task = HEARTH_TASK_LM, .mixer = MIXER_RWKV5, .ffn = FFN_RWKV, .act = ACT_RELU2, .norm = NORM_LAYER, .norm_eps = 1e-5f, \
                  .position = POSITION_NONE, .hidden_skip = 1, .bos = 0, .eos = 0, .start = -1, .pad = -1 }

const struct family family_rwkv5 = {
    .name = "rwkv5", .models = "RWKV-5 World (Eagle)",
    .hf_types = (const char *const[]){ "rwkv5", NULL }, .gguf_archs = (const char *const[]){ "rwkv-native", "rwkv-cpp", NULL },
    .claims = claims,
    .heads = (const char *const[]){ "Rwkv5ForCausalLM", "RwkvForCausalLM", NULL }, .initial = INITIAL,
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish, .derive = derive,
};

const struct family family_rwkv5_heads = {
    .name = "rwkv5.0", .models = "RWKV-5.0 and 5.1 World",
    .gguf_archs = (const char *const[]){ "rwkv-native", "rwkv-cpp", NULL }, .claims = head_claims, .initial = INITIAL,
    .keys = keys, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(head_layer_weights), .finish = finish, .derive = derive,
};
