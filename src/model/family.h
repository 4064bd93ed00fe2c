/* A family: the row that says where its numbers and tensors stand in each container, and what they default to. */
#ifndef MODEL_FAMILY_H
#define MODEL_FAMILY_H

#include "model/config.h"
#include "model/weights.h"

/* Files without `architectures` (GGUF) take the first row whose weights they have. */
struct family_head {
    const char    *name; /* "BertForMaskedLM" */
    enum head_kind kind;
    const char    *hf, *gguf; /* a tensor that only this head has; NULL: needs none */
};

struct family {
    const char                *name;       /* "llama" */
    const char                *models;     /* real models it covers, for people */
    const char *const         *hf_types;   /* model_type values, NULL-terminated */
    const char *const         *gguf_archs; /* general.architecture values, NULL-terminated */
    bool (*claims)(const struct container *c); /* several rows share an architecture: whether a file is this one's; NULL: all are */
    const char *const         *heads;      /* architectures[0] values that are served, NULL-terminated */
    const struct family_head  *encoder_heads; /* the same of encoders, with what stands behind the states; the name NULL ends */
    struct arch                initial;    /* axes before any key is read */
    const struct config_key   *keys;
    const struct config_guard *guards;     /* keys refused unless they have the value that changes nothing */
    const struct weight_name  *model_weights, *layer_weights, *encoder_weights;
    int                        n_model_weights, n_layer_weights, n_encoder_weights;
    const char                *nested;     /* object of config.json that holds the keys, beside those of other parts; NULL: none */
    const char                *nested_encoder; /* object with the same keys for the encoder, whose numbers are its own; NULL: none */
    const char                *prefix;     /* of Hugging Face tensor names, which some files lack */
    const char *const         *harmless;   /* words in names of tensors that files carry and nobody needs */
    /* What the rows cannot say: derived numbers. Runs after the keys; NULL: nothing. */
    int (*finish)(struct arch *a, const struct config *c, struct hearth_error *err);
    /* Weights that are views of others. Runs on each layer after binding; NULL: nothing. */
    int (*derive)(const struct arch *a, struct layer_weights *w, struct arena *arena, struct hearth_error *err);
};

/* In tables of keys, guards and weights: a field of struct arch, and the rows that end a table. */
#define AT(field) offsetof(struct arch, field)
#define END_KEYS { NULL, NULL, CONFIG_INT, 0, 0, 0, 0 }
#define END_GUARDS { NULL, NULL, NULL }

/* The three rows of a tensor that holds queries, keys and values; the arguments are what stands behind the weight in a row. */
#define FUSED_QKV(...)      { W_attn_q, __VA_ARGS__ }, { W_attn_k, __VA_ARGS__ }, { W_attn_v, __VA_ARGS__ }
#define FUSED_QKV_BIAS(...) { W_attn_q_bias, __VA_ARGS__ }, { W_attn_k_bias, __VA_ARGS__ }, { W_attn_v_bias, __VA_ARGS__ }

/* Fill the three pairs of a row from arrays. */
#define MODEL_WEIGHTS(array)   .model_weights = (array), .n_model_weights = sizeof(array) / sizeof *(array)
#define LAYER_WEIGHTS(array)   .layer_weights = (array), .n_layer_weights = sizeof(array) / sizeof *(array)
#define ENCODER_WEIGHTS(array) .encoder_weights = (array), .n_encoder_weights = sizeof(array) / sizeof *(array)

/* What stands behind an encoder's states in this container. */
enum head_kind family_head_kind(const struct family *f, const struct container *c);

/* Row i of the table; NULL behind the last. */
const struct family *family_row(int i);

/* The row for this container; an error names what the file says it is and what is supported. */
int family_find(const struct family **out, const struct container *c, struct hearth_error *err);

#endif
