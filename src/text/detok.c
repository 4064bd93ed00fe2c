/* Streaming detokenizer over decode_token: bytes wait until they make whole characters. */
#include "text/detok.h"
#include "text/tokenizer_int.h"

enum { TAIL_BYTES = 8, BYTES_AS_TEXT = 3 }; /* a malformed byte is written as U+FFFD, three bytes */

int detok_init(struct detok *d, const struct tokenizer *t, bool after_prompt, bool keep_special, struct hearth_error *err)
{
    uint32_t longest = t->vocab.longest > ADDED_BYTES_MAX ? t->vocab.longest : ADDED_BYTES_MAX;
    const size_t pending = ((size_t)longest + 1) * t->decode_growth + TAIL_BYTES, out = pending * BYTES_AS_TEXT;
    *d = (struct detok){ .t = t, .state = { .first = !after_prompt, .previous = -1 }, .keep_special = keep_special };
    buf_init(&d->pending, pending);
    buf_init(&d->out, out);
    for (size_t i = 0; i < out; i++) buf_char(&d->out, 0); /* takes all the room there will ever be */
    for (size_t i = 0; i < pending; i++) buf_char(&d->pending, 0);
    if (d->pending.failed || d->out.failed) {
        detok_free(d);
        return fail_memory(err, out, "decoding");
    }
    buf_clear(&d->pending);
    buf_clear(&d->out);
    return 0;
}

/* Moves the first n bytes of pending out. */
static struct str detok_flush(struct detok *d, size_t n)
{
    buf_clear(&d->out);
    if (n == 0) return (struct str){ d->out.p, 0 };
    unicode_replace(&d->out, str_sub(buf_str(&d->pending), 0, n), d->t->byte_fallback);
    memmove(d->pending.p, d->pending.p + n, d->pending.n - n);
    d->pending.n -= n;
    return buf_str(&d->out);
}

struct str detok_push(struct detok *d, int32_t id)
{
    decode_token(d->t, id, !d->keep_special, &d->state, &d->pending);
    return detok_flush(d, d->pending.n - utf8_tail(buf_str(&d->pending)));
}

struct str detok_finish(struct detok *d)
{
    return detok_flush(d, d->pending.n);
}

void detok_free(struct detok *d)
{
    buf_free(&d->pending);
    buf_free(&d->out);
}
