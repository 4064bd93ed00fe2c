/* Phi 1, 1.5 and 2: both branches see one norm, part of each head turns, biases everywhere, also on the head. The files that
 * came first ("phi-msft") have other names, and queries, keys and values in one tensor; so have GGUF files made of them.
 * Microsoft 2023. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    VOCAB_KEYS,
    { "hidden_size|n_embd", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_REQUIRED },
    { "num_hidden_layers|n_layer", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_REQUIRED },
    { "num_attention_heads|n_head", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_REQUIRED },
    { "num_key_value_heads|n_head_kv", "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, 0 },
    { "intermediate_size|n_inner", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "max_position_embeddings|n_positions", "context_length", CONFIG_INT, AT(context), 1, 1 << 28, CONFIG_GGUF_REQUIRED },
    { "layer_norm_eps|layer_norm_epsilon", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "hidden_act|activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    TIED_KEYS, HEAD_KEYS, END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = {
    { W_embed, "model.embed_tokens.weight|transformer.embd.wte.weight", "token_embd.weight", 0 },
    { W_norm, "model.final_layernorm.weight|lm_head.ln.weight", "output_norm.weight", 0 },
    { W_norm_bias, "model.final_layernorm.bias|lm_head.ln.bias", "output_norm.bias", 0 },
    { W_head, "lm_head.weight|lm_head.linear.weight", "output.weight", WEIGHT_OPTIONAL },
    { W_head_bias, "lm_head.bias|lm_head.linear.bias", "output.bias", 0 },
};

#define MSFT "transformer.h.%d."

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, LAYER "input_layernorm.weight|" MSFT "ln.weight", "blk.%d.attn_norm.weight", 0 },
    { W_mixer_norm_bias, LAYER "input_layernorm.bias|" MSFT "ln.bias", "blk.%d.attn_norm.bias", 0 },
    FUSED_QKV(MSFT "mixer.Wqkv.weight", "blk.%d.attn_qkv.weight", 0, AT(fused_qkv)),
    FUSED_QKV_BIAS(MSFT "mixer.Wqkv.bias", "blk.%d.attn_qkv.bias", 0, AT(fused_qkv)),
    { W_attn_q, LAYER "self_attn.q_proj.weight", "blk.%d.attn_q.weight", WEIGHT_UNLESS, AT(fused_qkv) },
    { W_attn_q_bias, LAYER "self_attn.q_proj.bias", "blk.%d.attn_q.bias", WEIGHT_UNLESS, AT(fused_qkv) },
    { W_attn_k, LAYER "self_attn.k_proj.weight", "blk.%d.attn_k.weight", WEIGHT_UNLESS, AT(fused_qkv) },
    { W_attn_k_bias, LAYER "self_attn.k_proj.bias", "blk.%d.attn_k.bias", WEIGHT_UNLESS, AT(fused_qkv) },
    { W_attn_v, LAYER "self_attn.v_proj.weight", "blk.%d.attn_v.weight", WEIGHT_UNLESS, AT(fused_qkv) },
    { W_attn_v_bias, LAYER "self_attn.v_proj.bias", "blk.%d.attn_v.bias", WEIGHT_UNLESS, AT(fused_qkv) },
    { W_attn_q_norm, LAYER "self_attn.q_layernorm.weight", NULL, WEIGHT_QK_NORM },
    { W_attn_q_norm_bias, LAYER "self_attn.q_layernorm.bias", NULL, WEIGHT_QK_NORM },
    { W_attn_k_norm, LAYER "self_attn.k_layernorm.weight", NULL, WEIGHT_QK_NORM },
    { W_attn_k_norm_bias, LAYER "self_attn.k_layernorm.bias", NULL, WEIGHT_QK_NORM },
    { W_attn_out, LAYER "self_attn.dense.weight|" MSFT "mixer.out_proj.weight", "blk.%d.attn_output.weight", 0 },
    { W_attn_out_bias, LAYER "self_attn.dense.bias|" MSFT "mixer.out_proj.bias", "blk.%d.attn_output.bias", 0 },
    { W_ffn_up, LAYER "mlp.fc1.weight|" MSFT "mlp.fc1.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_up_bias, LAYER "mlp.fc1.bias|" MSFT "mlp.fc1.bias", "blk.%d.ffn_up.bias", 0 },
    { W_ffn_down, LAYER "mlp.fc2.weight|" MSFT "mlp.fc2.weight", "blk.%d.ffn_down.weight", 0 },
    { W_ffn_down_bias, LAYER "mlp.fc2.bias|" MSFT "mlp.fc2.bias", "blk.%d.ffn_down.bias", 0 },
};

/* GGUF always says four times the width, whatever its tensors have; they are right. */
static void feed_forward_width(struct arch *a, const struct config *c)
{
    const struct file_tensor *up = c->gguf ? container_tensor(c->c, "blk.0.ffn_up.weight") : NULL;
    if (up && up->rank == 2 && up->dim[0] <= 1 << 22) a->ff_width = (int32_t)up->dim[0];
    if (!a->ff_width) a->ff_width = 4 * a->width; /* n_inner may be null */
}

/* How much of a head turns: a share of it, or a number of values in the first files. */
static int rotary_part(struct arch *a, const struct config *c, struct hearth_error *err)
{
    double part;
    if (c->gguf || !a->fused_qkv) return config_partial_rotary(c, a, "partial_rotary_factor", 0.5, err);
    int status = config_number(c, "rotary_dim", NULL, a->key_width < 32 ? a->key_width : 32, &part, err);
    if (!status && !(part >= 2 && part <= a->key_width))
        return fail(err, HEARTH_E_FORMAT, "rotary_dim %g of heads that are %d wide", part, a->key_width);
    a->rope.part = (int32_t)part;
    return status;
}

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool norm;
    int status = config_bool(c, "qk_layernorm", NULL, false, &norm, err);
    if (status) return status;
    a->qk_norm = norm ? QK_NORM_HEAD : QK_NORM_NONE;
    a->ffn = FFN_DENSE;
    a->fused_qkv = container_tensor(c->c, c->gguf ? "blk.0.attn_qkv.weight" : "transformer.h.0.mixer.Wqkv.weight") != NULL;
    feed_forward_width(a, c);
    status = rows_heads(a, c, err);
    if (!status) status = rotary_part(a, c, err);
    return status ? status : config_rope(c, a, err);
}

const struct family family_phi = {
    .name = "phi", .models = "Phi-1, Phi-1.5, Phi-2, Dolphin 2.6 Phi-2",
    .hf_types = (const char *const[]){ "phi", "phi-msft", NULL }, .gguf_archs = (const char *const[]){ "phi2", NULL },
    .heads = (const char *const[]){ "PhiForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_GELU_TANH, .norm = NORM_LAYER, .norm_eps = 1e-5f, .residual = RESIDUAL_PARALLEL,
                 .context = 2048, .rope.theta = 10000, .bos = 1, .eos = 2, .pad = -1 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = finish,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
