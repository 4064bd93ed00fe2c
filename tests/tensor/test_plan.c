/* The planner: tensors that live at the same time never overlap, memory is re-used, and a planned run gives the bits of a
 * run-now one. */
#include "test.h"

#include "backends/cpu/cpu_backend.h"
#include "base/rng.h"
#include "ops/ops.h"

static struct backend *open_backend(void)
{
    struct hearth_error err = { 0 };
    struct backend *b;
    assert_ok(cpu_backend_new(&b, &(struct cpu_options){ .threads = 1 }, &err), &err);
    return b;
}

static struct tensor constant(float *values, int64_t rows, int64_t width)
{
    struct tensor t = { 0 };
    tensor_shape(&t, DTYPE_F32, 2, (int64_t[]){ rows, width });
    t.name = "constant";
    t.data = values;
    t.index = t.producer = t.last_use = -1;
    return t;
}

/* A random program: each op takes two of the last tensors (or views of them) and adds, multiplies or activates. */
static struct tensor *record_random(struct tape *t, struct tensor *start, uint64_t seed, int n)
{
    struct rng r;
    struct tensor *pool[8];
    rng_seed(&r, seed);
    for (int i = 0; i < 8; i++) pool[i] = start;
    for (int i = 0; i < n; i++) {
        struct tensor *a = pool[rng_u32(&r) % 8], *b = pool[rng_u32(&r) % 8], *y;
        const uint32_t kind = rng_u32(&r) % 4;
        if (kind == 0) y = op_add(t, a, b);
        else if (kind == 1) y = op_activate(t, ACT_TANH, a, b);
        else if (kind == 2) y = op_rms_norm(t, a, NULL, 1e-5f);
        else y = op_add(t, tape_reshape(t, a, 2, a->dim), tape_columns(t, b, 0, b->dim[1]));
        pool[rng_u32(&r) % 8] = y;
    }
    struct tensor *sum = pool[0];
    for (int i = 1; i < 8; i++) sum = op_add(t, sum, pool[i]);
    return sum;
}

static bool overlap(const struct tensor *a, const struct tensor *b)
{
    return a->offset < b->offset + tensor_bytes(b) && b->offset < a->offset + tensor_bytes(a);
}

/* Lifetimes worked out anew from the records, not from the planner's own fields. */
static void check_lifetimes(const struct tape *t)
{
    for (int i = 0; i < t->n_record; i++) {
        const struct tensor *x = t->record[i].out[0];
        int last = i;
        for (int j = i + 1; j < t->n_record; j++)
            for (int k = 0; k < TAPE_INPUTS; k++) {
                const struct tensor *in = t->record[j].in[k];
                if (in && (in == x || in->base == x)) last = j;
            }
        for (int j = i + 1; j <= last; j++) assert_false(overlap(x, t->record[j].out[0]));
    }
}

static void plans_are_sound(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    float values[6 * 40];
    for (int i = 0; i < 240; i++) values[i] = (float)(i % 17) / 8.0f - 1.0f;
    struct backend *b = open_backend();
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct tensor start = constant(values, 6, 40);
        struct tape *planned, *now;
        float a[240], c[240];
        assert_ok(tape_new(&planned, b, false, &err), &err);
        assert_ok(tape_new(&now, b, true, &err), &err);
        tape_begin(planned, NULL);
        struct tensor *y = record_random(planned, &start, seed, 50);
        assert_ok(tape_plan(planned, &y, 1, &err), &err);
        check_lifetimes(planned);
        assert_true(planned->planned_bytes < 30 * 1100); /* of 57 tensors of 960 bytes only those alive take room */
        assert_ok(tape_run(planned, NULL, &err), &err);
        memcpy(a, y->data, sizeof a);
        tape_begin(now, NULL);
        y = record_random(now, &start, seed, 50);
        assert_ok(tape_run(now, NULL, &err), &err);
        memcpy(c, y->data, sizeof c);
        assert_memory_equal(a, c, sizeof a);
        tape_free(planned);
        tape_free(now);
    }
    cpu_backend_free(b);
}

/* A wrong shape leaves one sentence with the model's line, and everything after it does nothing. */
static void failure_is_sticky(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    float values[240] = { 0 };
    struct tensor x = constant(values, 6, 40), other = constant(values, 5, 40);
    struct backend *b = open_backend();
    struct tape *t;
    assert_ok(tape_new(&t, b, false, &err), &err);
    tape_begin(t, NULL);
    struct tensor *y = op_add(t, &x, &other);
    y = op_rms_norm(t, y, NULL, 1e-5f);
    y = op_linear(t, y, y, NULL);
    assert_fails(tape_plan(t, &y, 1, &err), HEARTH_E_INTERNAL, &err);
    assert_non_null(strstr(err.text, "[6, 40]"));
    assert_non_null(strstr(err.text, "[5, 40]"));
    assert_non_null(strstr(err.text, "test_plan.c"));
    assert_int_equal(t->n_record, 0);
    tape_free(t);
    cpu_backend_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(plans_are_sound), cmocka_unit_test(failure_is_sticky) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
