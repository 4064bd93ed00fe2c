/* Infilling: asking for the text between a prefix and a suffix, in the way of the model's own tokens. */
#ifndef TEXT_INFILL_H
#define TEXT_INFILL_H

#include "text/tokenizer.h"

#define INFILL_ENDS 8

struct infill {
    struct ids ids;               /* the prompt; free with ids_free */
    int32_t    ends[INFILL_ENDS]; /* tokens that end the middle */
    int        n_ends;
};

/* HEARTH_E_UNSUPPORTED: the vocabulary has no tokens for it. */
int tokenizer_infill(const struct tokenizer *t, struct str prefix, struct str suffix, struct infill *out,
                     struct hearth_error *err);

#endif
