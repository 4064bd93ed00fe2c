/* Every family against its recorded reference: each tensor of each layer, logits and greedy ids, from every container there is;
 * and the fast CPU drivers against the plain reference ops. */
#include "test.h"

#include <math.h>

#include "golden_data.h"

#include "backends/cpu/cpu_backend.h"
#include "engine/session.h"
#include "hearth_inspect.h"

/* What the GGUF beside a golden can still give. */
enum gguf { GGUF_NONE, GGUF_SAME, GGUF_ROUNDED, GGUF_LOSES_FACT };

static const struct golden {
    const char *name;
    enum gguf   gguf;
    double      gguf_limit;
} goldens[] = {
#define GOLDEN(...) { __VA_ARGS__ },
#include "goldens.def"
#undef GOLDEN
}, encoders[] = {
#define GOLDEN(...)
#define ENCODER(...) { __VA_ARGS__ },
#include "goldens.def"
#undef GOLDEN
};
#define N_GOLDENS (sizeof goldens / sizeof *goldens)
#define N_ENCODERS (sizeof encoders / sizeof *encoders)

static int keep_text(void *user, const char *text, size_t n)
{
    struct buf *b = user;
    buf_put(b, text, n);
    return 0;
}

static bool verify_differs(const char *path, double limit)
{
    struct hearth_error err = { 0 };
    const hearth_model_options o = { .size = sizeof o, .threads = 2, .arith = HEARTH_ARITH_F32 };
    int differs = -1;
    struct buf b;
    buf_init(&b, 1 << 20);
    int status = hearth_verify(path, &o, limit, 0, keep_text, &b, &differs, &err);
    if (differs) printf("# %s\n%s\n", path, b.p ? b.p : "");
    buf_free(&b);
    assert_ok(status, &err);
    return differs != 0;
}

static const char *golden_file(const char *name, const char *file)
{
    char path[200];
    snprintf(path, sizeof path, "text/%s%s%s", name, file[0] ? "/" : "", file);
    return hearth_golden(path);
}

static void folders_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_GOLDENS; i++) assert_false(verify_differs(golden_file(goldens[i].name, ""), 1e-5));
    for (size_t i = 0; i < N_ENCODERS; i++) assert_false(verify_differs(golden_file(encoders[i].name, ""), 1e-5));
    assert_false(verify_differs(hearth_source("models/tale"), 1e-5));
}

static void ggufs_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_GOLDENS; i++) {
        if (goldens[i].gguf == GGUF_SAME) assert_false(verify_differs(golden_file(goldens[i].name, "model.gguf"), 1e-5));
        if (goldens[i].gguf == GGUF_ROUNDED) assert_false(verify_differs(golden_file(goldens[i].name, "model.gguf"), goldens[i].gguf_limit));
    }
    for (size_t i = 0; i < N_ENCODERS; i++)
        if (encoders[i].gguf != GGUF_NONE) assert_false(verify_differs(golden_file(encoders[i].name, "model.gguf"), encoders[i].gguf_limit));
}

/* The names of RWKV's training code, and the layout of rwkv.cpp, whose containers state no numbers at all. */
static void native_names_are_exact(void **state)
{
    (void)state;
    static const char *const files[] = { "rwkv4/native.gguf", "rwkv4/cpp.gguf", "rwkv5/native.gguf", "rwkv5-cpp/cpp.gguf", "rwkv5.0/native.gguf",
                                         "rwkv5.1/native.gguf", "rwkv5.1-cpp/cpp.gguf", "rwkv6/native.gguf", "rwkv6/cpp.gguf",
                                         "rwkv7-native/native.gguf", "rwkv7-native/cpp.gguf", "rwkv7-native/model.gguf" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) assert_false(verify_differs(golden_file(files[i], ""), 1e-5));
}

/* ---- drivers against reference ops */

static float *all_logits(const char *path, const struct cpu_options *cpu, int32_t chunk, const int32_t *ids, int32_t n, int64_t *count)
{
    struct hearth_error err = { 0 };
    struct hearth_model m = { .arith = cpu->arith, .looked = true };
    hearth_session *s;
    assert_ok(cpu_backend_new(&m.backend, cpu, &err), &err);
    assert_ok(model_open(&m.m, path, m.backend, &err), &err);
    const hearth_session_options o = { .size = sizeof o, .context = n, .chunk = chunk };
    assert_ok(hearth_session_new(&s, &m, &o, &err), &err);
    *count = (int64_t)n * m.m->arch.n_vocab;
    float *out = malloc((size_t)*count * sizeof *out);
    int32_t start = m.m->arch.start;
    if (m.m->arch.n_encoder_layer) {
        assert_ok(session_encode(s, 0, ids, n, NULL, NULL, &err), &err);
        ids = &start;
        n = 1;
        *count = m.m->arch.n_vocab;
    }
    for (int32_t at = 0; at < n; at += chunk) {
        struct part p = { .ids = ids + at, .n = n - at < chunk ? n - at : chunk, .rope_length = n };
        p.want = p.n;
        assert_ok(session_step(s, &p, 1, NULL, &err), &err);
        memcpy(out + (int64_t)at * m.m->arch.n_vocab, s->logits, (size_t)p.n * (size_t)m.m->arch.n_vocab * sizeof *out);
    }
    hearth_session_free(s);
    model_close(m.m);
    cpu_backend_free(m.backend);
    return out;
}

static void drivers_match_reference_ops(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_GOLDENS; i++) {
        struct container *want = golden_open(golden_file(goldens[i].name, "expected.safetensors"));
        uint64_t n;
        int64_t count, same;
        const int32_t *ids = golden_i32(want, "input_ids", &n);
        float *a = all_logits(golden_file(goldens[i].name, ""), &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32 }, (int32_t)n, ids, (int32_t)n, &count);
        float *b = all_logits(golden_file(goldens[i].name, ""), &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32, .reference = true }, (int32_t)n, ids, (int32_t)n, &same);
        assert_true(count == same);
        for (int64_t k = 0; k < count; k++) assert_true(a[k] - b[k] < 1e-4f && b[k] - a[k] < 1e-4f);
        free(a);
        free(b);
        container_close(want);
    }
}

/* ---- small trained models of rwkv.cpp, with the logits that its own tests expect after the bytes "in */

static const struct {
    const char *model, *expected;
    double      limit; /* largest difference: rounding of floats, or of the weights to 5 bits */
} trained[] = {
    { "4v0-660K-FP32", "4v0-660K", 1e-5 }, { "5v1-730K-FP32", "5v1-730K", 1e-5 }, { "4v0-660K-Q5_1", "4v0-660K", 0.1 }, { "6v0-3m-Q5_1", "6v0-3m", 0.1 },
};

static void trained_models_of_rwkv_cpp(void **state)
{
    (void)state;
    static const int32_t ids[] = { 34, 105, 110 };
    if (!hearth_shared("data/models/rwkv-tiny")) {
        printf("# no data/models/rwkv-tiny beside this tree\n");
        skip();
    }
    for (size_t i = 0; i < sizeof trained / sizeof *trained; i++) {
        char path[200], file[200];
        size_t n;
        int64_t count;
        snprintf(path, sizeof path, "data/models/rwkv-tiny/tiny-rwkv-%s.bin", trained[i].model);
        float *got = all_logits(hearth_shared(path), &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32 }, 3, ids, 3, &count);
        snprintf(file, sizeof file, "data/models/rwkv-tiny/expected-logits-%s.bin", trained[i].expected);
        char *bytes = read_file(hearth_shared(file), &n);
        float want[256];
        double worst = 0;
        assert_true(n == sizeof want && count == 3 * 256);
        memcpy(want, bytes, sizeof want);
        for (int k = 0; k < 256; k++) worst = fmax(worst, fabs((double)got[2 * 256 + k] - (double)want[k]));
        printf("# %s: largest difference %.2e\n", trained[i].model, worst);
        assert_true(worst <= trained[i].limit);
        free(got);
        free(bytes);
    }
}

/* ---- the same bits whatever the threads and chunks, in both arithmetics */

static void check_same_bits(const char *path, const int32_t *ids, int32_t n, enum hearth_arith arith)
{
    static const struct { int threads; int32_t chunk; } ways[] = { { 1, 1 }, { 2, 7 }, { 5, 16 }, { 3, 1000 } };
    int64_t count, same;
    float *want = all_logits(path, &(struct cpu_options){ .threads = 1, .arith = arith }, 1000, ids, n, &count);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        float *got = all_logits(path, &(struct cpu_options){ .threads = ways[w].threads, .arith = arith }, ways[w].chunk, ids, n, &same);
        assert_true(count == same);
        if (memcmp(want, got, (size_t)count * sizeof *got)) fail_msg("%s: %d threads, chunk %d: other bits", path, ways[w].threads, ways[w].chunk);
        free(got);
    }
    free(want);
}

static void same_bits_for_threads_and_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_GOLDENS; i++) {
        struct container *want = golden_open(golden_file(goldens[i].name, "expected.safetensors"));
        uint64_t n;
        const int32_t *ids = golden_i32(want, "input_ids", &n);
        check_same_bits(golden_file(goldens[i].name, ""), ids, (int32_t)n, HEARTH_ARITH_F32);
        container_close(want);
    }
    static const char *const quants[] = { "quants/model-Q4_K_M.gguf", "quants/model-Q5_K_M.gguf", "quants/model-Q8_0.gguf", "quants/model-MXFP4.gguf" };
    struct container *want = golden_open(hearth_golden("quants/model-expected.safetensors"));
    uint64_t n;
    const int32_t *ids = golden_i32(want, "input_ids", &n);
    for (size_t i = 0; i < sizeof quants / sizeof *quants; i++) {
        check_same_bits(hearth_golden(quants[i]), ids, (int32_t)n, HEARTH_ARITH_I8);
        check_same_bits(hearth_golden(quants[i]), ids, (int32_t)n, HEARTH_ARITH_F32);
    }
    container_close(want);
}

/* ---- quantised models against exact arithmetic on the unpacked weights */

static double mean_kl(const float *p_logits, const float *q_logits, int64_t rows, int64_t vocab)
{
    double total = 0;
    for (int64_t r = 0; r < rows; r++) {
        const float *p = p_logits + r * vocab, *q = q_logits + r * vocab;
        double pm = -1e300, qm = -1e300, ps = 0, qs = 0;
        for (int64_t i = 0; i < vocab; i++) pm = p[i] > pm ? p[i] : pm, qm = q[i] > qm ? q[i] : qm;
        for (int64_t i = 0; i < vocab; i++) ps += exp(p[i] - pm), qs += exp(q[i] - qm);
        for (int64_t i = 0; i < vocab; i++) {
            const double lp = p[i] - pm - log(ps), lq = q[i] - qm - log(qs);
            total += exp(lp) * (lp - lq);
        }
    }
    return total / (double)rows;
}

static void quantised_models(void **state)
{
    (void)state;
    static const struct { const char *type, *expected; double kl_i8; } rows[] = { /* 1.1 x llama.cpp's */
        { "Q4_K_M", "quants/model-expected.safetensors", 7.0e-4 },
        { "Q5_K_M", "quants/model-expected.safetensors", 7.6e-4 },
        { "Q8_0", "quants/model-expected.safetensors", 3.3e-4 },
        { "MXFP4", "quants/model-MXFP4-expected.safetensors", 3.3e-4 },
    };
    struct container *input = golden_open(hearth_golden("quants/model-expected.safetensors"));
    uint64_t n, count;
    const int32_t *ids = golden_i32(input, "input_ids", &n);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct container *want = golden_open(hearth_golden(rows[i].expected));
        char path[100], name[100];
        int64_t got;
        snprintf(path, sizeof path, "quants/model-%s.gguf", rows[i].type);
        snprintf(name, sizeof name, "logits.%s", rows[i].type);
        const float *exact = golden_f32(want, name, &count);
        float lo = exact[0], hi = exact[0], worst = 0;
        float *f32 = all_logits(hearth_golden(path), &(struct cpu_options){ .arith = HEARTH_ARITH_F32 }, 1000, ids, (int32_t)n, &got);
        assert_true((uint64_t)got == count);
        for (uint64_t k = 0; k < count; k++) {
            lo = exact[k] < lo ? exact[k] : lo;
            hi = exact[k] > hi ? exact[k] : hi;
            worst = fabsf(f32[k] - exact[k]) > worst ? fabsf(f32[k] - exact[k]) : worst;
        }
        float *i8 = all_logits(hearth_golden(path), &(struct cpu_options){ .arith = HEARTH_ARITH_I8 }, 1000, ids, (int32_t)n, &got);
        float *bf16 = all_logits(hearth_golden(path), &(struct cpu_options){ .arith = HEARTH_ARITH_BF16 }, 1000, ids, (int32_t)n, &got);
        const double kl = mean_kl(exact, i8, (int64_t)n, (int64_t)(count / n)), kl_bf16 = mean_kl(exact, bf16, (int64_t)n, (int64_t)(count / n));
        printf("# %s: exact error / range %.2e, mean KL int8 %.2e, bf16 %.2e\n", rows[i].type, (double)(worst / (hi - lo)), kl, kl_bf16);
        assert_true(kl_bf16 <= 1e-4);
        assert_true(worst <= 1e-4f * (hi - lo));
        assert_true(kl <= rows[i].kl_i8);
        free(f32);
        free(i8);
        free(bf16);
        container_close(want);
    }
    container_close(input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_exact), cmocka_unit_test(ggufs_are_exact), cmocka_unit_test(native_names_are_exact),
        cmocka_unit_test(trained_models_of_rwkv_cpp), cmocka_unit_test(drivers_match_reference_ops),
        cmocka_unit_test(same_bits_for_threads_and_chunks), cmocka_unit_test(quantised_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
