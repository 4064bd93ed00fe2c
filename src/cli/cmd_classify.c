/* hearth classify: labels of texts, or of the words in them. */
#include "cli/cli.h"

const char cmd_classify_about[] =
    "Says which of its labels a classifier gives each TEXT, or each line of standard input, and how\n"
    "sure it is. Labels that exclude each other have probabilities that add up to 1; where several\n"
    "may hold, each has its own. A classifier of words (names, places ...) marks them in the text.\n"
    "\n"
    "  hearth classify distilbert-sst2 \"What a lovely day.\"\n"
    "      every label, best first\n"
    "  hearth classify bert-base-NER \"Ada Lovelace lived in London.\"\n"
    "      the names that were found; --tokens shows every token\n"
    "  hearth classify reranker --pair \" | \" \"what is bread? | Bread is baked dough.\"\n"
    "      two texts at once: a question and what may answer it\n";

const struct option cmd_classify_options[] = {
    OPT_STRING("pair", 0, pair, "SEP", "each text is two, with SEP between them"),
    OPT_FLAG("tokens", 0, tokens_each, "classifiers of words: show every token instead of the names found"),
    OPT_INT("top", 'n', top, 0, 0, 1 << 20, "labels shown of each text; 0 shows all"),
    OPTS_JSON,
    OPTS_MODEL(HEARTH_ARITH_AUTO),
    OPTS_COMMON,
};

struct found { /* what is shown of a text: a span with one label */
    size_t begin, end;
    int32_t label;
    double score; /* sum over `n` tokens */
    int n;
};

static int32_t best_label(const hearth_classified *c, const float *scores, const float *below, int32_t after)
{
    int32_t best = -1;
    for (int32_t i = 0; i < c->n_labels; i++) {
        const bool passed = below && (scores[i] > *below || (scores[i] == *below && i <= after));
        if (!passed && (best < 0 || scores[i] > scores[best])) best = i;
    }
    return best;
}

/* ---- labels of whole texts */

static void print_row(const hearth_classified *c, const hearth_labelled *r, int32_t top, bool json, struct buf *out)
{
    int32_t label = -1;
    float below = 0.0f;
    for (int32_t k = 0; k < top; k++) {
        label = best_label(c, r->scores, k ? &below : NULL, label);
        if (label < 0) return;
        below = r->scores[label];
        if (json) {
            buf_puts(out, k ? ", {\"label\": " : "{\"label\": ");
            buf_json_string(out, str_from(c->labels[label]));
            buf_puts(out, ", \"score\": ");
            buf_json_number(out, (double)r->scores[label]);
            buf_puts(out, ", \"logit\": ");
            buf_json_number(out, (double)r->logits[label]);
            buf_char(out, '}');
        } else {
            buf_printf(out, "%s%7.4f %s", k ? "  " : "", (double)r->scores[label], c->labels[label]);
        }
    }
}

static void print_texts(const struct settings *s, const hearth_classified *c, struct buf *out)
{
    const int32_t top = s->top && s->top < c->n_labels ? (int32_t)s->top : c->n_labels;
    buf_puts(out, s->json ? "{\"texts\": [" : "");
    for (size_t i = 0; i < c->n_rows; i++) {
        if (s->json) buf_printf(out, "%s\n  {\"cut\": %d, \"labels\": [", i ? "," : "", c->n_cut[c->rows[i].text]);
        print_row(c, &c->rows[i], top, s->json, out);
        buf_puts(out, s->json ? "]}" : "\n");
    }
    buf_puts(out, s->json ? "\n]}\n" : "");
}

/* ---- labels of words */

/* "B-PER" begins a name of the kind PER, "I-PER" goes on with it; "O" is none. */
static struct str kind_of(const char *label, bool *begins)
{
    const bool tagged = (label[0] == 'B' || label[0] == 'I') && label[1] == '-';
    *begins = tagged && label[0] == 'B';
    return str_from(tagged ? label + 2 : label);
}

/* Whether the token goes on with what was found before it. */
static bool joins(const hearth_classified *c, const struct found *before, int32_t label)
{
    bool begins, ignored;
    const struct str kind = kind_of(c->labels[label], &begins);
    return before->n && !begins && str_eq(kind, kind_of(c->labels[before->label], &ignored));
}

static void print_found(const struct settings *s, const hearth_classified *c, const hearth_text *text, const struct found *f,
                        bool first, struct buf *out)
{
    bool begins;
    const struct str kind = s->tokens_each ? str_from(c->labels[f->label]) : kind_of(c->labels[f->label], &begins);
    const struct str words = { text->text + f->begin, f->end - f->begin };
    if (s->json) {
        buf_printf(out, "%s\n    {\"begin\": %zu, \"end\": %zu, \"text\": ", first ? "" : ",", f->begin, f->end);
        buf_json_string(out, words);
        buf_puts(out, ", \"label\": ");
        buf_json_string(out, kind);
        buf_puts(out, ", \"score\": ");
        buf_json_number(out, f->score / f->n);
        buf_char(out, '}');
    } else {
        buf_printf(out, "%7.4f  %-8.*s  ", f->score / f->n, STR_ARG(kind));
        buf_put(out, words.p, words.n);
        buf_char(out, '\n');
    }
}

static size_t print_words(const struct settings *s, const hearth_classified *c, const hearth_text *text, size_t i, size_t which,
                          struct buf *out)
{
    struct found f = { 0 };
    bool first = true;
    for (; i < c->n_rows && c->rows[i].text == which; i++) {
        const hearth_labelled *r = &c->rows[i];
        const int32_t label = best_label(c, r->scores, NULL, 0);
        const bool none = !s->tokens_each && strcmp(c->labels[label], "O") == 0;
        if (!s->tokens_each && !none && joins(c, &f, label)) {
            f.end = r->end;
            f.score += (double)r->scores[label];
            f.n++;
            continue;
        }
        if (f.n) print_found(s, c, text, &f, first, out);
        first &= !f.n;
        f = none ? (struct found){ 0 } : (struct found){ r->begin, r->end, label, (double)r->scores[label], 1 };
    }
    if (f.n) print_found(s, c, text, &f, first, out);
    return i;
}

static void print_tokens(const struct settings *s, const hearth_classified *c, const struct text_list *texts, struct buf *out)
{
    buf_puts(out, s->json ? "{\"texts\": [" : "");
    for (size_t t = 0, i = 0; t < texts->n; t++) {
        if (s->json)
            buf_printf(out, "%s\n  {\"cut\": %d, \"found\": [", t ? "," : "", c->n_cut[t]);
        else if (texts->n > 1)
            buf_printf(out, "%stext %zu\n", t ? "\n" : "", t + 1);
        i = print_words(s, c, &texts->v[t], i, t, out);
        buf_puts(out, s->json ? "]}" : "");
    }
    buf_puts(out, s->json ? "\n]}\n" : "");
}

int cmd_classify(const struct settings *s, struct hearth_error *err)
{
    struct text_list texts;
    struct buf out;
    hearth_classified c = { 0 };
    hearth_model *m = NULL;
    int status = text_list_read(&texts, s, err);
    if (status) return status;
    buf_init(&out, (size_t)1 << 36);
    status = cli_model_open(&m, s, s->words.v[0], err);
    if (!status) status = hearth_classify(m, texts.v, texts.n, interrupt_watch(false), &c, err);
    if (status == HEARTH_E_CANCELLED && interrupt_seen()) status = EXIT_INTERRUPTED;
    if (!status && s->tokens_each && !c.by_token) status = fail(err, HEARTH_E_ARG, "--tokens: this model labels whole texts");
    if (!status) {
        text_list_cut(s, c.n_cut, texts.n);
        if (c.by_token)
            print_tokens(s, &c, &texts, &out);
        else
            print_texts(s, &c, &out);
        status = output_buf(&s->terminal, &out, err);
    }
    hearth_classified_free(&c);
    hearth_model_close(m);
    buf_free(&out);
    text_list_free(&texts);
    return status;
}
