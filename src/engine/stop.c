/* Stop strings. Texts between tokens are short, so plain search is enough. */
#include "engine/stop.h"

#define MAX_STOPS 64
#define MAX_STOP_BYTES 4096

int stop_init(struct stop *s, const char *const *strings, size_t n, struct hearth_error *err)
{
    *s = (struct stop){ .strings = strings, .n = n };
    if (n > MAX_STOPS) return fail(err, HEARTH_E_ARG, "%zu stop strings were given, at most %d can be watched for", n, MAX_STOPS);
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t bytes = strings[i] ? strlen(strings[i]) : 0;
        if (bytes < 1 || bytes > MAX_STOP_BYTES) return fail(err, HEARTH_E_ARG, "stop string %zu has %zu bytes, it may have 1 to %d", i + 1, bytes, MAX_STOP_BYTES);
        longest = bytes > longest ? bytes : longest;
    }
    buf_init(&s->held, 1 << 20);
    for (size_t i = 0; i < longest + 4096; i++) buf_char(&s->held, ' '); /* takes the room now */
    if (s->held.failed) {
        stop_free(s);
        return fail_memory(err, longest, "stop strings");
    }
    buf_clear(&s->held);
    return 0;
}

void stop_free(struct stop *s) { buf_free(&s->held); }

/* Bytes before the first complete stop string, or SIZE_MAX. */
static size_t find_stop(const struct stop *s, struct str text)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < s->n; i++) {
        const char *at = memmem(text.p, text.n, s->strings[i], strlen(s->strings[i]));
        if (at && (size_t)(at - text.p) < best) best = (size_t)(at - text.p);
    }
    return best;
}

/* Length of the longest end of text that begins some stop string. */
static size_t open_tail(const struct stop *s, struct str text)
{
    size_t longest = 0;
    for (size_t i = 0; i < s->n; i++) {
        const size_t n = strlen(s->strings[i]);
        for (size_t k = n - 1 < text.n ? n - 1 : text.n; k > longest; k--)
            if (memcmp(text.p + text.n - k, s->strings[i], k) == 0) longest = k;
    }
    return longest;
}

bool stop_push(struct stop *s, struct str text, struct str *out)
{
    memmove(s->held.p, s->held.p + s->given, s->held.n - s->given);
    s->held.n -= s->given;
    s->given = 0;
    if (text.n) buf_put(&s->held, text.p, text.n);
    const struct str all = buf_str(&s->held);
    const size_t found = find_stop(s, all);
    s->given = found != SIZE_MAX ? found : all.n - open_tail(s, all);
    *out = str_sub(all, 0, s->given);
    if (found != SIZE_MAX) s->given = s->held.n;
    return found != SIZE_MAX;
}

struct str stop_finish(struct stop *s)
{
    const struct str rest = str_sub(buf_str(&s->held), s->given, s->held.n);
    s->given = s->held.n;
    return rest;
}
