/* Options: one table per command, read from argv, shown by --help and handed to the shell's completion. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

/* ---- the table of a command */

/* What `run` starts from where the library would start from "off": a story wants some chance. */
static const struct {
    const char *name;
    double      value;
} sampling_defaults[] = {
    { "temperature", 0.8 },
    { "top_p", 0.95 },
    { "repetition_penalty", 1.0 },
};

static double sampling_initial(const hearth_sampling_param *p)
{
    for (size_t i = 0; i < sizeof sampling_defaults / sizeof *sampling_defaults; i++)
        if (strcmp(sampling_defaults[i].name, p->name) == 0) return sampling_defaults[i].value;
    return p->initial;
}

/* "top_p" -> "top-p" */
static const char *option_name(struct arena *a, const char *param)
{
    char *name = arena_strndup(a, param, strlen(param));
    for (char *c = name; c && *c; c++)
        if (*c == '_') *c = '-';
    return name;
}

static bool sampling_rows(struct options *o)
{
    size_t n;
    const hearth_sampling_param *params = hearth_sampling_params(&n);
    for (size_t i = 0; i < n; i++) {
        const hearth_sampling_param *p = &params[i];
        const char *name = option_name(&o->arena, p->name);
        if (!name) return false;
        o->rows[o->n++] = (struct option){ .type = OPTION_SAMPLING, .name = name, .at = i, .value = p->is_int ? "N" : "X",
                                           .help = p->help, .initial = sampling_initial(p), .min = p->min, .max = p->max };
    }
    return true;
}

int options_make(struct options *o, const struct command *c, struct hearth_error *err)
{
    size_t n = 0, n_sampling;
    hearth_sampling_params(&n_sampling);
    while (c->options[n].type != OPTION_END) n++;
    *o = (struct options){ .command = c };
    arena_init(&o->arena, 1 << 20);
    o->rows = arena_array(&o->arena, n + n_sampling, sizeof *o->rows);
    bool room = o->rows != NULL;
    for (size_t i = 0; room && i < n; i++) {
        if (c->options[i].type == OPTION_SAMPLING) room = sampling_rows(o);
        else o->rows[o->n++] = c->options[i];
    }
    return room ? 0 : fail_memory(err, (n + n_sampling) * sizeof *o->rows, "the table of options");
}

void options_free(struct options *o)
{
    arena_free(&o->arena);
}

/* ---- help */

#define HELP_COLUMN 26
#define HELP_WIDTH  88

/* Appends words, broken so that lines end before HELP_WIDTH and begin at HELP_COLUMN; long lists break after a comma. */
static void help_words(struct buf *out, const char *text)
{
    size_t column = HELP_COLUMN;
    bool space = false;
    while (*text) {
        size_t n = strcspn(text, " ,");
        n += text[n] == ',';
        if (column + space + n > HELP_WIDTH) {
            buf_printf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (space) {
            buf_char(out, ' ');
            column++;
        }
        buf_put(out, text, n);
        column += n;
        text += n;
        space = *text == ' ';
        text += space;
    }
    buf_char(out, '\n');
}

/* "auto" of "auto|f32|i8" for place 0 */
static struct str choice_name(const char *choices, size_t place)
{
    while (place > 0 && *choices)
        if (*choices++ == '|') place--;
    return (struct str){ choices, strcspn(choices, "|") };
}

static void help_default(const struct option *row, char *out, size_t n)
{
    *out = 0;
    if (row->type == OPTION_CHOICE) {
        const struct str name = choice_name(row->value, (size_t)row->initial);
        snprintf(out, n, " (default %.*s)", STR_ARG(name));
    } else if (row->type == OPTION_ORDER) {
        snprintf(out, n, " (default %s)", hearth_sampling_order_default());
    } else if (row->type == OPTION_SAMPLING || ((row->type == OPTION_INT || row->type == OPTION_FLOAT) && row->initial > 0)) {
        snprintf(out, n, " (default %g)", row->initial);
    }
}

static void help_row(const struct option *row, struct buf *out)
{
    if (row->type == OPTION_HEADING) {
        buf_printf(out, "\n%s\n", row->name);
        return;
    }
    char left[200], right[1000], initial[600];
    char letter[8] = "    ";
    if (row->letter) snprintf(letter, sizeof letter, "-%c, ", row->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, row->name, row->value ? " " : "", row->value ? row->value : "");
    help_default(row, initial, sizeof initial);
    snprintf(right, sizeof right, "%s%s", row->help, initial);
    const size_t n = strlen(left);
    buf_puts(out, left);
    if (n + 2 > HELP_COLUMN) buf_printf(out, "\n%*s", HELP_COLUMN, "");
    else buf_printf(out, "%*s", (int)(HELP_COLUMN - n), "");
    help_words(out, right);
}

void options_help(const struct options *o, struct buf *out)
{
    const struct command *c = o->command;
    buf_printf(out, "usage: hearth %s [options] %s\n\n%s\nOptions\n", c->name, c->words, c->about);
    for (size_t i = 0; i < o->n; i++) help_row(&o->rows[i], out);
}

void options_complete(const struct options *o, struct buf *out)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct option *row = &o->rows[i];
        if (row->type == OPTION_HEADING) continue;
        buf_printf(out, "--%s%s%s\n", row->name, row->value ? " " : "", row->value ? row->value : "");
    }
}

/* ---- the name that was probably meant */

#define NEAREST_MAX 40 /* bytes of a name looked at */

void nearest_start(struct nearest *near, struct str wrong)
{
    /* A third of the letters may be wrong. */
    *near = (struct nearest){ .wrong = wrong, .distance = wrong.n / 3 + 2 };
}

/* How many letters must be changed, added or removed (Levenshtein 1966): one row of the table at a time. */
static size_t edit_distance(struct str a, struct str b)
{
    size_t row[NEAREST_MAX + 1];
    for (size_t j = 0; j <= b.n; j++) row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = diagonal + (a.p[i - 1] != b.p[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.n];
}

void nearest_offer(struct nearest *near, const char *name)
{
    const struct str s = str_from(name);
    if (s.n > NEAREST_MAX || near->wrong.n > NEAREST_MAX) return;
    const size_t d = edit_distance(near->wrong, s);
    if (d >= near->distance) return;
    near->distance = d;
    near->name = name;
}

/* ---- reading argv */

static int value_int(const struct option *row, const char *text, int64_t *out, struct hearth_error *err)
{
    char *end;
    errno = 0;
    const long long x = strtoll(text, &end, 10);
    if (end == text || *end || errno || (double)x < row->min || (double)x > row->max)
        return fail(err, HEARTH_E_ARG, "--%s takes a whole number from %.0f to %.0f, not '%s'", row->name, row->min, row->max,
                    text);
    *out = x;
    return 0;
}

static int value_float(const struct option *row, const char *text, double *out, struct hearth_error *err)
{
    char *end;
    const double x = strtod(text, &end);
    if (end == text || *end || !(x >= row->min && x <= row->max)) {
        char range[100] = "";
        if (isfinite(row->min) && isfinite(row->max)) snprintf(range, sizeof range, " from %g to %g", row->min, row->max);
        else if (isfinite(row->min)) snprintf(range, sizeof range, " that is at least %g", row->min);
        return fail(err, HEARTH_E_ARG, "--%s takes a number%s, not '%s'", row->name, range, text);
    }
    *out = x;
    return 0;
}

static int value_choice(const struct option *row, const char *text, int64_t *out, struct hearth_error *err)
{
    for (size_t i = 0;; i++) {
        const struct str name = choice_name(row->value, i);
        if (name.n == 0) return fail(err, HEARTH_E_ARG, "--%s takes one of %s, not '%s'", row->name, row->value, text);
        if (str_is(name, text)) {
            *out = (int64_t)i;
            return 0;
        }
    }
}

static int value_sampling(const struct option *row, const char *text, struct settings *s, struct hearth_error *err)
{
    size_t n;
    const hearth_sampling_param *p = &hearth_sampling_params(&n)[row->at];
    double x = 0;
    int64_t whole = 0;
    int status = p->is_int ? value_int(row, text, &whole, err) : value_float(row, text, &x, err);
    if (status) return status;
    status = hearth_sampling_set(s->sampling, p->name, p->is_int ? (double)whole : x, err);
    return status ? fail_in(err, "--%s", row->name) : 0;
}

static int value_order(const struct option *row, const char *text, struct settings *s, struct hearth_error *err)
{
    const int status = hearth_sampling_order(s->sampling, text, err);
    return status ? fail_in(err, "--%s", row->name) : 0;
}

static int value_set(const struct option *row, const char *text, struct settings *s, struct hearth_error *err)
{
    char *const at = (char *)s + row->at;
    struct string_list *list;
    switch (row->type) {
    case OPTION_FLAG: *(bool *)at = true; return 0;
    case OPTION_INT: return value_int(row, text, (int64_t *)at, err);
    case OPTION_FLOAT: return value_float(row, text, (double *)at, err);
    case OPTION_CHOICE: return value_choice(row, text, (int64_t *)at, err);
    case OPTION_STRING: *(const char **)at = text; return 0;
    case OPTION_LIST: list = (struct string_list *)at; list->v[list->n++] = text; return 0;
    case OPTION_SAMPLING: return value_sampling(row, text, s, err);
    case OPTION_ORDER: return value_order(row, text, s, err);
    case OPTION_HEADING:
    case OPTION_END: break;
    }
    return fail(err, HEARTH_E_INTERNAL, "option --%s has no type", row->name);
}

static const struct option *option_find(const struct options *o, struct str name, char letter)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct option *row = &o->rows[i];
        if (row->type == OPTION_HEADING) continue;
        if (letter ? row->letter == letter : str_is(name, row->name)) return row;
    }
    return NULL;
}

static int option_unknown(const struct options *o, struct str name, struct hearth_error *err)
{
    struct nearest near;
    nearest_start(&near, name);
    for (size_t i = 0; i < o->n; i++)
        if (o->rows[i].type != OPTION_HEADING) nearest_offer(&near, o->rows[i].name);
    if (near.name)
        return fail(err, HEARTH_E_ARG, "unknown option --%.*s; did you mean --%s?", STR_ARG(name), near.name);
    return fail(err, HEARTH_E_ARG, "unknown option --%.*s; 'hearth %s --help' lists what there is", STR_ARG(name),
                o->command->name);
}

/* Where reading argv stands. */
struct reader {
    const struct options *o;
    struct settings      *s;
    char                **argv;
    int                   argc, at; /* at: the next to read */
    struct hearth_error  *err;
};

/* Sets a row that takes a value: inside the argument (`given`), else the next one. */
static int reader_value(struct reader *r, const struct option *row, const char *given)
{
    if (!given && r->at >= r->argc)
        return fail(r->err, HEARTH_E_ARG, "--%s needs a value: --%s %s", row->name, row->name, row->value);
    return value_set(row, given ? given : r->argv[r->at++], r->s, r->err);
}

static int reader_long(struct reader *r, const char *text)
{
    const char *equals = strchr(text, '=');
    const struct str name = { text, equals ? (size_t)(equals - text) : strlen(text) };
    const struct option *row = option_find(r->o, name, 0);
    if (!row) return option_unknown(r->o, name, r->err);
    if (row->type != OPTION_FLAG) return reader_value(r, row, equals ? equals + 1 : NULL);
    if (equals) return fail(r->err, HEARTH_E_ARG, "--%s takes no value", row->name);
    return value_set(row, NULL, r->s, r->err);
}

/* "-n 20", "-n20", "-qh" */
static int reader_short(struct reader *r, const char *text)
{
    for (; *text; text++) {
        const struct option *row = option_find(r->o, (struct str){ 0 }, *text);
        if (!row)
            return fail(r->err, HEARTH_E_ARG, "unknown option -%.*s; 'hearth %s --help' lists what there is",
                        STR_ARG(str_from(text)), r->o->command->name);
        if (row->type != OPTION_FLAG) return reader_value(r, row, text[1] ? text + 1 : NULL);
        const int status = value_set(row, NULL, r->s, r->err);
        if (status) return status;
    }
    return 0;
}

static int settings_words(const struct settings *s, const struct command *c, struct hearth_error *err)
{
    if (s->words.n < c->min_words)
        return fail(err, HEARTH_E_ARG, "something is missing; usage: hearth %s [options] %s", c->name, c->words);
    if (s->words.n > c->max_words)
        return fail(err, HEARTH_E_ARG, "'%.*s' is one word too many (quote a text); usage: hearth %s [options] %s",
                    STR_ARG(str_from(s->words.v[c->max_words])), c->name, c->words);
    return 0;
}

/* What holds before the first option is read. */
static int settings_start(struct settings *s, const struct options *o, int argc, struct hearth_error *err)
{
    s->words.v = mem_array((uint64_t)argc, sizeof *s->words.v);
    if (!s->words.v) return fail_memory(err, (uint64_t)argc * sizeof *s->words.v, "arguments");
    for (size_t i = 0; i < o->n; i++) {
        const struct option *row = &o->rows[i];
        void *const at = (char *)s + row->at;
        if (row->type == OPTION_INT || row->type == OPTION_CHOICE) *(int64_t *)at = (int64_t)row->initial;
        if (row->type == OPTION_FLOAT) *(double *)at = row->initial;
        if (row->type == OPTION_LIST) {
            struct string_list *list = at;
            list->v = mem_array((uint64_t)argc, sizeof *list->v);
            if (!list->v) return fail_memory(err, (uint64_t)argc * sizeof *list->v, "arguments");
        }
        if (row->type != OPTION_SAMPLING) continue;
        size_t n;
        int status = s->sampling ? 0 : hearth_sampling_new(&s->sampling, err);
        if (!status) status = hearth_sampling_set(s->sampling, hearth_sampling_params(&n)[row->at].name, row->initial, err);
        if (status) return status;
    }
    return 0;
}

int settings_read(struct settings *s, const struct options *o, int argc, char **argv, struct hearth_error *err)
{
    struct reader r = { .o = o, .s = s, .argv = argv, .argc = argc, .err = err };
    int status = settings_start(s, o, argc, err);
    bool only_words = false;
    while (!status && r.at < argc) {
        const char *a = argv[r.at++];
        /* "-" is standard input and "-5" a text; both are words. */
        const bool option = !only_words && a[0] == '-' && a[1] && !(a[1] >= '0' && a[1] <= '9');
        if (!option) s->words.v[s->words.n++] = a;
        else if (strcmp(a, "--") == 0) only_words = true;
        else status = a[1] == '-' ? reader_long(&r, a + 2) : reader_short(&r, a + 1);
    }
    if (status || s->help) return status;
    return settings_words(s, o->command, err);
}

void settings_free(struct settings *s)
{
    hearth_sampling_free(s->sampling);
    mem_free(s->words.v);
    mem_free(s->stop.v);
    mem_free(s->logit_bias.v);
}
