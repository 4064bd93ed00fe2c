/* RWKV-7 Goose: the state is corrected by a delta rule with rates learned in context. Peng et al. 2025. */
#include "model/families/rwkv_sizes.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, 0 },
    { "hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_HF_REQUIRED },
    { "num_hidden_layers", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_HF_REQUIRED },
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "norm_eps|layer_norm_epsilon", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, 0 },
    { "hidden_act", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    END_KEYS,
};

/* attn: some layers with attention instead. */
static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    { "attn.layers", NULL, NULL },
    { NULL, "token_shift_count", "2" },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "model.embeddings.weight", "token_embd.weight|emb.weight", 0 },
    { W_embed_norm, "model.layers.0.pre_norm.weight", "token_embd_norm.weight|blocks.0.ln0.weight", WEIGHT_OPTIONAL },
    { W_embed_norm_bias, "model.layers.0.pre_norm.bias", "token_embd_norm.bias|blocks.0.ln0.bias", WEIGHT_OPTIONAL },
    { W_norm, "model.norm.weight", "output_norm.weight|ln_out.weight", 0 },
    { W_norm_bias, "model.norm.bias", "output_norm.bias|ln_out.bias", WEIGHT_OPTIONAL },
    { W_head, "lm_head.weight", "output.weight|head.weight", WEIGHT_OPTIONAL },
};

#define NAMES(hf, gguf, native) "model.layers.%d." hf, "blk.%d." gguf "|blocks.%d." native
/* The six mixing weights lie together in GGUF, in rwkv.cpp's files and in early folders, each of them [6, width]. */
#define FUSED "model.layers.%d.attn.x_x", "blk.%d.time_mix_lerp_fused.weight|blocks.%d.att.x_rwkvag", WEIGHT_OPTIONAL
#define SINGLE(letter) "model.layers.%d.attn.x_" letter, "blocks.%d.att.x_" letter, WEIGHT_OPTIONAL
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, NAMES("attn_norm.weight", "attn_norm.weight", "ln1.weight"), 0 },
    { W_mixer_norm_bias, NAMES("attn_norm.bias", "attn_norm.bias", "ln1.bias"), WEIGHT_OPTIONAL },
    { W_time_mix_receptance, FUSED }, { W_time_mix_decay, FUSED }, { W_time_mix_key, FUSED },
    { W_time_mix_value, FUSED }, { W_time_mix_rate, FUSED }, { W_time_mix_gate, FUSED },
    { W_time_mix_receptance, SINGLE("r") }, { W_time_mix_decay, SINGLE("w") }, { W_time_mix_key, SINGLE("k") },
    { W_time_mix_value, SINGLE("v") }, { W_time_mix_rate, SINGLE("a") }, { W_time_mix_gate, SINGLE("g") },
    { W_time_decay, NAMES("attn.w_lora.lora.2.bias", "time_mix_w0.weight", "att.w0"), 0 },
    { W_time_decay_down, NAMES("attn.w_lora.lora.0.weight", "time_mix_w1.weight", "att.w1"), WEIGHT_LOW_RANK },
    { W_time_decay_up, NAMES("attn.w_lora.lora.2.weight", "time_mix_w2.weight", "att.w2"), WEIGHT_LOW_RANK },
    { W_time_rate, NAMES("attn.a_lora.lora.2.bias", "time_mix_a0.weight", "att.a0"), 0 },
    { W_time_rate_down, NAMES("attn.a_lora.lora.0.weight", "time_mix_a1.weight", "att.a1"), WEIGHT_LOW_RANK },
    { W_time_rate_up, NAMES("attn.a_lora.lora.2.weight", "time_mix_a2.weight", "att.a2"), WEIGHT_LOW_RANK },
    { W_time_carry, NAMES("attn.v_lora.lora.2.bias", "time_mix_v0.weight", "att.v0"), WEIGHT_NOT_FIRST },
    { W_time_carry_down, NAMES("attn.v_lora.lora.0.weight", "time_mix_v1.weight", "att.v1"), WEIGHT_LOW_RANK | WEIGHT_NOT_FIRST },
    { W_time_carry_up, NAMES("attn.v_lora.lora.2.weight", "time_mix_v2.weight", "att.v2"), WEIGHT_LOW_RANK | WEIGHT_NOT_FIRST },
    { W_time_gate_down, NAMES("attn.g_lora.lora.0.weight", "time_mix_g1.weight", "att.g1"), WEIGHT_LOW_RANK },
    { W_time_gate_up, NAMES("attn.g_lora.lora.2.weight", "time_mix_g2.weight", "att.g2"), WEIGHT_LOW_RANK },
    { W_time_key_scale, NAMES("attn.k_k", "time_mix_k_k.weight", "att.k_k"), 0 },
    { W_time_key_rate, NAMES("attn.k_a", "time_mix_k_a.weight", "att.k_a"), 0 },
    { W_time_first, NAMES("attn.r_k", "time_mix_r_k.weight", "att.r_k"), 0 },
    { W_time_key, NAMES("attn.k_proj.weight", "time_mix_key.weight", "att.key.weight"), 0 },
    { W_time_value, NAMES("attn.v_proj.weight", "time_mix_value.weight", "att.value.weight"), 0 },
    { W_time_receptance, NAMES("attn.r_proj.weight", "time_mix_receptance.weight", "att.receptance.weight"), 0 },
    { W_time_norm, NAMES("attn.g_norm.weight", "time_mix_ln.weight", "att.ln_x.weight"), 0 },
    { W_time_norm_bias, NAMES("attn.g_norm.bias", "time_mix_ln.bias", "att.ln_x.bias"), 0 },
    { W_time_out, NAMES("attn.o_proj.weight", "time_mix_output.weight", "att.output.weight"), 0 },
    { W_ffn_norm, NAMES("ffn_norm.weight", "attn_norm_2.weight", "ln2.weight"), 0 },
    { W_ffn_norm_bias, NAMES("ffn_norm.bias", "attn_norm_2.bias", "ln2.bias"), WEIGHT_OPTIONAL },
    { W_channel_mix_key, NAMES("ffn.x_k", "channel_mix_lerp_k.weight", "ffn.x_k"), 0 },
    { W_channel_key, NAMES("ffn.key.weight", "channel_mix_key.weight", "ffn.key.weight"), 0 },
    { W_channel_value, NAMES("ffn.value.weight", "channel_mix_value.weight", "ffn.value.weight"), 0 },
};

static bool claims(const struct container *c) { return rwkv_claims(c, "blocks.0.att.r_k"); }

static int read_ranks(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = rwkv_rank(a, c, "model.layers.0.attn.w_lora.lora.0.weight|blk.0.time_mix_w1.weight|blocks.0.att.w1", 1,
                           &a->decay_rank, err);
    if (!status)
        status = rwkv_rank(a, c, "model.layers.0.attn.a_lora.lora.0.weight|blk.0.time_mix_a1.weight|blocks.0.att.a1", 1,
                           &a->rate_rank, err);
    if (!status)
        status = rwkv_rank(a, c, "model.layers.0.attn.g_lora.lora.0.weight|blk.0.time_mix_g1.weight|blocks.0.att.g1", 1,
                           &a->gate_rank, err);
    if (!status && a->n_layer > 1) /* the first layer has none, or one that nobody uses */
        status = rwkv_rank(a, c, "model.layers.1.attn.v_lora.lora.0.weight|blk.1.time_mix_v1.weight|blocks.1.att.v1", 1,
                           &a->carry_rank, err);
    return status;
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool first, bias;
    int status = config_bool(c, "norm_first", NULL, true, &first, err);
    if (!status) status = config_bool(c, "norm_bias", NULL, true, &bias, err);
    if (!status) status = rwkv_sizes(a, c, "model.layers.0.attn.r_k|blocks.0.att.r_k", err);
    if (status) return status;
    if (first != (container_tensor(c->c, "model.layers.0.pre_norm.weight") || c->gguf))
        return fail(err, HEARTH_E_FORMAT, "norm_first is %s, but the first layer has %s norm before it", first ? "true" : "false",
                    first ? "no" : "a");
    if (bias != (container_tensor(c->c, "model.norm.bias") || c->gguf))
        return fail(err, HEARTH_E_FORMAT, "norm_bias is %s, but model.norm.bias is%s there", bias ? "true" : "false", bias ? " not" : "");
    if (!c->gguf) a->in_major = false;
    if (c->gguf) a->bos = a->eos = 0; /* the class's defaults are for folders; native files end texts as their tokenizer does */
    a->head_eps = c->gguf ? 64e-5f : a->norm_eps * (float)(a->rnn_width / a->n_head);
    return read_ranks(a, c, err);
}

static int derive(const struct arch *a, struct layer_weights *w, struct arena *arena, struct hearth_error *err)
{
    (void)a, (void)arena;
    if (w->time_mix_receptance && w->time_mix_decay && w->time_mix_key && w->time_mix_value && w->time_mix_rate &&
        w->time_mix_gate)
        return 0;
    return fail(err, HEARTH_E_FORMAT, "a layer lacks one of the six weights that mix a row with the one before it (x_r, w, k, v, a, g)");
}

const struct family family_rwkv7 = {
    .name = "rwkv7", .models = "RWKV-7 World, RWKV-7 Pile (Goose)",
    .hf_types = (const char *const[]){ "rwkv7", NULL }, .gguf_archs = (const char *const[]){ "rwkv7", "rwkv-native", "rwkv-cpp", NULL },
    .claims = claims, .heads = (const char *const[]){ "RWKV7ForCausalLM", "Rwkv7ForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_RWKV7, .ffn = FFN_RWKV, .act = ACT_RELU2, .norm = NORM_LAYER,
                 .norm_eps = 1e-5f, .position = POSITION_NONE, .decay = DECAY_LOG, .mix_previous = true,
                 .embed_norm_inside = true, .bos = 1, .eos = 2, .start = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .finish = finish, .derive = derive,
    .harmless = (const char *const[]){ "blk.0.time_mix_v0.", "blk.0.time_mix_v1.", "blk.0.time_mix_v2.", "blocks.0.att.v0",
                                       "blocks.0.att.v1", "blocks.0.att.v2", NULL },
};
