/* Pre-tokenizer steps: each cuts a piece of text and hands the parts on, one by one, to the next step and at last to the
 * model, so that no list of parts is ever kept. Names and behaviour are those of the tokenizers library. */
#include "text/tokenizer_int.h"

/* ---- what becomes of the stretches that matched a pattern, and of those between */

struct splitter {
    const struct split_behavior *behavior;
    struct encode               *e;
    unsigned                     next; /* the step that gets the parts */
    struct piece                 in;
    size_t                       begin, end; /* a part that may still grow */
    bool                         match;      /* and whether its last stretch matched */
};

struct split_behavior {
    const char *name;
    int (*feed)(struct splitter *s, size_t begin, size_t end, bool match);
};

static int split_emit(struct splitter *s, size_t begin, size_t end)
{
    if (begin == end) return 0;
    const int status = encode_steps(s->e, end - begin);
    if (status) return status;
    return pre_run(s->e, s->next, (struct piece){ str_sub(s->in.text, begin, end), s->in.first && begin == 0 });
}

/* Hands the waiting part on; begin..end waits from now. */
static int split_wait(struct splitter *s, size_t begin, size_t end, bool match)
{
    const int status = split_emit(s, s->begin, s->end);
    s->begin = begin;
    s->end = end;
    s->match = match;
    return status;
}

static int feed_isolated(struct splitter *s, size_t begin, size_t end, bool match)
{
    (void)match;
    return split_emit(s, begin, end);
}

static int feed_removed(struct splitter *s, size_t begin, size_t end, bool match)
{
    return match ? 0 : split_emit(s, begin, end);
}

static int feed_contiguous(struct splitter *s, size_t begin, size_t end, bool match)
{
    if (match != s->match) return split_wait(s, begin, end, match);
    s->end = end;
    return 0;
}

static int feed_merged_with_previous(struct splitter *s, size_t begin, size_t end, bool match)
{
    if (!match || s->match) return split_wait(s, begin, end, match);
    s->end = end;
    s->match = true;
    return 0;
}

static int feed_merged_with_next(struct splitter *s, size_t begin, size_t end, bool match)
{
    if (match || !s->match) return split_wait(s, begin, end, match);
    s->end = end;
    s->match = false;
    return 0;
}

static const struct split_behavior behaviors[] = {
    { "Isolated", feed_isolated },
    { "Removed", feed_removed },
    { "Contiguous", feed_contiguous },
    { "MergedWithPrevious", feed_merged_with_previous },
    { "MergedWithNext", feed_merged_with_next },
};

static const struct split_behavior *const isolated = &behaviors[0], *const removed = &behaviors[1],
                                          *const contiguous = &behaviors[2], *const merged_with_next = &behaviors[4];

static int behavior_find(const struct step_args *a, const struct split_behavior **out, struct hearth_error *err)
{
    for (size_t i = 0; i < sizeof behaviors / sizeof *behaviors; i++) {
        if (!str_is(a->behavior, behaviors[i].name)) continue;
        *out = &behaviors[i];
        return 0;
    }
    return fail(err, HEARTH_E_UNSUPPORTED, "the split behavior \"%.*s\" is not known to hearth", STR_ARG(a->behavior));
}

static struct splitter splitter(const struct split_behavior *behavior, struct encode *e, unsigned index, struct piece in)
{
    return (struct splitter){ .behavior = behavior, .e = e, .next = index + 1, .in = in };
}

/* Cuts at the matches of a regular expression. */
static int split_regex(struct splitter *s, const struct regex *regex, bool invert)
{
    const struct str text = s->in.text;
    size_t done = 0;
    int status = 0;
    for (size_t at = 0; at < text.n && !status;) {
        size_t begin, end;
        status = regex_next(regex, s->e->match, text, at, &begin, &end, s->e->err);
        if (status <= 0) break;
        status = begin > done ? s->behavior->feed(s, done, begin, invert) : 0;
        if (!status) status = s->behavior->feed(s, begin, end, !invert);
        if (!status) status = encode_steps(s->e, end - at + 1);
        done = at = end;
        if (begin == end && at < text.n) utf8_next(text, &at);
    }
    if (!status && done < text.n) status = s->behavior->feed(s, done, text.n, invert);
    return status ? status : split_wait(s, 0, 0, false);
}

/* Every character of the class is a match by itself. */
static int split_class(struct splitter *s, bool (*class)(int32_t c))
{
    const struct str text = s->in.text;
    size_t done = 0;
    int status = 0;
    for (size_t at = 0; at < text.n && !status;) {
        const size_t from = at;
        const bool match = class(utf8_next(text, &at));
        status = encode_steps(s->e, 1);
        if (status || !match) continue;
        status = from > done ? s->behavior->feed(s, done, from, false) : 0;
        if (!status) status = s->behavior->feed(s, from, at, true);
        done = at;
    }
    if (!status && done < text.n) status = s->behavior->feed(s, done, text.n, false);
    return status ? status : split_wait(s, 0, 0, false);
}

/* ---- groups of three digits counted from the right: a regular expression looks ahead to the end of the number at each of its
 * digits, which is quadratic. Here it finds the numbers, which are then cut. */

static const struct digit_groups {
    const char *pattern, *numbers;
    bool        empty; /* the matches are the empty places in front of the groups */
} digit_groups[] = {
    { "(?=(\\d{3})+(?!\\d))", "(?<!\\d)\\d++", true },
    { "\\d{1,3}(?=(?:\\d{3})*(?!\\d))", "(?<!\\d)\\d++", false },
    { "\\d{1,3}(?=(?:\\d{3})*\\b)", "(?<!\\d)\\d++\\b", false },
};

/* Feeds the groups of the number begin..end; *done: what lies before is fed. */
static int feed_groups(struct splitter *s, size_t begin, size_t end, bool empty, bool invert, size_t *done)
{
    const struct str text = str_sub(s->in.text, 0, end);
    uint64_t digits = 0;
    int status = 0;
    for (size_t at = begin; at < end; digits++) utf8_next(text, &at);
    for (size_t at = begin; at < end && !status; digits--) {
        const size_t from = at;
        utf8_next(text, &at);
        if (digits % 3 != 0 && (empty || from > begin)) continue;
        if (!empty)
            for (uint64_t more = (digits - 1) % 3; more > 0; more--, digits--) utf8_next(text, &at);
        if (from > *done) status = s->behavior->feed(s, *done, from, invert);
        *done = empty ? from : at;
        if (!status) status = s->behavior->feed(s, from, *done, !invert);
        if (!status) status = encode_steps(s->e, at - from);
    }
    return status;
}

static int split_digits(struct splitter *s, const struct regex *numbers, bool empty, bool invert)
{
    const struct str text = s->in.text;
    size_t done = 0;
    int status = 0;
    for (size_t at = 0; at < text.n && !status;) {
        size_t begin, end;
        status = regex_next(numbers, s->e->match, text, at, &begin, &end, s->e->err);
        if (status <= 0) break;
        status = feed_groups(s, begin, end, empty, invert, &done);
        at = end;
    }
    if (!status && done < text.n) status = s->behavior->feed(s, done, text.n, invert);
    return status ? status : split_wait(s, 0, 0, false);
}

/* ---- Split: regex, behavior, invert. CharDelimiterSplit is a special case. left: numbers are cut, flag: before their groups. */

static int make_split(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t;
    s->invert = a->invert;
    if (!a->pattern.p) return fail(err, HEARTH_E_FORMAT, "a Split step without a pattern");
    const int status = behavior_find(a, &s->behavior, err);
    struct str pattern = a->pattern;
    for (size_t i = 0; a->pattern_is_regex && i < sizeof digit_groups / sizeof *digit_groups; i++) {
        if (!str_is(a->pattern, digit_groups[i].pattern)) continue;
        pattern = str_from(digit_groups[i].numbers);
        s->left = true;
        s->flag = digit_groups[i].empty;
    }
    return status ? status : regex_new(&s->regex, pattern, !a->pattern_is_regex, err);
}

static int make_char_delimiter(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t;
    s->behavior = removed;
    return regex_new(&s->regex, a->delimiter, true, err);
}

static int run_split(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    struct splitter split = splitter(s->behavior, e, index, in);
    return s->left ? split_digits(&split, s->regex, s->flag, s->invert) : split_regex(&split, s->regex, s->invert);
}

/* ---- classes of characters */

static int make_plain(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)a, (void)s, (void)err;
    return 0;
}

static int run_whitespace_split(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    (void)s;
    struct splitter split = splitter(removed, e, index, in);
    return split_class(&split, unicode_is_space);
}

/* Runs of word characters, and runs of what is neither that nor white space. */
static int run_whitespace(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    (void)s;
    struct splitter split = splitter(isolated, e, index, in);
    enum { SPACE, WORD, OTHER } before = SPACE, now;
    int status = 0;
    size_t begin = 0;
    for (size_t at = 0, from = 0; from < in.text.n && !status; from = at) {
        const int32_t c = utf8_next(in.text, &at);
        now = unicode_is_space(c) ? SPACE : unicode_is_word(c) ? WORD : OTHER;
        status = encode_steps(e, 1);
        if (status || now == before) continue;
        if (before != SPACE) status = split_emit(&split, begin, from);
        begin = from;
        before = now;
    }
    return status || before == SPACE ? status : split_emit(&split, begin, in.text.n);
}

static int make_digits(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t, (void)err;
    s->behavior = a->individual_digits ? isolated : contiguous;
    return 0;
}

static int run_digits(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    struct splitter split = splitter(s->behavior, e, index, in);
    return split_class(&split, unicode_is_numeric);
}

static int make_punctuation(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t;
    return behavior_find(a, &s->behavior, err);
}

static int run_punctuation(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    struct splitter split = splitter(s->behavior, e, index, in);
    return split_class(&split, unicode_is_punctuation);
}

/* ---- FixedLength: parts of count characters */

static int make_fixed_length(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t;
    s->count = a->length;
    return s->count > 0 ? 0 : fail(err, HEARTH_E_FORMAT, "a FixedLength step of length %lld", (long long)a->length);
}

static int run_fixed_length(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    struct splitter split = splitter(isolated, e, index, in);
    int status = 0;
    for (size_t at = 0, from = 0; from < in.text.n && !status; from = at) {
        for (int64_t i = 0; i < s->count && at < in.text.n; i++) utf8_next(in.text, &at);
        status = split_emit(&split, from, at);
    }
    return status;
}

/* ---- UnicodeScripts: cut where the script changes; what has none (a space) stays with what is before it, and is lost in
 * front, as the library has it */

static int run_unicode_scripts(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    (void)s;
    struct splitter split = splitter(isolated, e, index, in);
    size_t begin = 0;
    unsigned before = 0;
    int status = 0;
    for (size_t at = 0, from = 0; from < in.text.n && !status; from = at) {
        const unsigned script = unicode_script(utf8_next(in.text, &at));
        status = encode_steps(e, 1);
        if (status || !script || script == before) continue;
        if (before) status = split_emit(&split, begin, from);
        before = script;
        begin = from;
    }
    return status || !before ? status : split_emit(&split, begin, in.text.n);
}

/* ---- ByteLevel: flag = a space goes before a text that has none, regex = GPT-2's words (or NULL); a second step then writes
 * the bytes in GPT-2's alphabet */

#define GPT2_WORDS "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

static int run_byte_alphabet(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    (void)s;
    struct buf *out = &e->made[index];
    if (index + 1 == e->t->pre.n) return word_run(e, in.text, out);
    buf_clear(out);
    byte_alphabet_put(out, in.text);
    if (out->failed) return fail_memory(e->err, out->n, "a text");
    return pre_run(e, index + 1, (struct piece){ buf_str(out), in.first });
}

static const struct pre_kind byte_alphabet = { "byte alphabet", make_plain, run_byte_alphabet };

static int make_byte_level(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    if (a->add_prefix_space || a->use_regex) {
        if (t->pre.n == STEPS_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "more than %d pre-tokenizer steps", STEPS_MAX);
        s->flag = a->add_prefix_space;
        const int status = a->use_regex ? regex_new(&s->regex, STR(GPT2_WORDS), false, err) : 0;
        if (status) return status;
        s = &t->pre.step[t->pre.n++];
    }
    s->pre = &byte_alphabet;
    t->byte_alphabet = true;
    return 0;
}

static int run_byte_level(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    if (s->flag && in.text.p[0] != ' ') {
        struct buf *out = &e->made[index];
        buf_clear(out);
        buf_char(out, ' ');
        buf_put(out, in.text.p, in.text.n);
        if (out->failed) return fail_memory(e->err, out->n, "a text");
        in.text = buf_str(out);
    }
    if (!s->regex) return pre_run(e, index + 1, in);
    struct splitter split = splitter(isolated, e, index, in);
    return split_regex(&split, s->regex, false);
}

/* ---- Metaspace: spaces become `from`; prepend says whether one is put in front; flag = cut before each */

static int make_metaspace(struct tokenizer *t, const struct step_args *a, struct step *s, struct hearth_error *err)
{
    (void)t;
    static const struct {
        const char  *name;
        enum prepend prepend;
    } schemes[] = { { "always", PREPEND_ALWAYS }, { "first", PREPEND_FIRST }, { "never", PREPEND_NEVER } };
    s->from = a->replacement;
    s->flag = a->split;
    s->prepend = a->add_prefix_space ? PREPEND_ALWAYS : PREPEND_NEVER; /* the form before 2024 */
    if (s->from.n == 0) return fail(err, HEARTH_E_FORMAT, "a Metaspace step without a replacement");
    if (!a->prepend_scheme.p) return regex_new(&s->regex, s->from, true, err);
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!str_is(a->prepend_scheme, schemes[i].name)) continue;
        s->prepend = schemes[i].prepend;
        return regex_new(&s->regex, s->from, true, err);
    }
    return fail(err, HEARTH_E_UNSUPPORTED, "the prepend_scheme \"%.*s\" is not known to hearth", STR_ARG(a->prepend_scheme));
}

static int run_metaspace(const struct step *s, struct encode *e, unsigned index, struct piece in)
{
    struct buf *out = &e->made[index];
    buf_clear(out);
    const bool may = s->prepend == PREPEND_ALWAYS || (s->prepend == PREPEND_FIRST && in.first);
    if (may && in.text.p[0] != ' ' && !str_starts(in.text, s->from)) buf_put(out, s->from.p, s->from.n);
    for (size_t i = 0, from = 0; i <= in.text.n; i++) {
        if (i < in.text.n && in.text.p[i] != ' ') continue;
        buf_put(out, in.text.p + from, i - from);
        if (i < in.text.n) buf_put(out, s->from.p, s->from.n);
        from = i + 1;
    }
    if (out->failed) return fail_memory(e->err, out->n, "a text");
    in.text = buf_str(out);
    if (!s->flag) return pre_run(e, index + 1, in);
    struct splitter split = splitter(merged_with_next, e, index, in);
    return split_regex(&split, s->regex, false);
}

/* ---- */

static const struct pre_kind pre_kinds[] = {
    { "Split", make_split, run_split },
    { "ByteLevel", make_byte_level, run_byte_level },
    { "Digits", make_digits, run_digits },
    { "Punctuation", make_punctuation, run_punctuation },
    { "Metaspace", make_metaspace, run_metaspace },
    { "Whitespace", make_plain, run_whitespace },
    { "WhitespaceSplit", make_plain, run_whitespace_split },
    { "CharDelimiterSplit", make_char_delimiter, run_split },
    { "FixedLength", make_fixed_length, run_fixed_length },
    { "UnicodeScripts", make_plain, run_unicode_scripts },
};

int pre_add(struct tokenizer *t, const struct step_args *a, struct hearth_error *err)
{
    if (str_is(a->type, "BertPreTokenizer")) { /* these two, one after the other */
        struct step_args part = *a;
        part.type = STR("WhitespaceSplit");
        int status = pre_add(t, &part, err);
        part.type = STR("Punctuation");
        part.behavior = STR("Isolated");
        return status ? status : pre_add(t, &part, err);
    }
    for (size_t i = 0; i < sizeof pre_kinds / sizeof *pre_kinds; i++) {
        if (!str_is(a->type, pre_kinds[i].name)) continue;
        if (t->pre.n == STEPS_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "more than %d pre-tokenizer steps", STEPS_MAX);
        struct step *s = &t->pre.step[t->pre.n++];
        s->pre = &pre_kinds[i];
        return s->pre->make(t, a, s, err);
    }
    return fail(err, HEARTH_E_UNSUPPORTED, "the pre-tokenizer \"%.*s\" is not known to hearth", STR_ARG(a->type));
}

int pre_run(struct encode *e, unsigned index, struct piece in)
{
    if (index == e->t->pre.n) return word_run(e, in.text, NULL);
    const struct step *s = &e->t->pre.step[index];
    return s->pre->run(s, e, index, in);
}
