/* XGLM: sines and cosines for positions, scaled embeddings, norms before the branches, biases everywhere. Lin et al. 2022. */
#include <math.h>

#include "model/families/rows.h"

static const struct config_key keys[] = {
    VOCAB_KEYS,
    { "d_model|hidden_size", NULL, CONFIG_INT, AT(width), 1, 1 << 20, 0 },
    { "num_layers|num_hidden_layers", NULL, CONFIG_INT, AT(n_layer), 1, 1024, 0 },
    { "attention_heads|num_attention_heads", NULL, CONFIG_INT, AT(n_head), 1, 4096, 0 },
    { "ffn_dim", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },
    { "max_position_embeddings", NULL, CONFIG_INT, AT(context), 1, 1 << 28, 0 },
    { "activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    TIED_KEYS, END_KEYS,
};

static const struct config_guard guards[] = { DECODER_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = {
    { W_embed, "model.embed_tokens.weight", NULL, 0 },
    { W_norm, "model.layer_norm.weight", NULL, 0 },
    { W_norm_bias, "model.layer_norm.bias", NULL, 0 },
    { W_head, "lm_head.weight", NULL, WEIGHT_OPTIONAL },
};

#define L "model.layers.%d."
static const struct weight_name layer_weights[] = {
    { W_mixer_norm, L "self_attn_layer_norm.weight", NULL, 0 },
    { W_mixer_norm_bias, L "self_attn_layer_norm.bias", NULL, 0 },
    { W_attn_q, L "self_attn.q_proj.weight", NULL, 0 },
    { W_attn_q_bias, L "self_attn.q_proj.bias", NULL, 0 },
    { W_attn_k, L "self_attn.k_proj.weight", NULL, 0 },
    { W_attn_k_bias, L "self_attn.k_proj.bias", NULL, 0 },
    { W_attn_v, L "self_attn.v_proj.weight", NULL, 0 },
    { W_attn_v_bias, L "self_attn.v_proj.bias", NULL, 0 },
    { W_attn_out, L "self_attn.out_proj.weight", NULL, 0 },
    { W_attn_out_bias, L "self_attn.out_proj.bias", NULL, 0 },
    { W_ffn_norm, L "final_layer_norm.weight", NULL, 0 },
    { W_ffn_norm_bias, L "final_layer_norm.bias", NULL, 0 },
    { W_ffn_up, L "fc1.weight", NULL, 0 },
    { W_ffn_up_bias, L "fc1.bias", NULL, 0 },
    { W_ffn_down, L "fc2.weight", NULL, 0 },
    { W_ffn_down_bias, L "fc2.bias", NULL, 0 },
};
#undef L

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool scaled;
    double pad;
    int status = config_bool(c, "scale_embedding", NULL, true, &scaled, err);
    if (!status) status = config_number(c, "pad_token_id", NULL, 1, &pad, err);
    if (status) return status;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (pad >= a->position_offset) /* the class zeroes that row of its table of waves */
        return fail(err, HEARTH_E_UNSUPPORTED,
                    "the model's pad_token_id %g would take a position away from texts, which is not supported", pad);
    if (scaled) a->embed_scale = sqrtf((float)a->width);
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    return 0;
}

const struct family family_xglm = {
    .name = "xglm", .models = "XGLM 564M to 7.5B, InCoder 1B and 6B, fairseq dense 125M to 13B and its tunes (Nerys, Janeway, Shinen 13B)",
    .hf_types = (const char *const[]){ "xglm", NULL }, .heads = (const char *const[]){ "XGLMForCausalLM", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_ATTENTION, .ffn = FFN_DENSE, .act = ACT_GELU, .norm = NORM_LAYER,
                 .norm_eps = 1e-5f, .position = POSITION_WAVES, .position_offset = 2, .context = 2048, .width = 1024,
                 .n_layer = 24, .n_head = 16, .ff_width = 4096, .tied = true, .bos = 0, .eos = 2, .start = 2, .pad = 1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .prefix = "model.",
    .harmless = (const char *const[]){ "embed_positions.weights", "embed_positions._float_tensor", NULL }, .finish = finish,
};
