/* A model opened and resolved: axes, weights bound to fields, layer table, cache groups. Immutable once open; sessions share it. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "model/family.h"
#include "tensor/tape.h"

/* The resolved row of one layer: what `explain` prints. */
struct layer {
    struct layer_weights w;
    const struct arch   *arch;                /* of its half of the model */
    struct tensor       *bias;                /* f32 [n_head, 2 d + 1]: by distance; NULL: none */
    enum mixer_kind      mixer;
    enum ffn_kind        ffn;
    int                  index;
    int                  group, group_layer;  /* of the mixer's cache or state; -1: none (encoders) */
    int                  cross_layer;         /* layer within the cross group; -1: no cross attention */
    int32_t              window;              /* tokens a query sees; 0: all */
    int                  rope;                /* which of the model's ropes turns its heads, -1: none */
    float                attn_scale;
    float                branch_scale;        /* of what mixer and ffn add to the state; else 1 */
    bool                 halve;               /* RWKV: the state is halved after this layer */
};

enum model_rope { ROPE_MAIN, ROPE_LOCAL, ROPE_ENCODER, MODEL_ROPES }; /* arch.rope, arch.local_rope, encoder.rope */

struct model {
    struct container    *file;
    const struct family *family;
    struct arch          arch;
    struct arch          encoder;       /* the same with the numbers of the encoder's layers */
    struct model_weights w;
    struct layer        *layer;         /* [n_layer] */
    struct layer        *encoder_layer; /* [n_encoder_layer] */
    struct tensor       *slopes;         /* f32 [n_head]: ALiBi */
    struct tensor       *head_lengths;   /* f32 [n_vocab]: 1 / length of each row of the head */
    struct tensor       *waves;          /* f32 [width / 2]: frequencies */
    struct tensor      **derived;       /* [n_derived] tensors that are no weights and own backend memory */
    int                  n_derived;
    struct cache_group   group[CACHE_GROUPS];       /* layouts; pool NULL, type to be chosen by the session */
    int                  n_group, cross_group, state_group; /* -1: none */
    const struct rope   *rope[MODEL_ROPES]; /* NULL: there is none */
    float                rope_scale[MODEL_ROPES];
    int64_t              parameters, bytes;
    struct backend      *backend;
    struct arena         arena;
    struct owned        *owned;   /* weights that had to be laid out anew */
    char                *vectors; /* backend memory */
    uint64_t             vectors_bytes;
};

int  model_open(struct model **out, const char *path, struct backend *backend, struct hearth_error *err);
void model_close(struct model *m);

/* Inputs of a step: tensors in backend memory, filled by the session before recording. */
struct step {
    struct tensor *ids;         /* i32 [n] */
    struct tensor *positions;   /* i32 [n]; models for which arch_has_positions only */
    struct tensor *types;       /* i32 [n]; models with token types only */
    struct tensor *frequencies[MODEL_ROPES]; /* f32 [sets, part / 2]; rotary only */
    struct tensor *set;         /* i32 [n]: row of frequencies for each row; rotary only */
    struct tensor *picture;     /* f32 [channels, image_size, image_size], instead of ids; positions count the rows */
    struct tensor **carried;    /* slot: what the first layer hands to all others (RWKV-7: its values) */
    bool           whole;       /* no cache: attention over the step itself, as for training */
    struct tensor *want;        /* i32 [m]: rows whose logits are asked for (heads over whole texts: their first rows); NULL: all */
    bool           headless;    /* only the states are wanted */
    struct tensor *states;      /* made by recording: the last, normalised ones [n, width] (decoders: of the wanted rows) */
    struct tensor *rope[MODEL_ROPES]; /* made from the two above when recording starts; NULL: there is none */
};

/* Kinds of heads: one result for a whole text, and results that are logits of the vocabulary. */
bool head_is_whole(enum head_kind kind);
bool head_is_masked(enum head_kind kind);

/* Records a decoder step; returns logits [m, n_vocab]. */
struct tensor *decoder_record(struct tape *t, const struct model *m, struct step *s);
/* Records a whole encode, and for encoder-decoders the writing of every decoder layer's cross keys and values; returns what the
 * head makes of the wanted rows (heads.c), or the states [n, width] when there is none. */
struct tensor *encoder_record(struct tape *t, const struct model *m, struct step *s);

#endif
