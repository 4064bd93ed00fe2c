/* A model in containers other than that of its golden: the logits are those of the reference. */
#include "test.h"

#include <math.h>

#include "golden_data.h"

#include "backends/cpu/cpu_backend.h"
#include "engine/session.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Compares the logits of the last rows, as many as were recorded. */
static void check_logits(const char *path, const char *expected, double limit)
{
    struct hearth_error err = { 0 };
    struct hearth_model m = { .arith = HEARTH_ARITH_F32, .looked = true };
    hearth_session *s;
    uint64_t n, values;
    struct container *want = golden_open(expected);
    const int32_t *ids = golden_i32(want, "input_ids", &n);
    const float *logits = golden_f32(want, "logits", &values);
    assert_ok(cpu_backend_new(&m.backend, &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32 }, &err), &err);
    assert_ok(model_open(&m.m, path, m.backend, &err), &err);
    assert_ok(hearth_session_new(&s, &m, &(hearth_session_options){ .size = sizeof(hearth_session_options), .context = (int32_t)n, .chunk = (int32_t)n }, &err), &err);
    struct part p = { .ids = ids, .n = (int32_t)n, .rope_length = (int32_t)n, .want = (int32_t)(values / (uint64_t)m.m->arch.n_vocab) };
    assert_true(p.want > 0 && values % (uint64_t)m.m->arch.n_vocab == 0);
    assert_ok(session_step(s, &p, 1, NULL, &err), &err);
    double most = 0, range = 0;
    for (uint64_t i = 0; i < values; i++) {
        most = fmax(most, fabs((double)s->logits[i] - (double)logits[i]));
        range = fmax(range, fabs((double)logits[i]));
    }
    if (!(most <= limit * range)) fail_msg("%s: logits differ by %g, their range is %g", path, most, range);
    hearth_session_free(s);
    model_close(m.m);
    cpu_backend_free(m.backend);
    container_close(want);
}

static void pytorch_is_exact(void **state)
{
    (void)state;
    static const char *const names[] = { "bin-zip", "bin-zip-sharded", "bin-old-pickle" };
    for (size_t i = 0; i < COUNT(names); i++) {
        char name[100];
        snprintf(name, sizeof name, "formats/%s", names[i]);
        const char *folder = hearth_golden(name);
        check_logits(folder, test_path(folder, "expected.safetensors"), 1e-5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(pytorch_is_exact) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
