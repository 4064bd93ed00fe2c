/* EXAONE 3: LLaMA under names that come from GPT-2. LG AI Research 2024. */
#include "model/families/rows.h"

static const struct config_key keys[] = {
    VOCAB_KEYS,
    { "hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_REQUIRED },
    { "num_layers|num_hidden_layers", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_REQUIRED },
    { "num_attention_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_REQUIRED },
    { "num_key_value_heads", "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, 0 },
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_REQUIRED },
    CONTEXT_KEYS, TIED_KEYS,
    { "layer_norm_epsilon", "attention.layer_norm_rms_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },
    { "activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },
    END_KEYS,
};

static const struct config_guard guards[] = { COMMON_GUARDS, END_GUARDS };

static const struct weight_name model_weights[] = {
    GPT_MODEL_ROWS,
    { W_rope_divisors, NULL, "rope_freqs.weight", WEIGHT_OPTIONAL },
};

static const struct weight_name layer_weights[] = {
    { W_mixer_norm, GPT_LAYER "ln_1.weight", "blk.%d.attn_norm.weight", 0 },
    { W_attn_q, GPT_LAYER "attn.attention.q_proj.weight", "blk.%d.attn_q.weight", 0 },
    { W_attn_k, GPT_LAYER "attn.attention.k_proj.weight", "blk.%d.attn_k.weight", 0 },
    { W_attn_v, GPT_LAYER "attn.attention.v_proj.weight", "blk.%d.attn_v.weight", 0 },
    { W_attn_out, GPT_LAYER "attn.attention.out_proj.weight", "blk.%d.attn_output.weight", 0 },
    { W_ffn_norm, GPT_LAYER "ln_2.weight", "blk.%d.ffn_norm.weight", 0 },
    { W_ffn_gate, GPT_LAYER "mlp.c_fc_0.weight", "blk.%d.ffn_gate.weight", 0 },
    { W_ffn_up, GPT_LAYER "mlp.c_fc_1.weight", "blk.%d.ffn_up.weight", 0 },
    { W_ffn_down, GPT_LAYER "mlp.c_proj.weight", "blk.%d.ffn_down.weight", 0 },
};

const struct family family_exaone = {
    .name = "exaone", .models = "EXAONE 3.0, 3.5, EXAONE Deep",
    .hf_types = (const char *const[]){ "exaone", NULL }, .gguf_archs = (const char *const[]){ "exaone", NULL },
    .heads = (const char *const[]){ "ExaoneForCausalLM", NULL },
    .initial = { DECODER_AXES, .act = ACT_SILU, .norm_eps = 1e-5f, .context = 2048, .rope.theta = 10000, .bos = 0, .eos = 2,
                 .pad = -1 },
    .keys = keys, .guards = guards, .harmless = rows_harmless, .finish = rows_heads_and_rope,
    MODEL_WEIGHTS(model_weights), LAYER_WEIGHTS(layer_weights),
};
