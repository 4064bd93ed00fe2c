/* Reads vocab.txt, the form BERT's tokenizer had before tokenizer.json (DistilBERT and ELECTRA have the same): a word piece a
 * line, its number the id. The rest is BERT's own pipeline, with the switches of tokenizer_config.json. */
#include <stdlib.h>

#include "text/tokenizer_int.h"

/* A line without the white space at its end. */
static struct str line_trim(struct str line)
{
    size_t end = 0;
    for (size_t at = 0; at < line.n;)
        if (!unicode_is_space(utf8_next(line, &at))) end = at;
    return str_sub(line, 0, end);
}

/* Of equal lines the last counts. */
static int lines_read(struct tokenizer *t, struct str text, struct hearth_error *err)
{
    struct token token = { .type = TOKEN_NORMAL, .copy = true };
    int status = 0;
    t->vocab.last_counts = true;
    for (size_t at = 0; at < text.n && !status; token.id++) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        const struct str line = str_sub(text, at, end ? (size_t)(end - text.p) : text.n);
        at += line.n + 1;
        token.text = line_trim(line);
        status = vocab_add(&t->vocab, &token, err);
    }
    return status ? status : vocab_index(&t->vocab, err);
}

static int steps_add(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err)
{
    struct step_args a;
    step_args_defaults(&a);
    a.lowercase = h->lower_case != 0;
    a.chinese_chars = h->chinese_chars != 0;
    a.strip_accents = h->strip_accents;
    a.type = STR("BertNormalizer");
    int status = normalize_add(t, &a, err);
    a.type = STR("BertPreTokenizer");
    if (!status) status = pre_add(t, &a, err);
    a.type = STR("WordPiece");
    return status ? status : decode_add(t, &a, err);
}

/* The tokens with a role are recognised in texts; those that the file lacks come behind it. */
static int special_add(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err)
{
    const struct str names[] = { h->bos, h->eos, h->unk, h->sep, h->pad, h->cls, h->mask };
    const size_t roles = sizeof names / sizeof *names;
    for (size_t i = 0; i < roles + h->n_special; i++) {
        const struct added a = { .content = i < roles ? names[i] : h->special[i - roles], .special = true };
        bool known = a.content.n == 0;
        for (uint32_t k = 0; k < t->n_added && !known; k++) known = str_eq(t->added[k].content, a.content);
        const int status = known ? 0 : tokenizer_add_token(t, &a, err);
        if (status) return status;
    }
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const uint32_t x = ((const struct added *)a)->id, y = ((const struct added *)b)->id;
    return (x > y) - (x < y);
}

int tokenizer_words_read(struct tokenizer *t, const char *path, const struct hf_config *h, struct hearth_error *err)
{
    struct file_map m;
    int status = file_map(&m, path, err);
    if (status) return status;
    const struct str text = { (const char *)m.p, m.n };
    if (memchr(m.p, 0, m.n) || !utf8_valid(text)) status = fail(err, HEARTH_E_FORMAT, "a vocab.txt that is no text");
    else status = lines_read(t, text, err);
    file_unmap(&m);
    t->model = &model_wordpiece;
    t->prefix = STR("##");
    t->word_chars_max = 100;
    t->shows_added = true;
    if (!status) status = matcher_build(&t->pieces, &t->vocab, NULL, err);
    if (!status) status = steps_add(t, h, err);
    if (t->n_added > 1) qsort(t->added, t->n_added, sizeof *t->added, by_id);
    if (!status) status = special_add(t, h, err);
    if (status) return status;
    tokenizer_find_unknown(t, h->unk);
    status = tokenizer_join_added(t, err);
    if (status) return status;
    t->pad = h->pad.n ? tokenizer_find(t, h->pad) : -1;
    const int32_t cls = tokenizer_find(t, h->cls), sep = tokenizer_find(t, h->sep);
    if (cls < 0 || sep < 0)
        return fail(err, HEARTH_E_FORMAT, "no tokens \"%.*s\" and \"%.*s\"", STR_ARG(h->cls), STR_ARG(h->sep));
    return post_cls_sep(t, cls, sep, false, err);
}
