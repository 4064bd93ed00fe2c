/* Memory that runs out: every allocation between opening a model and its last token fails in turn, heap and backend alike. Each
 * time HEARTH_E_MEMORY with a sentence must come back, nothing may be lost (the sanitizer looks for leaks), and the session
 * must go on as if nothing had been. Named so that it always runs sanitized. */
#include "test.h"

#include "backends/cpu/cpu_backend.h"
#include "base/mem.h"
#include "engine/session.h"

static const char *const models[] = {
    "text/llama", "text/llama/model.gguf", "text/llama3", "text/mixtral", "text/mixtral/model.gguf", "text/mistral-swa", "text/t5", "text/t5/model.gguf",
    "text/gpt2", "text/gpt2/model.gguf", "text/rwkv4", "text/deepseek_v3", "text/mamba",
};
#define N_MODELS (sizeof models / sizeof *models)

enum { TOKENS = 3 };

/* What one run came to. */
struct outcome {
    int                 status;
    struct hearth_error err;
    int32_t             token[TOKENS];
    size_t              n_text;
};

static int count_text(void *user, const hearth_event *e)
{
    *(size_t *)user += e->n_text;
    return 0;
}

static int make_sampling(hearth_sampling **out, struct hearth_error *err)
{
    int status = hearth_sampling_new(out, err);
    if (!status) status = hearth_sampling_set(*out, "temperature", 0.7, err);
    if (!status) status = hearth_sampling_set(*out, "top_k", 40, err);
    if (!status) status = hearth_sampling_set(*out, "top_p", 0.9, err);
    if (!status) status = hearth_sampling_set(*out, "repetition_penalty", 1.1, err);
    return status;
}

/* A prompt of text to three tokens and their text. */
static int tell(hearth_model *m, hearth_session *s, struct outcome *o)
{
    static const char prompt[] = "Once upon a time";
    static const char *const stop[] = { "\n\nEND" };
    const hearth_tokenizer *t;
    hearth_sampling *sampling = NULL;
    hearth_request r = { .size = sizeof r, .max_tokens = TOKENS, .ignore_end = 1, .seed = 7, .stop = stop, .n_stop = 1 };
    int32_t *ids = NULL;
    size_t n_bytes;
    char *text = NULL;
    o->n_text = 0;
    int status = hearth_model_tokenizer(m, &t, &o->err);
    if (!status) status = hearth_encode(t, prompt, sizeof prompt - 1, 1, &ids, &r.n_ids, &o->err);
    if (!status) status = make_sampling(&sampling, &o->err);
    r.ids = ids;
    r.sampling = sampling;
    if (!status) status = hearth_generate(s, &r, 1, count_text, &o->n_text, NULL, &o->err);
    if (!status) {
        assert_int_equal(r.n_generated, TOKENS);
        memcpy(o->token, r.generated, sizeof o->token);
        status = hearth_decode(t, r.generated, TOKENS, &text, &n_bytes, &o->err);
        hearth_free(r.generated);
        if (!status) hearth_free(text);
    }
    hearth_sampling_free(sampling);
    hearth_free(ids);
    return status;
}

static const hearth_session_options session_options = { .size = sizeof session_options, .sequences = 2, .context = 40, .chunk = 8 };

static void open_and_tell(const char *path, struct outcome *o)
{
    hearth_model *m = NULL;
    hearth_session *s = NULL;
    *o = (struct outcome){ 0 };
    o->status = hearth_model_open(&m, path, &(hearth_model_options){ .size = sizeof(hearth_model_options), .threads = 2 }, &o->err);
    if (!o->status) o->status = hearth_session_new(&s, m, &session_options, &o->err);
    if (!o->status) o->status = tell(m, s, o);
    hearth_session_free(s);
    hearth_model_close(m);
}

/* What is only for speed may be done without (PCRE2's compiled expressions), if nothing else comes out: returns 1. */
static int check_outcome(const struct outcome *o, const struct outcome *want, const char *what, const char *model, uint64_t nth)
{
    if (!o->status && want && !memcmp(o->token, want->token, sizeof o->token) && o->n_text == want->n_text) return 1;
    if (!o->status) fail_msg("%s: %s %llu failed and nobody said so", model, what, (unsigned long long)nth);
    if (o->status != HEARTH_E_MEMORY)
        fail_msg("%s: %s %llu failed: %s: %s", model, what, (unsigned long long)nth, hearth_status_name(o->status), o->err.text);
    if (!o->err.text[0] || o->err.status != o->status) fail_msg("%s: %s %llu failed: no sentence", model, what, (unsigned long long)nth);
    return 0;
}

/* Each allocation in turn, of everything. */
static void every_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        struct outcome want, got;
        const char *path = hearth_golden(models[i]);
        const uint64_t before = mem_count();
        open_and_tell(path, &want);
        assert_ok(want.status, &want.err);
        assert_true(want.n_text > 0);
        const uint64_t n = mem_count() - before;
        uint64_t without = 0;
        for (uint64_t k = 1; k <= n; k++) {
            mem_fail_at(k);
            open_and_tell(path, &got);
            mem_fail_at(0);
            without += (uint64_t)check_outcome(&got, &want, "allocation", models[i], k);
        }
        printf("# %s: %llu allocations, %llu done without\n", models[i], (unsigned long long)n, (unsigned long long)without);
        assert_true(n > 50 && without <= 24);
    }
}

/* The same model and session after each failure: they still tell the same. */
static void sessions_go_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        struct outcome want, got = { 0 };
        struct hearth_error err = { 0 };
        hearth_model *m = NULL;
        hearth_session *s = NULL;
        const char *path = hearth_golden(models[i]);
        open_and_tell(path, &want);
        assert_ok(want.status, &want.err);
        assert_ok(hearth_model_open(&m, path, &(hearth_model_options){ .size = sizeof(hearth_model_options), .threads = 2 }, &err), &err);
        assert_ok(hearth_session_new(&s, m, &session_options, &err), &err);
        uint64_t k = 0;
        bool hit;
        do {
            const uint64_t before = mem_count();
            mem_fail_at(++k);
            got.status = tell(m, s, &got);
            mem_fail_at(0);
            hit = k <= mem_count() - before;
            if (hit) check_outcome(&got, &want, "allocation", models[i], k);
            if (k % 5) continue; /* a failure may also follow another */
            assert_ok(tell(m, s, &got), &got.err);
            assert_memory_equal(want.token, got.token, sizeof got.token);
            assert_int_equal(want.n_text, got.n_text);
        } while (hit);
        assert_true(k > 20);
        assert_ok(got.status, &got.err);
        assert_memory_equal(want.token, got.token, sizeof got.token);
        hearth_session_free(s);
        hearth_model_close(m);
    }
}

/* ---- backend memory: a backend that gives nothing the nth time */

struct short_backend {
    struct backend  api; /* first */
    struct backend *cpu;
    int             calls, fail_at; /* of alloc and reserve */
    int             held;
};

static void *short_alloc(struct backend *api, uint64_t bytes)
{
    struct short_backend *b = (struct short_backend *)api;
    void *p = ++b->calls == b->fail_at ? NULL : b->cpu->alloc(b->cpu, bytes);
    b->held += p != NULL;
    return p;
}

static void short_release(struct backend *api, void *p, uint64_t bytes)
{
    struct short_backend *b = (struct short_backend *)api;
    b->held--;
    b->cpu->release(b->cpu, p, bytes);
}

static void short_write(struct backend *api, void *dst, const void *src, uint64_t bytes)
{
    struct short_backend *b = (struct short_backend *)api;
    b->cpu->write(b->cpu, dst, src, bytes);
}

static void short_read(struct backend *api, void *dst, const void *src, uint64_t bytes)
{
    struct short_backend *b = (struct short_backend *)api;
    b->cpu->read(b->cpu, dst, src, bytes);
}

static int short_reserve(struct backend *api, const struct op_record *r, int n, const struct ragged *g, struct hearth_error *err)
{
    struct short_backend *b = (struct short_backend *)api;
    if (++b->calls == b->fail_at) return fail_memory(err, 1, "the work space of the kernels");
    return b->cpu->reserve(b->cpu, r, n, g, err);
}

static int short_run(struct backend *api, const struct op_record *r, int n, const struct ragged *g, const volatile int *cancel, struct hearth_error *err)
{
    struct short_backend *b = (struct short_backend *)api;
    return b->cpu->run(b->cpu, r, n, g, cancel, err);
}

/* Ids to tokens with the allocation fail_at (1: the first) failing; run_now: as verify does. Returns how many there were. */
static int tell_short(const char *path, int fail_at, bool run_now, struct outcome *o)
{
    static const int32_t ids[] = { 3, 5, 8, 13, 21 };
    struct hearth_model m = { .looked = true };
    hearth_session *s = NULL;
    hearth_request r = { .size = sizeof r, .ids = ids, .n_ids = 5, .max_tokens = TOKENS, .ignore_end = 1 };
    struct short_backend b = { { "short", short_alloc, short_release, short_write, short_read, short_reserve, short_run }, .fail_at = fail_at };
    *o = (struct outcome){ 0 };
    assert_ok(cpu_backend_new(&b.cpu, &(struct cpu_options){ .threads = 1 }, &o->err), &o->err);
    m.backend = &b.api;
    pthread_mutex_init(&m.turn, NULL);
    pthread_mutex_init(&m.lock, NULL);
    o->status = model_open(&m.m, path, m.backend, &o->err);
    if (!o->status) o->status = session_new(&s, &m, &session_options, run_now, &o->err);
    if (!o->status) o->status = hearth_generate(s, &r, 1, NULL, NULL, NULL, &o->err);
    if (!o->status) hearth_free(r.generated);
    hearth_session_free(s);
    model_close(m.m);
    cpu_backend_free(b.cpu);
    if (b.held) fail_msg("%s: %d pieces of backend memory were not given back", path, b.held);
    return b.calls;
}

static void every_backend_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MODELS; i++) {
        const char *path = hearth_golden(models[i]);
        for (int run_now = 0; run_now < 2; run_now++) {
            struct outcome o;
            const int n = tell_short(path, 0, run_now, &o);
            assert_ok(o.status, &o.err);
            for (int k = 1; k <= n; k += run_now && k > 20 ? 7 : 1) {
                tell_short(path, k, run_now, &o);
                check_outcome(&o, NULL, run_now ? "run-now backend allocation" : "backend allocation", models[i], (uint64_t)k);
            }
            printf("# %s%s: %d backend allocations\n", models[i], run_now ? " run-now" : "", n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation), cmocka_unit_test(sessions_go_on), cmocka_unit_test(every_backend_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
