/* RWKV-6 Finch: what a row takes of the one before it, and how fast each channel forgets, depend on the row. Peng et al. 2024. */
#include "model/families/rwkv_sizes.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, 0 },
    { "hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_HF_REQUIRED },
    { "num_hidden_layers", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_HF_REQUIRED },
    { "attention_hidden_size", NULL, CONFIG_INT, AT(rnn_width), 1, 1 << 20, 0 },
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "layer_norm_epsilon", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, 0 },
    { NULL, "rescale_every_n_layers", CONFIG_INT, AT(rescale_every), 0, 1024, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { NULL, "token_shift_count", "2" },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "rwkv.embeddings.weight", "token_embd.weight|emb.weight", 0 },
    { W_embed_norm, "rwkv.blocks.0.pre_ln.weight", "token_embd_norm.weight|blocks.0.ln0.weight", 0 },
    { W_embed_norm_bias, "rwkv.blocks.0.pre_ln.bias", "token_embd_norm.bias|blocks.0.ln0.bias", 0 },
    { W_norm, "rwkv.ln_out.weight", "output_norm.weight|ln_out.weight", 0 },
    { W_norm_bias, "rwkv.ln_out.bias", "output_norm.bias|ln_out.bias", 0 },
    { W_head, "head.weight", "output.weight|head.weight", WEIGHT_OPTIONAL },
};

/* GGUF: llama.cpp's names, or those of the training code. */
#define NAMES(hf, gguf, native) "rwkv.blocks.%d." hf, "blk.%d." gguf "|blocks.%d." native
#define FUSED "blk.%d.time_mix_lerp_fused.weight"
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, NAMES("ln1.weight", "attn_norm.weight", "ln1.weight"), 0 },
    { W_mixer_norm_bias, NAMES("ln1.bias", "attn_norm.bias", "ln1.bias"), 0 },
    { W_time_mix_all, NAMES("attention.time_maa_x", "time_mix_lerp_x.weight", "att.time_maa_x"), 0 },
    { W_time_mix_decay, NULL, FUSED, WEIGHT_OPTIONAL },
    { W_time_mix_key, NULL, FUSED, WEIGHT_OPTIONAL },
    { W_time_mix_value, NULL, FUSED, WEIGHT_OPTIONAL },
    { W_time_mix_receptance, NULL, FUSED, WEIGHT_OPTIONAL },
    { W_time_mix_gate, NULL, FUSED, WEIGHT_OPTIONAL },
    { W_time_mix_decay, NAMES("attention.time_maa_w", "time_mix_lerp_w.weight", "att.time_maa_w"), WEIGHT_OPTIONAL },
    { W_time_mix_key, NAMES("attention.time_maa_k", "time_mix_lerp_k.weight", "att.time_maa_k"), WEIGHT_OPTIONAL },
    { W_time_mix_value, NAMES("attention.time_maa_v", "time_mix_lerp_v.weight", "att.time_maa_v"), WEIGHT_OPTIONAL },
    { W_time_mix_receptance, NAMES("attention.time_maa_r", "time_mix_lerp_r.weight", "att.time_maa_r"), WEIGHT_OPTIONAL },
    { W_time_mix_gate, NAMES("attention.time_maa_g", "time_mix_lerp_g.weight", "att.time_maa_g"), WEIGHT_OPTIONAL },
    { W_time_mix_down, NAMES("attention.time_maa_w1", "time_mix_w1.weight", "att.time_maa_w1"), WEIGHT_LOW_RANK },
    { W_time_mix_up, NAMES("attention.time_maa_w2", "time_mix_w2.weight", "att.time_maa_w2"), WEIGHT_LOW_RANK },
    { W_time_decay, NAMES("attention.time_decay", "time_mix_decay.weight", "att.time_decay"), 0 },
    { W_time_decay_down, NAMES("attention.time_decay_w1", "time_mix_decay_w1.weight", "att.time_decay_w1"), WEIGHT_LOW_RANK },
    { W_time_decay_up, NAMES("attention.time_decay_w2", "time_mix_decay_w2.weight", "att.time_decay_w2"), WEIGHT_LOW_RANK },
    { W_time_first, NAMES("attention.time_faaaa", "time_mix_first.weight", "att.time_faaaa"), 0 },
    { W_time_key, NAMES("attention.key.weight", "time_mix_key.weight", "att.key.weight"), 0 },
    { W_time_value, NAMES("attention.value.weight", "time_mix_value.weight", "att.value.weight"), 0 },
    { W_time_receptance, NAMES("attention.receptance.weight", "time_mix_receptance.weight", "att.receptance.weight"), 0 },
    { W_time_gate, NAMES("attention.gate.weight", "time_mix_gate.weight", "att.gate.weight"), 0 },
    { W_time_norm, NAMES("attention.ln_x.weight", "time_mix_ln.weight", "att.ln_x.weight"), 0 },
    { W_time_norm_bias, NAMES("attention.ln_x.bias", "time_mix_ln.bias", "att.ln_x.bias"), 0 },
    { W_time_out, NAMES("attention.output.weight", "time_mix_output.weight", "att.output.weight"), 0 },
    { W_ffn_norm, NAMES("ln2.weight", "attn_norm_2.weight", "ln2.weight"), 0 },
    { W_ffn_norm_bias, NAMES("ln2.bias", "attn_norm_2.bias", "ln2.bias"), 0 },
    { W_channel_mix_key, NAMES("feed_forward.time_maa_k", "channel_mix_lerp_k.weight", "ffn.time_maa_k"), 0 },
    { W_channel_mix_receptance, NAMES("feed_forward.time_maa_r", "channel_mix_lerp_r.weight", "ffn.time_maa_r"), 0 },
    { W_channel_key, NAMES("feed_forward.key.weight", "channel_mix_key.weight", "ffn.key.weight"), 0 },
    { W_channel_value, NAMES("feed_forward.value.weight", "channel_mix_value.weight", "ffn.value.weight"), 0 },
    { W_channel_receptance, NAMES("feed_forward.receptance.weight", "channel_mix_receptance.weight", "ffn.receptance.weight"), 0 },
};

static bool claims(const struct container *c) { return rwkv_claims(c, "blocks.0.att.time_maa_x"); }

#define FIRST(hf, gguf, native) "rwkv.blocks.0." hf "|blk.0." gguf "|blocks.0." native
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double divisor;
    int status = config_number(c, "head_size_divisor", NULL, 8, &divisor, err);
    if (!status && !(divisor > 0 && divisor < 1e4)) status = fail(err, HEARTH_E_FORMAT, "head_size_divisor %g makes no sense", divisor);
    if (!status) status = rwkv_sizes(a, c, FIRST("attention.time_faaaa", "time_mix_first.weight", "att.time_faaaa"), err);
    if (!status) status = rwkv_rank(a, c, FIRST("attention.time_maa_w1", "time_mix_w1.weight", "att.time_maa_w1"), 5, &a->mix_rank, err);
    if (!status)
        status = rwkv_rank(a, c, FIRST("attention.time_decay_w1", "time_mix_decay_w1.weight", "att.time_decay_w1"), 1,
                           &a->decay_rank, err);
    if (!c->gguf) a->final_eps = 1e-5f; /* the reference builds this one norm without the configured number */
    a->head_eps = (float)(1e-5 * divisor * divisor);
    return status;
}

/* Matrix i of a stack. */
static struct tensor *one_of(struct arena *arena, const struct tensor *stack, int i, const char *name)
{
    struct tensor *t = arena_array(arena, 1, sizeof *t);
    if (!t) return NULL;
    *t = *stack;
    t->name = name;
    t->rank = 2;
    for (int d = 0; d < 2; d++) {
        t->dim[d] = stack->dim[d + 1];
        t->stride[d] = stack->stride[d + 1];
    }
    t->dim[2] = 1;
    t->data = stack->slab[i];
    t->slab = NULL;
    return t;
}

static int derive(const struct arch *a, struct layer_weights *w, struct arena *arena, struct hearth_error *err)
{
    (void)a;
    w->time_mix_up_decay = one_of(arena, w->time_mix_up, 0, "time_mix_up_decay");
    w->time_mix_up_key = one_of(arena, w->time_mix_up, 1, "time_mix_up_key");
    w->time_mix_up_value = one_of(arena, w->time_mix_up, 2, "time_mix_up_value");
    w->time_mix_up_receptance = one_of(arena, w->time_mix_up, 3, "time_mix_up_receptance");
    w->time_mix_up_gate = one_of(arena, w->time_mix_up, 4, "time_mix_up_gate");
    if (!w->time_mix_up_decay || !w->time_mix_up_key || !w->time_mix_up_value || !w->time_mix_up_receptance || !w->time_mix_up_gate)
        return fail_memory(err, sizeof(struct tensor), "a tensor");
    if (w->time_mix_decay && w->time_mix_key && w->time_mix_value && w->time_mix_receptance && w->time_mix_gate) return 0;
    return fail(err, HEARTH_E_FORMAT,
                "a layer lacks one of the five weights that mix a row with the one before it (time_maa_w, k, v, r, g)");
}

const struct family family_rwkv6 = {
    .name = "rwkv6", .models = "RWKV-6 World (Finch)",
    .hf_types = (const char *const[]){ "rwkv6", NULL }, .gguf_archs = (const char *const[]){ "rwkv6", "rwkv-native", "rwkv-cpp", NULL },
    .claims = claims, .heads = (const char *const[]){ "Rwkv6ForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_RWKV6, .ffn = FFN_RWKV, .act = ACT_RELU2, .norm = NORM_LAYER,
                 .norm_eps = 1e-5f, .position = POSITION_NONE, .mix_previous = true, .rescaled = true, .hidden_skip = 1,
                 .bos = 0, .eos = 0, .start = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish, .derive = derive,
};
