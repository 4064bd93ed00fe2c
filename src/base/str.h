/* String views and growing buffers. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A view: borrowed bytes, not NUL-terminated. */
struct str {
    const char *p;
    size_t      n;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
/* printf("%.*s", STR_ARG(s)): at most 200 bytes, so that a hostile name cannot flood a message. */
#define STR_ARG(s) (int)((s).n > 200 ? 200 : (s).n), (s).p

static inline struct str str_from(const char *s) { return (struct str){ s, s ? strlen(s) : 0 }; }
static inline struct str str_sub(struct str s, size_t from, size_t to) { return (struct str){ s.p + from, to - from }; }
static inline bool str_eq(struct str a, struct str b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
static inline bool str_is(struct str a, const char *b) { return str_eq(a, str_from(b)); }
static inline bool str_starts(struct str a, struct str b) { return a.n >= b.n && memcmp(a.p, b.p, b.n) == 0; }
static inline bool str_ends(struct str a, struct str b) { return a.n >= b.n && memcmp(a.p + a.n - b.n, b.p, b.n) == 0; }
uint64_t str_hash(struct str s);

/* UTF-8. utf8_next: decodes the character at s[*at], advances *at (by at least 1, at most s.n - *at) and returns its code
 * point, or -1 for a malformed byte (then one byte is consumed). utf8_put: writes 1 to 4 bytes, returns how many.
 * utf8_tail: how many bytes at the end of s begin a character that is not complete yet (0 to 3). */
static inline int32_t utf8_next(struct str s, size_t *at);
size_t  utf8_put(char out[4], uint32_t code);
bool    utf8_valid(struct str s);
size_t  utf8_tail(struct str s);
int32_t utf8_next_long(struct str s, size_t *at); /* where no ASCII character stands */

static inline int32_t utf8_next(struct str s, size_t *at)
{
    const char c = s.p[*at];
    if (c & 0x80) return utf8_next_long(s, at);
    ++*at;
    return c;
}

/* A growing byte buffer. `cap` is the most it may ever hold, stated when it is made. After a failed append `failed` stays
 * set and later appends do nothing, so that a run of appends needs one check. p is always NUL-terminated (or NULL when empty). */
struct buf {
    char  *p;
    size_t n, room, cap;
    bool   failed;
};

void buf_init(struct buf *b, size_t cap);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_json_string(struct buf *b, struct str s); /* quoted, escaped; malformed UTF-8 becomes U+FFFD */
void buf_clear(struct buf *b);                     /* n = 0, failed = false, memory kept */
void buf_free(struct buf *b);
static inline struct str buf_str(const struct buf *b) { return (struct str){ b->p, b->n }; }

#endif
