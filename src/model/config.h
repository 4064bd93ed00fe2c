/* Reading a model's numbers: rows of keys, checked ranges, and keys refused by name when they would change the result. */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include "formats/container.h"
#include "model/arch.h"

struct config {
    const struct container *c;
    struct arena           *arena; /* for arrays that outlive reading */
    bool                    gguf;  /* keys are "<architecture>.<suffix>"; else config.json's */
    struct str              architecture;
    const char             *nested; /* object of config.json whose keys come before those outside it ("text_config"); NULL: none */
};

enum config_kind { CONFIG_INT, CONFIG_FLOAT, CONFIG_BOOL, CONFIG_ACTIVATION };

struct config_key {
    const char      *hf, *gguf; /* alternatives separated by '|'; NULL: not in that container */
    enum config_kind kind;
    size_t           offset;    /* in struct arch */
    double           min, max;  /* NaN and anything outside is refused */
    unsigned         flags;     /* CONFIG_REQUIRED: absent (or null) is an error; else the field stays as it was */
};
#define CONFIG_HF_REQUIRED   1u
#define CONFIG_GGUF_REQUIRED 2u
#define CONFIG_REQUIRED      3u

/* A key that shared code does not implement: accepted only when absent, null, or equal to `neutral`. */
struct config_guard {
    const char *hf, *gguf;
    const char *neutral; /* "false", "1", "silu" ...; NULL: only absent or null */
};

/* NULL when absent or null. names: alternatives separated by '|' (GGUF: suffixes after the architecture). */
const struct kv *config_find(const struct config *c, const char *hf, const char *gguf);
/* The value, or `initial` when absent; wrong types and NaN are errors. */
int config_number(const struct config *c, const char *hf, const char *gguf, double initial, double *out, struct hearth_error *err);
int config_bool(const struct config *c, const char *hf, const char *gguf, bool initial, bool *out, struct hearth_error *err);

/* Whether the authors' own code lies beside the model (auto_map): where it and transformers differ, it made the weights. */
bool config_own_code(const struct config *c);
/* Rows of the first of these matrices that the file has, 0: none. For files whose keys say less than their tensors. */
int64_t config_rows(const struct config *c, const char *hf, const char *gguf);

int config_read(const struct config *c, const struct config_key *keys, struct arch *a, struct hearth_error *err); /* keys end with hf = gguf = NULL */
int config_guards(const struct config *c, const struct config_guard *guards, struct hearth_error *err);
int config_rope(const struct config *c, struct arch *a, struct hearth_error *err);   /* rotary scaling in every form files use */
/* The share of each head that turns, into rope.part (Hugging Face; GGUF counts values): call before config_rope. */
int config_partial_rotary(const struct config *c, struct arch *a, const char *older, double initial, struct hearth_error *err);
/* The rope of layers with a window, when it is another: theta: its key in older files. Call after config_rope. */
int config_local_rope(const struct config *c, struct arch *a, const char *theta, double initial, struct hearth_error *err);
/* Which layers have the window: as the file lists them, else all but those with i % period == which (period 0: all). A file may
 * state the period; then the last layer of each has none. */
int config_layer_types(const struct config *c, struct arch *a, int period, int which, struct hearth_error *err);
int config_tokens(const struct config *c, struct arch *a, struct hearth_error *err); /* bos, eos, start and the tokens that end a text */

#endif
