/* Texts for the commands that read several: words of the command line, or the lines of standard input. */
#include "cli/cli.h"

static int add_text(struct text_list *l, struct str text, struct hearth_error *err)
{
    if (l->n == l->room) {
        const size_t room = l->room ? 2 * l->room : 16;
        hearth_text *p = mem_resize(l->v, room, sizeof *p);
        if (!p) return fail_memory(err, room * sizeof *p, "texts");
        l->v = p;
        l->room = room;
    }
    l->v[l->n++] = (hearth_text){ .text = text.p ? text.p : "", .n = text.n };
    return 0;
}

static int read_lines(struct text_list *l, struct hearth_error *err)
{
    struct input_lines lines;
    struct str line;
    int status;
    input_lines_start(&lines);
    while ((status = input_lines_next(&lines, &line, err)) > 0) {
        const char *copy = arena_strndup(&l->arena, line.p, line.n);
        if (!copy) status = fail_memory(err, line.n, "a line");
        else status = add_text(l, (struct str){ copy, line.n }, err);
        if (status) break;
    }
    input_lines_free(&lines);
    return status;
}

/* Each text falls into two at the first separator. */
static int split_pairs(struct text_list *l, const char *separator, struct hearth_error *err)
{
    const size_t n = strlen(separator);
    if (!n) return fail(err, HEARTH_E_ARG, "--pair wants the characters that stand between two texts");
    for (size_t i = 0; i < l->n; i++) {
        hearth_text *t = &l->v[i];
        const char *at = memmem(t->text, t->n, separator, n);
        if (!at) return fail(err, HEARTH_E_ARG, "text %zu has no \"%s\" between its two parts", i + 1, separator);
        t->second = at + n;
        t->n_second = t->n - (size_t)(at + n - t->text);
        t->n = (size_t)(at - t->text);
    }
    return 0;
}

int text_list_read(struct text_list *l, const struct settings *s, struct hearth_error *err)
{
    *l = (struct text_list){ 0 };
    arena_init(&l->arena, INPUT_TEXT_MAX);
    int status = 0;
    for (size_t i = 1; i < s->words.n && !status; i++) status = add_text(l, str_from(s->words.v[i]), err);
    if (!status && s->words.n < 2) status = read_lines(l, err);
    if (!status && !l->n) status = fail(err, HEARTH_E_ARG, "there is no text: neither on the command line nor on standard input");
    if (!status && s->pair) status = split_pairs(l, s->pair, err);
    if (status) text_list_free(l);
    return status;
}

void text_list_free(struct text_list *l)
{
    mem_free(l->v);
    arena_free(&l->arena);
    *l = (struct text_list){ 0 };
}

void text_list_cut(const struct settings *s, const int32_t *n_cut, size_t n)
{
    for (size_t i = 0; i < n && !s->quiet; i++)
        if (n_cut[i]) output_note(&s->terminal, "text %zu is %d tokens longer than the model reads at once; they were left out", i + 1, n_cut[i]);
}
