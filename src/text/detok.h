/* Streaming detokenizer: ids in, whole UTF-8 characters out. Bytes that do not complete a character wait for the next id;
 * detok_finish gives what is left (malformed bytes become U+FFFD). */
#ifndef TEXT_DETOK_H
#define TEXT_DETOK_H

#include "text/tokenizer.h"

struct decode_state {
    bool    first;    /* nothing was decoded before */
    bool    owes;     /* a space comes before the next token */
    int32_t previous; /* id of the token before; -1: none */
};

struct detok {
    const struct tokenizer *t;
    struct decode_state state;
    bool        keep_special; /* print control tokens too */
    struct buf  pending;      /* bytes of an incomplete character; room reserved at start, so detok_push allocates nothing */
    struct buf  out;          /* text of the last push; valid until the next */
};

/* after_prompt: the ids continue a prompt, so a leading space is text. */
int        detok_init(struct detok *d, const struct tokenizer *t, bool after_prompt, bool keep_special, struct hearth_error *err);
struct str detok_push(struct detok *d, int32_t id);
struct str detok_finish(struct detok *d);
void       detok_free(struct detok *d);

#endif
