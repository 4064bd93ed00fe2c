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
#define WEIGHT_OPTIONAL 1u
#define WEIGHT_IN_MAJOR 2u /* Hugging Face file: stored [in, out] */
#define WEIGHT_GROUPED  4u /* fused tensor whose parts repeat arch.fused_groups times: [q k v] of one head, of the next ... */
#define WEIGHT_PLUS_ONE 8u /* Hugging Face file: a vector stored less 1 */
#define WEIGHT_QK_NORM  16u /* only when queries and keys are normalised */
#define WEIGHT_DENSE    32u /* only when the model has no experts; likewise: */
#define WEIGHT_EXPERTS  64u
#define WEIGHT_SHARED   256u /* only with shared experts */
#define WEIGHT_QRANK    512u /* only with compressed queries, and only without: */
#define WEIGHT_NO_QRANK 1024u
#define WEIGHT_TYPES    2048u /* only with token types */
#define WEIGHT_GATED    128u /* only when the feed-forward part is gated */
#define WEIGHT_SERIAL   2048u /* only when the two branches follow each other */
#define WEIGHT_UNLESS   4096u /* `when` says that the weight does not exist */

#define WEIGHT_MXFP4    32768u /* Hugging Face file: NAME_blocks and NAME_scales instead of NAME, when those are there */
#define WEIGHT_LOW_RANK 65536u /* stored [in, out] when arch.in_major, in any container */
#define WEIGHT_NOT_FIRST 131072u /* the first layer has none */

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
