/* Template of the kernels: what is the same for all types, over a vec.h (see ref/ref_vec.h) included before. Functions that
 * take a function are inlined with it, so each type's entry becomes one loop.
 *
 * Arithmetic f32: value c of a row goes to lane c % 16 of one sum, c upwards; at the end vf_sum adds the lanes. One row or
 * many, fused or through an unpacked panel: the order is the same, so the bits are.
 * Arithmetic bf16: weights and activations are rounded to bf16, so that their products are exact in f32. Values 2 i and 2 i + 1 go
 * to lane i % 16, i upwards, the odd one first, each sum rounded once; at the end vf_sum. An instruction set may take numbers
 * below the normal f32 (2^-126) for zero, as the bf16 instruction of AVX-512 does; but for those all sets have the same bits.
 * Arithmetic int8: exact integers inside a block, then one float step a block, blocks upwards:
 *     y += scale_x * (d * sum of (sub-block scale * q_w * q_x) - dmin * sum of (sub-block min * sum of q_x)) */
#ifndef KERNELS_PRODUCT_H
#define KERNELS_PRODUCT_H

#include <string.h>

#include "kernels/kernels.h"

/* Makes arrays of sums stay in registers and constants of each round be constants. */
#if defined(__clang__)
#define UNROLL_8  _Pragma("clang loop unroll(full)")
#define UNROLL_16 UNROLL_8
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define UNROLL_8  _Pragma("GCC unroll 8")
#define UNROLL_16 _Pragma("GCC unroll 16")
#define NO_UNROLL _Pragma("GCC unroll 1")
#endif

/* A block of weights beside one of rounded activations. */
struct block_i8 {
    const void    *w;
    const int8_t  *x;
    const int16_t *sum, *sum32; /* of each 16 of x, of each 32 */
};

INLINE const void *block_at(const struct block_i8 *b, int at)
{
    return (const char *)b->w + at;
}

/* What is known of four blocks before they are multiplied. */
struct head_i8 {
    uint32_t scale[4][8]; /* of sub-blocks of 32: each as two numbers of 16 bits */
    vh       scales[4];   /* of sub-blocks of 16 */
    v4i      begin;       /* of the sums */
    v4f      d, min;      /* min: what the minima take off */
};

/* What a type has of its own (quant/<type>/<type>_dot.h). All that is inlined with one sees constants: its functions are called
 * directly, and what it lacks is left out. */
struct weight_type {
    int values, bytes; /* of a block; a plain type: of one value */
    /* plain types */
    vf (*load)(const void *p);  /* 16 values; NULL: a type of blocks */
    vp (*pairs)(const void *p); /* 32 values as bf16 */
    /* types of blocks */
    void (*floats)(float *dst, const void *block); /* dst [values] */
    /* int8, all in exact integers; types with sub-blocks have the first, the others the second */
    v4i (*head_i8)(struct head_i8 *h, const struct block_i8 *b); /* scales, d, min; what the sums of activations make of minima or of an excess */
    int  excess; /* what each weight has too much */
    void (*sums_i8)(vi *total, const struct head_i8 *h, const struct block_i8 *b, const int rows); /* total[r] of b[r], r < rows */
    void (*pair_i8)(vb *first, vb *last, const void *a, const void *b); /* of two blocks of 32 the halves, as bytes without sign; or NULL */
    v4f (*scale)(const void *a, const void *b, const void *c, const void *d); /* of four blocks: what stands at d_at, at min_at */
    int d_at, min_at; /* in a block; min_at 0: no minima */
};

typedef void unpack_fn(float *dst, const void *src, int64_t n);

enum {
    CHUNK     = 256, /* values that are unpacked together; a multiple of every block */
    STEP      = 64,  /* bytes that a panel's rows are multiplied by: 16 floats, 32 bf16 */
    PANEL_ROW = CHUNK * 4, /* bytes of a row in a panel, so that all of the panel stays in the nearest cache */
    X_GROUP   = 252, /* activation rows that a panel serves before it is unpacked again, their sums in the second cache */
    I8_GROUP  = 64,  /* activation rows that should stay in the second cache while all weight rows pass */
    I8_SUMS   = 4,   /* sums of a block taken together: 4 weight rows and one of activations, or the other way round */
    I8_HEADS  = 8,   /* blocks whose scales are read in advance */
    I8_FEW    = 3,   /* up to so many activation rows, weight rows pass I8_SUMS at a time */
    COLUMNS_K = 8,   /* input-major weights: input rows that pass while a piece of the output is in registers */
};

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- rows of types of blocks */

INLINE void unpack_blocks(float *dst, const void *src, int64_t n, const struct weight_type *t)
{
    const char *b = src;
    for (int64_t i = 0; i < n; i += t->values, b += t->bytes) t->floats(dst + i, b);
}

INLINE void dots_blocks(float *y, const void *w, size_t w_stride, const float *x, int64_t n, const struct weight_type *t, const int rows)
{
    const char *b = w;
    float values[VEC_DOT_ROWS][CHUNK];
    vf sum[VEC_DOT_ROWS];
    for (int r = 0; r < rows; r++) sum[r] = vf_set(0);
    for (int64_t i = 0; i < n; i += t->values, b += t->bytes) {
        for (int r = 0; r < rows; r++) t->floats(values[r], b + (size_t)r * w_stride);
        for (int c = 0; c < t->values; c += 16) {
            for (int r = 0; r < rows; r++) sum[r] = vf_mul_add(sum[r], vf_load(values[r] + c), vf_load(x + i + c));
        }
    }
    for (int r = 0; r < rows; r++) y[r] = vf_sum(sum[r]);
}

INLINE void dots_blocks_bf16(float *y, const void *w, size_t w_stride, const uint16_t *x, int64_t n, const struct weight_type *t, const int rows)
{
    const char *b = w;
    float values[VEC_DOT_ROWS][CHUNK];
    vf sum[VEC_DOT_ROWS];
    for (int r = 0; r < rows; r++) sum[r] = vf_set(0);
    for (int64_t i = 0; i < n; i += t->values, b += t->bytes) {
        for (int r = 0; r < rows; r++) t->floats(values[r], b + (size_t)r * w_stride);
        for (int c = 0; c < t->values; c += 32) {
            const vp xv = vp_load(x + i + c);
            for (int r = 0; r < rows; r++) sum[r] = vf_dot_pairs(sum[r], vp_round(vf_load(values[r] + c), vf_load(values[r] + c + 16)), xv);
        }
    }
    for (int r = 0; r < rows; r++) y[r] = vf_sum(sum[r]);
}

/* y[n] += a * x[n] */
INLINE void axpy_blocks(float *y, float a, const void *x, int64_t n, const struct weight_type *t)
{
    const char *b = x;
    const vf av = vf_set(a);
    float values[CHUNK];
    for (int64_t i = 0; i < n; i += t->values, b += t->bytes) {
        t->floats(values, b);
        for (int c = 0; c < t->values; c += 16) vf_store(y + i + c, vf_mul_add(vf_load(y + i + c), av, vf_load(values + c)));
    }
}

/* ---- rows of plain types */

/* The last n < 16 values of a run, zeros behind them. */
INLINE vf vf_load_tail(const float *p, int64_t n)
{
    float v[16] = { 0 };
    memcpy(v, p, (size_t)n * sizeof *v);
    return vf_load(v);
}

/* The last n < 16 values. */
INLINE vf load_tail(const void *p, int64_t n, const struct weight_type *t)
{
    char v[16 * sizeof(float)] = { 0 };
    memcpy(v, p, (size_t)(n * t->bytes));
    return t->load(v);
}

INLINE void unpack_plain(float *dst, const void *src, int64_t n, const struct weight_type *t)
{
    const char *s = src;
    float tail[16];
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) vf_store(dst + i, t->load(s + i * t->bytes));
    if (i == n) return;
    vf_store(tail, load_tail(s + i * t->bytes, n - i, t));
    memcpy(dst + i, tail, (size_t)(n - i) * sizeof *tail);
}

INLINE void dots_plain(float *y, const void *w, size_t w_stride, const float *x, int64_t n, const struct weight_type *t, const int rows)
{
    const char *s = w;
    vf sum[VEC_DOT_ROWS];
    for (int r = 0; r < rows; r++) sum[r] = vf_set(0);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int r = 0; r < rows; r++) sum[r] = vf_mul_add(sum[r], t->load(s + (size_t)r * w_stride + i * t->bytes), vf_load(x + i));
    }
    for (int r = 0; r < rows && i < n; r++) {
        sum[r] = vf_mul_add(sum[r], load_tail(s + (size_t)r * w_stride + i * t->bytes, n - i, t), vf_load_tail(x + i, n - i));
    }
    for (int r = 0; r < rows; r++) y[r] = vf_sum(sum[r]);
}

INLINE void dots_plain_bf16(float *y, const void *w, size_t w_stride, const uint16_t *x, int64_t n, const struct weight_type *t, const int rows)
{
    const char *s = w;
    vf sum[VEC_DOT_ROWS];
    for (int r = 0; r < rows; r++) sum[r] = vf_set(0);
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const vp xv = vp_load(x + i);
        for (int r = 0; r < rows; r++) sum[r] = vf_dot_pairs(sum[r], t->pairs(s + (size_t)r * w_stride + i * t->bytes), xv);
    }
    for (int r = 0; r < rows && i < n; r++) {
        char tail[32 * sizeof(float)] = { 0 };
        memcpy(tail, s + (size_t)r * w_stride + i * t->bytes, (size_t)((n - i) * t->bytes));
        sum[r] = vf_dot_pairs(sum[r], t->pairs(tail), vp_load(x + i));
    }
    for (int r = 0; r < rows; r++) y[r] = vf_sum(sum[r]);
}

INLINE void axpy_plain(float *y, float a, const void *x, int64_t n, const struct weight_type *t)
{
    const char *s = x;
    const vf av = vf_set(a);
    float tail[16];
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) vf_store(y + i, vf_mul_add(vf_load(y + i), av, t->load(s + i * t->bytes)));
    if (i == n) return;
    vf_store(tail, vf_mul_add(vf_load_tail(y + i, n - i), av, load_tail(s + i * t->bytes, n - i, t)));
    memcpy(y + i, tail, (size_t)(n - i) * sizeof *tail);
}

/* ---- rows of any type */

INLINE void dots_f32(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const struct weight_type *t, const int rows)
{
    if (t->load)
        dots_plain(y, w, w_stride, x, n, t, rows);
    else
        dots_blocks(y, w, w_stride, x, n, t, rows);
}

INLINE void dots_bf16(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const struct weight_type *t, const int rows)
{
    if (t->load)
        dots_plain_bf16(y, w, w_stride, x, n, t, rows);
    else
        dots_blocks_bf16(y, w, w_stride, x, n, t, rows);
}

INLINE float dot_any(const void *w, const float *x, int64_t n, const struct weight_type *t)
{
    float y;
    dots_f32(&y, w, 0, x, n, t, 1);
    return y;
}

/* ---- panels: weights unpacked for many rows of activations, in f32 and bf16 */

/* What the kernels of f32 and bf16 keep in product.scratch. A panel's rows end with zeros up to a multiple of STEP. */
struct panel_floats {
    char w[KERNEL_PANEL][PANEL_ROW]; /* floats or bf16 */
    vf   sum[X_GROUP][KERNEL_PANEL];
};

_Static_assert(sizeof(struct panel_floats) <= PRODUCT_SCRATCH, "scratch holds the panel of floats");

/* Fills one row of a panel with n values of a row of weights, which the type's unpack knows. */
typedef void fill_fn(char *dst, const void *src, int64_t n, const struct weight_type *t, unpack_fn *unpack);

/* sum + w * x in the lanes of a register: one float a lane, or a pair of bf16 */
typedef vr multiply_fn(vr sum, vr w, vr x);

/* A row of the panel: weights, activations, sums, and where finished ones go. */
struct tile {
    const char *w, *x;
    int64_t     x_stride, bytes; /* bytes between rows of x; of a row of the panel */
    vf         *sum;             /* [nx][KERNEL_PANEL] */
    float      *y;               /* [nx, width], NULL: not finished */
    int64_t     y_stride, width;
    bool        first;           /* sums begin at zero */
};

INLINE void tile_finish(const struct tile *t, const vf s[VEC_TILE_X][VEC_TILE_W], const int nx)
{
    UNROLL_8
    for (int j = 0; j < nx; j++) {
        float y[VEC_TILE_W], *to = t->y + j * t->y_stride;
        vf_sums(y, s[j], VEC_TILE_W);
        if (t->width >= VEC_TILE_W)
            memcpy(to, y, sizeof y);
        else
            memcpy(to, y, (size_t)t->width * sizeof *y);
    }
}

/* s[j][i] += w[i] * x[j] at `steps` steps, of each the register's share that w and x point to */
INLINE void tile_steps(vr s[VEC_TILE_X][VEC_TILE_W], const char *w, const char *x, int64_t x_stride, multiply_fn *multiply, const int nx,
                       const int steps)
{
    UNROLL_8
    for (int step = 0; step < steps; step++) {
        vr v[VEC_TILE_X];
        UNROLL_8
        for (int j = 0; j < nx; j++) v[j] = vr_load(x + j * x_stride + step * STEP);
        UNROLL_8
        for (int i = 0; i < VEC_TILE_W; i++) {
            const vr wv = vr_load(w + i * PANEL_ROW + step * STEP);
            UNROLL_8
            for (int j = 0; j < nx; j++) s[j][i] = multiply(s[j][i], wv, v[j]);
        }
    }
}

/* Part `part` of the lanes, whose sums for VEC_TILE_W rows of weights and nx rows of activations stay in registers. Eight steps
 * pass without a branch: one that ends a loop after 16 is not foreseen, and costs a quarter of the time. */
INLINE void tile_part(vf sum[VEC_TILE_X][VEC_TILE_W], const struct tile *t, multiply_fn *multiply, const int nx, const int part)
{
    const char *w = t->w + part * (int)sizeof(vr), *x = t->x + part * (int)sizeof(vr);
    vr s[VEC_TILE_X][VEC_TILE_W];
    UNROLL_8
    for (int j = 0; j < nx; j++) {
        UNROLL_8
        for (int i = 0; i < VEC_TILE_W; i++) s[j][i] = t->first ? vr_zero() : vf_part(t->sum[j * KERNEL_PANEL + i], part);
    }
    int64_t c = 0;
    for (; c + 8 * STEP <= t->bytes; c += 8 * STEP) tile_steps(s, w + c, x + c, t->x_stride, multiply, nx, 8);
    NO_UNROLL
    for (; c + STEP <= t->bytes; c += STEP) tile_steps(s, w + c, x + c, t->x_stride, multiply, nx, 1);
    if (c < t->bytes) {
        char tail[VEC_TILE_X][STEP] = { 0 };
        for (int j = 0; j < nx; j++) memcpy(tail[j], t->x + j * t->x_stride + c, (size_t)(t->bytes - c));
        tile_steps(s, w + c, tail[0] + part * (int)sizeof(vr), STEP, multiply, nx, 1);
    }
    UNROLL_8
    for (int j = 0; j < nx; j++) {
        UNROLL_8
        for (int i = 0; i < VEC_TILE_W; i++) vf_set_part(&sum[j][i], part, s[j][i]);
    }
}

INLINE void tile_add(const struct tile *t, multiply_fn *multiply, const int nx)
{
    vf s[VEC_TILE_X][VEC_TILE_W];
    UNROLL_8
    for (int part = 0; part < VEC_PARTS; part++) tile_part(s, t, multiply, nx, part);
    if (t->y) {
        tile_finish(t, s, nx);
        return;
    }
    UNROLL_8
    for (int j = 0; j < nx; j++) {
        UNROLL_8
        for (int i = 0; i < VEC_TILE_W; i++) t->sum[j * KERNEL_PANEL + i] = s[j][i];
    }
}

/* A panel of `rows` weight rows from i with activation rows [first, end): of their values those from c on that the panel holds. */
INLINE void panel_add(const struct product *p, struct panel_floats *m, int64_t i, int64_t first, int64_t end, int64_t c, int size,
                      multiply_fn *multiply)
{
    const int64_t rows = least(KERNEL_PANEL, p->n_w - i), n = least(PANEL_ROW / size, p->k - c);
    struct tile t = { .x_stride = p->x_stride * size, .bytes = n * size, .y_stride = p->y_stride, .first = c == 0 };
    const char *x = size == 4 ? (const char *)p->x : (const char *)p->xb;
    for (int64_t j = first; j < end;) {
        const int nx = j + VEC_TILE_X <= end ? VEC_TILE_X : 1;
        t.x = x + (j * p->x_stride + c) * size;
        for (int64_t r = 0; r < rows; r += VEC_TILE_W) {
            t.w = m->w[r];
            t.sum = &m->sum[j - first][r];
            t.y = c + n == p->k ? p->y + j * p->y_stride + i + r : NULL;
            t.width = rows - r;
            if (nx == VEC_TILE_X)
                tile_add(&t, multiply, VEC_TILE_X);
            else
                tile_add(&t, multiply, 1);
        }
        j += nx;
    }
}

/* y[r] = row r of w with x, r < rows <= VEC_DOT_ROWS. Rows together hide the latency of each row's own sum. */
typedef void dots_fn(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const struct weight_type *t, const int rows);

/* panel_add of an arithmetic */
typedef void panel_fn(const struct product *p, struct panel_floats *m, int64_t i, int64_t first, int64_t end, int64_t c);

/* A product in panels whose values have `size` bytes. */
INLINE void product_panels(const struct product *p, const struct weight_type *t, unpack_fn *unpack, int size, fill_fn *fill, panel_fn *add)
{
    struct panel_floats *m = (struct panel_floats *)(void *)p->scratch;
    for (int64_t first = 0; first < p->n_x; first += X_GROUP) {
        const int64_t end = least(first + X_GROUP, p->n_x);
        for (int64_t i = 0; i < p->n_w; i += KERNEL_PANEL) {
            for (int64_t c = 0; c < p->k; c += PANEL_ROW / size) {
                const char *w = (const char *)p->w + (size_t)i * p->w_stride + c / t->values * t->bytes;
                for (int64_t r = 0; r < least(KERNEL_PANEL, p->n_w - i); r++) {
                    fill(m->w[r], w + (size_t)r * p->w_stride, least(PANEL_ROW / size, p->k - c), t, unpack);
                }
                add(p, m, i, first, end, c);
            }
        }
    }
}

/* One row of activations. */
INLINE void product_one(const struct product *p, const void *x, const struct weight_type *t, dots_fn *dots)
{
    const char *w = p->w;
    int64_t i = 0;
    for (; i + VEC_DOT_ROWS <= p->n_w; i += VEC_DOT_ROWS) dots(p->y + i, w + (size_t)i * p->w_stride, p->w_stride, x, p->k, t, VEC_DOT_ROWS);
    for (; i < p->n_w; i++) dots(p->y + i, w + (size_t)i * p->w_stride, p->w_stride, x, p->k, t, 1);
}

/* ---- f32 */

static __attribute__((noinline)) void panel_f32(const struct product *p, struct panel_floats *m, int64_t i, int64_t first, int64_t end, int64_t c)
{
    panel_add(p, m, i, first, end, c, sizeof(float), vr_mul_add);
}

INLINE void fill_f32(char *dst, const void *src, int64_t n, const struct weight_type *t, unpack_fn *unpack)
{
    unpack((float *)(void *)dst, src, n);
    const int64_t over = t->values == 1 ? n * (int64_t)sizeof(float) % STEP : 0; /* blocks end with a step */
    if (over) memset(dst + n * (int64_t)sizeof(float), 0, (size_t)(STEP - over));
}

INLINE void product_f32(const struct product *p, const struct weight_type *t, unpack_fn *unpack)
{
    if (p->n_x == 1)
        product_one(p, p->x, t, dots_f32);
    else
        product_panels(p, t, unpack, sizeof(float), fill_f32, panel_f32);
}

/* ---- bf16; the activations are rounded already, and end with zeros up to a whole STEP */

static __attribute__((noinline)) void panel_bf16(const struct product *p, struct panel_floats *m, int64_t i, int64_t first, int64_t end, int64_t c)
{
    panel_add(p, m, i, first, end, c, sizeof(uint16_t), vr_dot_pairs);
}

INLINE void round_bf16(uint16_t *dst, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) vp_store(dst + i, vp_round(vf_load(x + i), vf_load(x + i + 16)));
    if (i == n) return;
    float tail[32] = { 0 };
    memcpy(tail, x + i, (size_t)(n - i) * sizeof *tail);
    vp_store(dst + i, vp_round(vf_load(tail), vf_load(tail + 16)));
}

INLINE void fill_bf16(char *dst, const void *src, int64_t n, const struct weight_type *t, unpack_fn *unpack)
{
    float values[CHUNK];
    for (int64_t c = 0; c < n; c += CHUNK) {
        const int64_t piece = least(CHUNK, n - c);
        unpack(values, (const char *)src + c / t->values * t->bytes, piece);
        round_bf16((uint16_t *)(void *)dst + c, values, piece);
    }
}

INLINE void product_bf16(const struct product *p, const struct weight_type *t, unpack_fn *unpack)
{
    if (p->n_x == 1)
        product_one(p, p->xb, t, dots_bf16);
    else
        product_panels(p, t, unpack, sizeof(uint16_t), fill_bf16, panel_bf16);
}

/* ---- weights stored input-major: sums over c upwards, one for each output */

/* y[16] += sum over c < n of x[c] * w[c][16]; `first` begins from zero instead. */
INLINE void column_add(float *y, const vf *w, const float *x, int64_t n, int first)
{
    vf sum = first ? vf_set(0) : vf_load(y);
    for (int64_t c = 0; c < n; c++) sum = vf_mul_add(sum, vf_set(x[c]), w[c]);
    vf_store(y, sum);
}

INLINE void product_columns(const struct product *p, const struct weight_type *t)
{
    const char *w = p->w;
    if (p->k == 0) {
        for (int64_t j = 0; j < p->n_x; j++) memset(p->y + j * p->y_stride, 0, (size_t)p->n_w * sizeof *p->y);
    }
    for (int64_t c = 0; c < p->k; c += COLUMNS_K) {
        const int64_t n = least(COLUMNS_K, p->k - c);
        for (int64_t i = 0; i < p->n_w; i += 16) {
            const int64_t width = least(16, p->n_w - i);
            vf piece[COLUMNS_K];
            for (int64_t r = 0; r < n; r++) {
                const char *at = w + (size_t)(c + r) * p->w_stride + i * t->bytes;
                piece[r] = width == 16 ? t->load(at) : load_tail(at, width, t);
            }
            for (int64_t j = 0; j < p->n_x; j++) {
                float *y = p->y + j * p->y_stride + i, edge[16] = { 0 };
                const float *x = p->x + j * p->x_stride + c;
                if (width == 16) {
                    column_add(y, piece, x, n, c == 0);
                    continue;
                }
                if (c > 0) memcpy(edge, y, (size_t)width * sizeof *y);
                column_add(edge, piece, x, n, c == 0);
                memcpy(y, edge, (size_t)width * sizeof *y);
            }
        }
    }
}

/* ---- int8 */

INLINE struct block_i8 block_i8_at(const char *w, const struct act_i8 *a, int64_t row, int64_t c)
{
    const uint64_t at = (uint64_t)(row * a->k + c);
    return (struct block_i8){ w, a->q + at, a->sum + at / 16, a->sum32 + at / 32 };
}

INLINE v4f block_scales(const struct block_i8 *b, int at, const struct weight_type *t)
{
    return t->scale(block_at(&b[0], at), block_at(&b[1], at), block_at(&b[2], at), block_at(&b[3], at));
}

INLINE void head_read(struct head_i8 *h, const struct block_i8 *b, const struct weight_type *t)
{
    v4i offset;
    if (t->head_i8) {
        offset = t->head_i8(h, b);
        h->begin = offset;
    } else {
        offset = (v4i){ -*b[0].sum32, -*b[1].sum32, -*b[2].sum32, -*b[3].sum32 };
        h->begin = offset * t->excess;
        h->d = block_scales(b, t->d_at, t);
        if (t->min_at) h->min = block_scales(b, t->min_at, t);
    }
    if (t->min_at) h->min *= __builtin_convertvector(offset, v4f);
}

/* The float step of a block. */
INLINE v4f step_float(v4f y, v4i sum, const struct head_i8 *h, v4f scale, const struct weight_type *t)
{
    if (!t->min_at) sum += h->begin;
    v4f value = h->d * __builtin_convertvector(sum, v4f);
    if (t->min_at) value -= h->min;
    return y + scale * value;
}

INLINE v4f step_i8(v4f y, const struct head_i8 *h, const struct block_i8 *b, v4f scale, const struct weight_type *t, const int rows)
{
    vi total[I8_SUMS];
    for (int r = rows; r < I8_SUMS; r++) total[r] = vi_zero();
    t->sums_i8(total, h, b, rows);
    return step_float(y, vi_sum4(total[0], total[1], total[2], total[3]), h, scale, t);
}

/* Block c of four weight rows with an activation row. */
INLINE void few_blocks(struct block_i8 *b, const char *const *w, const struct act_i8 *a, int64_t row, int64_t c, const struct weight_type *t)
{
    for (int r = 0; r < I8_SUMS; r++) b[r] = block_i8_at(w[r] + c * t->bytes, a, row, c * t->values);
}

/* The same place of the rows that come next: the processor's own prefetch does not follow four short rows. Into the second cache:
 * the first one can wait for too few lines at once (docs/performance.md). */
INLINE void few_fetch(const char *const *w, int64_t from, const int bytes, size_t w_stride)
{
    for (int r = 0; r < I8_SUMS; r++) {
        for (int at = 0; at < bytes; at += 64) __builtin_prefetch(w[r] + from + 2 * I8_SUMS * w_stride + at, 0, 2);
    }
}

INLINE v4f few_scale(const float *scale)
{
    return (v4f){ *scale, *scale, *scale, *scale };
}

/* Blocks c and c + 1, their halves side by side: what adds up the lanes of one does it for both. */
INLINE v4f few_pair(v4f y, const char *const *w, const struct act_i8 *a, int64_t row, int64_t c, const float *scale,
                    const struct weight_type *t)
{
    const int8_t *x = a->q + row * a->k + c * t->values;
    const vb x_first = vb_firsts(vb_load(x), vb_load(x + 32)), x_last = vb_lasts(vb_load(x), vb_load(x + 32));
    struct block_i8 b[I8_SUMS];
    struct head_i8 head;
    vi2 total[I8_SUMS];
    v4i sum[2];
    for (int r = 0; r < I8_SUMS; r++) {
        vb first, last;
        t->pair_i8(&first, &last, w[r] + c * t->bytes, w[r] + (c + 1) * t->bytes);
        total[r] = vi2_dot(vi2_dot(vi2_zero(), first, x_first), last, x_last);
    }
    vi2_sum4(sum, total);
    for (int n = 0; n < 2; n++) {
        few_blocks(b, w, a, row, c + n, t);
        head_read(&head, b, t);
        y = step_float(y, sum[n], &head, few_scale(scale + c + n), t);
    }
    return y;
}

/* Up to four weight rows from i with activation row j. Where there are sub-blocks, their scales are read for some blocks in advance:
 * that is a long chain of steps, and the processor does not look far enough ahead to begin the next one beside the products. */
INLINE void few_i8(const struct product *p, int64_t i, int64_t j, const struct weight_type *t)
{
    const struct act_i8 *a = p->xq;
    const int64_t row = p->xq_first + j, rows = least(I8_SUMS, p->n_w - i), blocks = p->k / t->values, heads = t->head_i8 ? I8_HEADS : 1;
    const float *scale = a->scale + row * (a->k / t->values);
    const char *w[I8_SUMS];
    struct head_i8 head[I8_HEADS];
    struct block_i8 b[I8_SUMS];
    v4f y = { 0 };
    for (int r = 0; r < I8_SUMS; r++) w[r] = (const char *)p->w + (size_t)(i + (r < rows ? r : 0)) * p->w_stride;
    int64_t first = 0;
    for (; t->pair_i8 && first + 2 <= blocks; first += 2) {
        y = few_pair(y, w, a, row, first, scale, t);
        few_fetch(w, first * t->bytes, 2 * t->bytes, p->w_stride);
    }
    for (; first < blocks; first += heads) {
        const int64_t end = heads == 1 ? first + 1 : least(first + heads, blocks);
        for (int64_t c = first; c < end; c++) {
            few_blocks(b, w, a, row, c, t);
            head_read(&head[c - first], b, t);
        }
        for (int64_t c = first; c < end; c++) {
            few_blocks(b, w, a, row, c, t);
            y = step_i8(y, &head[c - first], b, few_scale(scale + c), t, I8_SUMS);
            few_fetch(w, c * t->bytes, t->bytes, p->w_stride);
        }
    }
    memcpy(p->y + j * p->y_stride + i, &y, (size_t)rows * sizeof *p->y);
}

/* Weight row i with up to four activation rows from j, all of which there are when `rows` is 4. */
INLINE void many_i8(const struct product *p, int64_t i, int64_t j, const struct weight_type *t, const int rows)
{
    const struct act_i8 *a = p->xq;
    const int64_t row = p->xq_first + j, blocks = a->k / t->values;
    const float *scale = a->scale + row * blocks;
    const char *w = (const char *)p->w + (size_t)i * p->w_stride;
    struct head_i8 head;
    struct block_i8 b[I8_SUMS];
    v4f y = { 0 };
    for (int64_t c = 0; c < p->k; c += t->values, scale++, w += t->bytes) {
        v4f s = { 0 };
        for (int r = 0; r < I8_SUMS; r++) b[r] = block_i8_at(w, a, row + (r < rows ? r : 0), c);
        for (int r = 0; r < rows; r++) s[r] = scale[r * blocks];
        head_read(&head, b, t);
        y = step_i8(y, &head, b, s, t, rows);
    }
    for (int r = 0; r < rows; r++) p->y[(j + r) * p->y_stride + i] = y[r];
}

INLINE void product_i8(const struct product *p, const struct weight_type *t)
{
    if (p->n_x <= I8_FEW) {
        for (int64_t i = 0; i < p->n_w; i += I8_SUMS) {
            for (int64_t j = 0; j < p->n_x; j++) few_i8(p, i, j, t);
        }
        return;
    }
    for (int64_t group = 0; group < p->n_x; group += I8_GROUP) {
        const int64_t end = least(group + I8_GROUP, p->n_x);
        for (int64_t i = 0; i < p->n_w; i++) {
            int64_t j = group;
            for (; j + I8_SUMS <= end; j += I8_SUMS) many_i8(p, i, j, t, I8_SUMS);
            for (; j < end; j++) many_i8(p, i, j, t, 1);
        }
    }
}

/* A type's rows of the kernel table (kernels/kernels.h:kernels). */
struct type_kernels {
    product_fn *product_f32, *product_bf16, *product_i8, *product_in_major;
    unpack_fn  *unpack;
    float (*dot)(const void *w, const float *x, int64_t n);
    void (*axpy)(float *y, float a, const void *x, int64_t n);
};

#endif
