/* Regular expressions of tokenizers: written for Oniguruma (Ruby syntax, Unicode), matched by PCRE2. The pattern is rewritten
 * where the two differ; what cannot be rewritten is refused. Texts are valid UTF-8 already. Hostile patterns end in an error:
 * one match is bounded by PCRE2's limits, a text by time. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>

#include "base/cpu.h"
#include "text/tokenizer_int.h"

enum {
    PATTERN_BYTES_MAX = 1 << 16,
    GROUPS_MAX        = 256,
    CLASS_DEPTH_MAX   = 8,
    MATCH_LIMIT       = 10000000, /* steps of one match, plus MATCH_LIMIT_BYTE for each byte of text */
    MATCH_LIMIT_BYTE  = 8,
    HEAP_LIMIT_KIB    = 256 * 1024,
    JIT_STACK_FIRST   = 32 * 1024,
    JIT_STACK_MOST    = 16 * 1024 * 1024,
    TIME_CHECK_EVERY  = 256, /* matches */
};
#define TIME_FIXED_NS 30000000000u /* for one text, plus TIME_BYTE_NS for each of its bytes */
#define TIME_BYTE_NS  10000u

/* White_Space as ranges inside a class, and what is left. PCRE2's \s also takes U+180E, which is none since Unicode 6.3. */
#define SPACE_RANGES "\\x{9}-\\x{d} \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define OTHER_RANGES \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
/* Alphabetic, marks, Nd and Pc, and outside of classes six of Latin-1 that Oniguruma has always taken for word characters. */
#define CLASS_WORD_RANGES \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define WORD_RANGES CLASS_WORD_RANGES "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

struct regex {
    pcre2_code *code;
};

struct regex_match {
    pcre2_general_context *memory;
    pcre2_match_context   *context;
    pcre2_match_data      *data;
    pcre2_jit_stack       *stack;
    uint64_t               deadline; /* clock_ns */
    unsigned               matches;
};

static void *regex_alloc(size_t n, void *unused)
{
    (void)unused;
    return mem_array(n, 1);
}

static void regex_release(void *p, void *unused)
{
    (void)unused;
    mem_free(p);
}

/* ---- from Oniguruma to PCRE2 */

struct rewrite {
    struct str           in;
    size_t               at;
    struct buf           out;
    size_t               atom;              /* where the last atom begins in out: what a quantifier binds to */
    size_t               group[GROUPS_MAX]; /* where the open groups begin */
    unsigned             groups;
    struct hearth_error *err;
};

static int rewrite_refuse(struct rewrite *r, const char *what)
{
    return fail(r->err, HEARTH_E_UNSUPPORTED, "the regular expression \"%.*s\" uses %s, which hearth does not know",
                STR_ARG(r->in), what);
}

/* What an escape letter means outside and inside a class; NULL: not expressible there. */
static const struct escape {
    char        letter;
    const char *outside, *inside;
} escapes[] = {
    { 's', "[" SPACE_RANGES "]", SPACE_RANGES },
    { 'S', "[^" SPACE_RANGES "]", OTHER_RANGES },
    { 'w', "[" WORD_RANGES "]", CLASS_WORD_RANGES },
    { 'W', "[^" WORD_RANGES "]", NULL },
    { 'h', "[0-9a-fA-F]", "0-9a-fA-F" },
    { 'H', "[^0-9a-fA-F]", NULL },
    { 'b', "(?:(?<=[" WORD_RANGES "])(?![" WORD_RANGES "])|(?<![" WORD_RANGES "])(?=[" WORD_RANGES "]))", "\\b" },
    { 'B', "(?:(?<=[" WORD_RANGES "])(?=[" WORD_RANGES "])|(?<![" WORD_RANGES "])(?![" WORD_RANGES "]))", NULL },
};

static char peek(const struct rewrite *r, size_t ahead)
{
    return r->at + ahead < r->in.n ? r->in.p[r->at + ahead] : 0;
}

static void copy(struct rewrite *r, size_t n)
{
    if (n > r->in.n - r->at) n = r->in.n - r->at;
    buf_put(&r->out, r->in.p + r->at, n);
    r->at += n;
}

/* Copies up to and including the closing character, or one byte when there is none. */
static void copy_until(struct rewrite *r, char close)
{
    const char *end = memchr(r->in.p + r->at, close, r->in.n - r->at);
    copy(r, end ? (size_t)(end - (r->in.p + r->at)) + 1 : 1);
}

static int rewrite_property(struct rewrite *r, bool in_class);

static int rewrite_escape(struct rewrite *r, bool in_class)
{
    const char c = peek(r, 1);
    if (c == 'X' || c == 'K' || c == 'G') return rewrite_refuse(r, "\\X, \\K or \\G");
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        if (escapes[i].letter != c) continue;
        const char *text = in_class ? escapes[i].inside : escapes[i].outside;
        if (!text) return rewrite_refuse(r, "a negated class inside a class");
        buf_puts(&r->out, text);
        r->at += 2;
        return 0;
    }
    if ((c == 'p' || c == 'P') && peek(r, 2) == '{') return rewrite_property(r, in_class);
    if ((c == 'x' || c == 'k' || c == 'g') && peek(r, 2) == '{') {
        copy_until(r, '}');
    } else if (c == 'u' && r->in.n - r->at >= 6) {
        buf_puts(&r->out, "\\x{");
        buf_put(&r->out, r->in.p + r->at + 2, 4);
        buf_puts(&r->out, "}");
        r->at += 6;
    } else {
        copy(r, 2);
    }
    return 0;
}

/* ---- properties: PCRE2 knows no POSIX brackets as \p{...} and no long names of categories, and takes a script for its
 * extensions too */

static const struct {
    const char *name, *inside; /* name: as Oniguruma compares them, without case, spaces, - and _ */
} properties[] = {
    { "alnum", "\\p{Alphabetic}\\p{Nd}" },
    { "blank", "\\t\\p{Zs}" },
    { "cntrl", "\\p{Cc}" },
    { "digit", "\\p{Nd}" },
    { "punct", "\\p{P}" },
    { "space", SPACE_RANGES },
    { "word", WORD_RANGES },
    { "xdigit", "0-9a-fA-F" },
    { "ascii", "\\x{0}-\\x{7f}" },
    { "any", "\\x{0}-\\x{10ffff}" },
    { "letter", "\\p{L}" },
    { "uppercaseletter", "\\p{Lu}" },
    { "lowercaseletter", "\\p{Ll}" },
    { "titlecaseletter", "\\p{Lt}" },
    { "modifierletter", "\\p{Lm}" },
    { "otherletter", "\\p{Lo}" },
    { "mark", "\\p{M}" },
    { "combiningmark", "\\p{M}" },
    { "nonspacingmark", "\\p{Mn}" },
    { "spacingmark", "\\p{Mc}" },
    { "enclosingmark", "\\p{Me}" },
    { "number", "\\p{N}" },
    { "decimalnumber", "\\p{Nd}" },
    { "letternumber", "\\p{Nl}" },
    { "othernumber", "\\p{No}" },
    { "punctuation", "\\p{P}" },
    { "connectorpunctuation", "\\p{Pc}" },
    { "dashpunctuation", "\\p{Pd}" },
    { "openpunctuation", "\\p{Ps}" },
    { "closepunctuation", "\\p{Pe}" },
    { "initialpunctuation", "\\p{Pi}" },
    { "finalpunctuation", "\\p{Pf}" },
    { "otherpunctuation", "\\p{Po}" },
    { "symbol", "\\p{S}" },
    { "mathsymbol", "\\p{Sm}" },
    { "currencysymbol", "\\p{Sc}" },
    { "modifiersymbol", "\\p{Sk}" },
    { "othersymbol", "\\p{So}" },
    { "separator", "\\p{Z}" },
    { "spaceseparator", "\\p{Zs}" },
    { "lineseparator", "\\p{Zl}" },
    { "paragraphseparator", "\\p{Zp}" },
    { "other", "\\p{C}" },
    { "control", "\\p{Cc}" },
    { "format", "\\p{Cf}" },
    { "privateuse", "\\p{Co}" },
    { "unassigned", "\\p{Cn}" },
};

/* [:name:], where what PCRE2 has for it is something else */
static const struct {
    const char *name, *inside;
} brackets[] = {
    { "alpha", "\\p{Alphabetic}" },
    { "alnum", "\\p{Alphabetic}\\p{Nd}" },
    { "upper", "\\p{Uppercase}" },
    { "lower", "\\p{Lowercase}" },
    { "punct", "\\p{P}\\p{S}" },
    { "space", SPACE_RANGES },
    { "blank", "\\t\\p{Zs}" },
    { "word", CLASS_WORD_RANGES },
};

/* [:name:] or [:^name:] inside a class; negated ones come out as a class of their own. */
static void rewrite_bracket(struct rewrite *r)
{
    const bool negated = peek(r, 2) == '^';
    const struct str rest = str_sub(r->in, r->at + 2 + negated, r->in.n);
    for (size_t i = 0; i < sizeof brackets / sizeof *brackets; i++) {
        const struct str name = str_from(brackets[i].name);
        if (!str_starts(rest, name) || !str_starts(str_sub(rest, name.n, rest.n), STR(":]"))) continue;
        if (negated) buf_puts(&r->out, "[^");
        buf_puts(&r->out, brackets[i].inside);
        if (negated) buf_puts(&r->out, "]");
        r->at += 2 + negated + name.n + 2;
        return;
    }
    if (negated) buf_puts(&r->out, "[");
    copy_until(r, ']');
    if (negated) buf_puts(&r->out, "]");
}

enum { PROPERTY_BYTES_MAX = 64 };

static bool pattern_compiles(const char *pattern)
{
    int code;
    PCRE2_SIZE at;
    pcre2_general_context *memory = pcre2_general_context_create(regex_alloc, regex_release, NULL);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    pcre2_code *c = context ? pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, context) : NULL;
    const bool compiles = c != NULL;
    pcre2_code_free(c);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    return compiles;
}

/* \p{name}, \P{name} or \p{^name}: the class it stands for, in brackets unless in_class. */
static int rewrite_property(struct rewrite *r, bool in_class)
{
    const char *end = memchr(r->in.p + r->at, '}', r->in.n - r->at);
    if (!end) return rewrite_refuse(r, "a property that does not end");
    bool negated = peek(r, 1) == 'P';
    char name[PROPERTY_BYTES_MAX], script[PROPERTY_BYTES_MAX + 16];
    size_t n = 0;
    const char *p = r->in.p + r->at + 3;
    if (p < end && *p == '^') negated = !negated, p++;
    for (; p < end && n + 1 < sizeof name; p++)
        if (*p != ' ' && *p != '-' && *p != '_') name[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p + 'a' - 'A' : *p);
    name[n] = 0;
    if (p < end) return rewrite_refuse(r, "a property with a long name");
    r->at = (size_t)(end - r->in.p) + 1;
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        if (strcmp(properties[i].name, name) != 0) continue;
        if (in_class && negated) return rewrite_refuse(r, "a negated class inside a class");
        if (!in_class) buf_puts(&r->out, negated ? "[^" : "[");
        buf_puts(&r->out, properties[i].inside);
        if (!in_class) buf_puts(&r->out, "]");
        return 0;
    }
    snprintf(script, sizeof script, "\\%c{sc:%s}", negated ? 'P' : 'p', name);
    if (n <= 2 || !pattern_compiles(script)) snprintf(script, sizeof script, "\\%c{%s}", negated ? 'P' : 'p', name);
    if (n == 1 || n == 2) script[3] = (char)(script[3] - 'a' + 'A'); /* categories: Lu */
    buf_puts(&r->out, script);
    return 0;
}

/* ---- classes */

/* A class without its brackets; r->at is behind the opening one. Nested classes are unions, so their brackets can go. */
static int rewrite_class(struct rewrite *r, int depth)
{
    bool first = true;
    for (; r->at < r->in.n; first = false) {
        const char c = peek(r, 0);
        int status = 0;
        if (c == ']' && !first) {
            r->at++;
            return 0;
        }
        if (c == '&' && peek(r, 1) == '&') return rewrite_refuse(r, "an intersection of classes");
        if (c == '[' && peek(r, 1) == ':') {
            rewrite_bracket(r);
        } else if (c == '[') {
            if (peek(r, 1) == '^' || depth == 0) return rewrite_refuse(r, "a negated or deeply nested class inside a class");
            r->at++;
            status = rewrite_class(r, depth - 1);
        } else if (c == '\\') {
            status = rewrite_escape(r, true);
        } else {
            copy(r, 1);
        }
        if (status) return status;
    }
    return rewrite_refuse(r, "a class that does not end");
}

/* Whether a class (r->at behind its opening bracket) needs more than a union of ranges. */
static bool class_is_set(const struct rewrite *r)
{
    int depth = 1;
    bool first = true;
    for (size_t i = r->at; i < r->in.n && depth; i++) {
        const char c = r->in.p[i], next = i + 1 < r->in.n ? r->in.p[i + 1] : 0;
        const bool was_first = first;
        first = false;
        if (c == '\\') {
            if (next == 'W' || next == 'H' || next == 'P' || (next == 'p' && i + 3 < r->in.n && r->in.p[i + 3] == '^'))
                return true;
            i++;
        } else if (c == '&' && next == '&') {
            return true;
        } else if (c == '[' && next == ':') {
            if (i + 2 < r->in.n && r->in.p[i + 2] == '^') return true;
            while (i + 1 < r->in.n && r->in.p[i] != ']') i++;
        } else if (c == '[') {
            if (next == '^') return true;
            depth++;
            first = true;
        } else if (c == ']' && !was_first) {
            depth--;
        }
    }
    return false;
}

/* A class with operations as an expression for one character: each operand of && a look ahead at a choice of ranges and nested
 * classes, then any character. r->at is behind the opening bracket. */
static int rewrite_set(struct rewrite *r, int depth)
{
    if (depth == 0) return rewrite_refuse(r, "too deeply nested classes");
    struct buf ranges; /* of the operand being read */
    int status = 0;
    bool ends = false;
    buf_init(&ranges, 16 * PATTERN_BYTES_MAX);
    const bool negated = peek(r, 0) == '^';
    r->at += negated;
    buf_puts(&r->out, negated ? "(?:(?!" : "(?:");
    buf_puts(&r->out, "(?=(?!)");
    for (bool first = true; r->at < r->in.n && !status && !ends; first = false) {
        const char c = peek(r, 0), next = peek(r, 1);
        const bool intersects = c == '&' && next == '&';
        if (intersects || (c == ']' && !first)) {
            ends = !intersects;
            if (ranges.n) buf_puts(&r->out, "|[");
            buf_put(&r->out, ranges.p ? ranges.p : "", ranges.n);
            if (ranges.n) buf_puts(&r->out, "]");
            buf_puts(&r->out, intersects ? ")(?=(?!)" : ")");
            buf_clear(&ranges);
            r->at += intersects ? 2 : 1;
        } else if (c == '[' && next != ':') {
            buf_puts(&r->out, "|");
            r->at++;
            status = rewrite_set(r, depth - 1);
        } else if (c == '[' && peek(r, 2) == '^') {
            buf_puts(&r->out, "|");
            rewrite_bracket(r);
        } else if (c == '\\' && (next == 'W' || next == 'H')) {
            buf_puts(&r->out, next == 'W' ? "|[^" CLASS_WORD_RANGES "]" : "|[^0-9a-fA-F]");
            r->at += 2;
        } else if (c == '\\' && (next == 'p' || next == 'P') && peek(r, 2) == '{') {
            buf_puts(&r->out, "|");
            status = rewrite_property(r, false);
        } else {
            const struct buf out = r->out;
            r->out = ranges;
            if (c == '[') rewrite_bracket(r);
            else if (c == '\\') status = rewrite_escape(r, true);
            else copy(r, 1);
            ranges = r->out;
            r->out = out;
        }
    }
    buf_puts(&r->out, negated ? ")[\\x{0}-\\x{10ffff}])" : "[\\x{0}-\\x{10ffff}])");
    r->out.failed |= ranges.failed;
    buf_free(&ranges);
    if (!status && !ends) status = rewrite_refuse(r, "a class that does not end");
    return status;
}

/* (?imx-imx: or (?imx-imx): Ruby's m is "dot takes newlines", s in PCRE2. */
static int rewrite_group(struct rewrite *r)
{
    if (r->groups == GROUPS_MAX) return rewrite_refuse(r, "too many groups in groups");
    r->group[r->groups++] = r->out.n;
    copy(r, 1);
    if (peek(r, 0) != '?') return 0;
    copy(r, 1);
    for (char c = peek(r, 0); c == 'i' || c == 'm' || c == 'x' || c == '-'; c = peek(r, 0)) {
        buf_char(&r->out, c == 'm' ? 's' : c);
        r->at++;
    }
    return 0;
}

/* x{n,m}+ repeats the repetition in Ruby, where PCRE2 takes + as "possessive". */
static int rewrite_interval(struct rewrite *r)
{
    copy_until(r, '}');
    if (peek(r, 0) != '+') return 0;
    struct buf atom;
    buf_init(&atom, PATTERN_BYTES_MAX);
    buf_put(&atom, r->out.p + r->atom, r->out.n - r->atom);
    r->out.n = r->atom;
    buf_puts(&r->out, "(?:");
    if (!atom.failed) buf_put(&r->out, atom.p, atom.n);
    buf_puts(&r->out, ")+");
    r->out.failed |= atom.failed;
    buf_free(&atom);
    r->at++;
    return 0;
}

static int rewrite_one(struct rewrite *r)
{
    const char c = peek(r, 0);
    if (c == '(') return rewrite_group(r);
    if (c == '{' && peek(r, 1) >= '0' && peek(r, 1) <= '9') return rewrite_interval(r);
    if (c == '*' || c == '+' || c == '?') {
        copy(r, 1);
        return 0;
    }
    if (c == ')') {
        r->atom = r->groups ? r->group[--r->groups] : 0;
        copy(r, 1);
        return 0;
    }
    r->atom = r->out.n;
    if (c == '\\') return rewrite_escape(r, false);
    if (c == '[') {
        r->at++;
        if (class_is_set(r)) return rewrite_set(r, CLASS_DEPTH_MAX);
        r->at--;
        const bool negated = peek(r, 1) == '^';
        buf_puts(&r->out, negated ? "[^" : "[");
        r->at += negated ? 2 : 1;
        const int status = rewrite_class(r, CLASS_DEPTH_MAX);
        buf_puts(&r->out, "]");
        return status;
    }
    size_t end = r->at;
    utf8_next(r->in, &end);
    copy(r, end - r->at);
    return 0;
}

/* ---- compiling */

static int regex_compile(struct regex *r, struct str source, struct str pattern, bool literal, struct hearth_error *err)
{
    int status = 0, code = 0;
    PCRE2_SIZE at = 0;
    pcre2_general_context *memory = pcre2_general_context_create(regex_alloc, regex_release, NULL);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    if (!context) {
        status = fail_memory(err, pattern.n, "a regular expression");
        goto done;
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    const uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE);
    r->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &code, &at, context);
    if (!r->code) {
        PCRE2_UCHAR text[120] = "";
        pcre2_get_error_message(code, text, sizeof text);
        status = code == PCRE2_ERROR_HEAP_FAILED
                     ? fail_memory(err, pattern.n, "a regular expression")
                     : fail(err, HEARTH_E_UNSUPPORTED, "the regular expression \"%.*s\" is not understood: %s", STR_ARG(source),
                            (char *)text);
        goto done;
    }
    pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without it the interpreter runs */
done:
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    return status;
}

int regex_new(struct regex **out, struct str pattern, bool literal, struct hearth_error *err)
{
    *out = NULL;
    if (pattern.n > PATTERN_BYTES_MAX || !utf8_valid(pattern))
        return fail(err, HEARTH_E_UNSUPPORTED, "a regular expression of %zu bytes is too long or no valid text", pattern.n);
    struct regex *r = mem_array(1, sizeof *r);
    if (!r) return fail_memory(err, sizeof *r, "a regular expression");
    struct rewrite w = { .in = pattern, .err = err };
    buf_init(&w.out, 16 * PATTERN_BYTES_MAX);
    int status = 0;
    while (!literal && !status && w.at < pattern.n) status = rewrite_one(&w);
    if (!status && w.out.failed) status = fail_memory(err, pattern.n, "a regular expression");
    if (!status)
        status = regex_compile(r, pattern, literal ? pattern : (struct str){ w.out.p ? w.out.p : "", w.out.n }, literal, err);
    buf_free(&w.out);
    if (status) {
        regex_free(r);
        return status;
    }
    *out = r;
    return 0;
}

void regex_free(struct regex *r)
{
    if (!r) return;
    pcre2_code_free(r->code);
    mem_free(r);
}

/* ---- matching */

int regex_match_new(struct regex_match **out, size_t text_bytes, struct hearth_error *err)
{
    struct regex_match *m = *out = mem_array(1, sizeof *m);
    if (!m) return fail_memory(err, sizeof *m, "matching");
    m->memory = pcre2_general_context_create(regex_alloc, regex_release, NULL);
    m->context = m->memory ? pcre2_match_context_create(m->memory) : NULL;
    m->data = m->memory ? pcre2_match_data_create(1, m->memory) : NULL;
    if (!m->context || !m->data) {
        regex_match_free(m);
        *out = NULL;
        return fail_memory(err, 1024, "matching");
    }
    const uint64_t limit = MATCH_LIMIT + (uint64_t)text_bytes * MATCH_LIMIT_BYTE;
    pcre2_set_match_limit(m->context, limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit);
    pcre2_set_heap_limit(m->context, HEAP_LIMIT_KIB);
    m->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, m->memory);
    if (m->stack) pcre2_jit_stack_assign(m->context, NULL, m->stack);
    m->deadline = clock_ns() + TIME_FIXED_NS + (uint64_t)text_bytes * TIME_BYTE_NS;
    return 0;
}

void regex_match_free(struct regex_match *m)
{
    if (!m) return;
    pcre2_jit_stack_free(m->stack);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_general_context_free(m->memory);
    mem_free(m);
}

int regex_next(const struct regex *r, struct regex_match *m, struct str text, size_t at, size_t *begin, size_t *end,
               struct hearth_error *err)
{
    if (++m->matches % TIME_CHECK_EVERY == 0 && clock_ns() > m->deadline)
        return fail(err, HEARTH_E_UNSUPPORTED, "the tokenizer's regular expression takes too long on this text");
    int n = pcre2_match(r->code, (PCRE2_SPTR)text.p, text.n, at, PCRE2_NO_UTF_CHECK, m->data, m->context);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT)
        n = pcre2_match(r->code, (PCRE2_SPTR)text.p, text.n, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, m->data, m->context);
    if (n == PCRE2_ERROR_NOMATCH) return 0;
    if (n == PCRE2_ERROR_NOMEMORY) return fail_memory(err, text.n, "matching a regular expression");
    if (n < 0) return fail(err, HEARTH_E_UNSUPPORTED, "the tokenizer's regular expression takes too many steps on this text");
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(m->data);
    if (span[0] < at || span[1] < span[0])
        return fail(err, HEARTH_E_UNSUPPORTED, "the tokenizer's regular expression matches backwards");
    *begin = span[0];
    *end = span[1];
    return 1;
}
