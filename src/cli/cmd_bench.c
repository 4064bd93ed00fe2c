/* hearth bench: tokens per second, prompt and generation, on this machine. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "base/rng.h"
#include "cli/cli.h"

const char cmd_bench_about[] =
    "Measures how many tokens a second the model reads (prompt) and writes (generation), each as the\n"
    "median of some runs on random ids. Nothing is kept from one run to the next.\n"
    "\n"
    "  hearth bench models/tale\n"
    "  hearth bench models/tale -p 256 -n 128 -r 5 --threads 2\n"
    "  hearth bench models/tale --json\n";

#define PROMPT_TOKENS    512
#define GENERATED_TOKENS 64

const struct option cmd_bench_options[] = {
    OPT_INT("prompt-tokens", 'p', prompt_tokens, 0, 1, INT32_MAX,
            "tokens of the prompt (default 512, less where the context is short)"),
    OPT_INT("tokens", 'n', tokens, 0, 2, INT32_MAX, "tokens to write (default 64, less where the context is short)"),
    OPT_INT("repeat", 'r', repeat, 3, 1, 1000, "runs"),
    OPTS_JSON,
    OPTS_MODEL(HEARTH_ARITH_AUTO),
    OPTS_CACHE,
    OPTS_COMMON,
};

struct bench {
    const struct settings *s;
    hearth_model          *model;
    hearth_model_info      info;
    hearth_session        *session;
    int32_t                n_prompt, n_generate;
    int32_t               *ids;                          /* [n_prompt] */
    double                *prompt, *generated, *first;   /* [repeat] tokens/s, tokens/s, s */
    struct progress        progress;
    int64_t                done; /* tokens of all runs */
};

/* What was asked for; where nothing was, what fits. */
static void bench_sizes(struct bench *b)
{
    const int64_t context = b->info.context > 0 ? b->info.context : INT32_MAX;
    int64_t p = b->s->prompt_tokens ? b->s->prompt_tokens : PROMPT_TOKENS;
    int64_t n = b->s->tokens ? b->s->tokens : GENERATED_TOKENS;
    if (!b->s->tokens && p + n > context) n = context / 4 < n ? context / 4 : n;
    if (!b->s->prompt_tokens && p + n > context) p = context - n;
    b->n_prompt = (int32_t)(p > 1 ? p : 1);
    b->n_generate = (int32_t)(n > 2 ? n : 2);
}

static int bench_open(struct bench *b, struct hearth_error *err)
{
    const struct settings *s = b->s;
    int status = cli_model_open(&b->model, s, s->words.v[0], err);
    if (status) return status;
    hearth_model_info_get(b->model, &b->info);
    bench_sizes(b);
    const hearth_session_options options = {
        .size = sizeof options,
        .context = b->n_prompt > INT32_MAX - b->n_generate ? INT32_MAX : b->n_prompt + b->n_generate,
        .chunk = (int32_t)s->chunk,
        .cache = (enum hearth_cache_type)s->cache_type,
    };
    status = hearth_session_new(&b->session, b->model, &options, err);
    if (status) return status;
    const uint64_t runs = (uint64_t)s->repeat;
    b->ids = mem_array((uint64_t)b->n_prompt, sizeof *b->ids);
    b->prompt = mem_array(runs, sizeof *b->prompt);
    b->generated = mem_array(runs, sizeof *b->generated);
    b->first = mem_array(runs, sizeof *b->first);
    if (b->ids && b->prompt && b->generated && b->first) return 0;
    return fail_memory(err, runs * 3 * sizeof *b->prompt + (uint64_t)b->n_prompt * sizeof *b->ids, "the runs");
}

static void bench_close(struct bench *b)
{
    mem_free(b->ids);
    mem_free(b->prompt);
    mem_free(b->generated);
    mem_free(b->first);
    hearth_session_free(b->session);
    hearth_model_close(b->model);
}

static int bench_event(void *user, const hearth_event *event)
{
    struct bench *b = user;
    b->done += event->token >= 0;
    progress_show(&b->progress, b->done, b->s->repeat * b->n_generate);
    return interrupt_seen();
}

/* Random ids, others in each run, so that no run finds its prompt known. */
static int bench_run(struct bench *b, int64_t run, struct hearth_error *err)
{
    struct rng r;
    hearth_timing timing = { 0 };
    rng_seed(&r, (uint64_t)run);
    const uint32_t vocab = b->info.vocab > 0 ? (uint32_t)b->info.vocab : 1;
    for (int32_t i = 0; i < b->n_prompt; i++) b->ids[i] = (int32_t)(rng_u32(&r) % vocab);
    b->ids[0] = (int32_t)((uint64_t)run % vocab);
    hearth_request q = {
        .size = sizeof q,
        .ids = b->ids,
        .n_ids = (size_t)b->n_prompt,
        .max_tokens = b->n_generate,
        .ignore_end = 1,
        .cancel = interrupt_watch(false),
    };
    const int status = hearth_generate(b->session, &q, 1, bench_event, b, &timing, err);
    hearth_free(q.generated);
    interrupt_unwatch();
    if (interrupt_seen() && (status == 0 || status == HEARTH_E_CANCELLED)) return fail(err, HEARTH_E_CANCELLED, "interrupted");
    if (status) return status;
    b->prompt[run] = timing.prompt_seconds > 0 ? (double)timing.prompt_tokens / timing.prompt_seconds : 0;
    /* the first token comes with the prompt */
    b->generated[run] = timing.generate_seconds > 0 ? (double)(timing.generated_tokens - 1) / timing.generate_seconds : 0;
    b->first[run] = timing.first_token_seconds;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts v [n]. */
static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, compare);
    return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

static void bench_json(const struct bench *b, double prompt, double generated, double first, struct buf *out)
{
    buf_puts(out, "{\"model\": ");
    buf_json_string(out, str_from(b->s->words.v[0]));
    buf_puts(out, ", \"family\": ");
    buf_json_string(out, str_from(b->info.family ? b->info.family : ""));
    buf_printf(out, ", \"parameters\": %" PRId64 ", \"bytes\": %" PRId64, b->info.parameters, b->info.bytes);
    buf_printf(out, ", \"prompt_tokens\": %d, \"generated_tokens\": %d, \"runs\": %" PRId64, b->n_prompt, b->n_generate,
               b->s->repeat);
    buf_puts(out, ", \"prompt_tokens_per_second\": ");
    buf_json_number(out, prompt);
    buf_puts(out, ", \"generated_tokens_per_second\": ");
    buf_json_number(out, generated);
    buf_puts(out, ", \"first_token_seconds\": ");
    buf_json_number(out, first);
    buf_printf(out, ", \"peak_bytes\": %" PRIu64 "}\n", process_peak_bytes());
}

static int bench_print(const struct bench *b, struct hearth_error *err)
{
    const size_t n = (size_t)b->s->repeat;
    const double prompt = median(b->prompt, n), generated = median(b->generated, n), first = median(b->first, n);
    struct buf out;
    buf_init(&out, 1 << 16);
    if (b->s->json) {
        bench_json(b, prompt, generated, first, &out);
    } else {
        buf_printf(&out, "prompt      %6d tokens  %10.1f tokens/s   first token after %.0f ms\n", b->n_prompt, prompt,
                   first * 1e3);
        buf_printf(&out, "generation  %6d tokens  %10.1f tokens/s\n", b->n_generate, generated);
    }
    const int status = output_buf(&b->s->terminal, &out, err);
    buf_free(&out);
    return status;
}

int cmd_bench(const struct settings *s, struct hearth_error *err)
{
    struct bench b = { .s = s, .info = { .size = sizeof b.info } };
    int status = bench_open(&b, err);
    progress_start(&b.progress, s->quiet ? NULL : &s->terminal, "measuring");
    for (int64_t run = 0; !status && run < s->repeat; run++) status = bench_run(&b, run, err);
    progress_end(&b.progress);
    if (!status) status = bench_print(&b, err);
    bench_close(&b);
    return status;
}
