/* Where a step's time goes: microseconds for each op, and what recording, planning and everything else around them costs; for
 * steps of one token, then for a prompt.
 * usage: bench_step [MODEL] [TOKENS] [PROMPT_TOKENS] */
#include <stdio.h>
#include <stdlib.h>

#include "backends/cpu/cpu_backend.h"
#include "base/cpu.h"
#include "engine/session.h"

/* A backend that hands every record to the real one and keeps the time. */
struct timed {
    struct backend  api;
    struct backend *inner;
    uint64_t        ns[OP_COUNT], calls[OP_COUNT];
};

static void *timed_alloc(struct backend *b, uint64_t bytes) { return ((struct timed *)b)->inner->alloc(((struct timed *)b)->inner, bytes); }
static void timed_release(struct backend *b, void *p, uint64_t bytes) { ((struct timed *)b)->inner->release(((struct timed *)b)->inner, p, bytes); }
static void timed_write(struct backend *b, void *dst, const void *src, uint64_t n) { ((struct timed *)b)->inner->write(((struct timed *)b)->inner, dst, src, n); }
static void timed_read(struct backend *b, void *dst, const void *src, uint64_t n) { ((struct timed *)b)->inner->read(((struct timed *)b)->inner, dst, src, n); }

static int timed_reserve(struct backend *b, const struct op_record *r, int n, const struct ragged *g, struct hearth_error *err)
{
    return ((struct timed *)b)->inner->reserve(((struct timed *)b)->inner, r, n, g, err);
}

static int timed_run(struct backend *b, const struct op_record *r, int n, const struct ragged *g, const volatile int *cancel, struct hearth_error *err)
{
    struct timed *t = (struct timed *)b;
    for (int i = 0; i < n; i++) {
        const uint64_t from = clock_ns();
        int status = t->inner->run(t->inner, &r[i], 1, g, cancel, err);
        t->ns[r[i].op] += clock_ns() - from;
        t->calls[r[i].op]++;
        if (status) return status;
    }
    return 0;
}

static int open_timed(struct timed *t, struct hearth_model *m, const char *path, hearth_session **s, struct hearth_error *err)
{
    t->api = (struct backend){ "timed", timed_alloc, timed_release, timed_write, timed_read, timed_reserve, timed_run };
    int status = cpu_backend_new(&t->inner, &(struct cpu_options){ .threads = 0 }, err);
    m->backend = &t->api;
    if (!status) status = model_open(&m->m, path, m->backend, err);
    return status ? status : hearth_session_new(s, m, NULL, err);
}

static int run_tokens(hearth_session *s, int n, struct hearth_error *err)
{
    int status = 0;
    for (int i = 0; i < n && !status; i++) {
        const int32_t id = 1 + i % 200;
        status = session_step(s, &(struct part){ .ids = &id, .n = 1, .rope_length = i + 1, .want = 1 }, 1, NULL, err);
    }
    return status;
}

enum { CHUNK_ROWS = 256 }; /* of a prompt, at once */

static int run_prompt(hearth_session *s, int n, struct hearth_error *err)
{
    int32_t ids[CHUNK_ROWS];
    int status = 0;
    for (int i = 0; i < CHUNK_ROWS; i++) ids[i] = 1 + i % 200;
    for (int i = 0; i < n && !status; i += CHUNK_ROWS) {
        const int rows = n - i < CHUNK_ROWS ? n - i : CHUNK_ROWS;
        status = session_step(s, &(struct part){ .ids = ids, .n = rows, .rope_length = i + rows, .want = i + rows == n }, 1, NULL, err);
    }
    return status;
}

static void print_table(const struct timed *t, uint64_t total, int n)
{
    static const int products[] = { OP_LINEAR, OP_EXPERTS, OP_ATTENTION };
    uint64_t in_ops = 0, in_products = 0, small = 0;
    printf("%-12s %8s %12s\n", "op", "calls", "us a step");
    for (int i = 0; i < OP_COUNT; i++) {
        if (!t->calls[i]) continue;
        printf("%-12s %8.0f %12.2f %6.1f %%\n", op_table[i].name, (double)t->calls[i] / n, (double)t->ns[i] * 1e-3 / n,
               100.0 * (double)t->ns[i] / (double)total);
        in_ops += t->ns[i];
    }
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) in_products += t->ns[products[i]];
    small = in_ops - in_products;
    printf("%-12s %8s %12.2f\n", "around ops", "", (double)(total - in_ops) * 1e-3 / n);
    printf("%-12s %8s %12.2f   beside products and attention %.2f us (%.1f %%)\n", "step", "", (double)total * 1e-3 / n,
           (double)(small + total - in_ops) * 1e-3 / n, 100.0 * (double)(small + total - in_ops) / (double)total);
}

typedef int steps_fn(hearth_session *s, int n, struct hearth_error *err);

/* Once to warm up, then with the clock. */
static int measure(struct timed *t, hearth_session *s, steps_fn *steps, int n, int parts, const char *what, struct hearth_error *err)
{
    int status = steps(s, n, err);
    if (status) return status;
    session_trim(s, 0, 0);
    memset(t->ns, 0, sizeof t->ns);
    memset(t->calls, 0, sizeof t->calls);
    const uint64_t from = clock_ns();
    status = steps(s, n, err);
    printf("\n%s of %d tokens, %d threads\n", what, n, cpu_backend_threads(t->inner));
    if (!status) print_table(t, clock_ns() - from, parts);
    session_trim(s, 0, 0);
    return status;
}

int main(int argc, char **argv)
{
    struct timed t = { 0 };
    struct hearth_model m = { 0 };
    struct hearth_error err = { 0 };
    hearth_session *s = NULL;
    const char *path = argc > 1 ? argv[1] : "models/tale";
    const int n = argc > 2 ? atoi(argv[2]) : 200, prompt = argc > 3 ? atoi(argv[3]) : 128;
    int status = open_timed(&t, &m, path, &s, &err);
    printf("%s\n", path);
    if (!status && n > 0) status = measure(&t, s, run_tokens, n, n, "generation", &err);
    if (!status && prompt > 0) status = measure(&t, s, run_prompt, prompt, 1, "prompt", &err);
    if (status) fprintf(stderr, "bench_step: %s\n", err.text);
    hearth_session_free(s);
    model_close(m.m);
    cpu_backend_free(t.inner);
    return status ? 1 : 0;
}
