/* Weights by name: the tensors of a file bound to the fields that shared code uses, with their shapes checked. */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "formats/container.h"
#include "model/arch.h"

enum weight_id {
#define WEIGHT(scope, field, rows, columns) W_##field,
#include "model/weights.def"
#undef WEIGHT
    WEIGHT_COUNT,
};

#define WEIGHT_FIELD_MODEL(field) struct tensor *field;
#define WEIGHT_FIELD_LAYER(field)
struct model_weights { /* NULL: this model has none */
#define WEIGHT(scope, field, ...) WEIGHT_FIELD_##scope(field)
#include "model/weights.def"
#undef WEIGHT
};
#undef WEIGHT_FIELD_MODEL
#undef WEIGHT_FIELD_LAYER

#define WEIGHT_FIELD_MODEL(field)
#define WEIGHT_FIELD_LAYER(field) struct tensor *field;
struct layer_weights {
#define WEIGHT(scope, field, ...) WEIGHT_FIELD_##scope(field)
#include "model/weights.def"
#undef WEIGHT
};
#undef WEIGHT_FIELD_MODEL
#undef WEIGHT_FIELD_LAYER

/* Where a weight stands in a file. Names have %d for the layer and %e for the expert (one tensor each); alternatives are
 * separated by '|'. Rows that follow each other with the same name share one tensor, one below the other (fused q, k, v).
 * A vector whose name has %e is made of several tensors, one a head. */
struct weight_name {
    enum weight_id id;
    const char    *hf, *gguf; /* NULL: not in that container */
    unsigned       flags;
    size_t         when;      /* offset of a bool in struct arch that says whether the weight exists; 0: it does */
    unsigned       heads;     /* kinds of heads that have the weight, 1 << head_kind each; 0: all */
};
enum weight_flag { /* how it is stored, then when it exists */
    WEIGHT_OPTIONAL  = 1 << 0,
    WEIGHT_IN_MAJOR  = 1 << 1,  /* Hugging Face file: stored [in, out] */
    WEIGHT_LOW_RANK  = 1 << 2,  /* stored [in, out] when arch.in_major, in any container */
    WEIGHT_GROUPED   = 1 << 3,  /* fused tensor whose parts repeat arch.fused_groups times: [q k v] of one head, of the next ... */
    WEIGHT_PLUS_ONE  = 1 << 4,  /* Hugging Face file: a vector stored less 1 */
    WEIGHT_MXFP4     = 1 << 5,  /* Hugging Face file: NAME_blocks and NAME_scales instead of NAME, when those are there */
    WEIGHT_UNLESS    = 1 << 6,  /* `when` says that the weight does not exist */
    WEIGHT_QK_NORM   = 1 << 7,  /* only when queries and keys are normalised */
    WEIGHT_DENSE     = 1 << 8,  /* only in layers without experts, only in those with them, only with shared ones: */
    WEIGHT_EXPERTS   = 1 << 9,
    WEIGHT_SHARED    = 1 << 10,
    WEIGHT_QRANK     = 1 << 11, /* only with compressed queries, and only without: */
    WEIGHT_NO_QRANK  = 1 << 12,
    WEIGHT_TYPES     = 1 << 13, /* only with token types */
    WEIGHT_GATED     = 1 << 14, /* only when the feed-forward part is gated */
    WEIGHT_SERIAL    = 1 << 15, /* only when the two branches follow each other */
    WEIGHT_NOT_FIRST = 1 << 16, /* the first layer has none */
    WEIGHT_CROSS     = 1 << 17, /* only in layers that attend to the source */
};

/* Backend memory of a tensor that could not stay as the file has it. */
struct owned {
    struct owned *next;
    void         *data;
    uint64_t      bytes;
};

struct weight_loader {
    const struct container *c;
    const struct arch      *arch;
    bool                    gguf;
    const char             *prefix;  /* Hugging Face names may lack it ("transformer."); NULL: none */
    struct arena           *arena;   /* tensors and slabs */
    struct backend         *backend; /* f32 vectors live in its memory */
    struct owned          **owned;
    char                   *vectors; /* [vectors_room], filled from the front */
    uint64_t                vectors_used, vectors_room;
    uint8_t                *taken;   /* [c->n_tensor]: bound to a field */
    int64_t                 parameters, bytes;
};

/* Binds names into `fields`: a struct model_weights (layer -1) or the struct layer_weights of that layer. */
int weights_bind(struct weight_loader *l, const struct weight_name *names, int n_names, int layer, void *fields, struct hearth_error *err);

/* Refuses the first tensor that nothing took, unless its name contains one of the family's harmless words (NULL-terminated). */
int weights_check_surplus(const struct weight_loader *l, const char *const *harmless, struct hearth_error *err);

#endif
