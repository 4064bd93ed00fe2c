/* GPT-2: learned positions, layer norm, one fused qkv product. Hugging Face files keep matrices as [in, out] (Conv1D). Radford et al. 2019. */
#include "model/family.h"

static const struct config_key keys[] = {
    { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED },
    { "n_embd|hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_REQUIRED },
    { "n_layer|num_hidden_layers", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_REQUIRED },
    { "n_head|num_attention_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_REQUIRED },
    { "n_positions|max_position_embeddings", "context_length", CONFIG_INT, AT(context), 1, 1 << 28, CONFIG_GGUF_REQUIRED },
    { "n_inner", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_GGUF_REQUIRED },
    { "layer_norm_epsilon", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 },
    { "scale_attn_by_inverse_layer_idx", NULL, CONFIG_BOOL, AT(attn_scale_by_layer), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = {
    { "add_cross_attention", NULL, "false" },
    { "quantization_config.quant_method", NULL, NULL },
    END_GUARDS,
};

static const struct weight_name model_weights[] = {
    { W_embed, "transformer.wte.weight", "token_embd.weight", 0 },
    { W_position, "transformer.wpe.weight", "position_embd.weight", 0 },
    { W_norm, "transformer.ln_f.weight", "output_norm.weight", 0 },
    { W_norm_bias, "transformer.ln_f.bias", "output_norm.bias", 0 },
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, "transformer.h.%d.ln_1.weight", "blk.%d.attn_norm.weight", 0 },
    { W_mixer_norm_bias, "transformer.h.%d.ln_1.bias", "blk.%d.attn_norm.bias", 0 },
    FUSED_QKV("transformer.h.%d.attn.c_attn.weight", "blk.%d.attn_qkv.weight", WEIGHT_IN_MAJOR),
    FUSED_QKV_BIAS("transformer.h.%d.attn.c_attn.bias", "blk.%d.attn_qkv.bias", 0),
    { W_attn_out, "transformer.h.%d.attn.c_proj.weight", "blk.%d.attn_output.weight", WEIGHT_IN_MAJOR },
    { W_attn_out_bias, "transformer.h.%d.attn.c_proj.bias", "blk.%d.attn_output.bias", 0 },
    { W_ffn_norm, "transformer.h.%d.ln_2.weight", "blk.%d.ffn_norm.weight", 0 },
    { W_ffn_norm_bias, "transformer.h.%d.ln_2.bias", "blk.%d.ffn_norm.bias", 0 },
    { W_ffn_up, "transformer.h.%d.mlp.c_fc.weight", "blk.%d.ffn_up.weight", WEIGHT_IN_MAJOR },
    { W_ffn_up_bias, "transformer.h.%d.mlp.c_fc.bias", "blk.%d.ffn_up.bias", 0 },
    { W_ffn_down, "transformer.h.%d.mlp.c_proj.weight", "blk.%d.ffn_down.weight", WEIGHT_IN_MAJOR },
    { W_ffn_down_bias, "transformer.h.%d.mlp.c_proj.bias", "blk.%d.ffn_down.bias", 0 },
};

static int finish(struct arch *a, const struct config *c, struct hearth_error *err)
{
    bool scaled;
    int status = config_bool(c, "scale_attn_weights", NULL, true, &scaled, err);
    if (status) return status;
    if (a->width % a->n_head) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", a->width, a->n_head);
    if (c->gguf) a->ff_width = (int32_t)config_rows(c, NULL, "blk.0.ffn_up.weight"); /* its key says four times the width, always */
    if (!a->ff_width) a->ff_width = 4 * a->width;
    if (!scaled) a->attn_scale = 1.0f;
    a->n_kv = a->n_head;
    a->key_width = a->value_width = a->width / a->n_head;
    return 0;
}

const struct family family_gpt2 = {
    .name = "gpt2", .models = "GPT-2, DistilGPT-2, GPT-2 Novel, DialoGPT, Cerebras-GPT 111M to 13B, AI Dungeon 2, DLite, HourAI",
    .hf_types = (const char *const[]){ "gpt2", NULL }, .gguf_archs = (const char *const[]){ "gpt2", NULL },
    .heads = (const char *const[]){ "GPT2LMHeadModel", NULL },
    .initial = { .task = HEARTH_TASK_LM, .mixer = MIXER_ATTENTION, .ffn = FFN_DENSE, .act = ACT_GELU_TANH, .norm = NORM_LAYER, .norm_eps = 1e-5f,
                 .position = POSITION_LEARNED, .context = 1024, .tied = true, .bos = 50256, .eos = 50256, .start = -1, .pad = -1 },
    .keys = keys, .guards = guards, MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights), .prefix = "transformer.",
    .harmless = (const char *const[]){ ".attn.bias", ".attn.masked_bias", NULL }, .finish = finish,
};
