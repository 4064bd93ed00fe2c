/* What a folder says about turning a text into one vector: the modules of sentence-transformers (modules.json), or the pooling
 * type of a GGUF. */
#ifndef ENGINE_SENTENCE_H
#define ENGINE_SENTENCE_H

#include "engine/session.h"

enum { SENTENCE_POOLINGS = 6, SENTENCE_DENSE = 4 };

struct dense { /* y = act(w x + b) */
    int32_t         in, out;
    enum activation act;
    bool            linear; /* no activation */
    float          *w, *b;  /* f32 [out, in], [out] or NULL */
};

struct sentence {
    enum hearth_pooling pooling[SENTENCE_POOLINGS]; /* [n_pooling] side by side in the vector */
    int                 n_pooling;
    bool                normalize, skip_prompt; /* tokens of the prompt are not pooled */
    struct dense        dense[SENTENCE_DENSE];
    int                 n_dense;
    int32_t             max_tokens;             /* of a text; 0: the folder does not say */
};

/* n_pooling 0: nothing is said. */
int  sentence_open(struct sentence *out, const struct model *m, struct hearth_error *err);
void sentence_free(struct sentence *s);

/* Most tokens of a text: as the folder says, else what the tokenizer or the model was made for; 0: no end. */
int32_t model_max_tokens(const struct model *m);

/* states f32 [n, width]; the first `skip` rows are left out. vector: f32 [n_pooling * width], then dense layers and norm. */
void sentence_pool(const struct sentence *s, const float *states, int32_t n, int32_t width, int32_t skip, float *vector);
/* Width of the result for a model of this width; negative: the folder's modules do not fit it. */
int  sentence_width(const struct sentence *s, int32_t width, int32_t *out, struct hearth_error *err);

#endif
