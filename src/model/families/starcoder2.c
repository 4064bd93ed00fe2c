/* StarCoder2: rotary, layer norm, a dense feed-forward part, grouped queries, biases everywhere or nowhere. Lozhkov et al. 2024. */
#include "model/families/rows.h"

/* GGUF files do not say the window. */
static const struct config_key keys[] = {
    VOCAB_KEYS, DEFAULT_SIZE_KEYS, HEAD_KEYS, ACT_KEYS,
    { "num_key_value_heads", "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, CONFIG_GGUF_REQUIRED },
    { "norm_epsilon", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "sliding_window", "attention.sliding_window", CONFIG_INT, AT(window), 1, 1 << 28, 0 },
    { "use_bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },
    { "use_bias", NULL, CONFIG_BOOL, AT(out_bias), 0, 0, 0 },
    { "use_bias", NULL, CONFIG_BOOL, AT(ffn_bias), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "quantization_config.quant_method", NULL, NULL },
    WHOLE_HEAD_GUARDS, ROPE_SCALE_GUARDS, END_GUARDS,
};

static const struct weight_name model_weights[] = {
    MODEL_ROWS,
    { W_norm_bias, "model.norm.bias", "output_norm.bias", 0 },
    { W_rope_divisors, NULL, "rope_freqs.weight", WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    BIASED_NORM_ROWS(LAYER), QKV_ROWS, OUT_ROWS,
    { W_ffn_up, LAYER "mlp.c_fc.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_up_bias, LAYER "mlp.c_fc.bias", "blk.%d.ffn_up.bias", 0, AT(ffn_bias) },
    { W_ffn_down, LAYER "mlp.c_proj.weight", "blk.%d.ffn_down.weight", 0 },
    { W_ffn_down_bias, LAYER "mlp.c_proj.bias", "blk.%d.ffn_down.bias", 0, AT(ffn_bias) },
};

/* GGUF's tensors tell biases and ties. */
static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    if (!a->key_width) a->key_width = a->width / a->n_head;
    if (!a->value_width) a->value_width = a->key_width;
    if (a->n_head % a->n_kv) return fail(err, HEARTH_E_FORMAT, "%d query heads cannot share %d key/value heads", a->n_head, a->n_kv);
    if (c->gguf) {
        a->tied = true;
        a->qkv_bias = container_tensor(c->c, "blk.0.attn_q.bias") != NULL;
        a->out_bias = container_tensor(c->c, "blk.0.attn_output.bias") != NULL;
        a->ffn_bias = container_tensor(c->c, "blk.0.ffn_up.bias") != NULL;
    }
    return config_rope(c, a, err);
}

const struct family family_starcoder2 = {
    .name = "starcoder2", .models = "StarCoder2 3B, 7B, 15B; StarChat2, Dolphincoder",
    .hf_types = (const char *const[]){ "starcoder2", NULL }, .gguf_archs = (const char *const[]){ "starcoder2", NULL },
    .heads = (const char *const[]){ "Starcoder2ForCausalLM", NULL },
    .initial = { GPT_AXES, .act = ACT_GELU_TANH, .position = POSITION_ROTARY, .rope.theta = 10000, .context = 4096,
                 .width = 3072, .n_layer = 30, .n_head = 24, .n_kv = 2, .ff_width = 12288, .qkv_bias = true, .out_bias = true,
                 .ffn_bias = true, .tied = true, .bos = 50256, .eos = 50256, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
    .harmless = rows_harmless, .finish = finish,
};
