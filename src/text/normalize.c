/* Normalizer steps: text in, text out. Names and behaviour are those of the tokenizers library (huggingface/tokenizers), plus
 * SentencePiece's own normalizer. */
#include <utf8proc.h>

#include "text/tokenizer_int.h"

/* ---- normal forms: flag = compatibility, left = compose */

static int make_nfc(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)a, (void)err;
    s->left = true;
    return 0;
}

static int make_nfd(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)a, (void)s, (void)err;
    return 0;
}

static int make_nfkc(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)a, (void)err;
    s->flag = s->left = true;
    return 0;
}

static int make_nfkd(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)a, (void)err;
    s->flag = true;
    return 0;
}

static int run_normal_form(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    return unicode_normalize(out, in, s->flag, s->left, e->watch, e->err);
}

/* ---- Lowercase, StripAccents: character by character */

static int make_plain(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)a, (void)s, (void)err;
    return 0;
}

static void put_code(struct buf *out, int32_t c)
{
    char utf8[4];
    buf_put(out, utf8, utf8_put(utf8, (uint32_t)c));
}

static int run_lowercase(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    (void)s;
    int status = 0;
    for (size_t at = 0; at < in.n && !status;) {
        char ascii[256];
        size_t n = 0;
        for (; n < sizeof ascii && at < in.n && !(in.p[at] & 0x80); at++) {
            const bool upper = in.p[at] >= 'A' && in.p[at] <= 'Z';
            ascii[n++] = (char)(in.p[at] + (upper ? 'a' - 'A' : 0));
        }
        buf_put(out, ascii, n);
        status = encode_steps(e, n + 1);
        if (n || at == in.n) continue;
        const int32_t c = utf8_next(in, &at);
        if (c == 0x130) buf_puts(out, "i\xcc\x87"); /* the one character whose lower case is two */
        else put_code(out, utf8proc_tolower(c));
    }
    return status;
}

/* What a character becomes: NULL: it stays. Long stretches that stay are copied at once. */
typedef const char *change_char(int32_t c);

static int run_changes(struct encode *e, struct str in, struct buf *out, change_char *change)
{
    size_t done = 0;
    int status = 0;
    for (size_t at = 0, from = 0; from < in.n && !status; from = at) {
        const char *to = change(utf8_next(in, &at));
        status = encode_steps(e, 1);
        if (!to) continue;
        buf_put(out, in.p + done, from - done);
        buf_puts(out, to);
        done = at;
        if (from == 0 && !*to) e->lead_lost = true;
    }
    if (done < in.n) buf_put(out, in.p + done, in.n - done);
    return status;
}

static const char *strip_mark(int32_t c)
{
    return unicode_is_mark(c) ? "" : NULL;
}

static int run_strip_accents(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    (void)s;
    return run_changes(e, in, out, strip_mark);
}

/* ---- Nmt: control characters go, other white space becomes a space */

static bool nmt_removes(int32_t c)
{
    return (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
}

static bool nmt_space(int32_t c)
{
    return c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 || (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 ||
           c == 0x2581 || c == 0xfeff || c == 0xfffd;
}

static const char *nmt_change(int32_t c)
{
    return nmt_space(c) ? " " : nmt_removes(c) ? "" : NULL;
}

static int run_nmt(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    (void)s;
    return run_changes(e, in, out, nmt_change);
}

/* ---- BertNormalizer: four steps, each by a flag */

static const char *clean_change(int32_t c)
{
    if (c >= 0x20 && c < 0x7f) return NULL;
    if (c == 9 || c == 10 || c == 13 || (c >= 0x20 && unicode_is_space(c) && c != 0x85)) return " ";
    return c == 0 || c == 0xfffd || unicode_is_control(c) ? "" : NULL;
}

static int run_bert_clean(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    (void)s;
    return run_changes(e, in, out, clean_change);
}

static bool is_chinese(int32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0x2f800 && c <= 0x2fa1f);
}

static int run_bert_chinese(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    (void)s;
    size_t done = 0;
    int status = 0;
    for (size_t at = 0, from = 0; from < in.n && !status; from = at) {
        const bool apart = is_chinese(utf8_next(in, &at));
        status = encode_steps(e, 1);
        if (!apart) continue;
        buf_put(out, in.p + done, from - done);
        buf_char(out, ' ');
        buf_put(out, in.p + from, at - from);
        buf_char(out, ' ');
        done = at;
    }
    if (done < in.n) buf_put(out, in.p + done, in.n - done);
    return status;
}

static const char *strip_nonspacing(int32_t c)
{
    return unicode_is_nonspacing(c) ? "" : NULL;
}

static int run_bert_accents(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    (void)s;
    return run_changes(e, in, out, strip_nonspacing);
}

static const struct normalize_kind bert_clean = { "clean text", make_plain, run_bert_clean },
                                   bert_chinese = { "Chinese characters apart", make_plain, run_bert_chinese },
                                   bert_decompose = { "decompose", make_nfd, run_normal_form },
                                   bert_accents = { "strip accents", make_plain, run_bert_accents },
                                   bert_lower = { "lower case", make_plain, run_lowercase };

/* ---- ByteLevel: the bytes in GPT-2's alphabet */

static int make_byte_level(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)a, (void)s, (void)err;
    t->byte_alphabet = true;
    return 0;
}

static int run_byte_level(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    (void)s, (void)e;
    byte_alphabet_put(out, in);
    return 0;
}

/* ---- Prepend: from is put before a text that is not empty */

static int make_prepend(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)err;
    s->from = a->prepend;
    return 0;
}

static int run_prepend(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    (void)e;
    if (in.n == 0) return 0;
    buf_put(out, s->from.p, s->from.n);
    buf_put(out, in.p, in.n);
    return 0;
}

/* ---- Replace: every match of regex becomes to */

static int make_replace(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t;
    s->to = a->content;
    if (!a->pattern.p) return fail(err, HEARTH_E_FORMAT, "a Replace step without a pattern");
    return regex_new(&s->regex, a->pattern, !a->pattern_is_regex, err);
}

static int run_replace(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    size_t done = 0;
    for (size_t at = 0; at <= in.n && in.n;) {
        size_t begin, end;
        const int found = regex_next(s->regex, e->match, in, at, &begin, &end, e->err);
        if (found < 0) return found;
        if (!found) break;
        if (begin == 0 && end > 0 && s->to.n == 0) e->lead_lost = true;
        buf_put(out, in.p + done, begin - done);
        buf_put(out, s->to.p, s->to.n);
        const int status = encode_steps(e, end - at + 1);
        if (status) return status;
        done = at = end;
        if (begin == end && at < in.n) utf8_next(in, &at);
        else if (begin == end) break;
    }
    buf_put(out, in.p + done, in.n - done);
    return 0;
}

/* ---- Strip: white space at the left and right */

static int make_strip(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)err;
    s->left = a->left;
    s->right = a->right;
    return 0;
}

static int run_strip(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    size_t begin = in.n, end = 0;
    for (size_t at = 0; at < in.n;) {
        const size_t from = at;
        const bool space = unicode_is_space(utf8_next(in, &at));
        const int status = encode_steps(e, 1);
        if (status) return status;
        if (space) continue;
        if (begin == in.n) begin = from;
        end = at;
    }
    if (!s->left) begin = 0;
    if (begin > 0) e->lead_lost = true;
    if (!s->right) end = in.n;
    if (begin < end) buf_put(out, in.p + begin, end - begin);
    return 0;
}

/* ---- Precompiled: a charsmap as the tokenizers library applies it, which is not what SentencePiece does: by grapheme, and
 * with the shortest rule that begins one */

static int make_precompiled(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    struct buf raw;
    buf_init(&raw, TEXT_BYTES_MAX);
    const bool valid = base64_read(a->charsmap, &raw);
    const struct str blob = valid ? tokenizer_keep(t, buf_str(&raw)) : (struct str){ 0 };
    const bool failed = raw.failed || (valid && !blob.p);
    buf_free(&raw);
    if (failed) return fail_memory(err, a->charsmap.n, "normalisation rules");
    if (!valid) return fail(err, HEARTH_E_FORMAT, "the normalisation rules are no base64 text");
    return charsmap_open(&s->charsmap, blob, err);
}

static void precompiled_grapheme(const struct charsmap *m, struct str in, struct buf *out)
{
    struct str to;
    if (in.n < 6 && charsmap_find(m, in, true, &to)) {
        buf_put(out, to.p, to.n);
        return;
    }
    for (size_t at = 0; at < in.n;) {
        const size_t from = at;
        utf8_next(in, &at);
        const struct str c = str_sub(in, from, at);
        if (!charsmap_find(m, c, true, &to)) to = c;
        buf_put(out, to.p, to.n);
    }
}

static int run_precompiled(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    utf8proc_int32_t state = 0;
    for (size_t from = 0, at = 0; from < in.n;) {
        int32_t c = utf8_next(in, &at);
        size_t end = at;
        while (at < in.n) {
            const int32_t next = utf8_next(in, &at);
            if (utf8proc_grapheme_break_stateful(c, next, &state)) break;
            const int status = encode_steps(e, 1);
            if (status) return status;
            end = at;
            c = next;
        }
        const int status = encode_steps(e, end - from);
        if (status) return status;
        precompiled_grapheme(&s->charsmap, str_sub(in, from, end), out);
        from = at = end;
    }
    return 0;
}

/* ---- SentencePiece: flag = dummy prefix, left = remove extra spaces, from = how a space is written */

static int make_sentencepiece(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    s->flag = a->add_prefix_space;
    s->left = a->left;
    s->from = t->space;
    return a->charsmap.n ? charsmap_open(&s->charsmap, a->charsmap, err) : 0;
}

/* What the beginning of `in` normalises to; returns how much of it that is. */
static size_t spm_prefix(const struct step *s, const struct tokenizer *t, struct str in, struct str *to)
{
    size_t n = 0;
    if (match_longest(&t->user, in, &n) == NO_ID) {
        n = charsmap_find(&s->charsmap, in, false, to);
        if (n) return n;
        utf8_next(in, &n);
    }
    *to = str_sub(in, 0, n);
    return n;
}

static void spm_put(const struct step *s, struct str text, struct buf *out)
{
    for (size_t i = 0, from = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] != ' ') continue;
        if (i > from) buf_put(out, text.p + from, i - from);
        if (i < text.n) buf_put(out, s->from.p, s->from.n);
        from = i + 1;
    }
}

static int run_sentencepiece(const struct step *s, struct encode *e, struct str in, struct buf *out)
{
    const struct tokenizer *t = e->t;
    struct str to;
    size_t at = 0, n;
    for (; s->left && !t->prefix_once && at < in.n; at += n) {
        const int status = encode_steps(e, 1);
        if (status) return status;
        n = spm_prefix(s, t, str_sub(in, at, in.n), &to);
        if (!str_is(to, " ")) break;
    }
    if (at == in.n) return 0;
    const bool dummy = s->flag && (e->first || !t->prefix_once);
    if (dummy && !t->space_behind) buf_put(out, s->from.p, s->from.n);
    bool after_space = s->left && !t->prefix_once;
    for (; at < in.n; at += n) {
        const int status = encode_steps(e, 1);
        if (status) return status;
        n = spm_prefix(s, t, str_sub(in, at, in.n), &to);
        while (after_space && to.n && to.p[0] == ' ') to = str_sub(to, 1, to.n);
        if (to.n == 0) continue;
        spm_put(s, to, out);
        after_space = s->left && to.p[to.n - 1] == ' ';
    }
    while (s->left && !out->failed && str_ends(buf_str(out), s->from)) out->n -= s->from.n;
    if (dummy && t->space_behind) buf_put(out, s->from.p, s->from.n);
    return 0;
}

/* ---- */

static const struct normalize_kind normalize_kinds[] = {
    { "NFC", make_nfc, run_normal_form },
    { "NFD", make_nfd, run_normal_form },
    { "NFKC", make_nfkc, run_normal_form },
    { "NFKD", make_nfkd, run_normal_form },
    { "Lowercase", make_plain, run_lowercase },
    { "Nmt", make_plain, run_nmt },
    { "ByteLevel", make_byte_level, run_byte_level },
    { "StripAccents", make_plain, run_strip_accents },
    { "Prepend", make_prepend, run_prepend },
    { "Replace", make_replace, run_replace },
    { "Strip", make_strip, run_strip },
    { "Precompiled", make_precompiled, run_precompiled },
    { "SentencePiece", make_sentencepiece, run_sentencepiece },
};

static int normalize_put(struct tokenizer *t, const struct step_args *a, const struct normalize_kind *kind,
                         struct hearth_error *err)
{
    if (t->normalize.n == STEPS_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "more than %d normalizer steps", STEPS_MAX);
    struct step *s = &t->normalize.step[t->normalize.n++];
    s->normalize = kind;
    return kind->make(t, a, s, err);
}

static int bert_add(struct tokenizer *t, const struct step_args *a, struct hearth_error *err)
{
    const bool strip = a->strip_accents < 0 ? a->lowercase : a->strip_accents;
    int status = a->clean_text ? normalize_put(t, a, &bert_clean, err) : 0;
    if (!status && a->chinese_chars) status = normalize_put(t, a, &bert_chinese, err);
    if (!status && strip) status = normalize_put(t, a, &bert_decompose, err);
    if (!status && strip) status = normalize_put(t, a, &bert_accents, err);
    if (!status && a->lowercase) status = normalize_put(t, a, &bert_lower, err);
    return status;
}

int normalize_add(struct tokenizer *t, const struct step_args *a, struct hearth_error *err)
{
    if (str_is(a->type, "BertNormalizer")) return bert_add(t, a, err);
    for (size_t i = 0; i < sizeof normalize_kinds / sizeof *normalize_kinds; i++)
        if (str_is(a->type, normalize_kinds[i].name)) return normalize_put(t, a, &normalize_kinds[i], err);
    return fail(err, HEARTH_E_UNSUPPORTED, "the normalizer \"%.*s\" is not known to hearth", STR_ARG(a->type));
}

int normalize_run(struct encode *e, struct str in, struct str *out)
{
    const struct steps *steps = &e->t->normalize;
    *out = in;
    e->lead_lost = false;
    for (unsigned i = 0; i < steps->n; i++) {
        struct buf *to = &e->normal[i % 2];
        buf_clear(to);
        const int status = steps->step[i].normalize->run(&steps->step[i], e, *out, to);
        if (status) return status;
        if (to->failed) return fail_memory(e->err, to->n, "normalising a text");
        *out = (struct str){ to->p ? to->p : "", to->n };
    }
    return 0;
}
