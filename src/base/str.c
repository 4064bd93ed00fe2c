/* String views, UTF-8, growing buffers. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

/* Eight bytes a step: xor, multiply, fold. Not keyed: a table whose names come from a file must bound its probes. */
uint64_t str_hash(struct str s)
{
    const uint64_t k = 0x9e3779b97f4a7c15u;
    uint64_t h = k ^ s.n, w;
    size_t i = 0;
    for (; s.n - i >= 8; i += 8) {
        memcpy(&w, s.p + i, 8);
        h = (h ^ w) * k;
        h ^= h >> 29;
    }
    w = 0;
    if (s.n >= 8) memcpy(&w, s.p + s.n - 8, 8); /* once more some bytes of the last step: a load is cheaper than a copy */
    else for (; i < s.n; i++) w = w << 8 | (uint8_t)s.p[i];
    h = (h ^ w) * k;
    h = (h ^ h >> 32) * k;
    return h ^ h >> 29;
}

/* ---- UTF-8 */

/* What a lead byte says: length of the character (0: no lead byte) and the range its second byte must lie in (Unicode 15,
 * table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF). */
struct utf8_lead {
    uint8_t n, low, high;
};

static struct utf8_lead utf8_lead(uint8_t c)
{
    if (c < 0x80) return (struct utf8_lead){ 1, 0, 0 };
    if (c < 0xc2) return (struct utf8_lead){ 0, 0, 0 };
    if (c < 0xe0) return (struct utf8_lead){ 2, 0x80, 0xbf };
    if (c < 0xf0) return (struct utf8_lead){ 3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf };
    if (c < 0xf5) return (struct utf8_lead){ 4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf };
    return (struct utf8_lead){ 0, 0, 0 };
}

/* How many of the n bytes at p agree with the character that p[0] begins: lead.n when it is whole. */
static size_t utf8_match(const uint8_t *p, size_t n, struct utf8_lead lead)
{
    if (lead.n < 2) return lead.n;
    if (n < 2 || p[1] < lead.low || p[1] > lead.high) return 1;
    size_t i = 2;
    while (i < lead.n && i < n && (p[i] & 0xc0) == 0x80) i++;
    return i;
}

static bool utf8_trails(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return false;
    return true;
}

int32_t utf8_next_long(struct str s, size_t *at)
{
    const uint8_t *p = (const uint8_t *)s.p + *at;
    const size_t room = s.n - *at;
    int32_t code = -1;
    size_t n = 1;
    if (p[0] >= 0xc2 && p[0] < 0xe0 && room >= 2 && utf8_trails(p + 1, 1)) {
        code = (p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        n = 2;
    } else if (p[0] >= 0xe0 && p[0] < 0xf0 && room >= 3 && utf8_trails(p + 1, 2)) {
        code = (p[0] & 0x0f) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        n = code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 1 : 3;
    } else if (p[0] >= 0xf0 && p[0] < 0xf5 && room >= 4 && utf8_trails(p + 1, 3)) {
        code = (p[0] & 0x07) << 18 | (p[1] & 0x3f) << 12 | (p[2] & 0x3f) << 6 | (p[3] & 0x3f);
        n = code < 0x10000 || code > 0x10ffff ? 1 : 4;
    }
    *at += n;
    return n == 1 ? -1 : code;
}

size_t utf8_put(char out[4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    const size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf00u >> n & 0xf0) | code);
    return n;
}

bool utf8_valid(struct str s)
{
    for (size_t at = 0; at < s.n;) {
        uint64_t eight = UINT64_MAX;
        if (s.n - at >= 8) memcpy(&eight, s.p + at, 8);
        if (!(eight & 0x8080808080808080u)) at += 8;
        else if (utf8_next(s, &at) < 0) return false;
    }
    return true;
}

size_t utf8_tail(struct str s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    for (size_t n = 1; n <= 3 && n <= s.n; n++) {
        const uint8_t c = p[s.n - n];
        if ((c & 0xc0) == 0x80) continue;
        const struct utf8_lead lead = utf8_lead(c);
        return lead.n > n && utf8_match(p + s.n - n, n, lead) == n ? n : 0;
    }
    return 0;
}

/* ---- buffers */

void buf_init(struct buf *b, size_t cap)
{
    *b = (struct buf){ .cap = cap };
}

/* Makes room for n more bytes and the NUL. */
static bool buf_reserve(struct buf *b, size_t n)
{
    if (b->failed) return false;
    if (n > b->cap - b->n) goto failed;
    const size_t need = b->n + n + 1;
    if (need <= b->room) return true;
    size_t room = b->room < 64 ? 64 : b->room > b->cap / 2 ? b->cap + 1 : b->room * 2;
    if (room > b->cap) room = b->cap + 1;
    if (room < need) room = need;
    char *p = mem_resize(b->p, room, 1);
    if (!p) goto failed;
    b->p = p;
    b->room = room;
    return true;
failed:
    b->failed = true;
    return false;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
    if (!buf_reserve(b, n)) return;
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    if (n < 0) b->failed = true;
    if (n >= 0 && buf_reserve(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, format, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

/* The escape of c inside a JSON string, NULL when it stands for itself. */
static const char *json_escape(int32_t c, char scratch[8])
{
    if (c < 0) return "\xef\xbf\xbd"; /* U+FFFD */
    if (c == '"') return "\\\"";
    if (c == '\\') return "\\\\";
    if (c >= 0x20) return NULL;
    if (c == '\n') return "\\n";
    if (c == '\t') return "\\t";
    if (c == '\r') return "\\r";
    snprintf(scratch, 8, "\\u%04x", (unsigned)(c & 0xff));
    return scratch;
}

void buf_json_string(struct buf *b, struct str s)
{
    char scratch[8];
    buf_char(b, '"');
    size_t done = 0;
    for (size_t at = 0; at < s.n;) {
        const size_t from = at;
        const char *escape = json_escape(utf8_next(s, &at), scratch);
        if (!escape) continue;
        buf_put(b, s.p + done, from - done);
        buf_puts(b, escape);
        done = at;
    }
    if (done < s.n) buf_put(b, s.p + done, s.n - done);
    buf_char(b, '"');
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p) b->p[0] = 0;
}

void buf_free(struct buf *b)
{
    mem_free(b->p);
    *b = (struct buf){ .cap = b->cap };
}
