/* Decoder steps: each rewrites the text of one token where it stands, at the end of a buffer. That the tokenizers library
 * works on lists of tokens shows only in what comes after Fuse, which then speaks of the whole text. */
#include "text/tokenizer_int.h"

/* Replaces every `from` in out->p[at..] by `to`. */
static void region_replace(struct buf *out, size_t at, struct str from, struct str to)
{
    if (from.n == 0) return;
    const size_t old = out->n;
    size_t hits = 0;
    for (size_t i = at; i + from.n <= old;) {
        const bool hit = out->p[i] == from.p[0] && memcmp(out->p + i, from.p, from.n) == 0;
        hits += hit;
        i += hit ? from.n : 1;
    }
    if (!hits) return;
    if (to.n > from.n) /* make room, then work on a copy at the end of it */
        for (size_t i = 0; i < hits; i++) buf_put(out, to.p, to.n - from.n);
    if (out->failed) return;
    const size_t grown = out->n - old;
    memmove(out->p + at + grown, out->p + at, old - at);
    size_t put = at;
    for (size_t i = at + grown; i < out->n;) {
        if (i + from.n <= out->n && memcmp(out->p + i, from.p, from.n) == 0) {
            memcpy(out->p + put, to.p, to.n);
            put += to.n;
            i += from.n;
        } else {
            out->p[put++] = out->p[i++];
        }
    }
    out->n = put;
}

static void region_cut(struct buf *out, size_t at, size_t n)
{
    memmove(out->p + at, out->p + at + n, out->n - at - n);
    out->n -= n;
}

static struct str region(const struct buf *out, size_t at)
{
    return (struct str){ out->p + at, out->n - at };
}

/* ---- ByteLevel: characters of GPT-2's alphabet become bytes; a token with any other character is text */

static int make_plain(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)a, (void)s, (void)err;
    return 0;
}

static void run_byte_level(const struct step *s, struct buf *out, size_t from, bool first)
{
    (void)s, (void)first;
    const struct str text = region(out, from);
    for (size_t at = 0; at < text.n;)
        if (char_byte(utf8_next(text, &at)) < 0) return;
    size_t n = from;
    for (size_t at = 0; at < text.n;) {
        const int32_t byte = char_byte(
            utf8_next(text, &at)); /* at is already behind n: characters are at least as long as bytes */
        out->p[n++] = (char)byte;
    }
    out->n = n;
}

static int make_byte_level(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)a, (void)s, (void)err;
    t->fuse_seen = true;
    return 0;
}

/* ---- WordPiece: a token without the prefix is a new word; flag: spaces before English punctuation go */

static void region_cleanup(struct buf *out, size_t from)
{
    static const struct {
        struct str from, to;
    } rules[] = {
        { STR(" ."), STR(".") },      { STR(" ?"), STR("?") },      { STR(" !"), STR("!") },
        { STR(" ,"), STR(",") },      { STR(" ' "), STR("'") },     { STR(" n't"), STR("n't") },
        { STR(" 'm"), STR("'m") },    { STR(" do not"), STR(" don't") }, { STR(" 's"), STR("'s") },
        { STR(" 've"), STR("'ve") },  { STR(" 're"), STR("'re") },
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) region_replace(out, from, rules[i].from, rules[i].to);
}

static int refuse_fused(const struct tokenizer *t, const struct step_args *a, struct hearth_error *err)
{
    if (!t->fuse_seen) return 0;
    return fail(err, HEARTH_E_UNSUPPORTED, "a %.*s decoder behind one that joins the tokens is not known to hearth",
                STR_ARG(a->type));
}

static int make_wordpiece(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    s->from = a->prefix;
    s->flag = a->cleanup;
    return refuse_fused(t, a, err);
}

static void run_wordpiece(const struct step *s, struct buf *out, size_t from, bool first)
{
    if (!first && str_starts(region(out, from), s->from)) {
        region_cut(out, from, s->from.n);
    } else if (!first) {
        buf_char(out, ' ');
        if (out->failed) return;
        memmove(out->p + from + 1, out->p + from, out->n - from - 1);
        out->p[from] = ' ';
    }
    if (s->flag) region_cleanup(out, from);
}

/* ---- BPEDecoder: `from` ends a word, and is a space unless the text ends there too */

static int make_bpe(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    s->from = a->suffix;
    if (s->from.n == 0) return fail(err, HEARTH_E_UNSUPPORTED, "a BPEDecoder without a suffix is not known to hearth");
    t->decode_owes = s->from;
    return refuse_fused(t, a, err);
}

static void run_bpe(const struct step *s, struct buf *out, size_t from, bool first)
{
    (void)first;
    region_replace(out, from, s->from, STR(" "));
}

/* ---- CTC: repeated tokens count once, `from` (padding) is nothing, `to` is a space when flag */

static int make_ctc(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    s->from = a->pad_token;
    s->to = a->delimiter;
    s->flag = a->cleanup;
    if (t->decode.n > 1) return fail(err, HEARTH_E_UNSUPPORTED, "a CTC decoder behind others is not known to hearth");
    t->decode_dedup = true;
    return 0;
}

static void run_ctc(const struct step *s, struct buf *out, size_t from, bool first)
{
    (void)first;
    region_replace(out, from, s->from, STR(""));
    if (!s->flag) return;
    region_cleanup(out, from);
    region_replace(out, from, s->to, STR(" "));
}

/* ---- ByteFallback: "<0x0A>" is a byte */

int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void run_byte_fallback(const struct step *s, struct buf *out, size_t from, bool first)
{
    (void)s, (void)first;
    const struct str text = region(out, from);
    if (text.n != 6 || !str_starts(text, STR("<0x")) || text.p[5] != '>') return;
    const int high = hex_digit(text.p[3]), low = hex_digit(text.p[4]);
    if (high < 0 || low < 0) return;
    out->p[from] = (char)(high << 4 | low);
    out->n = from + 1;
}

/* ---- Metaspace: `from` is a space, but in the first token nothing unless flag; invert: the whole text is one token */

static int make_metaspace(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)err;
    s->from = a->replacement;
    s->invert = t->fuse_seen;
    s->flag = a->prepend_scheme.p ? str_is(a->prepend_scheme, "never") : !a->add_prefix_space;
    return 0;
}

static void run_metaspace(const struct step *s, struct buf *out, size_t from, bool first)
{
    region_replace(out, from, s->from, (first || s->invert) && !s->flag ? STR("") : STR(" "));
}

/* ---- Replace */

static int make_replace(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    if (!a->pattern.n || a->pattern_is_regex)
        return fail(err, HEARTH_E_UNSUPPORTED, "a decoder that replaces a regular expression is not known to hearth");
    size_t at = 0;
    utf8_next(a->pattern, &at);
    if (t->fuse_seen && at < a->pattern.n)
        return fail(err, HEARTH_E_UNSUPPORTED, "a decoder that replaces across tokens is not known to hearth");
    s->from = a->pattern;
    s->to = a->content;
    const uint64_t growth = a->content.n / a->pattern.n + 1;
    if (growth * t->decode_growth > 64)
        return fail(err, HEARTH_E_UNSUPPORTED, "a decoder that makes tokens more than 64 times as long");
    t->decode_growth *= (uint32_t)growth;
    return 0;
}

static void run_replace(const struct step *s, struct buf *out, size_t from, bool first)
{
    (void)first;
    region_replace(out, from, s->from, s->to);
}

/* ---- Strip: `from`, up to `count` times at the left (`flag`: only where the whole text begins) and `stop` times at the right */

static int make_strip(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    s->from = a->content;
    s->flag = t->fuse_seen;
    s->count = a->start;
    s->stop = a->stop;
    if (s->from.n == 0 || a->start < 0 || a->stop < 0) return fail(err, HEARTH_E_FORMAT, "a Strip decoder without content");
    if (s->flag && (s->stop || s->count > 1))
        return fail(err, HEARTH_E_UNSUPPORTED,
                    "a Strip decoder that takes more than one character at the beginning is not known to hearth");
    return 0;
}

static void run_strip(const struct step *s, struct buf *out, size_t from, bool first)
{
    if (s->flag && !first) return;
    for (int64_t i = 0; i < s->count && str_starts(region(out, from), s->from); i++) region_cut(out, from, s->from.n);
    for (int64_t i = 0; i < s->stop && str_ends(region(out, from), s->from); i++) out->n -= s->from.n;
}

/* ---- Fuse: from here on it is one text */

static int make_fuse(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)a, (void)s, (void)err;
    t->fuse_seen = true;
    return 0;
}

static void run_fuse(const struct step *s, struct buf *out, size_t from, bool first)
{
    (void)s, (void)out, (void)from, (void)first;
}

/* ---- SentencePiece: `from` is a space; flag: one at the beginning is the dummy prefix */

static int make_sentencepiece(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)err;
    s->from = t->space;
    s->flag = a->add_prefix_space;
    return 0;
}

static void run_sentencepiece(const struct step *s, struct buf *out, size_t from, bool first)
{
    if (first && s->flag && str_starts(region(out, from), s->from)) region_cut(out, from, s->from.n);
    region_replace(out, from, s->from, STR(" "));
}

/* ---- */

static const struct decode_kind decode_kinds[] = {
    { "ByteLevel", make_byte_level, run_byte_level },
    { "WordPiece", make_wordpiece, run_wordpiece },
    { "BPEDecoder", make_bpe, run_bpe },
    { "CTC", make_ctc, run_ctc },
    { "ByteFallback", make_plain, run_byte_fallback },
    { "Metaspace", make_metaspace, run_metaspace },
    { "Replace", make_replace, run_replace },
    { "Strip", make_strip, run_strip },
    { "Fuse", make_fuse, run_fuse },
    { "SentencePiece", make_sentencepiece, run_sentencepiece },
};

int decode_add(struct tokenizer *t, const struct step_args *a, struct hearth_error *err)
{
    for (size_t i = 0; i < sizeof decode_kinds / sizeof *decode_kinds; i++) {
        if (!str_is(a->type, decode_kinds[i].name)) continue;
        if (t->decode.n == STEPS_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "more than %d decoder steps", STEPS_MAX);
        struct step *s = &t->decode.step[t->decode.n++];
        s->decode = &decode_kinds[i];
        return s->decode->make(t, a, s, err);
    }
    return fail(err, HEARTH_E_UNSUPPORTED, "the decoder \"%.*s\" is not known to hearth", STR_ARG(a->type));
}

/* Control and unknown tokens, and added tokens marked special. */
static bool id_is_special(const struct tokenizer *t, uint32_t id)
{
    if (id < t->vocab.n && t->vocab.offset[id] != NO_ID)
        return t->vocab.type[id] == TOKEN_CONTROL || t->vocab.type[id] == TOKEN_UNKNOWN;
    for (uint32_t i = 0; i < t->n_added; i++)
        if (t->added[i].id == id) return t->added[i].special;
    return false;
}

/* What a token says, and whether it is special. */
static struct str decode_content(const struct tokenizer *t, int32_t id, bool *special)
{
    const uint32_t shown = t->shown && id >= 0 && (uint32_t)id < t->vocab.n ? t->shown[id] : 0;
    *special = shown ? t->added[shown - 1].shown_special : id >= 0 && id_is_special(t, (uint32_t)id);
    if (!shown) return tokenizer_content(t, id);
    return t->added[shown - 1].normalized ? vocab_text(&t->normal_text, shown - 1) : t->added[shown - 1].content;
}

void decode_token(const struct tokenizer *t, int32_t id, bool skip_special, struct decode_state *state, struct buf *out)
{
    bool special;
    struct str text = decode_content(t, id, &special);
    if (text.n == 0 || (special && skip_special) || (t->decode_dedup && id == state->previous)) return;
    if ((t->decode_spaced && !state->first) || state->owes) buf_char(out, ' ');
    state->owes = t->decode_owes.n && str_ends(text, t->decode_owes); /* unless the text ends here */
    if (state->owes) text.n -= t->decode_owes.n;
    const size_t from = out->n;
    buf_put(out, text.p, text.n);
    if (out->failed) return;
    for (unsigned i = 0; i < t->decode.n; i++) t->decode.step[i].decode->run(&t->decode.step[i], out, from, state->first);
    if (!t->decode_trims || out->n > from) state->first = false;
    state->previous = id;
}
