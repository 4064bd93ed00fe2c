/* Shapes unlike the rest, to see whether the tape carries them: latent attention with grouped experts, a selective state space,
 * a picture through patches and an encoder. By reference ops and by the CPU's drivers. */
#include "test.h"

#include "golden_data.h"

#include "backends/cpu/cpu_backend.h"
#include "hearth_inspect.h"
#include "model/model.h"

static int keep_text(void *user, const char *text, size_t n)
{
    buf_put(user, text, n);
    return 0;
}

static void check_text(const char *path)
{
    struct hearth_error err = { 0 };
    const hearth_model_options o = { .size = sizeof o, .threads = 2, .arith = HEARTH_ARITH_F32 };
    int differs = -1;
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_ok(hearth_verify(path, &o, 1e-5, 0, keep_text, &b, &differs, &err), &err);
    if (differs) fail_msg("%s\n%s", path, b.p);
    buf_free(&b);
}

static void latent_attention(void **state)
{
    (void)state;
    check_text(hearth_golden("text/deepseek_v3"));
    check_text(hearth_golden("text/deepseek_v3/model.gguf"));
}

static void state_space(void **state)
{
    (void)state;
    check_text(hearth_golden("text/mamba"));
}

static float worst_error(const float *a, const float *b, int64_t n)
{
    float worst = 0;
    for (int64_t i = 0; i < n; i++) {
        const float d = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        worst = d > worst ? d : worst;
    }
    return worst;
}

static struct tensor input(const char *name, enum dtype type, int rank, const int64_t *dim, const void *values)
{
    struct tensor t = { 0 };
    tensor_shape(&t, type, rank, dim);
    t.name = name;
    t.data = (void *)(uintptr_t)values;
    t.index = t.producer = t.last_use = -1;
    return t;
}

/* Every state of the encoder that was recorded, then the logits. */
static void picture_through(bool reference)
{
    struct hearth_error err = { 0 };
    struct container *want = golden_open(hearth_golden("media/vit/expected.safetensors"));
    struct backend *b;
    struct model *m;
    struct tape *t;
    int32_t rows[17], row_seq[17] = { 0 }, first = 0;
    uint64_t n;
    for (int i = 0; i < 17; i++) rows[i] = i;
    assert_ok(cpu_backend_new(&b, &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32, .reference = reference }, &err), &err);
    assert_ok(model_open(&m, hearth_golden("media/vit"), b, &err), &err);
    assert_ok(tape_new(&t, b, true, &err), &err);
    struct tensor picture = input("picture", DTYPE_F32, 3, (int64_t[]){ 3, 32, 32 }, golden_f32(want, "pixel_values", &n));
    struct tensor positions = input("positions", DTYPE_I32, 1, (int64_t[]){ 17 }, rows), class_row = input("want", DTYPE_I32, 1, (int64_t[]){ 1 }, &first);
    const struct ragged_seq seq = { .rows = 17 };
    const struct ragged ragged = { .n_seq = 1, .n_rows = 17, .seq = &seq, .row_seq = row_seq };
    struct step s = { .picture = &picture, .positions = &positions, .want = &class_row };
    tape_begin(t, &ragged);
    encoder_record(t, m, &s);
    assert_ok(tape_run(t, NULL, &err), &err);
    int compared = 0;
    for (int i = 0; i < t->n_record; i++) {
        const struct tensor *x = t->record[i].out[0];
        char name[64];
        snprintf(name, sizeof name, x->index >= 0 ? "%s.%d" : "%s", x->name, x->index);
        if (!strcmp(name, "last_layer")) strcpy(name, "last_hidden"); /* recorded before the final norm */
        if (!container_tensor(want, name)) continue;
        const float *expected = golden_f32(want, name, &n);
        assert_int_equal(n, tensor_count(x));
        if (worst_error(x->data, expected, (int64_t)n) > 2e-5f) fail_msg("%s differs by %g", name, (double)worst_error(x->data, expected, (int64_t)n));
        compared++;
    }
    assert_int_equal(compared, 4); /* hidden.0, hidden.1, the last, logits */
    tape_free(t);
    model_close(m);
    cpu_backend_free(b);
    container_close(want);
}

static void picture(void **state)
{
    (void)state;
    picture_through(true);
    picture_through(false);
}

/* Models that write no text are refused where text is asked for. */
static void no_text_from_pictures(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    hearth_model *m;
    hearth_session *s;
    assert_ok(hearth_model_open(&m, hearth_golden("media/vit"), NULL, &err), &err);
    assert_fails(hearth_session_new(&s, m, NULL, &err), HEARTH_E_UNSUPPORTED, &err);
    hearth_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(latent_attention), cmocka_unit_test(state_space), cmocka_unit_test(picture), cmocka_unit_test(no_text_from_pictures) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
