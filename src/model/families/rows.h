/* Rows that several families share, most of them decoders with the names of LLaMA, of GPT-2 or of GPT-NeoX. A family takes what
 * it needs and adds its own. */
#ifndef MODEL_FAMILIES_ROWS_H
#define MODEL_FAMILIES_ROWS_H

#include "model/family.h"

/* Sizes. GGUF tells the vocabulary by the rows of its embeddings. BODY_KEYS is for families that have the other sizes under
 * keys of their own. */
#define VOCAB_KEYS   { "vocab_size", NULL, CONFIG_INT, AT(n_vocab), 1, 1 << 24, CONFIG_HF_REQUIRED }
#define CONTEXT_KEYS { "max_position_embeddings", "context_length", CONFIG_INT, AT(context), 1, 1 << 28, CONFIG_GGUF_REQUIRED }
#define TIED_KEYS    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 }
#define BODY_KEYS                                                                                                      \
    VOCAB_KEYS,                                                                                                        \
    { "hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_REQUIRED },                         \
    { "num_hidden_layers", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_REQUIRED },                         \
    { "num_attention_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_REQUIRED }
#define SIZE_KEYS                                                                                                      \
    BODY_KEYS,                                                                                                         \
    { "num_key_value_heads", "attention.head_count_kv", CONFIG_INT, AT(n_kv), 1, 4096, 0 },                            \
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_REQUIRED },             \
    CONTEXT_KEYS, TIED_KEYS

/* The same for families whose folders may leave out all but the vocabulary. */
#define DEFAULT_SIZE_KEYS                                                                                              \
    { "hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_GGUF_REQUIRED },                    \
    { "num_hidden_layers", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_GGUF_REQUIRED },                    \
    { "num_attention_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_GGUF_REQUIRED },          \
    { "intermediate_size", "feed_forward_length", CONFIG_INT, AT(ff_width), 1, 1 << 22, CONFIG_GGUF_REQUIRED },        \
    CONTEXT_KEYS, TIED_KEYS

/* The same under the names of GPT-2 (required: flags of width, layers and heads), and of BLOOM. */
#define GPT_KEYS(required)                                                                                             \
    VOCAB_KEYS,                                                                                                        \
    { "n_embd|hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, required },                         \
    { "n_layer|num_hidden_layers", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, required },                        \
    { "n_head|num_attention_heads", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, required },               \
    { "n_positions|max_position_embeddings", "context_length", CONFIG_INT, AT(context), 1, 1 << 28, CONFIG_GGUF_REQUIRED }, \
    { "activation_function", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 },                                              \
    EPSILON_KEYS, TIED_KEYS
#define BLOOM_KEYS                                                                                                     \
    VOCAB_KEYS,                                                                                                        \
    { "n_embed|hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_GGUF_REQUIRED },            \
    { "num_hidden_layers|n_layer", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_GGUF_REQUIRED },            \
    { "num_attention_heads|n_head", "attention.head_count", CONFIG_INT, AT(n_head), 1, 4096, CONFIG_GGUF_REQUIRED },   \
    EPSILON_KEYS, TIED_KEYS

/* Heads whose width is a key of its own. */
#define HEAD_KEYS                                                                                                      \
    { "head_dim", "attention.key_length", CONFIG_INT, AT(key_width), 2, 1024, 0 },                                     \
    { "head_dim", "attention.value_length", CONFIG_INT, AT(value_width), 1, 1024, 0 }

#define RMS_KEYS   { "rms_norm_eps", "attention.layer_norm_rms_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED }
#define NORM_KEYS  { "layer_norm_eps", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED }
#define EPSILON_KEYS                                                                                                   \
    { "layer_norm_epsilon", "attention.layer_norm_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED }
#define ACT_KEYS   { "hidden_act", NULL, CONFIG_ACTIVATION, AT(act), 0, 0, 0 }

/* One key for the biases of all four projections of attention. */
#define ATTENTION_BIAS_KEYS                                                                                            \
    { "attention_bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 }, { "attention_bias", NULL, CONFIG_BOOL, AT(out_bias), 0, 0, 0 }

/* Mamba and Mamba 2. */
#define MAMBA_KEYS                                                                                                     \
    VOCAB_KEYS,                                                                                                        \
    { "hidden_size", "embedding_length", CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_REQUIRED },                         \
    { "num_hidden_layers", "block_count", CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_REQUIRED },                         \
    { "state_size", "ssm.state_size", CONFIG_INT, AT(n_state), 1, 4096, CONFIG_GGUF_REQUIRED },                        \
    { "conv_kernel", "ssm.conv_kernel", CONFIG_INT, AT(conv_kernel), 1, 64, CONFIG_GGUF_REQUIRED },                    \
    { "layer_norm_epsilon", "attention.layer_norm_rms_epsilon", CONFIG_FLOAT, AT(norm_eps), 0, 1, CONFIG_GGUF_REQUIRED },\
    { "use_bias", NULL, CONFIG_BOOL, AT(qkv_bias), 0, 0, 0 },                                                          \
    { "use_conv_bias", NULL, CONFIG_BOOL, AT(out_bias), 0, 0, 0 },                                                     \
    ACT_KEYS, TIED_KEYS

/* Not implemented for these families, in either container; COMMON_GUARDS for those without experts. */
#define CONTAINER_GUARDS                                                                                               \
    { "quantization_config.quant_method", NULL, NULL }, { NULL, "attention.causal", "true" },                          \
    { NULL, "rope.scaling.finetuned", "true" }, { NULL, "rope.scale_linear", "1" },                                    \
    { NULL, "rope.scaling.yarn_attn_factor", "1" }, { NULL, "rope.scaling.yarn_ext_factor", "1" }
#define COMMON_GUARDS CONTAINER_GUARDS, { NULL, "expert_count", "0" }

/* Classes that can also be the decoder of a pair, which is not implemented. */
#define DECODER_GUARDS                                                                                                 \
    { "add_cross_attention", NULL, "false" }, { "quantization_config.quant_method", NULL, NULL }

/* Classes that turn whole heads whatever the file says; scalings in GGUF that nothing here reads. */
#define WHOLE_HEAD_GUARDS                                                                                              \
    { "rope_parameters.partial_rotary_factor|rope_scaling.partial_rotary_factor|partial_rotary_factor", NULL, "1" }
#define ROPE_SCALE_GUARDS                                                                                              \
    { NULL, "rope.scale_linear", "1" }, { NULL, "rope.scaling.attn_factor", "1" }
/* Classes that know neither a scaling nor another base. */
#define PLAIN_ROPE_GUARDS                                                                                              \
    { "rope_scaling.type|rope_scaling.rope_type|rope_parameters.rope_type", NULL, "default" },                         \
    { "rope_theta|rope_parameters.rope_theta", NULL, "10000" }

#define MODEL_ROWS                                                                                                     \
    { W_embed, "model.embed_tokens.weight", "token_embd.weight", 0 },                                                  \
    { W_norm, "model.norm.weight", "output_norm.weight", 0 },                                                          \
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL }

#define LAYER "model.layers.%d."

#define QKV_ROWS                                                                                                       \
    { W_attn_q, LAYER "self_attn.q_proj.weight", "blk.%d.attn_q.weight", 0 },                                          \
    { W_attn_q_bias, LAYER "self_attn.q_proj.bias", "blk.%d.attn_q.bias", 0, AT(qkv_bias) },                           \
    { W_attn_k, LAYER "self_attn.k_proj.weight", "blk.%d.attn_k.weight", 0 },                                          \
    { W_attn_k_bias, LAYER "self_attn.k_proj.bias", "blk.%d.attn_k.bias", 0, AT(qkv_bias) },                           \
    { W_attn_v, LAYER "self_attn.v_proj.weight", "blk.%d.attn_v.weight", 0 },                                          \
    { W_attn_v_bias, LAYER "self_attn.v_proj.bias", "blk.%d.attn_v.bias", 0, AT(qkv_bias) }

#define OUT_ROWS                                                                                                       \
    { W_attn_out, LAYER "self_attn.o_proj.weight", "blk.%d.attn_output.weight", 0 },                                   \
    { W_attn_out_bias, LAYER "self_attn.o_proj.bias", "blk.%d.attn_output.bias", 0, AT(out_bias) }

#define QK_NORM_ROWS                                                                                                   \
    { W_attn_q_norm, LAYER "self_attn.q_norm.weight", "blk.%d.attn_q_norm.weight", WEIGHT_QK_NORM },                   \
    { W_attn_k_norm, LAYER "self_attn.k_norm.weight", "blk.%d.attn_k_norm.weight", WEIGHT_QK_NORM }

#define GATED_ROWS                                                                                                     \
    { W_ffn_gate, LAYER "mlp.gate_proj.weight", "blk.%d.ffn_gate.weight", 0 },                                         \
    { W_ffn_gate_bias, LAYER "mlp.gate_proj.bias", "blk.%d.ffn_gate.bias", 0, AT(ffn_bias) },                          \
    { W_ffn_up, LAYER "mlp.up_proj.weight", "blk.%d.ffn_up.weight", 0 },                                               \
    { W_ffn_up_bias, LAYER "mlp.up_proj.bias", "blk.%d.ffn_up.bias", 0, AT(ffn_bias) },                                \
    { W_ffn_down, LAYER "mlp.down_proj.weight", "blk.%d.ffn_down.weight", 0 },                                         \
    { W_ffn_down_bias, LAYER "mlp.down_proj.bias", "blk.%d.ffn_down.bias", 0, AT(ffn_bias) }

/* Layers without experts, and those with. */
#define EXPERT_ROWS                                                                                                    \
    { W_ffn_gate, LAYER "mlp.gate_proj.weight", "blk.%d.ffn_gate.weight", WEIGHT_DENSE },                              \
    { W_ffn_up, LAYER "mlp.up_proj.weight", "blk.%d.ffn_up.weight", WEIGHT_DENSE },                                    \
    { W_ffn_down, LAYER "mlp.down_proj.weight", "blk.%d.ffn_down.weight", WEIGHT_DENSE },                              \
    { W_router, LAYER "mlp.gate.weight", "blk.%d.ffn_gate_inp.weight", WEIGHT_EXPERTS },                               \
    { W_expert_gate, LAYER "mlp.experts.%e.gate_proj.weight", "blk.%d.ffn_gate_exps.weight", WEIGHT_EXPERTS },         \
    { W_expert_up, LAYER "mlp.experts.%e.up_proj.weight", "blk.%d.ffn_up_exps.weight", WEIGHT_EXPERTS },               \
    { W_expert_down, LAYER "mlp.experts.%e.down_proj.weight", "blk.%d.ffn_down_exps.weight", WEIGHT_EXPERTS }

/* The norms before the two branches. */
#define PRE_NORM_ROWS                                                                                                  \
    { W_mixer_norm, LAYER "input_layernorm.weight", "blk.%d.attn_norm.weight", 0 },                                    \
    { W_ffn_norm, LAYER "post_attention_layernorm.weight", "blk.%d.ffn_norm.weight", 0 }

/* The same with biases, and a feed-forward part under GPT-NeoX's names; layer: what they begin with. */
#define BIASED_NORM_ROWS(layer)                                                                                        \
    { W_mixer_norm, layer "input_layernorm.weight", "blk.%d.attn_norm.weight", 0 },                                    \
    { W_mixer_norm_bias, layer "input_layernorm.bias", "blk.%d.attn_norm.bias", 0 },                                   \
    { W_ffn_norm, layer "post_attention_layernorm.weight", "blk.%d.ffn_norm.weight", 0 },                              \
    { W_ffn_norm_bias, layer "post_attention_layernorm.bias", "blk.%d.ffn_norm.bias", 0 }
#define DENSE_4H_ROWS(layer)                                                                                           \
    { W_ffn_up, layer "mlp.dense_h_to_4h.weight", "blk.%d.ffn_up.weight", 0 },                                         \
    { W_ffn_up_bias, layer "mlp.dense_h_to_4h.bias", "blk.%d.ffn_up.bias", 0 },                                        \
    { W_ffn_down, layer "mlp.dense_4h_to_h.weight", "blk.%d.ffn_down.weight", 0 },                                     \
    { W_ffn_down_bias, layer "mlp.dense_4h_to_h.bias", "blk.%d.ffn_down.bias", 0 }

/* GGUF: the factors of longrope. */
#define LONGROPE_ROWS                                                                                                  \
    { W_rope_short, NULL, "rope_factors_short.weight", WEIGHT_OPTIONAL },                                              \
    { W_rope_long, NULL, "rope_factors_long.weight", WEIGHT_OPTIONAL }

/* GPT-2 and what took its names; flag: how its matrices are stored. */
#define GPT_LAYER "transformer.h.%d."
#define GPT_MODEL_ROWS                                                                                                 \
    { W_embed, "transformer.wte.weight", "token_embd.weight", 0 },                                                     \
    { W_norm, "transformer.ln_f.weight", "output_norm.weight", 0 },                                                    \
    { W_head, "lm_head.weight", "output.weight", WEIGHT_OPTIONAL }
#define GPT2_MODEL_ROWS                                                                                                \
    GPT_MODEL_ROWS,                                                                                                    \
    { W_position, "transformer.wpe.weight", "position_embd.weight", 0 },                                               \
    { W_norm_bias, "transformer.ln_f.bias", "output_norm.bias", 0 }
#define GPT_LAYER_ROWS(flag)                                                                                           \
    { W_mixer_norm, GPT_LAYER "ln_1.weight", "blk.%d.attn_norm.weight", 0 },                                           \
    { W_mixer_norm_bias, GPT_LAYER "ln_1.bias", "blk.%d.attn_norm.bias", 0 },                                          \
    { W_attn_out, GPT_LAYER "attn.c_proj.weight", "blk.%d.attn_output.weight", flag },                                 \
    { W_attn_out_bias, GPT_LAYER "attn.c_proj.bias", "blk.%d.attn_output.bias", 0 },                                   \
    { W_ffn_norm, GPT_LAYER "ln_2.weight", "blk.%d.ffn_norm.weight", 0 },                                              \
    { W_ffn_norm_bias, GPT_LAYER "ln_2.bias", "blk.%d.ffn_norm.bias", 0 },                                             \
    { W_ffn_up, GPT_LAYER "mlp.c_fc.weight", "blk.%d.ffn_up.weight", flag },                                           \
    { W_ffn_up_bias, GPT_LAYER "mlp.c_fc.bias", "blk.%d.ffn_up.bias", 0 },                                             \
    { W_ffn_down, GPT_LAYER "mlp.c_proj.weight", "blk.%d.ffn_down.weight", flag },                                     \
    { W_ffn_down_bias, GPT_LAYER "mlp.c_proj.bias", "blk.%d.ffn_down.bias", 0 }

extern const char *const rows_harmless[]; /* buffers that old files carry */

/* Axes of decoders in the shape of LLaMA, whose norms are RMS norms where a family says nothing; and in that of GPT. */
#define DECODER_AXES                                                                                                   \
    .task = HEARTH_TASK_LM, .mixer = MIXER_ATTENTION, .ffn = FFN_GATED, .position = POSITION_ROTARY, .start = -1

#define GPT_AXES                                                                                                       \
    .task = HEARTH_TASK_LM, .mixer = MIXER_ATTENTION, .ffn = FFN_DENSE, .norm = NORM_LAYER, .norm_eps = 1e-5f, .start = -1

/* What follows from the keys: shape of the heads; in GGUF also what its tensors tell (biases, a head of its own). */
int rows_heads(struct arch *a, const struct config *c, struct hearth_error *err);
/* The same, and a rope over whole heads: classes that turn them whatever partial_rotary_factor says. */
int rows_heads_and_rope(struct arch *a, const struct config *c, struct hearth_error *err);

#endif
