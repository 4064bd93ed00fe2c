/* hearth_classify: labels of texts or of their tokens. */
#include <math.h>
#include <stdio.h>

#include "engine/texts.h"

struct classify {
    hearth_classified *out;
    const hearth_text *texts;
    const struct texts *t;
    const struct tokenizer *tokenizer;
    size_t room; /* of out->rows */
};

/* ---- labels */

static int keep_label(hearth_classified *out, int32_t i, struct str name, struct hearth_error *err)
{
    out->labels[i] = mem_array(name.n + 1, 1);
    if (!out->labels[i]) return fail_memory(err, name.n + 1, "a label");
    if (name.n) memcpy(out->labels[i], name.p, name.n);
    return 0;
}

/* config.json's id2label, a GGUF's list, else LABEL_0 ... as the reference names them. */
static int read_labels(const struct model *m, hearth_classified *out, struct hearth_error *err)
{
    char key[200];
    struct kv_iter it;
    struct kv x;
    const struct kv *arch = container_kv(m->file, "general.architecture"), *list = NULL;
    if (arch && arch->type == KV_STRING) {
        snprintf(key, sizeof key, "%.*s.classifier.output_labels", STR_ARG(arch->s));
        list = container_kv(m->file, key);
    }
    if (list && list->type == KV_ARRAY) kv_iterate(&it, m->file, list);
    int status = 0;
    for (int32_t i = 0; i < out->n_labels && !status; i++) {
        snprintf(key, sizeof key, "id2label.%d", i);
        const struct kv *kv = container_kv(m->file, key);
        if (list && list->type == KV_ARRAY) kv = kv_next(&it, &x) ? &x : NULL;
        snprintf(key, sizeof key, "LABEL_%d", i);
        status = keep_label(out, i, kv && kv->type == KV_STRING ? kv->s : str_from(key), err);
    }
    return status;
}

static enum hearth_scores scores_of(const struct model *m, const hearth_classified *out)
{
    const struct kv *kv = container_kv(m->file, "problem_type");
    if (out->by_token) return m->arch.n_label == 1 ? HEARTH_SCORES_SIGMOID : HEARTH_SCORES_SOFTMAX;
    if (kv && kv->type == KV_STRING && str_is(kv->s, "regression")) return HEARTH_SCORES_NONE;
    if ((kv && kv->type == KV_STRING && str_is(kv->s, "multi_label_classification")) || m->arch.n_label == 1)
        return HEARTH_SCORES_SIGMOID;
    return HEARTH_SCORES_SOFTMAX;
}

static void make_scores(const float *logits, int32_t n, enum hearth_scores how, float *scores)
{
    double max = -INFINITY, total = 0.0;
    for (int32_t i = 0; i < n; i++) max = fmax(max, (double)logits[i]);
    for (int32_t i = 0; i < n; i++) total += exp((double)logits[i] - max);
    for (int32_t i = 0; i < n; i++) {
        const double x = (double)logits[i];
        scores[i] = how == HEARTH_SCORES_SOFTMAX   ? (float)(exp(x - max) / total)
                    : how == HEARTH_SCORES_SIGMOID ? (float)(1.0 / (1.0 + exp(-x)))
                                                   : logits[i];
    }
}

/* ---- where tokens stand in their text */

enum { SPAN_BYTES = 4096 }; /* longer texts are looked at between words only */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool may_cut(const hearth_text *x, size_t at)
{
    if (at == x->n) return true;
    if (((unsigned char)x->text[at] & 0xC0) == 0x80) return false; /* within a character */
    return x->n <= SPAN_BYTES || is_space(x->text[at]) || is_space(x->text[at - 1]);
}

/* end[k]: bytes of the text that the first k + 1 tokens stand for, as far as prefixes of the text tell: the longest one whose
 * tokens are just these. Tokens that share a character with the next keep 0. */
static int find_ends(const struct tokenizer *t, const hearth_text *x, const struct ids *all, size_t *end,
                     struct hearth_error *err)
{
    struct ids part = { 0 };
    int status = 0;
    for (size_t at = 1; at <= x->n && !status; at++) {
        if (!may_cut(x, at)) continue;
        part.n = 0;
        status = tokenizer_encode(t, (struct str){ x->text, at }, false, &part, err);
        if (!status && part.n && part.n <= all->n && !memcmp(part.id, all->id, part.n * sizeof *part.id)) end[part.n - 1] = at;
    }
    ids_free(&part);
    return status;
}

static void trim(const hearth_text *x, size_t *begin, size_t *end)
{
    while (*begin < *end && is_space(x->text[*begin])) (*begin)++;
    while (*end > *begin && is_space(x->text[*end - 1])) (*end)--;
}

/* Spans of the tokens of a text, which begin at row `first`. */
static int find_spans(const struct classify *c, size_t text, hearth_labelled *rows, size_t first, struct ids *all,
                      struct hearth_error *err)
{
    const hearth_text *x = &c->texts[text];
    size_t *end = mem_array(all->n + 1, sizeof *end), from = 0;
    if (!end) return fail_memory(err, all->n * sizeof *end, "places of tokens");
    int status = find_ends(c->tokenizer, x, all, end, err);
    for (size_t k = 0; k < all->n && !status;) {
        size_t until = k;
        while (until + 1 < all->n && !end[until]) until++; /* tokens that share their bytes */
        const size_t to = end[until] > from ? end[until] : from;
        for (; k <= until; k++) {
            rows[first + k].begin = from;
            rows[first + k].end = to;
            trim(x, &rows[first + k].begin, &rows[first + k].end);
        }
        from = to;
    }
    mem_free(end);
    return status;
}

/* ---- rows */

static int add_row(struct classify *c, size_t text, const float *logits, struct hearth_error *err)
{
    hearth_classified *out = c->out;
    const int32_t n = out->n_labels;
    if (out->n_rows == c->room) {
        const size_t room = c->room ? 2 * c->room : 64;
        hearth_labelled *rows = mem_resize(out->rows, room, sizeof *rows);
        if (!rows) return fail_memory(err, room * sizeof *rows, "labels");
        out->rows = rows;
        c->room = room;
    }
    hearth_labelled *r = &out->rows[out->n_rows];
    *r = (hearth_labelled){ .text = text, .end = c->texts[text].n, .token = -1 };
    r->logits = mem_array(2 * (uint64_t)n, sizeof *r->logits);
    if (!r->logits) return fail_memory(err, 2 * (uint64_t)n * sizeof *r->logits, "labels");
    r->scores = r->logits + n;
    out->n_rows++;
    memcpy(r->logits, logits, (size_t)n * sizeof *logits);
    make_scores(r->logits, n, out->scores, r->scores);
    return 0;
}

/* The text's own tokens: where they begin among those of the model is where they fit. */
static int add_tokens(struct classify *c, size_t text, const float *rows, int64_t n_rows, struct hearth_error *err)
{
    const struct ids *ids = &c->t->ids[text];
    const size_t first = c->out->n_rows;
    struct ids bare = { 0 };
    size_t at = 0;
    int status = tokenizer_encode(c->tokenizer, (struct str){ c->texts[text].text, c->texts[text].n }, false, &bare, err);
    if (!status && bare.n > ids->n) bare.n = ids->n; /* cut */
    while (!status && bare.n && at + bare.n <= ids->n && memcmp(ids->id + at, bare.id, bare.n * sizeof *bare.id)) {
        at++;
        if (at + bare.n > ids->n) { /* the cut also left room for special tokens */
            at = 0;
            bare.n--;
        }
    }
    for (size_t k = 0; k < bare.n && !status && (int64_t)(at + k) < n_rows; k++) {
        status = add_row(c, text, rows + (int64_t)(at + k) * c->out->n_labels, err);
        if (!status) c->out->rows[c->out->n_rows - 1].token = bare.id[k];
    }
    if (!status && bare.n) status = find_spans(c, text, c->out->rows, first, &bare, err);
    ids_free(&bare);
    return status;
}

static int take_labels(void *user, size_t text, const float *rows, int64_t n_rows, int64_t columns, struct hearth_error *err)
{
    struct classify *c = user;
    (void)columns;
    return c->out->by_token ? add_tokens(c, text, rows, n_rows, err) : add_row(c, text, rows, err);
}

static int prepare(struct classify *c, hearth_model *m, size_t n, struct hearth_error *err)
{
    const struct arch *a = &m->m->arch;
    hearth_classified *out = c->out;
    if (a->task != HEARTH_TASK_ENCODER || a->head == HEAD_NONE || head_is_masked(a->head) || a->patch)
        return fail(err, HEARTH_E_UNSUPPORTED,
                    "the model has no classifier of texts (a ...ForSequenceClassification or ...ForTokenClassification has one)");
    out->n_labels = a->n_label;
    out->by_token = !head_is_whole(a->head);
    out->scores = scores_of(m->m, out);
    out->labels = mem_array((uint64_t)a->n_label, sizeof *out->labels);
    out->n_cut = mem_array(n, sizeof *out->n_cut);
    if (!out->labels || !out->n_cut) return fail_memory(err, n * sizeof *out->n_cut, "labels");
    int status = read_labels(m->m, out, err);
    return status ? status : model_tokenizer(m, &c->tokenizer, err);
}

int hearth_classify(hearth_model *m, const hearth_text *texts, size_t n, const volatile int *cancel, hearth_classified *out,
                    hearth_error *err)
{
    struct texts t = { 0 };
    struct classify c = { .out = out, .texts = texts, .t = &t };
    *out = (hearth_classified){ .size = sizeof *out };
    int status = prepare(&c, m, n, err);
    for (size_t i = 0; i < n && !status && out->by_token; i++)
        if (texts[i].second) status = fail(err, HEARTH_E_ARG, "a classifier of tokens reads one text at a time, no pairs");
    if (!status) status = texts_open(&t, m, texts, n, STR(""), 0, err);
    for (size_t i = 0; i < n && !status; i++) out->n_cut[i] = (int32_t)t.cut[i];
    if (!status) status = texts_run(&t, false, NULL, take_labels, &c, cancel, err);
    texts_free(&t);
    if (status) hearth_classified_free(out);
    return status;
}

void hearth_classified_free(hearth_classified *c)
{
    if (!c) return;
    for (int32_t i = 0; c->labels && i < c->n_labels; i++) mem_free(c->labels[i]);
    for (size_t i = 0; i < c->n_rows; i++) mem_free(c->rows[i].logits);
    mem_free(c->labels);
    mem_free(c->rows);
    mem_free(c->n_cut);
    *c = (hearth_classified){ .size = c->size };
}
