/* hearth fill: guesses for missing words. */
#include "cli/cli.h"

const char cmd_fill_about[] =
    "Guesses the words that are missing from TEXT, or from standard input. A missing word is written\n"
    "as the model writes it; [MASK] and <mask> are understood by every model that fills at all.\n"
    "Several may be missing: each is guessed by itself.\n"
    "\n"
    "  hearth fill bert-base-uncased \"Paris is the [MASK] of France.\"\n"
    "      the best guesses, each with its probability\n"
    "  hearth fill roberta-base \"The <mask> chased the <mask>.\" --top 3 --json\n";

const struct option cmd_fill_options[] = {
    OPT_INT("top", 'n', top, 5, 1, 10000, "guesses for each missing word"),
    OPTS_JSON,
    OPTS_MODEL(HEARTH_ARITH_AUTO),
    OPTS_COMMON,
};

/* The text with every spelling of a missing word turned into the model's. */
static void write_masks(struct str text, const char *mask, struct buf *out)
{
    const struct str spelled[] = { str_from(mask), STR("[MASK]"), STR("<mask>") };
    for (size_t at = 0; at < text.n;) {
        size_t taken = 0;
        for (int i = 0; i < 3 && !taken; i++)
            if (str_starts(str_sub(text, at, text.n), spelled[i])) taken = spelled[i].n;
        if (taken) buf_puts(out, mask);
        else buf_put(out, text.p + at, taken = 1);
        at += taken;
    }
}

static void print_json(const hearth_filled *f, struct buf *out)
{
    buf_printf(out, "{\"tokens\": %d, \"masks\": [", f->n_tokens);
    for (size_t i = 0; i < f->n_masks; i++) {
        buf_puts(out, i ? ",\n [" : "\n [");
        for (int32_t k = 0; k < f->n_top; k++) {
            const hearth_guess *g = &f->guess[i * (size_t)f->n_top + (size_t)k];
            buf_printf(out, "%s\n  {\"token\": %d, \"text\": ", k ? "," : "", g->token);
            buf_json_string(out, str_from(g->text));
            buf_puts(out, ", \"probability\": ");
            buf_json_number(out, (double)g->probability);
            buf_char(out, '}');
        }
        buf_char(out, ']');
    }
    buf_puts(out, "\n]}\n");
}

static void print_guesses(const hearth_filled *f, struct buf *out)
{
    for (size_t i = 0; i < f->n_masks; i++) {
        if (f->n_masks > 1) buf_printf(out, "%smissing word %zu\n", i ? "\n" : "", i + 1);
        for (int32_t k = 0; k < f->n_top; k++) {
            const hearth_guess *g = &f->guess[i * (size_t)f->n_top + (size_t)k];
            buf_printf(out, "%7.4f  %s\n", (double)g->probability, g->text[0] == ' ' ? g->text + 1 : g->text);
        }
    }
}

static int fill_text(const struct settings *s, hearth_model *m, struct str text, struct hearth_error *err)
{
    char *mask = NULL;
    int32_t id;
    hearth_filled f = { 0 };
    struct buf written, out;
    buf_init(&written, INPUT_TEXT_MAX);
    buf_init(&out, INPUT_TEXT_MAX);
    int status = hearth_mask_token(m, &mask, &id, err);
    if (!status) {
        write_masks(text, mask, &written);
        if (written.failed) status = fail_memory(err, text.n, "the text");
    }
    if (!status) status = hearth_fill(m, written.p ? written.p : "", written.n, (int32_t)s->top, interrupt_watch(false), &f, err);
    if (status == HEARTH_E_CANCELLED && interrupt_seen()) status = EXIT_INTERRUPTED;
    if (!status) {
        (s->json ? print_json : print_guesses)(&f, &out);
        status = output_buf(&s->terminal, &out, err);
    }
    hearth_filled_free(&f);
    hearth_free(mask);
    buf_free(&written);
    buf_free(&out);
    return status;
}

int cmd_fill(const struct settings *s, struct hearth_error *err)
{
    struct buf text;
    hearth_model *m = NULL;
    buf_init(&text, INPUT_TEXT_MAX);
    int status = 0;
    if (s->words.n > 1) buf_puts(&text, s->words.v[1]);
    else status = input_all(NULL, &text, err);
    while (s->words.n < 2 && text.n && text.p[text.n - 1] == '\n') text.p[--text.n] = 0;
    if (!status) status = cli_model_open(&m, s, s->words.v[0], err);
    if (!status) status = fill_text(s, m, text.p ? buf_str(&text) : STR(""), err);
    hearth_model_close(m);
    buf_free(&text);
    return status;
}
