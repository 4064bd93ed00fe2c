/* What the files of the command line program share: the settings of a call, tables of commands and options, text in and out,
 * the terminal. The program sees the public headers and base/, nothing else of hearth. */
#ifndef CLI_H
#define CLI_H

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"

/* Exit codes as in sysexits.h. main.c has the table from enum hearth_status. */
enum exit_code {
    EXIT_DIFFERS = 1,
    EXIT_ARGUMENT = 64,
    EXIT_DATA = 65,
    EXIT_NO_INPUT = 66,
    EXIT_UNAVAILABLE = 69,
    EXIT_BUG = 70,
    EXIT_SYSTEM = 71,
    EXIT_IN_OUT = 74,
    EXIT_MEMORY = 75,
    EXIT_INTERRUPTED = 130,
};

/* ---- terminal.c */

struct terminal {
    bool in, out, err;             /* standard input, output, error are terminals */
    bool colour_out, colour_err;   /* and may show dim text */
    bool utf8;                     /* and shows characters beyond ASCII */
};

void terminal_start(struct terminal *t);
int  terminal_columns(void); /* of standard error; 80 where unknown */

/* Dim begins or ends in a buffer, where the terminal has it. */
void terminal_dim(bool colour, bool on, struct buf *out);

/* SIGINT sets a flag between watch and unwatch; elsewhere it ends the process as usual. stay: a second one does not end the
 * process either. */
const volatile int *interrupt_watch(bool stay);
void                interrupt_unwatch(void);
bool                interrupt_seen(void);

/* One line on standard error that says how far long work is; nothing when that is no terminal, or in the first half second. */
struct progress {
    const struct terminal *terminal; /* NULL: silent */
    const char            *label;
    uint64_t               start, last; /* ns */
    bool                   shown;
};
void progress_start(struct progress *p, const struct terminal *t, const char *label);
void progress_show(struct progress *p, int64_t done, int64_t total); /* total 0: unknown */
void progress_end(struct progress *p);

/* ---- options.c */

/* A growing list of borrowed strings (they live in argv). */
struct string_list {
    const char **v;
    size_t       n;
};

/* Every option of every command has its place here; a command sees only those that its table lists. */
struct settings {
    struct terminal    terminal;
    struct string_list words; /* what is no option: MODEL ... */
    bool               help, quiet, json;
    /* model */
    bool    exact;
    int64_t threads, arith, context, cache_type, chunk;
    /* text */
    hearth_sampling   *sampling;
    struct string_list stop, logit_bias;
    const char        *file, *ids, *decoder_ids, *output, *sampler_order, *cpu_mask;
    bool               raw, infill, greedy, once, no_echo, ignore_end, no_special, jsonl, pieces;
    int64_t            seed, max_tokens, parallel, tokens, prompt_tokens, repeat;
    double             limit;
    /* texts as a whole */
    const char        *prompt_name, *prefix, *pair;
    bool               normalize, no_normalize, similarity, floats, tokens_each;
    int64_t            pooling, top;
};

enum option_type {
    OPTION_END,      /* ends a table */
    OPTION_HEADING,  /* name: a heading in the help */
    OPTION_FLAG,     /* bool */
    OPTION_INT,      /* int64_t */
    OPTION_FLOAT,    /* double */
    OPTION_CHOICE,   /* int64_t, place in value "a|b|c" */
    OPTION_STRING,   /* const char * */
    OPTION_LIST,     /* struct string_list */
    OPTION_SAMPLING, /* goes to hearth_sampling_set; in a command's table one row stands for all of them */
    OPTION_ORDER,    /* goes to hearth_sampling_order */
};

struct option {
    enum option_type type;
    const char      *name;   /* without dashes */
    char             letter; /* 0: none */
    size_t           at;     /* offset in struct settings; OPTION_SAMPLING: row of hearth_sampling_params */
    const char      *value;  /* what the help calls the value */
    const char      *help;
    double           initial, min, max;
};

#define SETTING(field) offsetof(struct settings, field)

/* Rows of a table. field: of struct settings. */
#define OPT_HEADING(text)                           { OPTION_HEADING, text, 0, 0, NULL, NULL, 0, 0, 0 }
#define OPT_FLAG(name, letter, field, help)          { OPTION_FLAG, name, letter, SETTING(field), NULL, help, 0, 0, 0 }
#define OPT_STRING(name, letter, field, value, help) { OPTION_STRING, name, letter, SETTING(field), value, help, 0, 0, 0 }
#define OPT_LIST(name, field, value, help)           { OPTION_LIST, name, 0, SETTING(field), value, help, 0, 0, 0 }
#define OPT_CHOICE(name, field, value, initial, help) \
    { OPTION_CHOICE, name, 0, SETTING(field), value, help, initial, 0, 0 }
#define OPT_INT(name, letter, field, initial, min, max, help) \
    { OPTION_INT, name, letter, SETTING(field), "N", help, initial, min, max }
#define OPT_FLOAT(name, field, initial, min, max, help) \
    { OPTION_FLOAT, name, 0, SETTING(field), "X", help, initial, min, max }
#define OPT_SAMPLING       { OPTION_SAMPLING, NULL, 0, 0, NULL, NULL, 0, 0, 0 }
#define OPT_ORDER(name, help) { OPTION_ORDER, name, 0, 0, "A,B,...", help, 0, 0, 0 }
#define OPT_END            { OPTION_END, NULL, 0, 0, NULL, NULL, 0, 0, 0 }

/* Rows that several commands share. */
#define OPTS_COMMON                                                                                                        \
    OPT_FLAG("quiet", 'q', quiet, "only the result and errors"), OPT_FLAG("help", 'h', help, "show this text"), OPT_END
#define OPTS_JSON OPT_FLAG("json", 0, json, "write JSON, for scripts")
#define OPTS_MODEL(arith_initial)                                                                                          \
    OPT_INT("threads", 't', threads, 0, 0, 1024, "processor threads; 0 takes one per physical core"),                     \
    OPT_FLAG("exact", 0, exact, "never round activations, the same as --arith f32"),                                     \
    OPT_CHOICE("arith", arith, "auto|f32|i8|bf16", arith_initial,                                                             \
               "how activations are rounded in matrix products: not at all (f32), to int8 where the weights are "        \
               "quantised (i8), to bf16 like the weights (bf16), or what is fast here (auto)"),                                                             \
    OPTS_CPU_MASK
#define OPTS_CPU_MASK                                                                                                      \
    OPT_STRING("cpu-mask", 0, cpu_mask, "NAMES",                                                                           \
               "processor features that may be used, like avx2,fma,f16c; none takes the plain kernels (default: the "     \
               "environment's HEARTH_CPU_MASK, else all; `hearth cpu` lists them)")
#define OPTS_CACHE                                                                                                         \
    OPT_CHOICE("cache-type", cache_type, "auto|f32|f16", 0, "numbers of the key/value cache"),                            \
    OPT_INT("chunk", 0, chunk, 0, 0, 1 << 20, "prompt tokens computed at once; changes speed, never the text; 0 takes 256")
#define OPTS_CONTEXT                                                                                                       \
    OPT_INT("context", 'c', context, 0, 0, INT32_MAX, "tokens the model can look back on; 0 takes what it was made for")

/* Returns 0, a negative status, or an enum exit_code; main.c prints the sentence in err, if there is one. */
typedef int command_fn(const struct settings *s, struct hearth_error *err);

struct command {
    const char          *name;
    command_fn          *run;
    const char          *summary; /* one line */
    const char          *words;   /* "MODEL [PROMPT]" */
    size_t               min_words, max_words;
    const struct option *options;
    const char          *about; /* what it does, with examples */
};

/* The options of one command, with those of the samplers filled in. */
struct options {
    const struct command *command;
    struct option        *rows; /* [n] */
    size_t                n;
    struct arena          arena; /* owns rows and the names made here */
};

int  options_make(struct options *o, const struct command *c, struct hearth_error *err);
void options_free(struct options *o);
void options_help(const struct options *o, struct buf *out);
void options_complete(const struct options *o, struct buf *out); /* a line per option: "--name VALUE" */

/* argv holds what follows the command's name. s keeps pointers into argv. */
int  settings_read(struct settings *s, const struct options *o, int argc, char **argv, struct hearth_error *err);
void settings_free(struct settings *s);

/* Looks for the name that was probably meant: offer every name there is, then ask. */
struct nearest {
    struct str  wrong;
    size_t      distance; /* of the best so far */
    const char *name;     /* NULL: none is near */
};
void nearest_start(struct nearest *near, struct str wrong);
void nearest_offer(struct nearest *near, const char *name);

/* ---- output.c: standard output. A reader that went away gives HEARTH_E_IO without a sentence. */

int  output_bytes(const void *p, size_t n, struct hearth_error *err);
/* Malformed UTF-8 becomes U+FFFD, and so does what would steer a terminal when one is there. */
int  output_text(const struct terminal *t, struct str text, struct hearth_error *err);
int  output_buf(const struct terminal *t, const struct buf *b, struct hearth_error *err); /* the same, or "out of memory" */
int  output_flush(struct hearth_error *err);
int  output_end(struct hearth_error *err); /* flushes and closes */

/* A hearth_write. */
struct output_user {
    const struct terminal *terminal;
    struct hearth_error    err;
};
int output_write(void *user, const char *text, size_t n);
/* status of the function that was given output_write: an error in writing explains it. */
int output_status(const struct output_user *user, int status, struct hearth_error *err);

/* A dim line on standard error. */
void output_note(const struct terminal *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_json_number(struct buf *b, double x); /* null when not finite */

/* ---- input.c */

#define INPUT_PROMPT_MAX ((size_t)64 << 20)
#define INPUT_TEXT_MAX   ((size_t)1 << 30)

/* Appends all there is, up to the cap of the buffer. path NULL or "-": standard input. */
int input_all(const char *path, struct buf *out, struct hearth_error *err);

struct input_lines {
    struct buf buf;
    size_t     at;
    bool       end;
};
void input_lines_start(struct input_lines *r);
/* 1: *line is the next line without its newline, valid until the next call; 0: no more. */
int  input_lines_next(struct input_lines *r, struct str *line, struct hearth_error *err);
void input_lines_free(struct input_lines *r);

struct id_list {
    int32_t *id;
    size_t   n, room;
};
/* Appends the ids of "1 5 7", "1,5,7", "[1, 5, 7]" or @FILE. what names the place in a sentence ("--ids"). */
int  id_list_read(struct id_list *list, const char *text, const char *what, struct hearth_error *err);
int  id_list_put(struct id_list *list, const int32_t *ids, size_t n, struct hearth_error *err);
void id_list_free(struct id_list *list);
void id_list_json(struct buf *out, const int32_t *ids, size_t n);

/* ---- lineedit.c: a line of text from a person, with editing and history */

struct lineedit;
enum line_kind { LINE_TEXT, LINE_INTERRUPT, LINE_OVER };

int            lineedit_new(struct lineedit **out, struct hearth_error *err);
enum line_kind lineedit_read(struct lineedit *e, struct str *line); /* without its newline; valid until the next call */
void           lineedit_free(struct lineedit *e);

/* ---- cli_model.c */

int cli_model_open(hearth_model **out, const struct settings *s, const char *path, struct hearth_error *err);
hearth_model_options cli_model_options(const struct settings *s);

/* ---- cli_texts.c: what stands after MODEL on the command line, or else the lines of standard input */

struct text_list {
    hearth_text *v;
    size_t       n, room;
    struct arena arena; /* owns lines */
};
int  text_list_read(struct text_list *l, const struct settings *s, struct hearth_error *err); /* pairs with --pair */
void text_list_free(struct text_list *l);
void text_list_cut(const struct settings *s, const int32_t *n_cut, size_t n); /* says which texts were cut */

/* ---- commands */

#define COMMAND(name, run, summary, words, min_words, max_words, options, about) \
    command_fn run;                                                              \
    extern const struct option options[];                                        \
    extern const char about[];
#include "commands.def"
#undef COMMAND

#endif
