/* Unicode as tokenizers need it: classes of characters, malformed text, normal forms, GPT-2's byte alphabet. */
#include <utf8proc.h>

#include "text/tokenizer_int.h"

/* ---- classes */

bool unicode_is_space(int32_t c)
{
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

bool unicode_is_numeric(int32_t c)
{
    if (c < 0x80) return c >= '0' && c <= '9';
    const utf8proc_category_t k = utf8proc_category(c);
    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

/* The tokenizers library knows the punctuation of Unicode 8 (crate unicode_categories); what came later is none to it. */
static const struct {
    int32_t first, last;
} later_punctuation[] = {
    { 0x61d, 0x61d },     { 0x9fd, 0x9fd },     { 0xa76, 0xa76 },     { 0xc77, 0xc77 },     { 0xc84, 0xc84 },
    { 0x1b7d, 0x1b7e },   { 0x2e43, 0x2e4f },   { 0x2e52, 0x2e5d },   { 0x10ead, 0x10ead }, { 0x10f55, 0x10f59 },
    { 0x10f86, 0x10f89 }, { 0x1144b, 0x1144f }, { 0x1145a, 0x1145b }, { 0x1145d, 0x1145d }, { 0x11660, 0x1166c },
    { 0x116b9, 0x116b9 }, { 0x1183b, 0x1183b }, { 0x11944, 0x11946 }, { 0x119e2, 0x119e2 }, { 0x11a3f, 0x11a46 },
    { 0x11a9a, 0x11a9c }, { 0x11a9e, 0x11aa2 }, { 0x11b00, 0x11b09 }, { 0x11c41, 0x11c45 }, { 0x11c70, 0x11c71 },
    { 0x11ef7, 0x11ef8 }, { 0x11f43, 0x11f4f }, { 0x11fff, 0x11fff }, { 0x12ff1, 0x12ff2 }, { 0x16e97, 0x16e9a },
    { 0x16fe2, 0x16fe2 }, { 0x1e95e, 0x1e95f },
};

bool unicode_is_punctuation(int32_t c)
{
    if (c < 0x80) return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
    const utf8proc_category_t k = utf8proc_category(c);
    if (c == 0x166d || c == 0x111c9) return true; /* were punctuation then */
    if (k < UTF8PROC_CATEGORY_PC || k > UTF8PROC_CATEGORY_PO) return false;
    for (size_t i = 0; i < sizeof later_punctuation / sizeof *later_punctuation; i++)
        if (c >= later_punctuation[i].first && c <= later_punctuation[i].last) return false;
    return true;
}

bool unicode_is_word(int32_t c)
{
    const utf8proc_category_t k = utf8proc_category(c);
    if (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NL) return true;
    if (k == UTF8PROC_CATEGORY_PC || (c >= 0x24b6 && c <= 0x24e9)) return true;
    return c == 0x200c || c == 0x200d || (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169) ||
           (c >= 0x1f170 && c <= 0x1f189);
}

/* ---- malformed text */

/* How many bytes of the malformed part at s[at] Python replaces together: as many as begin a character. */
static size_t malformed_bytes(struct str s, size_t at)
{
    for (size_t n = 3; n > 1; n--)
        if (at + n <= s.n && utf8_tail(str_sub(s, at, at + n)) == n) return n;
    return 1;
}

void unicode_replace(struct buf *out, struct str s, bool each_byte)
{
    size_t done = 0;
    for (size_t at = 0; at < s.n;) {
        const size_t from = at;
        if (utf8_next(s, &at) >= 0) continue;
        buf_put(out, s.p + done, from - done);
        buf_puts(out, "\xef\xbf\xbd");
        if (!each_byte) at = from + malformed_bytes(s, from);
        done = at;
    }
    if (done < s.n) buf_put(out, s.p + done, s.n - done);
}

/* ---- normal forms */

enum { DECOMPOSED_MAX = 32 }; /* more than any one character decomposes to */

struct codes {
    int32_t *code, *other;
    uint64_t n, room;
};

static bool codes_put(struct codes *c, const int32_t *code, uint64_t n)
{
    if (c->n + n > c->room) {
        const uint64_t room = (c->n + n) * 2 + 64;
        int32_t *p = mem_resize(c->code, room, sizeof *p);
        if (p) c->code = p;
        int32_t *q = mem_resize(c->other, room, sizeof *q);
        if (q) c->other = q;
        if (!p || !q) return false;
        c->room = room;
    }
    memcpy(c->code + c->n, code, n * sizeof *code);
    c->n += n;
    return true;
}

/* Sorts a run of combining marks by class, stably and in linear time: a text may be one long run. */
static void run_order(struct codes *c, uint64_t from, uint64_t end)
{
    uint64_t count[257] = { 0 };
    for (uint64_t i = from; i < end; i++) count[unicode_combining_class(c->code[i]) + 1]++;
    count[0] = from;
    for (unsigned k = 1; k < 257; k++) count[k] += count[k - 1];
    for (uint64_t i = from; i < end; i++) c->other[count[unicode_combining_class(c->code[i])]++] = c->code[i];
    memcpy(c->code + from, c->other + from, (end - from) * sizeof *c->code);
}

static void codes_order(struct codes *c)
{
    for (uint64_t from = 0, end; from < c->n; from = end + 1) {
        for (end = from; end < c->n && unicode_combining_class(c->code[end]) > 0; end++) continue;
        if (end - from > 1) run_order(c, from, end);
    }
}

static int stretch_normalize(struct codes *c, struct buf *out, struct str s, utf8proc_option_t options, struct text_watch *watch,
                             struct hearth_error *err)
{
    c->n = 0;
    for (size_t at = 0; at < s.n;) {
        const int status = watch_steps(watch, 1, err);
        if (status) return status;
        int32_t dst[DECOMPOSED_MAX];
        int boundary = 0;
        const int32_t code = dst[0] = utf8_next(s, &at);
        const utf8proc_ssize_t n =
            unicode_decomposes(code) ? utf8proc_decompose_char(code, dst, DECOMPOSED_MAX, options, &boundary) : 1;
        if (n < 0 || n > DECOMPOSED_MAX) return fail(err, HEARTH_E_INTERNAL, "utf8proc cannot decompose a character");
        if (!codes_put(c, dst, (uint64_t)n)) return fail_memory(err, c->n * 8, "normalising text");
    }
    codes_order(c);
    utf8proc_ssize_t n = (utf8proc_ssize_t)c->n;
    if (options & UTF8PROC_COMPOSE) n = utf8proc_normalize_utf32(c->code, n, options);
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char utf8[4];
        buf_put(out, utf8, utf8_put(utf8, (uint32_t)c->code[i]));
    }
    return 0;
}

/* Characters that never join what is before them, nor do what they decompose to: letters of Latin, Greek, Cyrillic, Hebrew,
 * Arabic, kana, Han and Hangul syllables, and emoji. Not all there are, but enough to cut any real text. */
static bool begins_anew(int32_t c)
{
    return (c >= 0xc0 && c < 0x300) || (c >= 0x390 && c < 0x483) || (c >= 0x5d0 && c < 0x5eb) || (c >= 0x620 && c < 0x64b) ||
           (c >= 0x3041 && c < 0x3097) || (c >= 0x30a1 && c < 0x30fb) || (c >= 0x4e00 && c < 0xa000) ||
           (c >= 0xac00 && c < 0xd7a4) || (c >= 0x1f300 && c < 0x1f3fb);
}

enum { STRETCH_BYTES = 1 << 14 }; /* longer ones are cut where they can be: the work fits into a cache and can be cancelled */

/* Where the stretch that begins at `at` ends. */
static size_t stretch_end(struct str s, size_t at)
{
    const size_t from = at;
    if (at < s.n) at++;
    while (at < s.n && (uint8_t)s.p[at] >= 0x80) {
        size_t next = at;
        if (at - from < STRETCH_BYTES) at++;
        else if (((uint8_t)s.p[at] & 0xc0) != 0x80 && begins_anew(utf8_next(s, &next))) break;
        else at++;
    }
    return at;
}

/* ASCII stands for itself in every normal form and never joins what is before it, so the work is done on stretches that begin
 * with at most one ASCII character. */
int unicode_normalize(struct buf *out, struct str s, bool compatible, bool compose, struct text_watch *watch,
                      struct hearth_error *err)
{
    const utf8proc_option_t options = UTF8PROC_STABLE | (compatible ? UTF8PROC_COMPAT : 0) |
                                      (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE);
    struct codes codes = { 0 };
    int status = 0;
    for (size_t at = 0; at < s.n && !status;) {
        size_t end = at;
        while (end < s.n && (uint8_t)s.p[end] < 0x80) end++;
        if (end < s.n && end > at) end--; /* the last ASCII character may take a mark */
        if (end > at) buf_put(out, s.p + at, end - at);
        status = watch_steps(watch, end - at + 1, err);
        at = end;
        end = stretch_end(s, at);
        if (end > at && !status) status = stretch_normalize(&codes, out, str_sub(s, at, end), options, watch, err);
        at = end;
    }
    mem_free(codes.code);
    mem_free(codes.other);
    return status;
}

/* ---- bytes as characters */

static bool byte_is_itself(int b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
}

/* Bytes that are no printable character of Latin-1 are numbered from 0x100. */
int32_t byte_char(uint8_t byte)
{
    if (byte_is_itself(byte)) return byte;
    return 0x100 + (byte < 33 ? byte : byte <= 160 ? byte - 127 + 33 : 67);
}

void byte_alphabet_put(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n;) {
        char part[256];
        size_t n = 0;
        for (; i < s.n && n < sizeof part - 2; i++) n += utf8_put(part + n, (uint32_t)byte_char((uint8_t)s.p[i]));
        buf_put(out, part, n);
    }
}

int32_t char_byte(int32_t c)
{
    if (c < 0x100) return c >= 0 && byte_is_itself(c) ? c : -1;
    if (c < 0x100 + 33) return c - 0x100;
    if (c < 0x100 + 67) return c - 0x100 - 33 + 127;
    return c == 0x100 + 67 ? 173 : -1;
}
