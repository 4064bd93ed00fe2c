/* RWKV-4: a recurrent mixer and a channel mix, each with the previous token's state. Peng et al. 2023. */
#include "model/families/rwkv_sizes.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "hidden_size", NULL, CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_HF_REQUIRED },
    { "num_hidden_layers", NULL, CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_HF_REQUIRED },
    { "attention_hidden_size", NULL, CONFIG_INT, AT(rnn_width), 1, 1 << 20, 0 },
    { "intermediate_size", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "layer_norm_epsilon", NULL, CONFIG_FLOAT, AT(norm_eps), 0, 1, 0 },
    { "rescale_every", NULL, CONFIG_INT, AT(rescale_every), 0, 1024, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "rwkv.embeddings.weight", "emb.weight", 0 },
    { W_embed_norm, "rwkv.blocks.0.pre_ln.weight", "blocks.0.ln0.weight", 0 },
    { W_embed_norm_bias, "rwkv.blocks.0.pre_ln.bias", "blocks.0.ln0.bias", 0 },
    { W_norm, "rwkv.ln_out.weight", "ln_out.weight", 0 },
    { W_norm_bias, "rwkv.ln_out.bias", "ln_out.bias", 0 },
    { W_head, "head.weight", "head.weight", WEIGHT_OPTIONAL },
};

#define BOTH(hf, native) "rwkv.blocks.%d." hf, "blocks.%d." native
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, BOTH("ln1.weight", "ln1.weight"), 0 },
    { W_mixer_norm_bias, BOTH("ln1.bias", "ln1.bias"), 0 },
    { W_time_mix_key, BOTH("attention.time_mix_key", "att.time_mix_k"), 0 },
    { W_time_mix_value, BOTH("attention.time_mix_value", "att.time_mix_v"), 0 },
    { W_time_mix_receptance, BOTH("attention.time_mix_receptance", "att.time_mix_r"), 0 },
    { W_time_decay, BOTH("attention.time_decay", "att.time_decay"), 0 },
    { W_time_first, BOTH("attention.time_first", "att.time_first"), 0 },
    { W_time_key, BOTH("attention.key.weight", "att.key.weight"), 0 },
    { W_time_value, BOTH("attention.value.weight", "att.value.weight"), 0 },
    { W_time_receptance, BOTH("attention.receptance.weight", "att.receptance.weight"), 0 },
    { W_time_out, BOTH("attention.output.weight", "att.output.weight"), 0 },
    { W_ffn_norm, BOTH("ln2.weight", "ln2.weight"), 0 },
    { W_ffn_norm_bias, BOTH("ln2.bias", "ln2.bias"), 0 },
    { W_channel_mix_key, BOTH("feed_forward.time_mix_key", "ffn.time_mix_k"), 0 },
    { W_channel_mix_receptance, BOTH("feed_forward.time_mix_receptance", "ffn.time_mix_r"), 0 },
    { W_channel_key, BOTH("feed_forward.key.weight", "ffn.key.weight"), 0 },
    { W_channel_value, BOTH("feed_forward.value.weight", "ffn.value.weight"), 0 },
    { W_channel_receptance, BOTH("feed_forward.receptance.weight", "ffn.receptance.weight"), 0 },
};

static bool claims(const struct container *c) { return rwkv_claims(c, "blocks.0.att.time_first") && !container_tensor(c, "blocks.0.att.ln_x.weight"); }

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
    .hf_types = (const char *const[]){ "rwkv", NULL }, .gguf_archs = (const char *const[]){ "rwkv-native", "rwkv-cpp", NULL }, .claims = claims,
    .heads = (const char *const[]){ "RwkvForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_RWKV4, .ffn = FFN_RWKV, .act = ACT_RELU2, .norm = NORM_LAYER, .norm_eps = 1e-5f, .position = POSITION_NONE,
                 .rescale_every = 6, .hidden_skip = 1, .bos = 0, .eos = 0, .start = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish,
};
