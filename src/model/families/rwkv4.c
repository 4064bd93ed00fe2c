/* RWKV-4: a recurrent mixer and a channel mix, each with the previous token's state. Peng et al. 2023. */
#include "model/families/rwkv_sizes.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    RWKV_KEYS,
    { "rescale_every", NULL, CONFIG_INT, AT(rescale_every), 0, 1024, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = { RWKV_MODEL_ROWS };

static const struct weight_name layer_weights[] = {
    RWKV_LAYER_ROWS,
    { W_time_decay, BOTH("attention.time_decay", "att.time_decay"), 0 },
    { W_time_first, BOTH("attention.time_first", "att.time_first"), 0 },
};

static bool claims(const struct container *c)
{
    return rwkv_claims(c, "blocks.0.att.time_first") && !container_tensor(c, "blocks.0.att.ln_x.weight");
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    a->final_eps = 1e-5f; /* the reference builds this one norm without the configured number */
    if (c->gguf) a->rescale_every = 0; /* halving keeps float16 from overflowing; nothing here is float16 */
    if (rwkv_is_cpp(c)) a->decay = DECAY_LOG;
    if (c->gguf) return rwkv_sizes(a, c, NULL, err);
    if (!a->rnn_width) a->rnn_width = a->width;
    if (!a->ff_width) a->ff_width = 4 * a->width;
    return 0;
}

const struct family family_rwkv4 = {
    .name = "rwkv4", .models = "RWKV-4 Pile, RWKV-4 Raven, RWKV-4 World",
    .hf_types = (const char *const[]){ "rwkv", NULL }, .gguf_archs = (const char *const[]){ "rwkv-native", "rwkv-cpp", NULL },
    .claims = claims,
    .heads = (const char *const[]){ "RwkvForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_RWKV4, .ffn = FFN_RWKV, .act = ACT_RELU2, .norm = NORM_LAYER,
                 .norm_eps = 1e-5f, .position = POSITION_NONE, .rescale_every = 6, .hidden_skip = 1, .bos = 0, .eos = 0,
                 .start = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish,
};
