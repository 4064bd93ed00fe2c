/* Streaming JSON reader: one state byte per open level, nothing allocated, every escape and number checked as it passes. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum state {
    WANT_VALUE,      /* the document, or a key's value */
    ARRAY_FIRST,     /* a value or ] */
    ARRAY_NEXT,      /* , or ] */
    OBJECT_FIRST,    /* a key or } */
    OBJECT_NEXT,     /* , or } */
    OBJECT_VALUE,    /* the value of the key just returned */
    DONE,            /* only white space may follow */
    BROKEN,          /* an error was reported */
};

void json_init(struct json *j, struct str src, struct hearth_error *err)
{
    *j = (struct json){ .src = src, .err = err };
    j->state[0] = WANT_VALUE;
    if (str_starts(src, STR("\xef\xbb\xbf"))) j->at = 3; /* a byte order mark, as some editors write */
}

int json_fail(struct json *j, const char *what)
{
    const int status = fail(j->err, HEARTH_E_FORMAT, "%s at byte %zu of the JSON text", what, j->at);
    j->depth = 0;
    j->state[0] = BROKEN;
    return status;
}

static enum json_kind broken(struct json *j, const char *what)
{
    json_fail(j, what);
    return JSON_ERROR;
}

/* ---- strings */

/* Four hexadecimal digits, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    if (end - p < 4) return -1;
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        const char c = p[i], lower = c | 0x20;
        const int digit = c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
        if (digit < 0) return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* Decodes the escape at *p (a backslash) and moves *p behind it; -1 when it is none. Two surrogates become one character,
 * a lone one stays as it is. */
static int32_t escape_next(const char **p, const char *end)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *q = *p + 1;
    if (q == end) return -1;
    if (*q != 'u') {
        const char *found = *q ? strchr(from, *q) : NULL;
        if (!found) return -1;
        *p = q + 1;
        return to[found - from];
    }
    const int32_t c = hex4(q + 1, end);
    if (c < 0) return -1;
    *p = q + 5;
    if (c < 0xd800 || c > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u') return c;
    const int32_t low = hex4(*p + 2, end);
    if (low < 0xdc00 || low > 0xdfff) return c;
    *p += 6;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* Reads the string whose opening quote is at j->at into j->text. */
static bool string_read(struct json *j)
{
    const char *const begin = j->src.p + j->at + 1, *const end = j->src.p + j->src.n;
    const char *p = begin;
    j->escaped = false;
    for (;;) {
        while (p < end && *p != '"' && *p != '\\' && (uint8_t)*p >= 0x20) p++;
        if (p < end && *p == '"') break;
        if (p < end && *p == '\\') {
            j->escaped = true;
            if (escape_next(&p, end) >= 0) continue;
        }
        j->at = (size_t)(p - j->src.p);
        json_fail(j, p == end ? "a string does not end" : *p == '\\' ? "an unknown escape" : "a control character in a string");
        return false;
    }
    j->text = (struct str){ begin, (size_t)(p - begin) };
    j->at = (size_t)(p + 1 - j->src.p);
    return true;
}

void json_text(const struct json *j, struct buf *out)
{
    if (!j->escaped) {
        buf_put(out, j->text.p, j->text.n);
        return;
    }
    const char *p = j->text.p, *const end = p + j->text.n;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        if (!slash) slash = end;
        buf_put(out, p, (size_t)(slash - p));
        p = slash;
        if (p == end) break;
        char utf8[4];
        buf_put(out, utf8, utf8_put(utf8, (uint32_t)escape_next(&p, end)));
    }
}

bool json_is(const struct json *j, const char *literal)
{
    if (!j->escaped) return str_is(j->text, literal);
    const char *p = j->text.p, *const end = p + j->text.n;
    struct str rest = str_from(literal);
    while (p < end) {
        char utf8[4] = { *p };
        size_t n = 1;
        if (*p == '\\') n = utf8_put(utf8, (uint32_t)escape_next(&p, end));
        else p++;
        if (!str_starts(rest, (struct str){ utf8, n })) return false;
        rest = str_sub(rest, n, rest.n);
    }
    return rest.n == 0;
}

/* ---- numbers */

static bool is_digit(const char *p, const char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

/* Decimal text taken apart: the value is digit[0..n) as an integer, times 10^exponent. Digits beyond the room cannot change
 * the nearest double except by breaking a tie, so a final 1 stands for them. */
struct decimal {
    bool     negative, more;
    int      n;
    int64_t  exponent;
    uint64_t leading; /* the first 19 digits */
    char     digit[780];
};

static void decimal_digit(struct decimal *d, char c, bool fraction)
{
    if (d->n == 0 && c == '0') {
        d->exponent -= fraction;
        return;
    }
    if (d->n == (int)sizeof d->digit) {
        d->more |= c != '0';
        d->exponent += !fraction;
        return;
    }
    if (d->n < 19) d->leading = d->leading * 10 + (uint64_t)(c - '0');
    d->digit[d->n++] = c;
    d->exponent -= fraction;
}

/* The nearest double. Small cases are exact in one operation; the rest goes to strtod in a form without a decimal point,
 * which no locale can change. */
static double decimal_value(const struct decimal *d)
{
    static const double ten[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    double v;
    if (d->n <= 19 && d->leading <= (uint64_t)1 << 53 && d->exponent >= -22 && d->exponent <= 22) {
        v = d->exponent < 0 ? (double)d->leading / ten[-d->exponent] : (double)d->leading * ten[d->exponent];
    } else {
        char text[sizeof d->digit + 32];
        const int64_t e = d->exponent - d->more, limit = 100000;
        snprintf(text, sizeof text, "%.*s%se%lld", d->n, d->digit, d->more ? "1" : "",
                 (long long)(e > limit ? limit : e < -limit ? -limit : e));
        v = strtod(text, NULL);
    }
    return d->negative ? -v : v;
}

/* Moves *p over digits (at least one); false when there is none. */
static bool digits_read(struct decimal *d, const char **p, const char *end, bool fraction)
{
    if (!is_digit(*p, end)) return false;
    for (; is_digit(*p, end); ++*p) decimal_digit(d, **p, fraction);
    return true;
}

static bool exponent_read(struct decimal *d, const char **p, const char *end)
{
    const bool negative = *p < end && **p == '-';
    if (*p < end && (**p == '-' || **p == '+')) ++*p;
    if (!is_digit(*p, end)) return false;
    int64_t e = 0;
    for (; is_digit(*p, end); ++*p)
        if (e < INT64_C(1000000000000000)) e = e * 10 + (**p - '0');
    d->exponent += negative ? -e : e;
    return true;
}

static enum json_kind number_read(struct json *j)
{
    const char *const begin = j->src.p + j->at, *const end = j->src.p + j->src.n;
    const char *p = begin;
    struct decimal d;
    d.negative = *p == '-';
    d.more = false;
    d.n = 0;
    d.exponent = 0;
    d.leading = 0;
    p += d.negative;
    const bool zero = p < end && *p == '0';
    const char *const first = p;
    if (!digits_read(&d, &p, end, false)) return broken(j, "not a JSON value");
    if (zero && p - first > 1) return broken(j, "a number with leading zeros");
    bool is_int = true;
    if (p < end && *p == '.') {
        is_int = false;
        p++;
        if (!digits_read(&d, &p, end, true)) return broken(j, "a number without digits after its point");
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        is_int = false;
        p++;
        if (!exponent_read(&d, &p, end)) return broken(j, "a number without digits in its exponent");
    }
    j->number = d.n ? decimal_value(&d) : d.negative ? -0.0 : 0.0;
    j->is_int = is_int && d.n <= 19 && d.leading <= (uint64_t)INT64_MAX + d.negative;
    j->integer = !j->is_int ? 0 : d.negative ? (int64_t)-d.leading : (int64_t)d.leading;
    j->text = (struct str){ begin, (size_t)(p - begin) };
    j->at = (size_t)(p - j->src.p);
    return JSON_NUMBER;
}

/* ---- tokens */

static const struct word {
    const char    *text;
    enum json_kind kind;
    double         number;
} words[] = {
    { "true", JSON_TRUE, 0 },
    { "false", JSON_FALSE, 0 },
    { "null", JSON_NULL, 0 },
    { "NaN", JSON_NUMBER, NAN },
    { "Infinity", JSON_NUMBER, INFINITY },
    { "-Infinity", JSON_NUMBER, -INFINITY },
};

static enum json_kind word_read(struct json *j)
{
    const struct str rest = str_sub(j->src, j->at, j->src.n);
    if (is_digit(rest.p, rest.p + rest.n)) return number_read(j);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const struct str word = str_from(words[i].text);
        if (!str_starts(rest, word)) continue;
        j->text = str_sub(rest, 0, word.n);
        j->number = words[i].number;
        j->is_int = false;
        j->integer = 0;
        j->at += word.n;
        return words[i].kind;
    }
    return number_read(j);
}

static enum json_kind level_open(struct json *j, enum state state, enum json_kind kind)
{
    if (j->depth + 1 >= JSON_DEPTH) return broken(j, "nested too deeply");
    j->state[++j->depth] = (uint8_t)state;
    j->at++;
    return kind;
}

static enum json_kind level_close(struct json *j, enum json_kind kind)
{
    j->depth--;
    j->at++;
    return kind;
}

/* A value begins at j->at; `after` is what this level expects behind it. */
static enum json_kind value_read(struct json *j, enum state after)
{
    j->state[j->depth] = (uint8_t)after;
    const char c = j->src.p[j->at];
    if (c == '{') return level_open(j, OBJECT_FIRST, JSON_OBJECT);
    if (c == '[') return level_open(j, ARRAY_FIRST, JSON_ARRAY);
    if (c == '"') return string_read(j) ? JSON_STRING : JSON_ERROR;
    return word_read(j);
}

/* Skips white space; false at the end of the text. */
static bool space_skip(struct json *j)
{
    const char *const p = j->src.p;
    while (j->at < j->src.n && (p[j->at] == ' ' || p[j->at] == '\n' || p[j->at] == '\r' || p[j->at] == '\t')) j->at++;
    return j->at < j->src.n;
}

static enum json_kind key_read(struct json *j)
{
    if (j->src.p[j->at] != '"') return broken(j, "a key in quotes was expected");
    if (!string_read(j)) return JSON_ERROR;
    if (!space_skip(j) || j->src.p[j->at] != ':') return broken(j, "a colon was expected");
    j->at++;
    j->state[j->depth] = OBJECT_VALUE;
    return JSON_KEY;
}

enum json_kind json_next(struct json *j)
{
    const bool more = space_skip(j);
    const enum state state = j->state[j->depth];
    if (state == BROKEN) return JSON_ERROR;
    if (state == DONE) return more ? broken(j, "something follows the end") : JSON_END;
    if (!more) return broken(j, "the text ends too early");
    const char c = j->src.p[j->at];
    switch (state) {
    case WANT_VALUE:
        return value_read(j, DONE);
    case OBJECT_VALUE:
        return value_read(j, OBJECT_NEXT);
    case ARRAY_FIRST:
        return c == ']' ? level_close(j, JSON_ARRAY_END) : value_read(j, ARRAY_NEXT);
    case OBJECT_FIRST:
        return c == '}' ? level_close(j, JSON_OBJECT_END) : key_read(j);
    case ARRAY_NEXT:
        if (c == ']') return level_close(j, JSON_ARRAY_END);
        break;
    default: /* OBJECT_NEXT */
        if (c == '}') return level_close(j, JSON_OBJECT_END);
        break;
    }
    if (c != ',') return broken(j, "a comma was expected");
    j->at++;
    if (!space_skip(j)) return broken(j, "the text ends too early");
    return state == ARRAY_NEXT ? value_read(j, ARRAY_NEXT) : key_read(j);
}

int json_skip(struct json *j, enum json_kind kind)
{
    if (kind == JSON_KEY) kind = json_next(j);
    if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
        const int outer = j->depth - 1;
        while (j->depth > outer && kind != JSON_ERROR) kind = json_next(j);
    }
    return kind == JSON_ERROR ? HEARTH_E_FORMAT : 0;
}
