/* hearth bench: tokens per second, prompt and generation, beside what this machine could do at most. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/rng.h"
#include "cli/cli.h"
#include "hearth_inspect.h"

const char cmd_bench_about[] =
    "Measures how many tokens a second the model reads (prompt) and writes (generation), each as the\n"
    "median of some runs on random ids. Nothing is kept from one run to the next.\n"
    "Before and after each run the machine itself is measured: how fast it reads as many bytes as a token\n"
    "needs (weights and cache), and how fast it multiplies. Shares of these are the speeds' distance from\n"
    "what is possible: near 100 % nothing is left to gain. Each run's share is of its own two\n"
    "measurements, since no machine is the same for long; medians and spread are shown.\n"
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

/* What one run showed, and the machine: the mean of what was probed right before and right after. */
struct measured {
    double prompt, generated, first; /* tokens/s, tokens/s, s */
    double read, f32, i8;            /* limits a second: bytes, products */
    double read_before, read_after;
    double prompt_share, read_share;
};

struct bench {
    const struct settings *s;
    hearth_model          *model;
    hearth_model_info      info;
    hearth_session        *session;
    int32_t                n_prompt, n_generate;
    int32_t               *ids;     /* [n_prompt] */
    hearth_cost            prompt_cost, token_cost;
    struct measured       *run;     /* [repeat] */
    double                *sorted;  /* [repeat], for medians */
    hearth_limits          before;  /* what was probed last */
    uint64_t               peak;    /* of the first run, not of probes */
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
    if (!status) status = hearth_session_cost(b->session, b->n_prompt, b->n_generate, &b->prompt_cost, &b->token_cost, err);
    if (status) return status;
    const uint64_t runs = (uint64_t)s->repeat;
    b->ids = mem_array((uint64_t)b->n_prompt, sizeof *b->ids);
    b->run = mem_array(runs, sizeof *b->run);
    b->sorted = mem_array(runs, sizeof *b->sorted);
    if (b->ids && b->run && b->sorted) return 0;
    return fail_memory(err, runs * sizeof *b->run + (uint64_t)b->n_prompt * sizeof *b->ids, "the runs");
}

static void bench_close(struct bench *b)
{
    mem_free(b->ids);
    mem_free(b->run);
    mem_free(b->sorted);
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
    if (run == 0) b->peak = process_peak_bytes();
    struct measured *m = &b->run[run];
    m->prompt = timing.prompt_seconds > 0 ? (double)timing.prompt_tokens / timing.prompt_seconds : 0;
    /* the first token comes with the prompt */
    m->generated = timing.generate_seconds > 0 ? (double)(timing.generated_tokens - 1) / timing.generate_seconds : 0;
    m->first = timing.first_token_seconds;
    return 0;
}

static double token_bytes(const struct bench *b)
{
    return (double)(b->token_cost.weight_bytes + b->token_cost.cache_bytes);
}

/* The machine's limits before the first run. */
static int bench_probe_first(struct bench *b, struct hearth_error *err)
{
    const int status = hearth_probe(b->model, (uint64_t)token_bytes(b), &b->before, err);
    process_peak_reset();
    return status;
}

/* The limits right after a run, which are those before the next, and what the run has reached of its two. */
static int bench_probe(struct bench *b, int64_t run, struct hearth_error *err)
{
    struct measured *m = &b->run[run];
    hearth_limits after;
    const int status = hearth_probe(b->model, (uint64_t)token_bytes(b), &after, err);
    if (status) return status;
    m->read_before = b->before.read_bytes;
    m->read_after = after.read_bytes;
    m->read = (m->read_before + m->read_after) / 2;
    m->f32 = (b->before.products_f32 + after.products_f32) / 2;
    m->i8 = (b->before.products_i8 + after.products_i8) / 2;
    b->before = after;
    const double least = (double)b->prompt_cost.products_f32 / m->f32 + (double)b->prompt_cost.products_i8 / m->i8; /* seconds */
    m->prompt_share = least * m->prompt / b->n_prompt;
    m->read_share = token_bytes(b) * m->generated / m->read;
    return 0;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct spread {
    double median, least, most;
};

/* Of the runs' values at `offset` in struct measured. */
static struct spread spread(const struct bench *b, size_t offset)
{
    const size_t n = (size_t)b->s->repeat;
    for (size_t i = 0; i < n; i++) memcpy(&b->sorted[i], (const char *)&b->run[i] + offset, sizeof *b->sorted);
    qsort(b->sorted, n, sizeof *b->sorted, compare);
    return (struct spread){ (b->sorted[(n - 1) / 2] + b->sorted[n / 2]) / 2, b->sorted[0], b->sorted[n - 1] };
}

static double median(const struct bench *b, size_t offset)
{
    return spread(b, offset).median;
}

static const struct {
    const char *name;
    size_t      offset;
} fields[] = {
    { "prompt_tokens_per_second", offsetof(struct measured, prompt) },
    { "generated_tokens_per_second", offsetof(struct measured, generated) },
    { "first_token_seconds", offsetof(struct measured, first) },
    { "prompt_share", offsetof(struct measured, prompt_share) },
    { "generated_share", offsetof(struct measured, read_share) },
    { "read_bytes_per_second", offsetof(struct measured, read) },
    { "read_bytes_per_second_before", offsetof(struct measured, read_before) },
    { "read_bytes_per_second_after", offsetof(struct measured, read_after) },
    { "products_f32_per_second", offsetof(struct measured, f32) },
    { "products_i8_per_second", offsetof(struct measured, i8) },
};

static void json_fields(const struct bench *b, const struct measured *m, struct buf *out)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        double value;
        if (m) memcpy(&value, (const char *)m + fields[i].offset, sizeof value);
        buf_printf(out, "%s\"%s\": ", i ? ", " : "", fields[i].name);
        buf_json_number(out, m ? value : median(b, fields[i].offset));
    }
}

/* The least and the most of each. */
static void json_spread(const struct bench *b, struct buf *out)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const struct spread s = spread(b, fields[i].offset);
        buf_printf(out, "%s\"%s\": [", i ? ", " : "", fields[i].name);
        buf_json_number(out, s.least);
        buf_puts(out, ", ");
        buf_json_number(out, s.most);
        buf_puts(out, "]");
    }
}

static void bench_json(const struct bench *b, struct buf *out)
{
    buf_puts(out, "{\"model\": ");
    buf_json_string(out, str_from(b->s->words.v[0]));
    buf_puts(out, ", \"family\": ");
    buf_json_string(out, str_from(b->info.family ? b->info.family : ""));
    buf_printf(out, ", \"parameters\": %" PRId64 ", \"bytes\": %" PRId64, b->info.parameters, b->info.bytes);
    buf_printf(out, ", \"prompt_tokens\": %d, \"generated_tokens\": %d, \"runs\": %" PRId64, b->n_prompt, b->n_generate,
               b->s->repeat);
    buf_printf(out, ", \"token_weight_bytes\": %" PRId64 ", \"token_cache_bytes\": %" PRId64, b->token_cost.weight_bytes,
               b->token_cost.cache_bytes);
    buf_printf(out, ", \"prompt_products_f32\": %" PRId64 ", \"prompt_products_i8\": %" PRId64 ", ", b->prompt_cost.products_f32,
               b->prompt_cost.products_i8);
    json_fields(b, NULL, out);
    buf_puts(out, ", \"spread\": {");
    json_spread(b, out);
    buf_printf(out, "}, \"peak_bytes\": %" PRIu64 ", \"measured\": [", b->peak);
    for (int64_t i = 0; i < b->s->repeat; i++) {
        buf_puts(out, i ? ", {" : "{");
        json_fields(b, &b->run[i], out);
        buf_puts(out, "}");
    }
    buf_puts(out, "]}\n");
}

static void bench_text(const struct bench *b, struct buf *out)
{
    const struct spread prompt = spread(b, offsetof(struct measured, prompt_share));
    const struct spread read = spread(b, offsetof(struct measured, read_share));
    const struct spread before = spread(b, offsetof(struct measured, read_before));
    const struct spread after = spread(b, offsetof(struct measured, read_after));
    const double least = before.least < after.least ? before.least : after.least, most = before.most > after.most ? before.most : after.most;
    buf_printf(out, "prompt      %6d tokens  %10.1f tokens/s   %3.0f %% of multiplying (%.0f to %.0f), first token after %.0f ms\n",
               b->n_prompt, median(b, offsetof(struct measured, prompt)), 1e2 * prompt.median, 1e2 * prompt.least,
               1e2 * prompt.most, 1e3 * median(b, offsetof(struct measured, first)));
    buf_printf(out, "generation  %6d tokens  %10.1f tokens/s   %3.0f %% of reading (%.0f to %.0f), %.1f MB a token\n",
               b->n_generate, median(b, offsetof(struct measured, generated)), 1e2 * read.median, 1e2 * read.least,
               1e2 * read.most, 1e-6 * token_bytes(b));
    buf_printf(out, "machine     reads %.1f GB/s (%.1f to %.1f), multiplies and adds %.0f billion a second in f32, %.0f in bytes\n",
               1e-9 * median(b, offsetof(struct measured, read)), 1e-9 * least, 1e-9 * most,
               1e-9 * median(b, offsetof(struct measured, f32)), 1e-9 * median(b, offsetof(struct measured, i8)));
}

static int bench_print(const struct bench *b, struct hearth_error *err)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    if (b->s->json)
        bench_json(b, &out);
    else
        bench_text(b, &out);
    const int status = output_buf(&b->s->terminal, &out, err);
    buf_free(&out);
    return status;
}

int cmd_bench(const struct settings *s, struct hearth_error *err)
{
    struct bench b = { .s = s, .info = { .size = sizeof b.info } };
    int status = bench_open(&b, err);
    if (!status) status = bench_probe_first(&b, err);
    progress_start(&b.progress, s->quiet ? NULL : &s->terminal, "measuring");
    for (int64_t run = 0; !status && run < s->repeat; run++) {
        status = bench_run(&b, run, err);
        if (!status) status = bench_probe(&b, run, err);
    }
    progress_end(&b.progress);
    if (!status) status = bench_print(&b, err);
    bench_close(&b);
    return status;
}
