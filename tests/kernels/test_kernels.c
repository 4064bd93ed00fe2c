/* Every instruction set that this machine has: every entry of its kernel table against sums in double made from the reference unpack; the promise that a result does not
 * depend on how many rows are computed together, bit for bit; memory touched; extreme values. Weights and activations end at
 * a page that cannot be read. */
#include "test.h"

#include "emulate_vnni.h"

#include <math.h>
#include <sys/mman.h>

#include "base/cpu.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "quant/mxfp4/mxfp4.h"
#include "quant/q4_0/q4_0.h"
#include "quant/q4_1/q4_1.h"
#include "quant/q4_k/q4_k.h"
#include "quant/q5_0/q5_0.h"
#include "quant/q5_1/q5_1.h"
#include "quant/q5_k/q5_k.h"
#include "quant/q6_k/q6_k.h"
#include "quant/q8_0/q8_0.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { ROWS_W = 37, ROWS_X = 16, K_MAX = 4096 + 256, COLUMNS_MAX = 67 };

#define GUARD 0x1.abcdep100f /* what untouched floats hold */

static struct kernels kernels;
static bool emulated; /* this set needs AVX-VNNI, which the machine lacks */
static struct rng rng;

static float uniform(void) /* [-1, 1) */
{
    return (float)(rng_unit(&rng) * 2 - 1);
}

/* ---- memory whose end is watched */

struct watched {
    char  *base, *end; /* [base, end) may be used; end is a page that may not */
    size_t mapped;
};

static struct watched watched_make(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
    struct watched m = { .mapped = whole + page };
    m.base = mmap(NULL, m.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(m.base != MAP_FAILED);
    m.end = m.base + whole;
    assert_int_equal(mprotect(m.end, page, PROT_NONE), 0);
    return m;
}

static void watched_free(struct watched *m)
{
    munmap(m->base, m->mapped);
}

/* ---- one case: packed weights, activations, and the sums in double */

struct bench {
    struct watched  w_memory, x_memory, y_memory, scratch_memory, act_memory, flat_memory, xb_memory;
    enum dtype      type;
    int64_t         n_w, n_x, k;
    uint64_t        row_bytes;
    char           *w;    /* n_w rows, row_bytes apart, the last one ends at w_memory.end */
    float          *x;    /* [n_x, k], ends at x_memory.end */
    float          *flat; /* [n_w, k]: w unpacked */
    struct act_i8   act;  /* x rounded */
    uint16_t       *xb;   /* [n_x, bf16_row(k)]: x rounded to bf16, ends at xb_memory.end */
};

static struct bench bench;

static int bench_make(void **state)
{
    (void)state;
    bench.w_memory = watched_make(ROWS_W * K_MAX * sizeof(float));
    bench.x_memory = watched_make(ROWS_X * K_MAX * sizeof(float));
    bench.y_memory = watched_make(64 * COLUMNS_MAX * 4 * sizeof(float));
    bench.scratch_memory = watched_make(PRODUCT_SCRATCH);
    bench.act_memory = watched_make(act_i8_bytes(ROWS_X, K_MAX, 32));
    bench.xb_memory = watched_make(ROWS_X * (K_MAX + 32) * sizeof(uint16_t));
    bench.flat_memory = watched_make(ROWS_W * K_MAX * sizeof(float));
    return 0;
}

static int bench_free(void **state)
{
    (void)state;
    watched_free(&bench.w_memory);
    watched_free(&bench.x_memory);
    watched_free(&bench.y_memory);
    watched_free(&bench.scratch_memory);
    watched_free(&bench.act_memory);
    watched_free(&bench.flat_memory);
    watched_free(&bench.xb_memory);
    return 0;
}

/* Places the arrays for a shape; the caller fills w and x, then calls bench_finish. */
static void bench_shape(enum dtype type, int64_t n_w, int64_t n_x, int64_t k)
{
    if (emulated) emulate_vnni_begin(); /* here, since cmocka puts its own handler in place before each test */
    bench.type = type;
    bench.n_w = n_w;
    bench.n_x = n_x;
    bench.k = k;
    assert_true(n_w <= ROWS_W && n_x <= ROWS_X && k <= K_MAX);
    assert_true(type_row_bytes(type, (uint64_t)k, &bench.row_bytes));
    bench.w = bench.w_memory.end - (uint64_t)n_w * bench.row_bytes;
    bench.x = (float *)(void *)bench.x_memory.end - n_x * k;
    bench.flat = (float *)(void *)bench.flat_memory.base;
}

static void bench_finish(void)
{
    const int block = type_of(bench.type)->act_block;
    type_of(bench.type)->unpack(bench.flat, bench.w, bench.n_w * bench.k);
    bench.xb = (uint16_t *)(void *)bench.xb_memory.end - bench.n_x * bf16_row(bench.k);
    for (int64_t row = 0; row < bench.n_x; row++) kernels.round_bf16(bench.xb + row * bf16_row(bench.k), bench.x + row * bench.k, bench.k);
    if (!block) return;
    const size_t bytes = act_i8_bytes(bench.n_x, bench.k, block);
    assert_int_equal(bytes % 64, 0);
    act_i8_place(&bench.act, bench.act_memory.end - bytes, bench.n_x, bench.k, block);
    for (int64_t row = 0; row < bench.n_x; row++) kernels.round_i8(&bench.act, row, bench.x + row * bench.k);
}

static void bench_random(enum dtype type, int64_t n_w, int64_t n_x, int64_t k)
{
    bench_shape(type, n_w, n_x, k);
    for (int64_t i = 0; i < n_x * k; i++) bench.x[i] = uniform();
    for (int64_t row = 0; row < n_w; row++) {
        for (int64_t c = 0; c < k; c++) bench.flat[c] = uniform() + 0.2f;
        type_of(type)->pack(bench.w + (uint64_t)row * bench.row_bytes, bench.flat, k);
    }
    bench_finish();
}

static struct product bench_product(float *y, int64_t y_stride)
{
    return (struct product){ .w = bench.w, .w_stride = bench.row_bytes, .n_w = bench.n_w, .n_x = bench.n_x, .k = bench.k,
                             .x = bench.x, .xb = bench.xb, .x_stride = bench.k, .xq = &bench.act, .xq_first = 0, .y = y, .y_stride = y_stride,
                             .scratch = (float *)(void *)(bench.scratch_memory.end - PRODUCT_SCRATCH) };
}

/* The sum of w row i with x row j (rounded: as act_i8 has it) and the sum of magnitudes that bounds rounding errors. In a block
 * with minima a value may be small as the difference of large terms, so the block's largest value counts with each. */
struct sum {
    double value, magnitude;
};

static struct sum bench_sum(int64_t i, int64_t j, bool rounded)
{
    struct sum s = { 0, 0 };
    const int block = type_of(bench.type)->block;
    double largest = 0;
    for (int64_t c = 0; c < bench.k; c++) {
        const float *w = bench.flat + i * bench.k + c;
        double x = bench.x[j * bench.k + c];
        if (rounded) x = (double)bench.act.scale[(j * bench.k + c) / bench.act.block] * bench.act.q[j * bench.k + c];
        if (rounded && c % block == 0) {
            largest = 0;
            for (int b = 0; b < block; b++) largest = fmax(largest, fabs((double)w[b]));
        }
        s.value += *w * x;
        s.magnitude += (fabs((double)*w) + 3 * largest) * fabs(x);
    }
    return s;
}

static void assert_same_floats(enum dtype t, const float *got, const float *want, int64_t n);

/* ---- products */

/* Runs the product into guarded rows y [n_x, n_w], y_stride apart, and checks that nothing else was written. */
static float *run_guarded(product_fn *fn, struct product *p)
{
    const int64_t stride = p->n_w + 3, n = p->n_x * stride + 8;
    float *y = (float *)(void *)bench.y_memory.end - n;
    for (int64_t i = 0; i < n; i++) y[i] = GUARD;
    p->y = y + 8;
    p->y_stride = stride;
    fn(p);
    for (int64_t i = 0; i < n; i++) {
        const bool own = i >= 8 && (i - 8) % stride < p->n_w;
        if (!own && y[i] != GUARD) fail_msg("%s: wrote outside its output", type_of(bench.type)->name);
    }
    return p->y;
}

static void check_product(product_fn *fn, bool rounded)
{
    struct product p = bench_product(NULL, 0);
    const float *y = run_guarded(fn, &p);
    const double ulps = rounded ? (double)bench.k / type_of(bench.type)->block + 8 : (double)bench.k / 16 + 16;
    for (int64_t j = 0; j < bench.n_x; j++) {
        for (int64_t i = 0; i < bench.n_w; i++) {
            const struct sum s = bench_sum(i, j, rounded);
            const double off = fabs(y[j * p.y_stride + i] - s.value);
            if (!(off <= ulps * 0x1p-23 * s.magnitude + 1e-37)) {
                fail_msg("%s%s, k %d, n_w %d, n_x %d: y[%d][%d] is %.9g, expected %.9g", type_of(bench.type)->name,
                         rounded ? " int8" : "", (int)bench.k, (int)bench.n_w, (int)bench.n_x, (int)j, (int)i,
                         y[j * p.y_stride + i], s.value);
            }
        }
    }
}

/* Lengths that are legal for a type: around every size a kernel may treat in a special way. */
static int lengths(enum dtype type, int64_t *k)
{
    static const int64_t plain[] = { 1, 3, 15, 16, 17, 31, 33, 100, 255, 256, 257, 271, 513, 1000, 4097 };
    static const int64_t blocks[] = { 1, 2, 3, 4, 7, 8, 9, 17, 128 };
    const int block = type_of(type)->block;
    int n = 0;
    for (size_t i = 0; block == 1 && i < COUNT(plain); i++) k[n++] = plain[i];
    for (size_t i = 0; block > 1 && i < COUNT(blocks); i++) {
        if (blocks[i] * block <= K_MAX) k[n++] = blocks[i] * block;
    }
    if (block > 1) k[n++] = 4096 + block;
    return n;
}

static void test_table_filled(void **state)
{
    (void)state;
    assert_non_null(kernels.name);
    assert_non_null(kernels.round_i8);
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        const bool weights = type_of(t)->pack != NULL, plain = type_of(t)->block == 1;
        assert_int_equal(kernels.product_f32[t] != NULL, weights);
        assert_int_equal(kernels.unpack[t] != NULL, weights);
        assert_int_equal(kernels.dot[t] != NULL, weights);
        assert_int_equal(kernels.product_i8[t] != NULL, type_of(t)->act_block > 0);
        assert_int_equal(kernels.product_in_major[t] != NULL, weights && plain);
        assert_int_equal(kernels.axpy[t] != NULL, (weights && plain) || t == DTYPE_Q8_0);
    }
}

static void test_products(void **state)
{
    (void)state;
    static const int64_t n_w[] = { 1, 2, 3, 15, 16, 17, 37 }, n_x[] = { 1, 2, 3, 4, 5, 7, 16 };
    int64_t k[32];
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.product_f32[t]) continue;
        const int n_k = lengths(t, k);
        for (int i = 0; i < n_k; i++) {
            for (size_t s = 0; s < COUNT(n_w); s++) {
                bench_random(t, n_w[s], n_x[(s + (size_t)i) % COUNT(n_x)], k[i]);
                check_product(kernels.product_f32[t], false);
                if (kernels.product_i8[t]) check_product(kernels.product_i8[t], true);
            }
        }
    }
}

/* y of all rows at once against one row of x, one row of w, unequal pieces, and other strides: the same bits. */
static void check_same_bits(product_fn *fn, bool bf16)
{
    static float all[ROWS_X * ROWS_W], x_far[ROWS_X * (K_MAX + 5)];
    static char w_far[ROWS_W * (K_MAX * 4 + 6)];
    static uint16_t xb_far[ROWS_X * (K_MAX + 64)];
    struct product p = bench_product(NULL, 0);
    if (bf16) p.x_stride = bf16_row(p.k);
    const float *y = run_guarded(fn, &p);
    for (int64_t j = 0; j < bench.n_x; j++) memcpy(all + j * bench.n_w, y + j * p.y_stride, (size_t)bench.n_w * sizeof *all);

    static const int64_t pieces_w[] = { 1, 5, ROWS_W }, pieces_x[] = { 1, 3, ROWS_X };
    for (int layout = 0; layout < 2; layout++) {
        p = bench_product(NULL, 0);
        if (bf16) p.x_stride = bf16_row(p.k);
        if (layout == 1) {
            p.x_stride = bf16 ? bf16_row(bench.k) + 32 : bench.k + 5;
            p.w_stride = bench.row_bytes + 6;
            for (int64_t j = 0; j < bench.n_x; j++) {
                if (bf16)
                    memcpy(xb_far + j * p.x_stride, bench.xb + j * bf16_row(bench.k), (size_t)bf16_row(bench.k) * 2);
                else
                    memcpy(x_far + j * p.x_stride, bench.x + j * bench.k, (size_t)bench.k * 4);
            }
            for (int64_t i = 0; i < bench.n_w; i++) {
                memcpy(w_far + (size_t)i * p.w_stride, bench.w + (size_t)i * bench.row_bytes, bench.row_bytes);
            }
            p.x = x_far;
            p.xb = xb_far;
            p.w = w_far;
        }
        const struct product whole = p;
        for (size_t s = 0; s < COUNT(pieces_w) * COUNT(pieces_x); s++) {
            const int64_t step_w = pieces_w[s % COUNT(pieces_w)], step_x = pieces_x[s / COUNT(pieces_w)];
            for (int64_t j = 0; j < bench.n_x; j += step_x) {
                for (int64_t i = 0; i < bench.n_w; i += step_w) {
                    p = whole;
                    p.w = (const char *)whole.w + (size_t)i * whole.w_stride;
                    p.x = whole.x + j * whole.x_stride;
                    p.xb = whole.xb + j * whole.x_stride;
                    p.xq_first = j;
                    p.n_w = bench.n_w - i < step_w ? bench.n_w - i : step_w;
                    p.n_x = bench.n_x - j < step_x ? bench.n_x - j : step_x;
                    y = run_guarded(fn, &p);
                    for (int64_t r = 0; r < p.n_x; r++) {
                        if (memcmp(y + r * p.y_stride, all + (j + r) * bench.n_w + i, (size_t)p.n_w * 4) == 0) continue;
                        fail_msg("%s, k %d: %d x %d rows at once give other bits", type_of(bench.type)->name, (int)bench.k,
                                 (int)p.n_w, (int)p.n_x);
                    }
                }
            }
        }
    }
}

static void test_same_bits(void **state)
{
    (void)state;
    int64_t k[32];
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.product_f32[t]) continue;
        const int n_k = lengths(t, k);
        for (int i = n_k > 8 ? n_k - 5 : 0; i < n_k; i++) {
            bench_random(t, ROWS_W, ROWS_X, k[i]);
            check_same_bits(kernels.product_f32[t], false);
            if (kernels.product_i8[t]) check_same_bits(kernels.product_i8[t], false);
        }
    }
}

/* What arithmetic bf16 promises (kernels/product.h), one value after another. */
static float bf16_sum(const float *w, const float *x, int64_t k)
{
    float lane[16] = { 0 };
    for (int64_t c = 0; c < k; c += 2) {
        for (int64_t odd = c + 1; odd >= c; odd--) {
            if (odd < k) lane[c / 2 % 16] += bf16_to_f32(f32_to_bf16(w[odd])) * bf16_to_f32(f32_to_bf16(x[odd]));
        }
    }
    for (int half = 8; half > 0; half /= 2) {
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    }
    return lane[0];
}

static void test_bf16(void **state)
{
    (void)state;
    int64_t k[32];
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        assert_int_equal(kernels.product_bf16[t] != NULL, kernels.product_f32[t] != NULL);
        const int n_k = kernels.product_bf16[t] ? lengths(t, k) : 0;
        for (int i = 0; i < n_k; i++) {
            bench_random(t, i % 2 ? ROWS_W : 5, i % 3 ? 7 : 1, k[i]);
            check_same_bits(kernels.product_bf16[t], true);
            struct product p = bench_product(NULL, 0);
            p.x_stride = bf16_row(p.k);
            const float *y = run_guarded(kernels.product_bf16[t], &p);
            for (int64_t j = 0; j < p.n_x * p.n_w; j++) {
                const float got = y[j / p.n_w * p.y_stride + j % p.n_w], want = bf16_sum(bench.flat + j % p.n_w * p.k, bench.x + j / p.n_w * p.k, p.k);
                if (f32_bits(got) != f32_bits(want)) fail_msg("%s, k %d: %a instead of %a", type_of(t)->name, (int)p.k, got, want);
            }
        }
    }
}

/* Denormals may become zero. */
static void test_round_bf16(void **state)
{
    (void)state;
    static const float odd[] = { NAN, INFINITY, -INFINITY, 0x1.fffffep127f, -0.0f, 0x1p-149f, 0x1.008p0f, 0x1.018p0f, 3, 4, 5, 6, 7, 8, 9, 10, 11,
                                 -0x1.fep-126f, 0x1.7fp-127f };
    uint16_t to[64];
    for (int64_t n = 1; n <= (int64_t)COUNT(odd); n++) {
        memset(to, 0x55, sizeof to);
        kernels.round_bf16(to, odd, n);
        for (int64_t i = 0; i < n; i++) {
            const uint16_t want = f32_to_bf16(odd[i]);
            const bool denormal = fabsf(odd[i]) < 0x1p-126f;
            assert_true(isnan(odd[i]) ? isnan(bf16_to_f32(to[i])) : to[i] == want || (denormal && to[i] == (want & 0x8000)));
        }
        for (int64_t i = n; i < bf16_row(n); i++) assert_int_equal(to[i], 0);
        assert_int_equal(to[bf16_row(n)], 0x5555);
    }
}

/* The order of additions that arithmetic f32 promises (kernels/product.h), shown by products without rounding. */
static void test_lane_order(void **state)
{
    (void)state;
    for (int64_t k = 61; k < 900; k += 107) {
        bench_random(DTYPE_F32, 3, 2, k);
        for (int64_t c = 0; c < 2 * k; c++) bench.x[c] = 1;
        struct product p = bench_product(NULL, 0);
        const float *y = run_guarded(kernels.product_f32[DTYPE_F32], &p);
        for (int64_t i = 0; i < 3; i++) {
            float lane[16] = { 0 };
            for (int64_t c = 0; c < k; c++) lane[c % 16] += bench.flat[i * k + c];
            for (int half = 8; half > 0; half /= 2) {
                for (int l = 0; l < half; l++) lane[l] += lane[l + half];
            }
            assert_true(f32_bits(y[i]) == f32_bits(lane[0]) && f32_bits(y[p.y_stride + i]) == f32_bits(lane[0]));
        }
    }
}

static void test_dot(void **state)
{
    (void)state;
    int64_t k[32];
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.dot[t]) continue;
        const int n_k = lengths(t, k);
        for (int i = 0; i < n_k; i++) {
            bench_random(t, 2, 2, k[i]);
            struct product p = bench_product(NULL, 0);
            const float *y = run_guarded(kernels.product_f32[t], &p);
            const float got = kernels.dot[t](bench.w + bench.row_bytes, bench.x + k[i], k[i]);
            if (f32_bits(got) == f32_bits(y[p.y_stride + 1])) continue;
            fail_msg("%s, k %d: dot gives %a, product_f32 %a", type_of(t)->name, (int)k[i], got, y[p.y_stride + 1]);
        }
    }
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        product_fn *const fns[] = { kernels.product_f32[t], kernels.product_i8[t], kernels.product_in_major[t] };
        for (size_t f = 0; f < COUNT(fns); f++) {
            if (!fns[f]) continue;
            bench_random(t, 3, 3, 256);
            for (int empty = 0; empty < 2; empty++) {
                struct product p = bench_product(NULL, 0);
                if (fns[f] == kernels.product_in_major[t]) p.k = p.x_stride = 3; /* 3 input rows, as there are */
                *(empty ? &p.n_w : &p.n_x) = 0;
                run_guarded(fns[f], &p);
            }
        }
    }
}

/* ---- weights stored input-major */

static void columns_random(enum dtype t, int64_t n_w, int64_t n_x, int64_t k)
{
    bench_shape(t, k, n_x, n_w); /* k rows of n_w values */
    for (int64_t i = 0; i < k * n_w; i++) bench.flat[i] = uniform();
    type_of(t)->pack(bench.w, bench.flat, k * n_w);
    type_of(t)->unpack(bench.flat, bench.w, k * n_w);
    bench.x = (float *)(void *)bench.x_memory.end - n_x * k;
    for (int64_t i = 0; i < n_x * k; i++) bench.x[i] = uniform();
}

static struct product columns_product(int64_t n_w, int64_t n_x, int64_t k)
{
    struct product p = bench_product(NULL, 0);
    p.n_w = n_w;
    p.n_x = n_x;
    p.k = p.x_stride = k;
    return p;
}

static void check_columns(enum dtype t, int64_t n_w, int64_t n_x, int64_t k)
{
    columns_random(t, n_w, n_x, k);
    struct product p = columns_product(n_w, n_x, k);
    const float *y = run_guarded(kernels.product_in_major[t], &p);
    static float all[ROWS_X * COLUMNS_MAX];
    for (int64_t j = 0; j < n_x; j++) {
        for (int64_t i = 0; i < n_w; i++) {
            double value = 0, magnitude = 0;
            for (int64_t c = 0; c < k; c++) {
                const double term = (double)bench.flat[c * n_w + i] * bench.x[j * k + c];
                value += term;
                magnitude += fabs(term);
            }
            all[j * n_w + i] = y[j * p.y_stride + i];
            if (!(fabs(all[j * n_w + i] - value) <= (double)(k + 2) * 0x1p-24 * magnitude)) {
                fail_msg("%s input-major, k %d: y[%d][%d] is %.9g, expected %.9g", type_of(t)->name, (int)k, (int)j, (int)i,
                         all[j * n_w + i], value);
            }
        }
    }
    /* one row and one slice of columns at a time: the same bits */
    for (int64_t j = 0; j < n_x; j++) {
        for (int64_t i = 0; i < n_w; i += 7) {
            p = columns_product(n_w - i < 7 ? n_w - i : 7, 1, k);
            p.w = bench.w + i * type_of(t)->block_bytes;
            p.x = bench.x + j * k;
            y = run_guarded(kernels.product_in_major[t], &p);
            assert_memory_equal(y, all + j * n_w + i, (size_t)p.n_w * sizeof *y);
        }
    }
}

static void test_columns(void **state)
{
    (void)state;
    static const int64_t widths[] = { 1, 7, 15, 16, 17, 32, COLUMNS_MAX }, lengths_k[] = { 1, 2, 7, 8, 9, 16, 37 };
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.product_in_major[t]) continue;
        for (size_t i = 0; i < COUNT(widths); i++) {
            for (size_t l = 0; l < COUNT(lengths_k); l++) check_columns(t, widths[i], (int64_t)(i + l) % 4 + 1, lengths_k[l]);
        }
        float y[3] = { GUARD, GUARD, GUARD };
        struct product p = { .w = "", .n_w = 2, .n_x = 1, .y = y, .y_stride = 2 };
        kernels.product_in_major[t](&p);
        assert_true(y[0] == 0 && y[1] == 0 && y[2] == GUARD);
    }
}

/* ---- unpack, axpy */

static void assert_same_floats(enum dtype t, const float *got, const float *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const bool same = f32_bits(got[i]) == f32_bits(want[i]) || (isnan(got[i]) && isnan(want[i]));
        if (!same) fail_msg("%s: value %d is %a, expected %a", type_of(t)->name, (int)i, got[i], want[i]);
    }
}

/* Random bytes: every scale, sign and special value that a file may hold. */
static void bytes_random(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) p[i] = (char)rng_u32(&rng);
}

static void test_unpack(void **state)
{
    (void)state;
    int64_t k[32];
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.unpack[t]) continue;
        const int n_k = lengths(t, k);
        for (int i = 0; i < n_k; i++) {
            for (int round = 0; round < 8; round++) {
                bench_shape(t, 1, 1, k[i]);
                bytes_random(bench.w, bench.row_bytes);
                float *got = (float *)(void *)bench.x_memory.end - k[i];
                got[-1] = GUARD;
                type_of(t)->unpack(bench.flat, bench.w, k[i]);
                kernels.unpack[t](got, bench.w, k[i]);
                assert_same_floats(t, got, bench.flat, k[i]);
                assert_true(got[-1] == GUARD);
            }
        }
    }
    /* all halves */
    static uint16_t halves[65536];
    static float got[65536], want[65536];
    for (int i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
    for (enum dtype t = DTYPE_F16; t <= DTYPE_BF16; t++) {
        type_of(t)->unpack(want, halves, 65536);
        kernels.unpack[t](got, halves, 65536);
        assert_same_floats(t, got, want, 65536);
    }
}

static void test_axpy(void **state)
{
    (void)state;
    int64_t k[32];
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.axpy[t]) continue;
        const int n_k = lengths(t, k);
        for (int i = 0; i < n_k; i++) {
            bench_random(t, 1, 2, k[i]);
            const float a = uniform(), *before = bench.x;
            float *y = bench.x + k[i];
            for (int64_t c = 0; c < k[i]; c++) y[c] = bench.x[c];
            kernels.axpy[t](y, a, bench.w, k[i]);
            for (int64_t c = 0; c < k[i]; c++) {
                const double want = before[c] + (double)a * bench.flat[c];
                const double bound = 0x1p-23 * (fabs((double)before[c]) + fabs((double)a * bench.flat[c]));
                if (fabs(y[c] - want) <= bound) continue;
                fail_msg("%s axpy: value %d is %.9g, expected %.9g", type_of(t)->name, (int)c, y[c], want);
            }
        }
    }
}

/* ---- rounding of activations */

static void check_rounded(int64_t k, int block)
{
    for (int64_t i = 0; i < k; i += block) {
        float largest = 0;
        for (int c = 0; c < block; c++) largest = fmaxf(largest, fabsf(bench.x[i + c]));
        const float scale = bench.act.scale[i / block];
        assert_true(fabsf(scale - largest / 127) <= 0x1p-23f * scale);
        for (int c = 0; c < block; c += 16) {
            int sum = 0;
            for (int lane = 0; lane < 16; lane++) {
                const int q = bench.act.q[i + c + lane];
                sum += q;
                assert_true(q >= -127 && q <= 127);
                assert_true(fabs((double)scale * q - bench.x[i + c + lane]) <= 0.50001 * scale);
            }
            assert_int_equal(bench.act.sum[(i + c) / 16], sum);
        }
    }
}

static void act_place_for_x(int64_t k, int block)
{
    bench.x = (float *)(void *)bench.x_memory.end - k;
    act_i8_place(&bench.act, bench.act_memory.end - act_i8_bytes(1, k, block), 1, k, block);
}

static void test_round_i8(void **state)
{
    (void)state;
    static const float sizes[] = { 1, 1e-30f, 1e30f, 3e38f, 1e-35f };
    for (int block = 32; block <= 256; block += 224) {
        for (size_t s = 0; s < COUNT(sizes); s++) {
            act_place_for_x(1024, block);
            for (int i = 0; i < 1024; i++) bench.x[i] = uniform() * sizes[s];
            kernels.round_i8(&bench.act, 0, bench.x);
            check_rounded(1024, block);
        }
    }
}

static void test_round_i8_edges(void **state)
{
    (void)state;
    act_place_for_x(128, 32);
    for (int i = 0; i < 128; i++) bench.x[i] = 0;
    /* block 0: halves go to the even neighbour (scale 1); block 1: zeros and nearly; blocks 2, 3: not finite */
    const float halves[] = { 127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -126.5f, 126.5f, -127 };
    const int want[] = { 127, 0, 2, 2, 0, -2, -126, 126, -127 };
    memcpy(bench.x, halves, sizeof halves);
    bench.x[33] = 1e-45f;
    bench.x[70] = NAN;
    bench.x[71] = 5;
    bench.x[96] = -INFINITY;
    kernels.round_i8(&bench.act, 0, bench.x);
    assert_true(bench.act.scale[0] == 1);
    for (size_t i = 0; i < COUNT(want); i++) assert_int_equal(bench.act.q[i], want[i]);
    assert_true(bench.act.scale[1] == 0);
    assert_true(isnan(bench.act.scale[2]) && isnan(bench.act.scale[3]));
    for (int i = 32; i < 128; i++) assert_int_equal(bench.act.q[i], 0);
    for (int i = 2; i < 8; i++) assert_int_equal(bench.act.sum[i], 0);
}

static void test_act_place(void **state)
{
    (void)state;
    static _Alignas(64) char memory[8192];
    for (int64_t n = 1; n <= 5; n++) {
        struct act_i8 a;
        act_i8_place(&a, memory, n, 768, 256);
        assert_true((char *)a.q >= memory && (char *)a.scale >= (char *)a.q + n * 768);
        assert_true((char *)a.sum >= (char *)a.scale + n * 3 * 4);
        assert_true((char *)a.sum + n * 48 * 2 <= memory + act_i8_bytes(n, 768, 256));
        assert_true((uintptr_t)a.scale % 64 == 0 && (uintptr_t)a.sum % 64 == 0);
    }
}

/* ---- extreme values */

/* The largest magnitudes each block can hold, all terms of one sign, so that nothing is hidden by cancellation. */
static void block_extreme(enum dtype t, void *block, int sign)
{
    const uint16_t one = f32_to_f16(1);
    memset(block, sign > 0 ? 0xff : 0, (size_t)type_of(t)->block_bytes);
    if (t == DTYPE_Q8_0) {
        struct q8_0 *b = block;
        b->d = one;
        memset(b->q, sign > 0 ? 127 : -128, sizeof b->q);
    } else if (t == DTYPE_Q4_0) {
        ((struct q4_0 *)block)->d = one;
    } else if (t == DTYPE_Q4_1) {
        struct q4_1 *b = block;
        b->d = one;
        b->m = sign > 0 ? one : f32_to_f16(-1);
    } else if (t == DTYPE_Q5_0) {
        ((struct q5_0 *)block)->d = one;
    } else if (t == DTYPE_Q5_1) {
        struct q5_1 *b = block;
        b->d = one;
        b->m = sign > 0 ? one : f32_to_f16(-1);
    } else if (t == DTYPE_Q4_K) {
        struct q4_k *b = block;
        memset(b->scales, 0xff, sizeof b->scales);
        b->d = sign > 0 ? one : 0;
        b->dmin = sign > 0 ? 0 : one;
    } else if (t == DTYPE_Q5_K) {
        struct q5_k *b = block;
        memset(b->scales, 0xff, sizeof b->scales);
        b->d = sign > 0 ? one : 0;
        b->dmin = sign > 0 ? 0 : one;
    } else if (t == DTYPE_MXFP4) {
        struct mxfp4 *b = block;
        b->e = 128;
        memset(b->q, sign > 0 ? 0x77 : 0xff, sizeof b->q); /* 12, -12 */
    } else {
        struct q6_k *b = block;
        memset(b->scales, sign > 0 ? 127 : -128, sizeof b->scales);
        b->d = one;
    }
}

static void test_extremes(void **state)
{
    (void)state;
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.product_i8[t]) continue;
        bench_shape(t, 2, 5, 4096);
        for (int row = 0; row < 2; row++) {
            char *w = bench.w + (size_t)row * bench.row_bytes;
            const uint64_t step = (uint64_t)type_of(t)->block_bytes;
            for (uint64_t at = 0; at < bench.row_bytes; at += step) block_extreme(t, w + at, row ? -1 : 1);
        }
        for (int i = 0; i < 5 * 4096; i++) bench.x[i] = i / 4096 % 2 ? -127 : 127;
        for (int i = 4 * 4096; i < 5 * 4096; i++) bench.x[i] = i % 2 ? -127 : 127;
        bench_finish();
        check_product(kernels.product_i8[t], true);
        check_product(kernels.product_f32[t], false);
        check_same_bits(kernels.product_i8[t], false);
    }
}

/* Random bytes with scales that are denormal, zero, or the largest there is. */
static void test_odd_scales(void **state)
{
    (void)state;
    static const uint16_t scales[] = { 0x0001, 0x03ff, 0x0000, 0x8000, 0x7bff, 0xfbff, 0x0400 };
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.product_i8[t]) continue;
        for (size_t s = 0; s < COUNT(scales); s++) {
            bench_shape(t, 3, 3, 512);
            bytes_random(bench.w, 3 * bench.row_bytes);
            for (uint64_t at = 0; at < 3 * bench.row_bytes; at += (uint64_t)type_of(t)->block_bytes) {
                char *block = bench.w + at;
                if (t == DTYPE_MXFP4) { /* the largest whose sums are finite */
                    static const uint8_t exponents[] = { 0, 1, 2, 3, 127, 240, 4 };
                    *block = (char)exponents[s];
                    continue;
                }
                memcpy(t == DTYPE_Q6_K ? block + 208 : block, &scales[s], 2);
                if (t == DTYPE_Q4_K || t == DTYPE_Q5_K || t == DTYPE_Q4_1 || t == DTYPE_Q5_1) memcpy(block + 2, &scales[s], 2);
            }
            for (int i = 0; i < 3 * 512; i++) bench.x[i] = uniform();
            bench_finish();
            check_product(kernels.product_i8[t], true);
            check_product(kernels.product_f32[t], false);
        }
    }
}

/* Large and denormal activations and plain weights. */
static void test_odd_floats(void **state)
{
    (void)state;
    static const float sizes[] = { 1e-40f, 1e-20f, 1e18f };
    for (enum dtype t = DTYPE_F32; t <= DTYPE_BF16; t++) {
        for (size_t s = 0; s < COUNT(sizes); s++) {
            bench_random(t, 3, 3, 100);
            for (int i = 0; i < 300; i++) bench.x[i] *= sizes[s];
            check_product(kernels.product_f32[t], false);
        }
    }
}

/* A NaN or an infinity in one row of weights, or of activations, reaches the sums of that row and no other. */
static void check_contained(product_fn *fn, enum dtype t, bool in_x, float odd)
{
    bench_random(t, 19, 6, 512);
    if (in_x) {
        bench.x[2 * 512 + 300] = odd;
    } else if (type_of(t)->block == 1) {
        for (int c = 0; c < 512; c++) bench.flat[5 * 512 + c] = c == 300 ? odd : bench.flat[5 * 512 + c];
        type_of(t)->pack(bench.w + 5 * bench.row_bytes, bench.flat + 5 * 512, 512);
    } else {
        const uint16_t d = f32_to_f16(odd);
        memcpy(bench.w + 5 * bench.row_bytes + (t == DTYPE_Q6_K ? 208 : 0), &d, 2);
    }
    bench_finish();
    struct product p = bench_product(NULL, 0);
    const float *y = run_guarded(fn, &p);
    for (int j = 0; j < 6; j++) {
        for (int i = 0; i < 19; i++) {
            const bool hit = in_x ? j == 2 : i == 5;
            if (hit == !isfinite(y[j * p.y_stride + i])) continue;
            fail_msg("%s: y[%d][%d] is %g", type_of(t)->name, j, i, y[j * p.y_stride + i]);
        }
    }
}

static void test_not_finite_contained(void **state)
{
    (void)state;
    static const float odd[] = { NAN, INFINITY, -INFINITY };
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        for (size_t o = 0; o < COUNT(odd); o++) {
            for (int in_x = t == DTYPE_MXFP4; in_x < 2; in_x++) { /* whose scales are powers of two, all finite */
                if (kernels.product_f32[t]) check_contained(kernels.product_f32[t], t, in_x, odd[o]);
                if (kernels.product_i8[t]) check_contained(kernels.product_i8[t], t, in_x, odd[o]);
            }
        }
    }
}

/* Whatever bytes a file holds: no undefined behaviour, and still the same bits for one row and many. */
static void test_any_bytes(void **state)
{
    (void)state;
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.product_f32[t]) continue;
        bench_shape(t, 17, 5, 512);
        bytes_random(bench.w, 17 * bench.row_bytes);
        for (int i = 0; i < 5 * 512; i++) bench.x[i] = uniform();
        bench_finish();
        product_fn *const fns[] = { kernels.product_f32[t], kernels.product_i8[t] };
        for (size_t f = 0; f < COUNT(fns); f++) {
            static float all[5 * 17];
            if (!fns[f]) continue;
            struct product p = bench_product(NULL, 0);
            const float *y = run_guarded(fns[f], &p);
            for (int j = 0; j < 5; j++) memcpy(all + j * 17, y + j * p.y_stride, 17 * sizeof *all);
            for (int j = 0; j < 5; j++) {
                p = bench_product(NULL, 0);
                p.n_x = 1;
                p.x = bench.x + j * 512;
                p.xq_first = j;
                assert_same_floats(t, run_guarded(fns[f], &p), all + j * 17, 17);
            }
        }
    }
}

/* More rows of activations than any panel serves at once: the same bits as row by row. */
enum { MANY_X = 520, MANY_K = 512 + 256, MANY_W = 5 };

static void check_many(enum dtype t, product_fn *fn, const float *x, int64_t k, int64_t x_stride)
{
    static float all[MANY_X * MANY_W], one[MANY_W];
    static uint16_t xb[MANY_X * MANY_K];
    const int block = type_of(t)->act_block ? type_of(t)->act_block : 32;
    char *memory = malloc(act_i8_bytes(MANY_X, k, block) + 64);
    struct act_i8 act;
    act_i8_place(&act, memory + 63 - ((uintptr_t)memory + 63) % 64, MANY_X, k, block);
    for (int64_t j = 0; j < MANY_X; j++) {
        kernels.round_bf16(xb + j * x_stride, x + j * x_stride, k);
        if (type_of(t)->act_block) kernels.round_i8(&act, j, x + j * x_stride);
    }
    struct product p = bench_product(all, MANY_W);
    p.x = x, p.xb = xb, p.x_stride = x_stride, p.xq = &act, p.n_x = MANY_X, p.n_w = MANY_W;
    fn(&p);
    for (int64_t j = 0; j < MANY_X; j++) {
        struct product q = p;
        q.x = x + j * x_stride, q.xb = xb + j * x_stride, q.xq_first = j, q.n_x = 1, q.y = one;
        fn(&q);
        assert_same_floats(t, one, all + j * MANY_W, MANY_W);
    }
    free(memory);
}

static void test_many_rows(void **state)
{
    (void)state;
    static float x[MANY_X * MANY_K];
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.product_f32[t]) continue;
        const int64_t k = type_of(t)->block == 1 ? 600 : MANY_K; /* longer than a panel's row */
        bench_random(t, MANY_W, 1, k);
        for (int64_t i = 0; i < MANY_X * MANY_K; i++) x[i] = uniform();
        check_many(t, kernels.product_f32[t], x, k, MANY_K);
        check_many(t, kernels.product_bf16[t], x, k, MANY_K);
        if (kernels.product_i8[t]) check_many(t, kernels.product_i8[t], x, k, MANY_K);
    }
}

/* ---- attention's parts */

enum { BLOCK_M = 19, BLOCK_N = 80, BLOCK_K = 33 };

static void test_block_product(void **state)
{
    (void)state;
    static float a[BLOCK_M * BLOCK_K], b[BLOCK_K * BLOCK_N], c[BLOCK_M * BLOCK_N], before[BLOCK_M * BLOCK_N], one[BLOCK_N];
    for (size_t i = 0; i < COUNT(a); i++) a[i] = uniform();
    for (size_t i = 0; i < COUNT(b); i++) b[i] = uniform();
    for (int test = 0; test < 2 * BLOCK_M * 5; test++) {
        const int64_t m = 1 + test % BLOCK_M, n = 16 * (1 + test / BLOCK_M % 5), k = test % 3 ? BLOCK_K : 1 + test % BLOCK_K;
        for (size_t i = 0; i < COUNT(c); i++) c[i] = before[i] = uniform();
        struct block_product p = { .a = a, .b = b, .c = c, .a_stride = BLOCK_K, .b_stride = BLOCK_N, .c_stride = BLOCK_N, .m = m, .n = n,
                                   .k = k, .add = test & 1 };
        kernels.block_product(&p);
        for (int64_t r = 0; r < BLOCK_M; r++) {
            memcpy(one, before + r * BLOCK_N, sizeof one);
            p.a = a + r * BLOCK_K, p.c = one, p.m = 1;
            if (r < m) kernels.block_product(&p);
            assert_memory_equal(one, c + r * BLOCK_N, sizeof one); /* rows behind m and columns behind n are left alone */
            for (int64_t i = 0; i < n && r < m; i++) {
                double sum = p.add ? (double)before[r * BLOCK_N + i] : 0;
                for (int64_t l = 0; l < k; l++) sum += (double)a[r * BLOCK_K + l] * (double)b[l * BLOCK_N + i];
                assert_true(fabs(sum - (double)one[i]) < 1e-5);
            }
        }
    }
}

static void test_block_transpose(void **state)
{
    (void)state;
    static float from[KERNEL_PAGE * 50 + 16], to[64 * KERNEL_PAGE];
    for (size_t i = 0; i < COUNT(from); i++) from[i] = uniform();
    for (int64_t k = 1; k <= 50; k++) {
        kernels.block_transpose(to, from, k);
        for (int64_t r = 0; r < KERNEL_PAGE; r++) {
            for (int64_t c = 0; c < k; c++) assert_true(to[c * KERNEL_PAGE + r] == from[r * k + c]);
        }
    }
}

/* Two pages, one after another, against a softmax in double over both. */
static void test_block_softmax(void **state)
{
    (void)state;
    enum { M = 3, WIDTH = 16 };
    for (int from = 0; from < KERNEL_PAGE; from += 7) {
        float raw[2][M * KERNEL_PAGE], score[M * KERNEL_PAGE], sum[M * WIDTH], max[M], total[M] = { 0 };
        for (int i = 0; i < M; i++) max[i] = -INFINITY;
        for (int i = 0; i < M * WIDTH; i++) sum[i] = 0;
        for (int page = 0; page < 2; page++) {
            for (int i = 0; i < M * KERNEL_PAGE; i++) raw[page][i] = score[i] = uniform() * 20;
            const int to = page ? KERNEL_PAGE : KERNEL_PAGE - 1;
            kernels.block_softmax(&(struct block_softmax){ .score = score, .sum = sum, .max = max, .total = total, .scale = 0.5f, .from = from,
                                                           .to = to, .m = M, .width = WIDTH });
            for (int r = 0; r < M; r++) {
                for (int i = 0; i < KERNEL_PAGE; i++) {
                    const double e = i >= from && i < to ? exp((double)raw[page][r * KERNEL_PAGE + i] * 0.5 - (double)max[r]) : 0;
                    assert_true(fabs(e - (double)score[r * KERNEL_PAGE + i]) < 1e-6);
                    for (int c = 0; c < WIDTH; c++) sum[r * WIDTH + c] += score[r * KERNEL_PAGE + i];
                }
            }
        }
        for (int r = 0; r < M; r++) {
            double top = -1e30, want = 0;
            for (int i = from; i < 2 * KERNEL_PAGE; i++) {
                if (i % KERNEL_PAGE >= from && i != KERNEL_PAGE - 1) top = fmax(top, (double)raw[i / KERNEL_PAGE][r * KERNEL_PAGE + i % KERNEL_PAGE] * 0.5);
            }
            for (int i = from; i < 2 * KERNEL_PAGE; i++) {
                if (i % KERNEL_PAGE >= from && i != KERNEL_PAGE - 1) want += exp((double)raw[i / KERNEL_PAGE][r * KERNEL_PAGE + i % KERNEL_PAGE] * 0.5 - top);
            }
            assert_true(fabs((double)max[r] - top) < 1e-5 && fabs((double)total[r] - want) < 1e-5 * want);
            assert_true(fabs((double)sum[r * WIDTH] - want) < 1e-5 * want); /* scaled down with the total */
        }
    }
}

/* ---- between sets */

/* Arithmetic int8 is the reference's, bit for bit: rounded activations, and products of any bytes. */
static void check_like_reference(enum dtype t, const struct kernels *ref, int64_t n_w, int64_t n_x, int64_t k)
{
    static float mine[ROWS_X * ROWS_W];
    bench_shape(t, n_w, n_x, k);
    bytes_random(bench.w, (size_t)n_w * bench.row_bytes);
    for (int64_t i = 0; i < n_x * k; i++) bench.x[i] = uniform() * (float)(1 + i % 5);
    bench_finish();
    struct product p = bench_product(NULL, 0);
    const float *y = run_guarded(kernels.product_i8[t], &p);
    for (int64_t j = 0; j < n_x; j++) memcpy(mine + j * n_w, y + j * p.y_stride, (size_t)n_w * sizeof *mine);

    const size_t bytes = act_i8_bytes(n_x, k, bench.act.block);
    char *memory = malloc(bytes + 64);
    struct act_i8 act;
    act_i8_place(&act, memory + 63 - ((uintptr_t)memory + 63) % 64, n_x, k, bench.act.block);
    for (int64_t row = 0; row < n_x; row++) ref->round_i8(&act, row, bench.x + row * k);
    assert_memory_equal(act.q, bench.act.q, (size_t)(n_x * k));
    assert_memory_equal(act.scale, bench.act.scale, (size_t)(n_x * (k / act.block)) * sizeof *act.scale);
    assert_memory_equal(act.sum, bench.act.sum, (size_t)(n_x * (k / 16)) * sizeof *act.sum);
    assert_memory_equal(act.sum32, bench.act.sum32, (size_t)(n_x * (k / 32)) * sizeof *act.sum32);
    p = bench_product(NULL, 0);
    p.xq = &act;
    y = run_guarded(ref->product_i8[t], &p);
    for (int64_t j = 0; j < n_x; j++) assert_same_floats(t, mine + j * n_w, y + j * p.y_stride, n_w);
    free(memory);
}

static void test_i8_like_reference(void **state)
{
    (void)state;
    static const int64_t n_w[] = { 1, 4, 31, 32, 33, ROWS_W }, n_x[] = { 1, 3, 4, 6, 8, 13, ROWS_X };
    struct kernels ref;
    int64_t k[32];
    kernels_fill(&ref, 0);
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.product_i8[t]) continue;
        const int n_k = lengths(t, k);
        for (int i = 0; i < n_k; i++) {
            for (size_t s = 0; s < COUNT(n_w); s++) check_like_reference(t, &ref, n_w[s], n_x[(s + (size_t)i) % COUNT(n_x)], k[i]);
        }
    }
}

/* Whatever features are allowed: every entry comes from a set that needs no others. */
static void test_masks(void **state)
{
    (void)state;
    const uint64_t has = cpu_features();
    uint64_t mask = 0;
    do {
        struct kernels k;
        kernels_fill(&k, mask);
        for (int t = 0; t < DTYPE_COUNT; t++) {
            const char *names[] = { k.set_f32[t], k.set_i8[t], k.set_in_major[t], k.set_bf16[t] };
            assert_int_equal(names[0] != NULL, k.product_f32[t] != NULL);
            assert_int_equal(names[1] != NULL, k.product_i8[t] != NULL);
            assert_int_equal(names[2] != NULL, k.product_in_major[t] != NULL);
            assert_int_equal(names[3] != NULL, k.product_bf16[t] != NULL);
            for (size_t n = 0; n < COUNT(names); n++) {
                for (int i = 0; i < kernel_set_count && names[n]; i++) {
                    if (strcmp(kernel_sets[i].name, names[n]) == 0) assert_true((kernel_sets[i].needs & ~mask) == 0);
                }
            }
        }
        mask = (mask - has) & has; /* the next subset */
    } while (mask != 0);
}

static void test_mask_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int         status;
        uint64_t    mask;
    } cases[] = {
        { "none", 0, 0 },
        { "all", 0, UINT64_MAX },
        { "avx2", 0, CPU_BIT(CPU_AVX2) },
        { "fma,avx512f", 0, CPU_BIT(CPU_FMA) | CPU_BIT(CPU_AVX512F) },
        { "0x5", 0, 5 },
        { "", HEARTH_E_ARG, 0 },
        { "avx2,", HEARTH_E_ARG, 0 },
        { "avx3", HEARTH_E_ARG, 0 },
        { "0xg", HEARTH_E_ARG, 0 },
        { "0x", HEARTH_E_ARG, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct hearth_error err = { 0 };
        uint64_t mask = 0;
        const int status = cpu_mask_read(&mask, cases[i].text, &err);
        if (cases[i].status) {
            assert_fails(status, cases[i].status, &err);
        } else {
            assert_ok(status, &err);
            assert_true(mask == cases[i].mask);
        }
    }
    for (int f = 0; f < CPU_FEATURE_COUNT; f++) {
        uint64_t mask;
        assert_int_equal(cpu_mask_read(&mask, cpu_feature_name((enum cpu_feature)f), NULL), 0);
        assert_true(mask == CPU_BIT(f));
    }
}

/* An emulated instruction takes a thousand times as long: of the set that needs them, a few shapes of each type. What is emulated
 * is really what ran. */
static void test_emulated(void **state)
{
    (void)state;
    static const int64_t n_w[] = { 1, 4, 5, 33 }, n_x[] = { 1, 3, 4, 13 };
    struct kernels ref;
    kernels_fill(&ref, 0);
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (!kernels.product_i8[t]) continue;
        for (size_t i = 0; i < COUNT(n_w) * COUNT(n_x); i++) {
            const uint64_t before = emulate_vnni_count();
            check_like_reference(t, &ref, n_w[i % COUNT(n_w)], n_x[i / COUNT(n_w)], 256 * (int64_t)(1 + i % 3));
            assert_true(emulate_vnni_count() > before);
        }
    }
}

/* ---- every test of a set with each set that this machine has, alone; where AVX2 is, AVX-VNNI is emulated */

static int choose_set(void **state)
{
    const struct kernel_set *set = *state;
    kernels_fill(&kernels, set->needs);
    emulated = set->needs & ~cpu_features();
    assert_string_equal(kernels.name, set->name);
    rng_seed(&rng, 7);
    return 0;
}

#define SET_TEST(function) { #function, function }

int main(void)
{
    static const struct {
        const char      *name;
        CMUnitTestFunction run;
    } set_tests[] = {
        SET_TEST(test_table_filled), SET_TEST(test_products),       SET_TEST(test_same_bits),   SET_TEST(test_lane_order),
        SET_TEST(test_dot),          SET_TEST(test_nothing_to_do),  SET_TEST(test_columns),     SET_TEST(test_unpack),
        SET_TEST(test_axpy),         SET_TEST(test_round_i8),       SET_TEST(test_round_i8_edges), SET_TEST(test_extremes),
        SET_TEST(test_odd_scales),   SET_TEST(test_odd_floats),     SET_TEST(test_not_finite_contained), SET_TEST(test_any_bytes),
        SET_TEST(test_i8_like_reference), SET_TEST(test_bf16), SET_TEST(test_round_bf16), SET_TEST(test_many_rows), SET_TEST(test_block_product),
        SET_TEST(test_block_transpose), SET_TEST(test_block_softmax),
    };
    static struct CMUnitTest tests[16 * COUNT(set_tests)] = {
        cmocka_unit_test(test_act_place),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_mask_read),
    };
    static char names[COUNT(tests)][64];
    size_t n = 3;
    for (int i = 0; i < kernel_set_count; i++) {
        void *const set = (void *)(uintptr_t)&kernel_sets[i];
        const uint64_t lacks = kernel_sets[i].needs & ~cpu_features();
        if (lacks == CPU_BIT(CPU_AVXVNNI) && emulate_vnni_begin())
            tests[n++] = (struct CMUnitTest){ "avxvnni test_emulated", test_emulated, choose_set, NULL, set };
        for (size_t f = 0; f < COUNT(set_tests) && !lacks; f++, n++) {
            snprintf(names[n], sizeof names[n], "%s %s", kernel_sets[i].name, set_tests[f].name);
            tests[n] = (struct CMUnitTest){ names[n], set_tests[f].run, choose_set, NULL, set };
        }
    }
    return _cmocka_run_group_tests("kernels", tests, n, bench_make, bench_free);
}
