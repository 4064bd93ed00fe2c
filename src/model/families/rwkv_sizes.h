/* RWKV: rows that versions 4 and 5 share, and sizes from the shapes of tensors: native files state none at all, the others
 * leave some out. */
#ifndef MODEL_FAMILIES_RWKV_SIZES_H
#define MODEL_FAMILIES_RWKV_SIZES_H

#include "model/family.h"

#define RWKV_KEYS                                                                                                      \
    { "hidden_size", NULL, CONFIG_INT, AT(width), 1, 1 << 20, CONFIG_HF_REQUIRED },                                    \
    { "num_hidden_layers", NULL, CONFIG_INT, AT(n_layer), 1, 1024, CONFIG_HF_REQUIRED },                               \
    { "attention_hidden_size", NULL, CONFIG_INT, AT(rnn_width), 1, 1 << 20, 0 },                                       \
    { "intermediate_size", NULL, CONFIG_INT, AT(ff_width), 1, 1 << 22, 0 },                                            \
    { "layer_norm_epsilon", NULL, CONFIG_FLOAT, AT(norm_eps), 0, 1, 0 },                                               \
    { "tie_word_embeddings", NULL, CONFIG_BOOL, AT(tied), 0, 0, 0 }
#define RWKV_MODEL_ROWS                                                                                                \
    { W_embed, "rwkv.embeddings.weight", "emb.weight", 0 },                                                            \
    { W_embed_norm, "rwkv.blocks.0.pre_ln.weight", "blocks.0.ln0.weight", 0 },                                         \
    { W_embed_norm_bias, "rwkv.blocks.0.pre_ln.bias", "blocks.0.ln0.bias", 0 },                                        \
    { W_norm, "rwkv.ln_out.weight", "ln_out.weight", 0 },                                                              \
    { W_norm_bias, "rwkv.ln_out.bias", "ln_out.bias", 0 },                                                             \
    { W_head, "head.weight", "head.weight", WEIGHT_OPTIONAL }

/* A name in folders, and in native files. */
#define BOTH(hf, native) "rwkv.blocks.%d." hf, "blocks.%d." native
#define RWKV_LAYER_ROWS                                                                                                \
    { W_mixer_norm, BOTH("ln1.weight", "ln1.weight"), 0 },                                                             \
    { W_mixer_norm_bias, BOTH("ln1.bias", "ln1.bias"), 0 },                                                            \
    { W_time_mix_key, BOTH("attention.time_mix_key", "att.time_mix_k"), 0 },                                           \
    { W_time_mix_value, BOTH("attention.time_mix_value", "att.time_mix_v"), 0 },                                       \
    { W_time_mix_receptance, BOTH("attention.time_mix_receptance", "att.time_mix_r"), 0 },                             \
    { W_time_key, BOTH("attention.key.weight", "att.key.weight"), 0 },                                                 \
    { W_time_value, BOTH("attention.value.weight", "att.value.weight"), 0 },                                           \
    { W_time_receptance, BOTH("attention.receptance.weight", "att.receptance.weight"), 0 },                            \
    { W_time_out, BOTH("attention.output.weight", "att.output.weight"), 0 },                                           \
    { W_ffn_norm, BOTH("ln2.weight", "ln2.weight"), 0 },                                                               \
    { W_ffn_norm_bias, BOTH("ln2.bias", "ln2.bias"), 0 },                                                              \
    { W_channel_mix_key, BOTH("feed_forward.time_mix_key", "ffn.time_mix_k"), 0 },                                     \
    { W_channel_mix_receptance, BOTH("feed_forward.time_mix_receptance", "ffn.time_mix_r"), 0 },                       \
    { W_channel_key, BOTH("feed_forward.key.weight", "ffn.key.weight"), 0 },                                           \
    { W_channel_value, BOTH("feed_forward.value.weight", "ffn.value.weight"), 0 },                                     \
    { W_channel_receptance, BOTH("feed_forward.receptance.weight", "ffn.receptance.weight"), 0 }

/* Dimension `axis` of the first of these tensors that there is (alternatives separated by '|'); 0: no such tensor or dimension. */
int64_t rwkv_dim(const struct container *c, const char *names, int axis);

/* Fills vocabulary, width, layers, recurrent and feed-forward width where the configuration did not, the heads from the key
 * wkv.head_size or the rows of tensor `heads`, and whether low-rank matrices are stored [in, out]. heads NULL: no heads. */
int rwkv_sizes(struct arch *a, const struct config *c, const char *heads, struct hearth_error *err);

/* The rank of a pair of low-rank matrices, from the first of them, `parts` of which may lie together. */
int rwkv_rank(const struct arch *a, const struct config *c, const char *names, int parts, int32_t *out, struct hearth_error *err);

/* Of the two words for native names: the files of rwkv.cpp, which hold some values precomputed. */
bool rwkv_is_cpp(const struct config *c);
/* Whether a file with native names has this tensor; other containers say their version themselves. */
bool rwkv_claims(const struct container *c, const char *name);

#endif
