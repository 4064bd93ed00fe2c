/* hearth run: writes a text from a prompt, as it comes. At a terminal it then stays for the next prompt. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cli/cli.h"

const char cmd_run_about[] =
    "Writes a text that goes on from PROMPT, word by word, until the model ends it or the context\n"
    "is full. Models that read a source and write a target (T5, BART) take PROMPT as the source.\n"
    "\n"
    "  hearth run models/tale\n"
    "      tells a story, then waits for how the next one begins; Ctrl-C stops a text, Enter alone\n"
    "      goes on with it, Ctrl-D leaves\n"
    "  hearth run models/tale \"One day, a little girl named Lily\" -n 100\n"
    "      at most 100 tokens\n"
    "  hearth run models/tale --seed 7 --temperature 0.6 --top-k 40\n"
    "      less daring, and the same story each time\n"
    "  echo \"Once there was a fox\" | hearth run models/tale > fox.txt\n"
    "      the prompt from standard input, the text into a file\n"
    "  hearth run models/tale \"The moon\" --parallel 3 --stop .\n"
    "      three sentences side by side\n"
    "  hearth run starcoder2-3b --infill \"def add(a, b):\\n    return \" \"\\nprint(add(1, 2))\"\n"
    "      what stands between two texts (models of code that were taught it); @FILE reads one from FILE\n"
    "\n"
    "The prompt is PROMPT, or the file given by --file, or standard input when that is no terminal\n"
    "(one newline at its end does not count); without any of them \"Once upon a time\".\n";

const struct option cmd_run_options[] = {
    OPT_STRING("file", 'f', file, "FILE", "take the prompt from FILE; - is standard input"),
    OPT_FLAG("infill", 0, infill, "write what stands between PREFIX and SUFFIX; \\n and \\t count as in C, @FILE is read from FILE"),
    OPT_INT("max-tokens", 'n', max_tokens, 0, 0, INT32_MAX, "write at most N tokens; 0 goes on until the context is full"),
    OPT_LIST("stop", stop, "TEXT", "end before TEXT would be written; may be given again"),
    OPT_INT("parallel", 'p', parallel, 1, 1, 1024, "write N texts from the prompt side by side"),
    OPT_FLAG("raw", 0, raw, "the prompt exactly as given: no special tokens before it, no newline taken off"),
    OPT_FLAG("no-echo", 0, no_echo, "leave the prompt out of what is written"),
    OPT_FLAG("once", '1', once, "leave after the first text, also at a terminal"),
    OPT_FLAG("ignore-end", 0, ignore_end, "do not stop where the model ends its text"),
    OPTS_JSON,
    OPT_HEADING("Choice of the next token"),
    OPT_INT("seed", 's', seed, -1, -1, (double)INT64_MAX,
            "start of the random numbers: same seed, same text; -1 takes a new one"),
    OPT_FLAG("greedy", 0, greedy, "always the likeliest token, the same as --temperature 0"),
    OPT_SAMPLING,
    OPT_ORDER("sampler-order", "order in which the steps act"),
    OPT_LIST("logit-bias", logit_bias, "ID=X", "add X to the logit of token ID (-inf forbids it); may be given again"),
    OPT_HEADING("Model"),
    OPTS_MODEL(HEARTH_ARITH_AUTO),
    OPTS_CONTEXT,
    OPTS_CACHE,
    OPT_HEADING("Other"),
    OPTS_COMMON,
};

#define OPENING "Once upon a time"

/* A model in front of a prompt. */
struct run {
    const struct settings  *s;
    const char             *path;
    hearth_model           *model;
    hearth_model_info       info;
    const hearth_tokenizer *tokenizer;
    hearth_session         *session;
    bool                    talks;    /* stays for the next prompt */
    size_t                  n;        /* texts side by side */
    hearth_request         *requests; /* [n] */
    struct buf             *texts;    /* [n] what was generated so far */
    struct id_list          ids;      /* the prompt; afterwards with the text, for going on */
    struct str              prompt;   /* its text, shown before the first word that is written */
    struct str              suffix;   /* what follows the text when infilling */
    hearth_infill           infill;
    bool                    begun;    /* something was shown */
    hearth_timing           timing;
    uint64_t                seed;
    struct progress         progress, reading; /* of a text written as JSON, and of its prompt */
    struct hearth_error     written; /* what went wrong in writing, if anything */
};

/* ---- opening */

/* "17=-2.5" */
static int logit_bias_read(hearth_sampling *sampling, const char *text, struct hearth_error *err)
{
    char *equals, *end;
    const long long id = strtoll(text, &equals, 10);
    if (equals == text || *equals != '=' || id < 0 || id > INT32_MAX) goto wrong;
    const double x = strtod(equals + 1, &end);
    if (end == equals + 1 || *end || isnan(x)) goto wrong;
    return hearth_sampling_bias(sampling, (int32_t)id, (float)x, err);
wrong:
    return fail(err, HEARTH_E_ARG, "--logit-bias takes ID=VALUE such as 17=-2.5, not '%s'", text);
}

static int run_sampling(const struct settings *s, struct hearth_error *err)
{
    int status = s->greedy ? hearth_sampling_set(s->sampling, "temperature", 0, err) : 0;
    for (size_t i = 0; !status && i < s->logit_bias.n; i++) status = logit_bias_read(s->sampling, s->logit_bias.v[i], err);
    return status;
}

static int run_open(struct run *r, struct hearth_error *err)
{
    const struct settings *s = r->s;
    int status = run_sampling(s, err);
    if (status) return status;
    status = cli_model_open(&r->model, s, r->path, err);
    if (status) return status;
    hearth_model_info_get(r->model, &r->info);
    if (r->info.task == HEARTH_TASK_ENCODER)
        return fail(err, HEARTH_E_UNSUPPORTED, "%s is an encoder (%s): it reads a text but writes none", r->path, r->info.family);
    status = hearth_model_tokenizer(r->model, &r->tokenizer, err);
    if (status) return status;
    const hearth_session_options options = {
        .size = sizeof options,
        .sequences = (int32_t)s->parallel,
        .context = (int32_t)s->context,
        .chunk = (int32_t)s->chunk,
        .cache = (enum hearth_cache_type)s->cache_type,
    };
    status = hearth_session_new(&r->session, r->model, &options, err);
    if (status) return status;
    r->n = (size_t)s->parallel;
    r->requests = mem_array(r->n, sizeof *r->requests);
    r->texts = mem_array(r->n, sizeof *r->texts);
    if (!r->requests || !r->texts) return fail_memory(err, r->n * sizeof *r->requests, "requests");
    for (size_t i = 0; i < r->n; i++) buf_init(&r->texts[i], INPUT_TEXT_MAX);
    return 0;
}

static void run_clear(struct run *r)
{
    for (size_t i = 0; r->requests && r->texts && i < r->n; i++) {
        hearth_free(r->requests[i].generated);
        buf_free(&r->texts[i]);
    }
}

static void run_close(struct run *r)
{
    run_clear(r);
    mem_free(r->requests);
    mem_free(r->texts);
    id_list_free(&r->ids);
    hearth_free(r->infill.ids);
    hearth_session_free(r->session);
    hearth_model_close(r->model);
}

/* ---- what a person sees */

static int run_label(const struct run *r, size_t i, struct hearth_error *err)
{
    struct buf b;
    buf_init(&b, 4096);
    terminal_dim(r->s->terminal.colour_out, true, &b);
    buf_printf(&b, "%s[%zu of %zu, seed %" PRIu64 "]", i ? "\n" : "", i + 1, r->n, r->seed + i);
    terminal_dim(r->s->terminal.colour_out, false, &b);
    buf_char(&b, '\n');
    const int status = output_bytes(b.p, b.n, err);
    buf_free(&b);
    return status;
}

static int run_dim(const struct run *r, struct str text, struct hearth_error *err)
{
    const bool colour = r->s->terminal.colour_out;
    int status = colour ? output_bytes("\033[2m", 4, err) : 0;
    if (!status) status = output_text(&r->s->terminal, text, err);
    return !status && colour ? output_bytes("\033[22m", 5, err) : status;
}

/* What stands before text i: a label where there are several, and the prompt, dim. */
static int run_begin(struct run *r, size_t i, struct hearth_error *err)
{
    int status = r->n > 1 ? run_label(r, i, err) : 0;
    r->begun = true;
    if (status || r->s->no_echo || (r->info.task != HEARTH_TASK_LM && !r->suffix.n)) return status;
    return run_dim(r, r->prompt, err);
}

/* A text ends in what follows it, if anything, and one newline. */
static int run_newline(const struct run *r, size_t i, struct hearth_error *err)
{
    const struct buf *b = &r->texts[i];
    const struct str *last = &r->suffix;
    if (last->n && !r->s->no_echo) {
        int status = run_dim(r, *last, err);
        return status || last->p[last->n - 1] == '\n' ? status : output_bytes("\n", 1, err);
    }
    return b->n && b->p[b->n - 1] == '\n' ? 0 : output_bytes("\n", 1, err);
}

static const char *run_why(const hearth_request *q)
{
    switch (q->finish) {
    case HEARTH_FINISH_END: return "";
    case HEARTH_FINISH_STOP: return ", --stop reached";
    case HEARTH_FINISH_CANCELLED: return ", stopped";
    case HEARTH_FINISH_LENGTH: break;
    }
    return q->max_tokens && q->n_generated >= q->max_tokens ? ", --max-tokens reached" : ", context full";
}

/* " (55.1/s)", or nothing where nothing was measured. */
static void run_rate(char out[32], int64_t tokens, double seconds)
{
    out[0] = 0;
    const double rate = seconds > 0 ? (double)tokens / seconds : 0;
    if (rate > 0) snprintf(out, 32, rate < 100 ? " (%.3g/s)" : " (%.0f/s)", rate);
}

static void run_speed(const struct run *r)
{
    const hearth_timing *t = &r->timing;
    char prompt[32], generated[32]; /* the first token of each text comes with the prompt */
    run_rate(prompt, t->prompt_tokens, t->prompt_seconds);
    run_rate(generated, t->generated_tokens - (int64_t)r->n, t->generate_seconds);
    output_note(&r->s->terminal, "%" PRId64 " prompt tokens%s, %" PRId64 " generated%s, first after %.0f ms, seed %" PRIu64 "%s",
                t->prompt_tokens, prompt, t->generated_tokens, generated, t->first_token_seconds * 1e3, r->seed,
                run_why(&r->requests[0]));
}

static int run_json(const struct run *r, size_t i, struct hearth_error *err)
{
    static const char *const finish_names[] = {
        [HEARTH_FINISH_LENGTH] = "length",
        [HEARTH_FINISH_END] = "end",
        [HEARTH_FINISH_STOP] = "stop",
        [HEARTH_FINISH_CANCELLED] = "cancelled",
    };
    const hearth_request *q = &r->requests[i];
    struct buf b;
    buf_init(&b, INPUT_TEXT_MAX);
    buf_puts(&b, "{\"text\": ");
    buf_json_string(&b, buf_str(&r->texts[i]));
    buf_puts(&b, ", \"ids\": ");
    id_list_json(&b, q->generated, (size_t)q->n_generated);
    buf_printf(&b, ", \"finish\": \"%s\", \"seed\": %" PRIu64, finish_names[q->finish], q->seed);
    buf_printf(&b, ", \"prompt_tokens\": %d, \"cached_tokens\": %d, \"generated_tokens\": %d", q->n_prompt, q->n_cached,
               q->n_generated);
    buf_puts(&b, ", \"timing\": {\"prompt_seconds\": ");
    buf_json_number(&b, r->timing.prompt_seconds);
    buf_puts(&b, ", \"generate_seconds\": ");
    buf_json_number(&b, r->timing.generate_seconds);
    buf_puts(&b, ", \"first_token_seconds\": ");
    buf_json_number(&b, r->timing.first_token_seconds);
    buf_puts(&b, "}}\n");
    const int status = output_buf(&r->s->terminal, &b, err);
    buf_free(&b);
    return status;
}

/* ---- one text */

static void run_reading(void *user, int64_t done, int64_t total)
{
    struct run *r = user;
    if (done < total) progress_show(&r->reading, done, total);
    else progress_end(&r->reading);
}

/* Keeps every text; the first one is also shown as it comes. */
static int run_event(void *user, const hearth_event *event)
{
    struct run *r = user;
    struct buf *text = &r->texts[event->request];
    buf_put(text, event->text, event->n_text);
    int status = text->failed ? fail_memory(&r->written, text->n, "the text") : 0;
    if (!status && !r->s->json) {
        if (!r->begun) status = run_begin(r, 0, &r->written);
        if (!status && event->request == 0)
            status = output_text(&r->s->terminal, (struct str){ event->text, event->n_text }, &r->written);
        if (!status) status = output_flush(&r->written);
    }
    if (r->s->json) progress_show(&r->progress, (int64_t)r->texts[0].n, 0);
    return status || interrupt_seen();
}

static void run_requests(struct run *r, const volatile int *cancel)
{
    const struct settings *s = r->s;
    r->seed = s->seed >= 0 ? (uint64_t)s->seed : rng_entropy() & 0xffffffff; /* short enough to be typed again */
    run_clear(r);
    for (size_t i = 0; i < r->n; i++) {
        r->requests[i] = (hearth_request){
            .size = sizeof *r->requests,
            .ids = r->ids.id,
            .n_ids = r->ids.n,
            .sampling = s->sampling,
            .seed = r->seed + i,
            .max_tokens = (int32_t)s->max_tokens,
            .ignore_end = s->ignore_end,
            .stop = s->stop.v,
            .n_stop = s->stop.n,
            .ends = r->infill.ends,
            .n_ends = r->infill.n_ends,
            .cancel = cancel,
        };
    }
}

/* Shows what run_event has not: the other texts, or all of them as JSON. */
static int run_show(struct run *r, struct hearth_error *err)
{
    int status = 0;
    if (r->s->json) {
        for (size_t i = 0; !status && i < r->n; i++) status = run_json(r, i, err);
        return status;
    }
    if (!r->begun) status = run_begin(r, 0, err);
    if (!status) status = run_newline(r, 0, err);
    for (size_t i = 1; !status && i < r->n; i++) {
        status = run_begin(r, i, err);
        if (!status) status = output_text(&r->s->terminal, buf_str(&r->texts[i]), err);
        if (!status) status = run_newline(r, i, err);
    }
    return status ? status : output_flush(err);
}

/* Generates from r->ids. prompt: its text. */
static int run_tell(struct run *r, struct str prompt, struct hearth_error *err)
{
    if (r->ids.n == 0)
        return fail(err, HEARTH_E_ARG, "the prompt is empty and this model has no token to begin with; give it a PROMPT");
    run_requests(r, interrupt_watch(r->talks));
    r->prompt = prompt;
    r->begun = false;
    r->written = (struct hearth_error){ 0 };
    progress_start(&r->reading, r->s->quiet ? NULL : &r->s->terminal, "reading the prompt");
    progress_start(&r->progress, r->s->quiet ? NULL : &r->s->terminal, "bytes written:");
    hearth_session_progress(r->session, run_reading, r);
    int status = hearth_generate(r->session, r->requests, r->n, run_event, r, &r->timing, err);
    progress_end(&r->reading);
    progress_end(&r->progress);
    if (r->written.status) { /* then the cancelling is only its consequence */
        *err = r->written;
        return err->status;
    }
    if (status == HEARTH_E_CANCELLED) status = 0;
    if (!status) err->text[0] = 0; /* being stopped is no failure */
    if (!status) status = run_show(r, err);
    else if (r->begun) output_bytes("\n", 1, NULL);
    if (!status && !r->s->quiet && !r->s->json) run_speed(r);
    return !status && interrupt_seen() && !r->talks ? EXIT_INTERRUPTED : status;
}

static int run_text(struct run *r, struct str prompt, struct hearth_error *err)
{
    int32_t *ids = NULL;
    size_t n;
    const volatile int *cancel = interrupt_watch(r->talks);
    int status = hearth_encode_long(r->tokenizer, prompt.p ? prompt.p : "", prompt.n, !r->s->raw, cancel, &ids, &n, err);
    if (!status && interrupt_seen()) status = fail(err, HEARTH_E_CANCELLED, "interrupted");
    r->ids.n = 0;
    if (!status) status = id_list_put(&r->ids, ids, n, err);
    hearth_free(ids);
    if (status == HEARTH_E_CANCELLED && r->talks) return 0;
    return status ? status : run_tell(r, prompt, err);
}

/* Enter alone: goes on with the first of the texts. */
static int run_further(struct run *r, struct hearth_error *err)
{
    const hearth_request *q = &r->requests[0];
    if (r->info.task != HEARTH_TASK_LM || q->n_generated == 0 || q->finish == HEARTH_FINISH_END) {
        output_note(&r->s->terminal, "The text has come to its end. Type how the next one begins.");
        return 0;
    }
    const int status = id_list_put(&r->ids, q->generated, (size_t)q->n_generated, err);
    return status ? status : run_tell(r, STR(""), err);
}

/* ---- prompts */

/* PREFIX or SUFFIX: a file's text, or the words with \n, \t and \\ as in C. */
static int infill_word(const char *word, struct buf *out, struct hearth_error *err)
{
    static const char from[] = "nt\\", to[] = "\n\t\\";
    if (word[0] == '@') return input_all(word + 1, out, err);
    for (; *word; word++) {
        const char *escape = word[0] == '\\' && word[1] ? strchr(from, word[1]) : NULL;
        buf_char(out, escape ? to[escape - from] : *word);
        word += escape != NULL;
    }
    return out->failed ? fail_memory(err, out->n, "the prompt") : 0;
}

static int run_infill(struct run *r, struct buf *prefix, struct buf *suffix, struct hearth_error *err)
{
    const struct settings *s = r->s;
    if (s->words.n != 3) return fail(err, HEARTH_E_ARG, "--infill takes MODEL, PREFIX and SUFFIX; an empty one is \"\"");
    int status = infill_word(s->words.v[1], prefix, err);
    if (!status) status = infill_word(s->words.v[2], suffix, err);
    if (status) return status;
    r->suffix = buf_str(suffix);
    status = hearth_encode_infill(r->tokenizer, prefix->n ? prefix->p : "", prefix->n, suffix->n ? suffix->p : "", suffix->n, &r->infill, err);
    if (!status) status = id_list_put(&r->ids, r->infill.ids, r->infill.n_ids, err);
    return status ? status : run_tell(r, buf_str(prefix), err);
}

/* Where the first prompt comes from, in this order. */
static int run_first_prompt(const struct run *r, struct buf *out, struct hearth_error *err)
{
    const struct settings *s = r->s;
    if (s->words.n > 1) {
        buf_puts(out, s->words.v[1]);
        return out->failed ? fail_memory(err, out->n, "the prompt") : 0;
    }
    int status = 0;
    if (s->file || !s->terminal.in) status = input_all(s->file, out, err);
    if (!s->raw && out->n && out->p[out->n - 1] == '\n') out->p[--out->n] = 0;
    if (!status && out->n == 0 && !s->file) buf_puts(out, OPENING);
    return status;
}

static void run_greet(const struct run *r)
{
    const hearth_model_info *i = &r->info;
    const bool big = i->parameters >= 1000000000;
    output_note(&r->s->terminal, "%s: %s, %.3g %s parameters, context %d tokens. Ctrl-C stops a text, Ctrl-D leaves.\n", r->path,
                i->family, (double)i->parameters / (big ? 1e9 : 1e6), big ? "billion" : "million",
                hearth_session_context(r->session));
}

/* Prompt after prompt until Ctrl-D. What goes wrong with one is told, and the next may come. */
static int run_talk(struct run *r, struct hearth_error *err)
{
    struct lineedit *edit;
    int status = lineedit_new(&edit, err);
    if (status) return status;
    while (status != HEARTH_E_IO) {
        struct str line;
        fputs("\n", stdout);
        const enum line_kind kind = lineedit_read(edit, &line);
        if (kind != LINE_TEXT) fputs("\n", stdout);
        if (kind == LINE_OVER) break;
        if (kind == LINE_INTERRUPT) {
            output_note(&r->s->terminal, "Ctrl-D leaves. Ctrl-C stops a text while it is being written.");
            continue;
        }
        status = line.n ? run_text(r, line, err) : run_further(r, err);
        if (status && status != HEARTH_E_IO) fprintf(stderr, "hearth: %s\n", err->text);
    }
    lineedit_free(edit);
    return status == HEARTH_E_IO ? status : 0;
}

int cmd_run(const struct settings *s, struct hearth_error *err)
{
    if (s->file && (s->words.n > 1 || s->infill)) return fail(err, HEARTH_E_ARG, "give either PROMPT or --file, not both");
    struct run r = { .s = s, .path = s->words.v[0], .info = { .size = sizeof r.info } };
    struct buf prompt, suffix;
    if (s->words.n > 2 && !s->infill) return fail(err, HEARTH_E_ARG, "'%s' is one word too many (quote a text); three are for --infill", s->words.v[2]);
    buf_init(&prompt, INPUT_PROMPT_MAX);
    buf_init(&suffix, INPUT_PROMPT_MAX);
    r.talks = s->terminal.in && s->terminal.out && !s->json && !s->once && !s->infill;
    int status = run_open(&r, err);
    if (!status && s->infill) {
        status = run_infill(&r, &prompt, &suffix, err);
        goto done;
    }
    if (!status) status = run_first_prompt(&r, &prompt, err);
    if (!status && r.talks && !s->quiet) run_greet(&r);
    if (!status) status = run_text(&r, buf_str(&prompt), err);
    if (!status && r.talks) status = run_talk(&r, err);
done:
    interrupt_unwatch(); /* not before: Ctrl-C pressed twice must not end a session */
    buf_free(&prompt);
    buf_free(&suffix);
    run_close(&r);
    return status;
}
