/* Recurrent ops against their sums written out: instead of carrying a state forward, each output walks back from its row and asks
 * what every earlier row still adds to it. */
#include "test.h"

#include <math.h>

#include "backends/cpu/cpu_backend.h"
#include "base/rng.h"
#include "ops/ops.h"

enum { HEADS = 4, HEAD = 6, WIDTH = HEADS * HEAD, ROWS = 11, GROUPS = 2, STATES = 5, SLOT = 1000 };

struct bench {
    struct backend    *b;
    struct tape       *t;
    struct ragged_seq  seq[2];
    int32_t            row_seq[ROWS];
    float              pool[2 * SLOT];
    struct cache_group group;
    struct ragged      ragged;
    struct rng         rng;
};

/* Two sequences of 7 and 4 rows. */
static void bench_open(struct bench *s)
{
    struct hearth_error err = { 0 };
    memset(s, 0, sizeof *s);
    s->seq[0] = (struct ragged_seq){ .first = 0, .rows = 7, .slot = 1 };
    s->seq[1] = (struct ragged_seq){ .first = 7, .rows = 4, .slot = 0 };
    for (int i = 7; i < ROWS; i++) s->row_seq[i] = 1;
    s->group = (struct cache_group){ .kind = CACHE_STATE, .n_layer = 1, .state_width = SLOT, .layer_bytes = SLOT * sizeof(float),
                                     .page_bytes = SLOT * sizeof(float), .pool = (char *)s->pool };
    s->ragged = (struct ragged){ .n_seq = 2, .n_rows = ROWS, .seq = s->seq, .row_seq = s->row_seq, .group = &s->group, .n_group = 1 };
    rng_seed(&s->rng, 4);
    assert_ok(cpu_backend_new(&s->b, &(struct cpu_options){ .threads = 2, .arith = HEARTH_ARITH_F32 }, &err), &err);
    assert_ok(tape_new(&s->t, s->b, true, &err), &err);
    tape_begin(s->t, &s->ragged);
}

static void bench_close(struct bench *s)
{
    tape_free(s->t);
    cpu_backend_free(s->b);
}

static struct tensor filled(struct bench *s, int rank, int64_t rows, int64_t width, float *values, float lo, float hi)
{
    struct tensor t = { 0 };
    tensor_shape(&t, DTYPE_F32, rank, rank == 1 ? &width : (int64_t[]){ rows, width });
    for (int64_t i = 0; i < rows * width; i++) values[i] = lo + (hi - lo) * (float)(rng_u32(&s->rng) >> 8) / 16777216.0f;
    t.data = values;
    t.name = "input";
    t.index = t.producer = t.last_use = -1;
    return t;
}

static int first_row(int row) { return row < 7 ? 0 : 7; }

static void check(const struct tensor *y, int row, int at, double want)
{
    const double got = (double)((const float *)tensor_row(y, row))[at];
    if (!(fabs(got - want) <= 2e-6 * (1 + fabs(want)))) fail_msg("row %d, value %d: %.8g, not %.8g", row, at, got, want);
}

static void wkv5_is_its_sum(void **state)
{
    struct bench s;
    float rv[ROWS * WIDTH], kv[ROWS * WIDTH], vv[ROWS * WIDTH], wv[ROWS * WIDTH];
    (void)state;
    bench_open(&s);
    struct tensor r = filled(&s, 2, ROWS, WIDTH, rv, -1, 1), k = filled(&s, 2, ROWS, WIDTH, kv, -1, 1), v = filled(&s, 2, ROWS, WIDTH, vv, -1, 1);
    struct tensor w = filled(&s, 2, ROWS, WIDTH, wv, -3, 0.5f);
    const struct tensor *y = op_wkv5(s.t, &(struct wkv){ .r = &r, .k = &k, .v = &v, .decay = &w, .form = DECAY_LOG_LOG, .n_head = HEADS });
    assert_int_equal(s.t->status, 0);
    for (int t = 0; t < ROWS; t++)
        for (int c = 0; c < WIDTH; c++) {
            const int head = c / HEAD * HEAD;
            double want = 0;
            for (int i = head; i < head + HEAD; i++) {
                double kept = (double)rv[t * WIDTH + i];
                for (int e = t - 1; e >= first_row(t); e--) {
                    want += kept * (double)kv[e * WIDTH + i] * (double)vv[e * WIDTH + c];
                    kept *= exp(-exp((double)wv[e * WIDTH + i]));
                }
            }
            check(y, t, c, want);
        }
    bench_close(&s);
}

/* One decay for each head, or for each channel, for all rows: as if every row brought it along. */
static void wkv5_decays_of_all_rows(void **state)
{
    static const enum decay forms[] = { DECAY_LOG_LOG, DECAY_LOG, DECAY_PLAIN };
    float rv[ROWS * WIDTH], wide[ROWS * WIDTH], decay[WIDTH];
    (void)state;
    for (int f = 0; f < 6; f++) {
        struct bench s;
        bench_open(&s);
        const int64_t n = f < 3 ? HEADS : WIDTH;
        struct tensor r = filled(&s, 2, ROWS, WIDTH, rv, -1, 1), w = filled(&s, 2, ROWS, WIDTH, wide, 0, 1), one = filled(&s, 1, 1, n, decay, -1, 0);
        for (int i = 0; i < ROWS * WIDTH; i++) wide[i] = decay[i % WIDTH / (WIDTH / n)];
        struct wkv a = { .r = &r, .k = &r, .v = &r, .decay = &one, .form = forms[f % 3], .n_head = HEADS }, b = a;
        b.decay = &w;
        const struct tensor *got = op_wkv5(s.t, &a);
        memset(s.pool, 0, sizeof s.pool);
        const struct tensor *want = op_wkv5(s.t, &b);
        assert_int_equal(s.t->status, 0);
        assert_memory_equal(got->data, want->data, sizeof rv);
        bench_close(&s);
    }
}

static void wkv7_is_its_sum(void **state)
{
    struct bench s;
    float rv[ROWS * WIDTH], kv[ROWS * WIDTH], vv[ROWS * WIDTH], wv[ROWS * WIDTH], kkv[ROWS * WIDTH], av[ROWS * WIDTH];
    (void)state;
    bench_open(&s);
    struct tensor r = filled(&s, 2, ROWS, WIDTH, rv, -1, 1), k = filled(&s, 2, ROWS, WIDTH, kv, -1, 1), v = filled(&s, 2, ROWS, WIDTH, vv, -1, 1);
    struct tensor w = filled(&s, 2, ROWS, WIDTH, wv, -0.6f, 0), kk = filled(&s, 2, ROWS, WIDTH, kkv, -0.5f, 0.5f), a = filled(&s, 2, ROWS, WIDTH, av, 0, 1);
    const struct tensor *y = op_wkv7(s.t, &(struct wkv){ .r = &r, .k = &k, .v = &v, .decay = &w, .kk = &kk, .a = &a, .form = DECAY_LOG, .n_head = HEADS });
    assert_int_equal(s.t->status, 0);
    for (int t = 0; t < ROWS; t++)
        for (int head = 0; head < WIDTH; head += HEAD) {
            double u[HEAD], want[HEAD] = { 0 };
            for (int i = 0; i < HEAD; i++) u[i] = (double)rv[t * WIDTH + head + i];
            for (int e = t; e >= first_row(t); e--) { /* u of row e: what row e's state is asked for */
                const int at = e * WIDTH + head;
                double seen = 0, turned = 0;
                for (int i = 0; i < HEAD; i++) seen += u[i] * (double)kv[at + i];
                for (int i = 0; i < HEAD; i++) want[i] += seen * (double)vv[at + i];
                for (int i = 0; i < HEAD; i++) turned += u[i] * (double)kkv[at + i] * (double)av[at + i];
                for (int i = 0; i < HEAD; i++) u[i] = u[i] * exp((double)wv[at + i]) - turned * (double)kkv[at + i];
            }
            for (int i = 0; i < HEAD; i++) check(y, t, head + i, want[i]);
        }
    bench_close(&s);
}

static void ssd_is_its_sum(void **state)
{
    struct bench s;
    float xv[ROWS * WIDTH], dtv[ROWS * HEADS], bv[ROWS * GROUPS * STATES], cv[ROWS * GROUPS * STATES], av[HEADS], dv[HEADS];
    (void)state;
    bench_open(&s);
    struct tensor x = filled(&s, 2, ROWS, WIDTH, xv, -1, 1), dt = filled(&s, 2, ROWS, HEADS, dtv, 0, 1), a = filled(&s, 1, 1, HEADS, av, -1, 1);
    struct tensor b = filled(&s, 2, ROWS, GROUPS * STATES, bv, -1, 1), c = filled(&s, 2, ROWS, GROUPS * STATES, cv, -1, 1), d = filled(&s, 1, 1, HEADS, dv, -1, 1);
    const struct tensor *y = op_ssd(s.t, &(struct ssd){ .x = &x, .dt = &dt, .b = &b, .c = &c, .a = &a, .d = &d, .form = DECAY_LOG_LOG,
                                                        .dt_min = 0.1f, .dt_max = 0.8f, .n_group = GROUPS });
    assert_int_equal(s.t->status, 0);
    for (int t = 0; t < ROWS; t++)
        for (int p = 0; p < WIDTH; p++) {
            const int head = p / HEAD, group = head / (HEADS / GROUPS) * STATES;
            double want = (double)dv[head] * (double)xv[t * WIDTH + p], kept = 1;
            for (int e = t; e >= first_row(t); e--) {
                const double step = fmin(fmax((double)dtv[e * HEADS + head], (double)0.1f), (double)0.8f);
                double both = 0;
                for (int i = 0; i < STATES; i++) both += (double)bv[e * GROUPS * STATES + group + i] * (double)cv[t * GROUPS * STATES + group + i];
                want += kept * step * both * (double)xv[e * WIDTH + p];
                kept *= exp(-exp((double)av[head]) * step);
            }
            check(y, t, p, want);
        }
    bench_close(&s);
}

/* Shapes that do not go together, and states that do not fit, are refused when the op is recorded. */
static void wrong_shapes_are_refused(void **state)
{
    struct bench s;
    float rv[ROWS * WIDTH], wv[WIDTH];
    (void)state;
    for (int i = 0; i < 4; i++) {
        bench_open(&s);
        struct tensor r = filled(&s, 2, ROWS, WIDTH, rv, -1, 1), w = filled(&s, 1, 1, i == 0 ? WIDTH - 1 : WIDTH, wv, -1, 1);
        struct wkv a = { .r = &r, .k = &r, .v = &r, .decay = &w, .n_head = i == 1 ? 5 : HEADS, .at = i == 2 ? SLOT - 1 : 0 };
        op_wkv5(s.t, &a);
        if (i == 3) assert_int_equal(s.t->status, 0);
        else assert_int_equal(s.t->status, HEARTH_E_INTERNAL);
        bench_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wkv5_is_its_sum), cmocka_unit_test(wkv5_decays_of_all_rows), cmocka_unit_test(wkv7_is_its_sum),
        cmocka_unit_test(ssd_is_its_sum), cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
