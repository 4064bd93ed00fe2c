/* Building blocks of layers: ways to mix along the sequence (mixers) and to work on one position (ffn), one row each. */
#ifndef MODEL_BLOCKS_BLOCKS_H
#define MODEL_BLOCKS_BLOCKS_H

#include "model/model.h"

/* x [n, width], already normalised; returns what is added to the state. */
typedef struct tensor *mixer_fn(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x);
typedef struct tensor *ffn_fn(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x);

struct mixer_info {
    const char *name;
    mixer_fn   *record;
    int64_t   (*state_width)(const struct arch *a); /* floats a layer keeps for each sequence; NULL: keys and values instead */
};

struct ffn_info {
    const char *name;
    ffn_fn     *record;
};

extern const struct mixer_info mixer_table[MIXER_COUNT];
extern const struct ffn_info   ffn_table[FFN_COUNT];

/* The architecture's kind of normalisation. */
struct tensor *block_norm_(struct tape *t, const struct arch *a, struct tensor *x, struct tensor *w, struct tensor *b);
#define block_norm(t, ...) block_norm_(TAPE_HERE(t), __VA_ARGS__)

/* layer_block.c: what decoder and encoder share. */
struct embedding { /* the token table, and what is added to its rows; NULL: not there */
    const struct arch *arch;
    struct tensor     *tokens, *position, *norm, *norm_bias;
};
void           block_ropes(struct tape *t, const struct model *m, struct step *s);
struct tensor *block_embed(struct tape *t, const struct model *m, const struct step *s, const struct embedding *e);
struct tensor *block_layer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x);

/* heads.c: what the model's head makes of an encoder's states; x itself when there is none. */
struct tensor *block_head(struct tape *t, const struct model *m, const struct step *s, struct tensor *x);

/* attention_block.c */
mixer_fn       attention_mixer;       /* self-attention: cached when the layer has a group, else over the step itself */
struct tensor *attention_cross(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x);
/* Projected heads turned for cross attention, where they turn. */
struct tensor *attention_cross_turn(struct tape *t, const struct layer *l, const struct step *s, struct tensor *x);
/* Bias by distance from T5's buckets: table f32 [buckets, heads] -> out [n_head, 2 * distance + 1]. */
void attention_buckets(const struct arch *a, const float *table, bool bidirectional, float *out);

/* latent_block.c, mamba_block.c */
mixer_fn latent_mixer, mamba_mixer, mamba2_mixer;
int64_t  mamba_state_width(const struct arch *a), mamba2_state_width(const struct arch *a);

/* ffn_block.c */
ffn_fn ffn_dense, ffn_gated, ffn_experts;
ffn_fn ffn_extra; /* what a layer with experts may have behind them, with a norm of its own */

/* rwkv_block.c */
mixer_fn rwkv4_mixer;
ffn_fn   rwkv_channel_mix;
int64_t  rwkv4_state_width(const struct arch *a);

/* wkv_block.c: RWKV-5 to 7 */
mixer_fn rwkv5_mixer, rwkv6_mixer, rwkv7_mixer;
int64_t  wkv_state_width(const struct arch *a);

#endif
