/* RWKV-4: a recurrent mixer and a channel mix, each with the previous token's state. Peng et al. 2023. */
#include "model/family.h"

#define AT(field) offsetof(struct arch, field)

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "hidden_size", NULL, CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_REQUIRED },
    { "num_hidden_layers", NULL, CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_REQUIRED },
    { "attention_hidden_size", NULL, CONFIG_INT, AT(rnn_width), 1, 1 << 20, 0 },
    { "intermediate_size", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "layer_norm_epsilon", NULL, CONFIG_FLOAT, AT(norm_eps), 0, 1, 0 },
    { "rescale_every", NULL, CONFIG_INT, AT(rescale_every), 0, 1024, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    { NULL, NULL, CONFIG_INT, 0, 0, 0, 0 },
};

static const struct weight_name model_weights[] = {
    { W_embed, "rwkv.embeddings.weight", NULL, 0 },
    { W_embed_norm, "rwkv.blocks.0.pre_ln.weight", NULL, 0 },
    { W_embed_norm_bias, "rwkv.blocks.0.pre_ln.bias", NULL, 0 },
    { W_norm, "rwkv.ln_out.weight", NULL, 0 },
    { W_norm_bias, "rwkv.ln_out.bias", NULL, 0 },
    { W_head, "head.weight", NULL, WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, "rwkv.blocks.%d.ln1.weight", NULL, 0 },
    { W_mixer_norm_bias, "rwkv.blocks.%d.ln1.bias", NULL, 0 },
    { W_time_mix_key, "rwkv.blocks.%d.attention.time_mix_key", NULL, 0 },
    { W_time_mix_value, "rwkv.blocks.%d.attention.time_mix_value", NULL, 0 },
    { W_time_mix_receptance, "rwkv.blocks.%d.attention.time_mix_receptance", NULL, 0 },
    { W_time_decay, "rwkv.blocks.%d.attention.time_decay", NULL, 0 },
    { W_time_first, "rwkv.blocks.%d.attention.time_first", NULL, 0 },
    { W_time_key, "rwkv.blocks.%d.attention.key.weight", NULL, 0 },
    { W_time_value, "rwkv.blocks.%d.attention.value.weight", NULL, 0 },
    { W_time_receptance, "rwkv.blocks.%d.attention.receptance.weight", NULL, 0 },
    { W_time_out, "rwkv.blocks.%d.attention.output.weight", NULL, 0 },
    { W_ffn_norm, "rwkv.blocks.%d.ln2.weight", NULL, 0 },
    { W_ffn_norm_bias, "rwkv.blocks.%d.ln2.bias", NULL, 0 },
    { W_channel_mix_key, "rwkv.blocks.%d.feed_forward.time_mix_key", NULL, 0 },
    { W_channel_mix_receptance, "rwkv.blocks.%d.feed_forward.time_mix_receptance", NULL, 0 },
    { W_channel_key, "rwkv.blocks.%d.feed_forward.key.weight", NULL, 0 },
    { W_channel_value, "rwkv.blocks.%d.feed_forward.value.weight", NULL, 0 },
    { W_channel_receptance, "rwkv.blocks.%d.feed_forward.receptance.weight", NULL, 0 },
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    (void)c;
    (void)err;
    if (!a->rnn_width) a->rnn_width = a->width;
    if (!a->ff_width) a->ff_width = 4 * a->width;
    return 0;
}

const struct family family_rwkv4 = {
    .name = "rwkv4", .models = "RWKV-4 Pile, RWKV-4 Raven, RWKV-4 World",
    .hf_types = (const char *const[]){ "rwkv", NULL }, .heads = (const char *const[]){ "RwkvForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_RWKV4, .ffn = FFN_RWKV, .norm = NORM_LAYER, .norm_eps = 1e-5f, .position = POSITION_NONE,
                 .rescale_every = 6, .hidden_skip = 1, .bos = 0, .eos = 0, .start = -1, .pad = -1 },
    .keys = keys, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish,
};
