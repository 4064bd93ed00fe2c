/* Tensor memory is touched inside ops only. A backend whose memory cannot be read or written by anybody but its own run, write
 * and read (as a GPU's) must give the same bits as the ordinary one: every family, from each container, and whole texts. */
#include "test.h"

#include <sys/mman.h>

#include "golden_data.h"

#include "backends/cpu/cpu_backend.h"
#include "engine/session.h"

/* ---- the backend: the ordinary one, over memory that is closed while it does not run */

enum { REGIONS = 1 << 16 }; /* run-now tapes have an allocation a tensor */

struct closed {
    struct backend  api; /* first */
    struct backend *cpu;
    struct region {
        char  *p;
        size_t bytes;
    } *region;
    int n, peak, runs;
};

static void set_access(const struct closed *b, int access)
{
    for (int i = 0; i < b->n; i++)
        if (mprotect(b->region[i].p, b->region[i].bytes, access)) fail_msg("cannot protect memory");
}

static void *closed_alloc(struct backend *api, uint64_t bytes)
{
    struct closed *b = (struct closed *)api;
    const size_t room = (bytes + 4095) / 4096 * 4096 + (bytes ? 0 : 4096);
    void *p = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED || b->n == REGIONS) fail_msg("no memory for %llu bytes", (unsigned long long)bytes);
    b->region[b->n++] = (struct region){ p, room };
    if (b->n > b->peak) b->peak = b->n;
    return p;
}

static void closed_release(struct backend *api, void *p, uint64_t bytes)
{
    struct closed *b = (struct closed *)api;
    int i = 0;
    while (i < b->n && b->region[i].p != p) i++;
    if (i == b->n) fail_msg("memory was released that is not held");
    if (b->region[i].bytes != (bytes + 4095) / 4096 * 4096 + (bytes ? 0 : 4096)) fail_msg("memory was released with another size");
    munmap(p, b->region[i].bytes);
    b->region[i] = b->region[--b->n];
}

/* The pages that [p, p + bytes) touches; everything must lie in one region. */
static void open_window(struct closed *b, const void *p, uint64_t bytes, int access)
{
    const uintptr_t from = (uintptr_t)p & ~(uintptr_t)4095, to = ((uintptr_t)p + bytes + 4095) & ~(uintptr_t)4095;
    bool inside = false;
    for (int i = 0; i < b->n && !inside; i++)
        inside = (const char *)p >= b->region[i].p && (const char *)p + bytes <= b->region[i].p + b->region[i].bytes;
    if (!inside) fail_msg("a copy of %llu bytes leaves backend memory", (unsigned long long)bytes);
    if (to > from && mprotect((void *)from, to - from, access)) fail_msg("cannot protect memory");
}

static void closed_write(struct backend *api, void *dst, const void *src, uint64_t bytes)
{
    struct closed *b = (struct closed *)api;
    open_window(b, dst, bytes, PROT_READ | PROT_WRITE);
    memcpy(dst, src, bytes);
    open_window(b, dst, bytes, PROT_NONE);
}

static void closed_read(struct backend *api, void *dst, const void *src, uint64_t bytes)
{
    struct closed *b = (struct closed *)api;
    open_window(b, src, bytes, PROT_READ);
    memcpy(dst, src, bytes);
    open_window(b, src, bytes, PROT_NONE);
}

static int closed_reserve(struct backend *api, const struct op_record *r, int n, const struct ragged *g, struct hearth_error *err)
{
    struct closed *b = (struct closed *)api;
    return b->cpu->reserve(b->cpu, r, n, g, err);
}

static int closed_run(struct backend *api, const struct op_record *r, int n, const struct ragged *g, const volatile int *cancel, struct hearth_error *err)
{
    struct closed *b = (struct closed *)api;
    set_access(b, PROT_READ | PROT_WRITE);
    const int status = b->cpu->run(b->cpu, r, n, g, cancel, err);
    set_access(b, PROT_NONE);
    b->runs++;
    return status;
}

/* ---- a model over either backend */

struct opened {
    struct hearth_model m;
    struct closed       closed;
    struct backend     *cpu;
};

static struct opened *open_model(const char *path, bool is_closed, enum hearth_arith arith)
{
    struct hearth_error err = { 0 };
    struct opened *o = calloc(1, sizeof *o);
    o->m.arith = arith;
    o->m.looked = true;
    assert_ok(cpu_backend_new(&o->cpu, &(struct cpu_options){ .threads = 2, .arith = arith }, &err), &err);
    o->closed = (struct closed){ { "closed", closed_alloc, closed_release, closed_write, closed_read, closed_reserve, closed_run }, .cpu = o->cpu };
    o->closed.region = calloc(REGIONS, sizeof *o->closed.region);
    o->m.backend = is_closed ? &o->closed.api : o->cpu;
    assert_int_equal(pthread_mutex_init(&o->m.turn, NULL), 0);
    assert_int_equal(pthread_mutex_init(&o->m.lock, NULL), 0);
    assert_ok(model_open(&o->m.m, path, o->m.backend, &err), &err);
    return o;
}

static void close_model(struct opened *o)
{
    model_close(o->m.m);
    assert_int_equal(o->closed.n, 0); /* all was released */
    if (o->m.backend == &o->closed.api) assert_true(o->closed.runs > 0);
    cpu_backend_free(o->cpu);
    free(o->closed.region);
    free(o);
}

static hearth_session *open_session(struct opened *o, int32_t sequences, int32_t context, int32_t chunk, bool run_now)
{
    struct hearth_error err = { 0 };
    hearth_session *s = NULL;
    const hearth_session_options options = { .size = sizeof options, .sequences = sequences, .context = context, .chunk = chunk };
    assert_ok(session_new(&s, &o->m, &options, run_now, &err), &err);
    return s;
}

/* ---- logits */

/* Of every row (encoder-decoders: the states of the source, then the first row's); *count values. */
static float *all_logits(const char *path, bool is_closed, bool run_now, enum hearth_arith arith, const int32_t *ids, int32_t n, size_t *count)
{
    struct hearth_error err = { 0 };
    struct opened *o = open_model(path, is_closed, arith);
    const struct arch *a = &o->m.m->arch;
    hearth_session *s = open_session(o, 1, n, 7, run_now);
    float *out = calloc((size_t)n, (size_t)(a->n_vocab + a->width) * sizeof *out);
    const int32_t start = a->start;
    *count = 0;
    if (a->n_encoder_layer) {
        assert_ok(session_encode(s, 0, ids, n, out, NULL, &err), &err);
        *count = (size_t)n * (size_t)a->width;
        ids = &start;
        n = 1;
    }
    for (int32_t at = 0; at < n; at += 7) {
        struct part p = { .ids = ids + at, .n = n - at < 7 ? n - at : 7, .rope_length = n };
        p.want = p.n;
        assert_ok(session_step(s, &p, 1, NULL, &err), &err);
        memcpy(out + *count, s->logits, (size_t)p.n * (size_t)a->n_vocab * sizeof *out);
        *count += (size_t)p.n * (size_t)a->n_vocab;
    }
    hearth_session_free(s);
    close_model(o);
    return out;
}

static void check_logits(const char *path, enum hearth_arith arith, const int32_t *ids, int32_t n)
{
    size_t count, same;
    float *want = all_logits(path, false, false, arith, ids, n, &count);
    for (int run_now = 0; run_now < 2; run_now++) {
        float *got = all_logits(path, true, run_now, arith, ids, n, &same);
        assert_int_equal(count, same);
        if (memcmp(want, got, count * sizeof *got)) fail_msg("%s: other bits from closed memory", path);
        free(got);
    }
    free(want);
}

enum gguf { GGUF_NONE, GGUF_SAME, GGUF_ROUNDED, GGUF_LOSES_FACT };

static const struct {
    const char *name;
    enum gguf   gguf;
    double      limit;
} goldens[] = {
#define GOLDEN(...) { __VA_ARGS__ },
#include "goldens.def"
#undef GOLDEN
};
#define N_GOLDENS (sizeof goldens / sizeof *goldens)

static const char *golden_text(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "text/%s", name);
    return hearth_golden(path);
}

static void logits_have_the_same_bits(void **state)
{
    (void)state;
    uint64_t n;
    for (size_t i = 0; i < N_GOLDENS; i++) {
        struct container *want = golden_open(test_path(golden_text(goldens[i].name), "expected.safetensors"));
        const int32_t *ids = golden_i32(want, "input_ids", &n);
        const char *gguf = test_path(golden_text(goldens[i].name), "model.gguf");
        check_logits(golden_text(goldens[i].name), HEARTH_ARITH_F32, ids, (int32_t)n);
        if (goldens[i].gguf != GGUF_NONE) check_logits(gguf, HEARTH_ARITH_AUTO, ids, (int32_t)n);
        container_close(want);
    }
    struct container *want = golden_open(hearth_golden("quants/model-expected.safetensors"));
    const int32_t *ids = golden_i32(want, "input_ids", &n);
    check_logits(hearth_golden("quants/model-Q4_K_M.gguf"), HEARTH_ARITH_I8, ids, (int32_t)n);
    check_logits(hearth_golden("quants/model-Q8_0.gguf"), HEARTH_ARITH_F32, ids, (int32_t)n);
    container_close(want);
}

/* ---- whole texts */

static const int32_t story[] = { 1, 403, 407, 261, 378, 432, 286, 265, 261, 400, 410, 434, 300, 267, 269, 372, 290, 501, 7, 9 };

enum { SEQUENCES = 3, TOKENS = 20, ROUNDS = 3 };

/* Three texts side by side; then prompts that go on from what the sequences hold; then shorter ones. */
static void tell(const char *path, bool is_closed, int32_t out[ROUNDS][SEQUENCES][TOKENS], int32_t cached[ROUNDS][SEQUENCES])
{
    static const size_t length[ROUNDS] = { 12, 19, 6 };
    struct hearth_error err = { 0 };
    struct opened *o = open_model(path, is_closed, HEARTH_ARITH_AUTO);
    hearth_session *s = open_session(o, SEQUENCES, 80, 8, false);
    int32_t ids[sizeof story / sizeof *story];
    for (size_t i = 0; i < sizeof story / sizeof *story; i++) ids[i] = story[i] % o->m.m->arch.n_vocab; /* bytes are few */
    for (int round = 0; round < ROUNDS; round++) {
        hearth_request r[SEQUENCES];
        for (int i = 0; i < SEQUENCES; i++)
            r[i] = (hearth_request){ .size = sizeof *r, .ids = ids + i % 2, .n_ids = length[round] - (size_t)i, .max_tokens = TOKENS - i, .ignore_end = 1 };
        assert_ok(hearth_generate(s, r, SEQUENCES, NULL, NULL, NULL, &err), &err);
        for (int i = 0; i < SEQUENCES; i++) {
            assert_int_equal(r[i].n_generated, TOKENS - i);
            memcpy(out[round][i], r[i].generated, (size_t)r[i].n_generated * sizeof(int32_t));
            cached[round][i] = r[i].n_cached;
            hearth_free(r[i].generated);
        }
    }
    hearth_session_free(s);
    close_model(o);
}

static void texts_are_the_same(void **state)
{
    (void)state;
    int reused = 0;
    for (size_t f = 0; f < N_GOLDENS; f++) {
        int32_t want[ROUNDS][SEQUENCES][TOKENS] = { 0 }, got[ROUNDS][SEQUENCES][TOKENS] = { 0 };
        int32_t cached[ROUNDS][SEQUENCES], same[ROUNDS][SEQUENCES];
        tell(golden_text(goldens[f].name), false, want, cached);
        tell(golden_text(goldens[f].name), true, got, same);
        if (memcmp(want, got, sizeof got)) fail_msg("%s: other tokens from closed memory", goldens[f].name);
        assert_memory_equal(cached, same, sizeof same);
        for (int i = 0; i < SEQUENCES; i++) reused += same[1][i] >= 10 - i;
    }
    assert_true(reused > 2 * SEQUENCES); /* prefixes were known */
}

/* The test itself: nobody can read memory between runs. (A system call, asked to read there, says so without a signal.) */
static void memory_is_closed(void **state)
{
    (void)state;
    struct opened *o = open_model(golden_text("t5"), true, HEARTH_ARITH_AUTO);
    hearth_session *s = open_session(o, 1, 16, 8, false);
    hearth_request r = { .size = sizeof r, .ids = story, .n_ids = 6, .max_tokens = 2, .ignore_end = 1 };
    struct hearth_error err = { 0 };
    int end[2];
    assert_ok(hearth_generate(s, &r, 1, NULL, NULL, NULL, &err), &err);
    hearth_free(r.generated);
    assert_int_equal(pipe(end), 0);
    assert_true(o->closed.n >= 4);
    for (int i = 0; i < o->closed.n; i++) assert_int_equal(write(end[1], o->closed.region[i].p, 1), -1);
    const void *const data[] = { o->m.m->layer[0].bias->data, o->m.m->encoder_layer[0].bias->data, s->ids.data, s->tape->memory, cache_groups(s->cache)[0].pool };
    for (size_t i = 0; i < sizeof data / sizeof *data; i++) assert_int_equal(write(end[1], data[i], 1), -1);
    close(end[0]);
    close(end[1]);
    hearth_session_free(s);
    close_model(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_closed), cmocka_unit_test(logits_have_the_same_bits), cmocka_unit_test(texts_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
