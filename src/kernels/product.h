/* Template of the kernels: what is the same for all types, over a vec.h (see ref/ref_vec.h) included before. Functions that
 * take a function are inlined with it, so each type's entry becomes one loop.
 *
 * Arithmetic f32: value c of a row goes to lane c % 16 of one sum, c upwards; at the end vf_sum adds the lanes. One row or
 * many, fused or through an unpacked panel: the order is the same, so the bits are.
 * Arithmetic bf16: the same sums, of weights and activations rounded to bf16 (values of 16 bits that are multiplied exactly).
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
#else
#define UNROLL_8  _Pragma("GCC unroll 8")
#define UNROLL_16 _Pragma("GCC unroll 16")
#endif

/* One block of a quantised type to floats; 16 values of a plain type. */
typedef void unpack_block_fn(float *dst, const void *block);
typedef vf load_fn(const void *p);

enum {
    CHUNK     = 256, /* values of a row that an unpacked panel keeps together; a multiple of every block */
    X_GROUP   = 4,   /* activation rows whose sums are kept while a chunk of the panel is in the nearest cache */
    I8_GROUP  = 64,  /* activation rows that should stay in the second cache while all weight rows pass */
    I8_SUMS   = 4,   /* sums of a block taken together: 4 weight rows and one of activations, or the other way round */
    I8_FEW    = 3,   /* up to so many activation rows, weight rows pass I8_SUMS at a time */
    COLUMNS_K = 8,   /* input-major weights: input rows that pass while a piece of the output is in registers */
};

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- f32: sums over runs of unpacked values */

/* The last n < 16 values of a run, zeros behind them. */
INLINE vf vf_load_tail(const float *p, int64_t n)
{
    float v[16] = { 0 };
    memcpy(v, p, (size_t)n * sizeof *v);
    return vf_load(v);
}

/* sum[j][i] += w[i] * x[j] for nw <= VEC_TILE_W rows of weights, nx <= VEC_TILE_X rows of activations, n values each. */
INLINE void tile_add(vf *sum, int64_t sum_stride, const float *w, int64_t w_stride, const float *x, int64_t x_stride, int64_t n,
                     const int nw, const int nx)
{
    vf s[VEC_TILE_X][VEC_TILE_W];
    for (int j = 0; j < nx; j++) {
        for (int i = 0; i < nw; i++) s[j][i] = sum[j * sum_stride + i];
    }
    int64_t c = 0;
    for (; c + 16 <= n; c += 16) {
        for (int j = 0; j < nx; j++) {
            const vf xv = vf_load(x + j * x_stride + c);
            for (int i = 0; i < nw; i++) s[j][i] = vf_mul_add(s[j][i], vf_load(w + i * w_stride + c), xv);
        }
    }
    if (c < n) {
        for (int j = 0; j < nx; j++) {
            const vf xv = vf_load_tail(x + j * x_stride + c, n - c);
            for (int i = 0; i < nw; i++) s[j][i] = vf_mul_add(s[j][i], vf_load_tail(w + i * w_stride + c, n - c), xv);
        }
    }
    for (int j = 0; j < nx; j++) {
        for (int i = 0; i < nw; i++) sum[j * sum_stride + i] = s[j][i];
    }
}

/* All weight rows of a panel with nx activation rows. */
INLINE void tiles_add(vf *sum, const float *w, int64_t rows, const float *x, int64_t x_stride, int64_t n, const int nx)
{
    int64_t i = 0;
    for (; i + VEC_TILE_W <= rows; i += VEC_TILE_W) {
        tile_add(sum + i, KERNEL_PANEL, w + i * n, n, x, x_stride, n, VEC_TILE_W, nx);
    }
    for (; i < rows; i++) tile_add(sum + i, KERNEL_PANEL, w + i * n, n, x, x_stride, n, 1, nx);
}

/* y rows j .. j + nx - 1, columns i .. i + rows - 1, from a panel laid out as [k / CHUNK][rows][CHUNK]. A row of the panel is
 * not `k` apart from the next: rows a power of two apart would compete for the same places in the cache. */
static void panel_product(const struct product *p, int64_t i, int64_t rows, int64_t j, int64_t nx)
{
    vf sum[X_GROUP][KERNEL_PANEL];
    for (int64_t r = 0; r < nx; r++) {
        for (int64_t s = 0; s < rows; s++) sum[r][s] = vf_set(0);
    }
    for (int64_t c = 0; c < p->k; c += CHUNK) {
        const int64_t n = least(CHUNK, p->k - c);
        const float *w = p->scratch + c * KERNEL_PANEL, *x = p->x + j * p->x_stride + c;
        int64_t r = 0;
        for (; r + VEC_TILE_X <= nx; r += VEC_TILE_X) tiles_add(sum[r], w, rows, x + r * p->x_stride, p->x_stride, n, VEC_TILE_X);
        for (; r < nx; r++) tiles_add(sum[r], w, rows, x + r * p->x_stride, p->x_stride, n, 1);
    }
    for (int64_t r = 0; r < nx; r++) {
        for (int64_t s = 0; s < rows; s++) p->y[(j + r) * p->y_stride + i + s] = vf_sum(sum[r][s]);
    }
}

typedef void  unpack_fn(float *dst, const void *src, int64_t n);

/* y[r] = row r of w with x, r < rows <= VEC_DOT_ROWS. Rows together hide the latency of each row's own sum. */
typedef void dots_fn(float *y, const void *w, size_t w_stride, const float *x, int64_t n, const int rows);

/* The product of a type whose values come `block` at a time in block_bytes bytes. */
INLINE void product_floats(const struct product *p, int block, int block_bytes, unpack_fn *unpack, dots_fn *dots)
{
    const char *w = p->w;
    if (p->n_x <= 1) {
        int64_t i = 0;
        for (; i + VEC_DOT_ROWS <= p->n_w && p->n_x; i += VEC_DOT_ROWS) dots(p->y + i, w + (size_t)i * p->w_stride, p->w_stride, p->x, p->k, VEC_DOT_ROWS);
        for (; i < p->n_w && p->n_x; i++) dots(p->y + i, w + (size_t)i * p->w_stride, p->w_stride, p->x, p->k, 1);
        return;
    }
    for (int64_t i = 0; i < p->n_w; i += KERNEL_PANEL) {
        const int64_t rows = least(KERNEL_PANEL, p->n_w - i);
        for (int64_t r = 0; r < rows; r++) {
            const char *row = w + (size_t)(i + r) * p->w_stride;
            for (int64_t c = 0; c < p->k; c += CHUNK) {
                const int64_t n = least(CHUNK, p->k - c);
                unpack(p->scratch + c * KERNEL_PANEL + r * n, row + c / block * block_bytes, n);
            }
        }
        for (int64_t j = 0; j < p->n_x; j += X_GROUP) panel_product(p, i, rows, j, least(X_GROUP, p->n_x - j));
    }
}

/* ---- bf16: as f32, with rounded weights; the activations are rounded already */

INLINE void round_bf16(float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) vf_store(x + i, vf_round_bf16(vf_load(x + i)));
    if (i == n) return;
    float tail[16];
    vf_store(tail, vf_round_bf16(vf_load_tail(x + i, n - i)));
    memcpy(x + i, tail, (size_t)(n - i) * sizeof *tail);
}

INLINE float dot_bf16(const char *w, const float *x, int64_t n, int block, int block_bytes, unpack_fn *unpack)
{
    float values[CHUNK];
    vf sum = vf_set(0);
    for (int64_t c = 0; c < n; c += CHUNK) {
        const int64_t piece = least(CHUNK, n - c);
        unpack(values, w + c / block * block_bytes, piece);
        round_bf16(values, piece);
        int64_t i = 0;
        for (; i + 16 <= piece; i += 16) sum = vf_mul_add(sum, vf_load(values + i), vf_load(x + c + i));
        if (i < piece) sum = vf_mul_add(sum, vf_load_tail(values + i, piece - i), vf_load_tail(x + c + i, piece - i));
    }
    return vf_sum(sum);
}

INLINE void product_bf16(const struct product *p, int block, int block_bytes, unpack_fn *unpack)
{
    const char *w = p->w;
    if (p->n_x <= 1) {
        for (int64_t i = 0; i < p->n_w && p->n_x; i++) p->y[i] = dot_bf16(w + (size_t)i * p->w_stride, p->x, p->k, block, block_bytes, unpack);
        return;
    }
    for (int64_t i = 0; i < p->n_w; i += KERNEL_PANEL) {
        const int64_t rows = least(KERNEL_PANEL, p->n_w - i);
        for (int64_t r = 0; r < rows; r++) {
            for (int64_t c = 0; c < p->k; c += CHUNK) {
                const int64_t n = least(CHUNK, p->k - c);
                float *to = p->scratch + c * KERNEL_PANEL + r * n;
                unpack(to, w + (size_t)(i + r) * p->w_stride + c / block * block_bytes, n);
                round_bf16(to, n);
            }
        }
        for (int64_t j = 0; j < p->n_x; j += X_GROUP) panel_product(p, i, rows, j, least(X_GROUP, p->n_x - j));
    }
}

/* ---- entries of quantised types */

INLINE void unpack_blocks(float *dst, const void *src, int64_t n, int block, int block_bytes, unpack_block_fn *unpack)
{
    const char *b = src;
    for (int64_t i = 0; i < n; i += block, b += block_bytes) unpack(dst + i, b);
}

INLINE void dots_blocks(float *y, const void *w, size_t w_stride, const float *x, int64_t n, int block, int block_bytes,
                        unpack_block_fn *unpack, const int rows)
{
    const char *b = w;
    float values[VEC_DOT_ROWS][CHUNK];
    vf sum[VEC_DOT_ROWS];
    for (int r = 0; r < rows; r++) sum[r] = vf_set(0);
    for (int64_t i = 0; i < n; i += block, b += block_bytes) {
        for (int r = 0; r < rows; r++) unpack(values[r], b + (size_t)r * w_stride);
        for (int c = 0; c < block; c += 16) {
            for (int r = 0; r < rows; r++) sum[r] = vf_mul_add(sum[r], vf_load(values[r] + c), vf_load(x + i + c));
        }
    }
    for (int r = 0; r < rows; r++) y[r] = vf_sum(sum[r]);
}

/* ---- entries of plain types, `size` bytes a value */

/* The last n < 16 values. */
INLINE vf load_tail(const void *p, int64_t n, int size, load_fn *load)
{
    char v[16 * sizeof(float)] = { 0 };
    memcpy(v, p, (size_t)(n * size));
    return load(v);
}

INLINE void unpack_plain(float *dst, const void *src, int64_t n, int size, load_fn *load)
{
    const char *s = src;
    float tail[16];
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) vf_store(dst + i, load(s + i * size));
    if (i == n) return;
    vf_store(tail, load_tail(s + i * size, n - i, size, load));
    memcpy(dst + i, tail, (size_t)(n - i) * sizeof *tail);
}

INLINE void dots_plain(float *y, const void *w, size_t w_stride, const float *x, int64_t n, int size, load_fn *load, const int rows)
{
    const char *s = w;
    vf sum[VEC_DOT_ROWS];
    for (int r = 0; r < rows; r++) sum[r] = vf_set(0);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int r = 0; r < rows; r++) sum[r] = vf_mul_add(sum[r], load(s + (size_t)r * w_stride + i * size), vf_load(x + i));
    }
    for (int r = 0; r < rows && i < n; r++) {
        sum[r] = vf_mul_add(sum[r], load_tail(s + (size_t)r * w_stride + i * size, n - i, size, load), vf_load_tail(x + i, n - i));
    }
    for (int r = 0; r < rows; r++) y[r] = vf_sum(sum[r]);
}

INLINE void axpy_plain(float *y, float a, const void *x, int64_t n, int size, load_fn *load)
{
    const char *s = x;
    const vf av = vf_set(a);
    float tail[16];
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) vf_store(y + i, vf_mul_add(vf_load(y + i), av, load(s + i * size)));
    if (i == n) return;
    vf_store(tail, vf_mul_add(vf_load_tail(y + i, n - i), av, load_tail(s + i * size, n - i, size, load)));
    memcpy(y + i, tail, (size_t)(n - i) * sizeof *tail);
}

/* ---- weights stored input-major: sums over c upwards, one for each output */

/* y[16] += sum over c < n of x[c] * w[c][16]; `first` begins from zero instead. */
INLINE void column_add(float *y, const vf *w, const float *x, int64_t n, int first)
{
    vf sum = first ? vf_set(0) : vf_load(y);
    for (int64_t c = 0; c < n; c++) sum = vf_mul_add(sum, vf_set(x[c]), w[c]);
    vf_store(y, sum);
}

INLINE void product_columns(const struct product *p, int size, load_fn *load)
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
                const char *at = w + (size_t)(c + r) * p->w_stride + i * size;
                piece[r] = width == 16 ? load(at) : load_tail(at, width, size, load);
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

#define NO_MIN (-1)

/* Some rounded activation rows, at one block. */
struct rows_i8 {
    const int8_t  *q;          /* row r: q + r * q_stride */
    const int16_t *sum, *sum32; /* of each 16, of each 32; row r of sum32: sum32 + r * sum_stride, of sum: twice as far */
    int64_t        q_stride, sum_stride;
};

INLINE struct rows_i8 rows_i8_at(const struct act_i8 *a, int64_t row, int64_t c)
{
    return (struct rows_i8){ a->q + row * a->k + c, a->sum + (row * a->k + c) / 16, a->sum32 + (row * a->k + c) / 32, a->k, a->k / 32 };
}

/* One block of a weight row with row r of x, r < rows: total[r], and mins[r] where the type has minima. Exact integers. */
typedef void sums_i8_fn(vi *total, vi *mins, const void *block, const struct rows_i8 *x, const int rows);

/* The float step of a block, for four sums. */
INLINE v4f step_i8(v4f y, const vi *total, const vi *mins, v4f d, v4f dmin, v4f scale, int min_at)
{
    v4f value = d * __builtin_convertvector(vi_sum4(total[0], total[1], total[2], total[3]), v4f);
    if (min_at != NO_MIN) value -= dmin * __builtin_convertvector(vi_sum4(mins[0], mins[1], mins[2], mins[3]), v4f);
    return y + scale * value;
}

/* Up to four weight rows from i with activation row j. */
INLINE void few_i8(const struct product *p, int64_t i, int64_t j, int block, int block_bytes, int d_at, int min_at, sums_i8_fn *sums)
{
    const struct act_i8 *a = p->xq;
    const int64_t row = p->xq_first + j, rows = least(I8_SUMS, p->n_w - i);
    const float *scale = a->scale + row * (a->k / block);
    const char *w[I8_SUMS];
    v4f y = { 0 };
    for (int r = 0; r < I8_SUMS; r++) w[r] = (const char *)p->w + (size_t)(i + (r < rows ? r : 0)) * p->w_stride;
    for (int64_t c = 0; c < p->k; c += block, scale++) {
        const struct rows_i8 x = rows_i8_at(a, row, c);
        vi total[I8_SUMS], mins[I8_SUMS];
        for (int r = 0; r < I8_SUMS; r++) sums(&total[r], &mins[r], w[r], &x, 1);
        const v4f d = v4f_from_halves(w[0] + d_at, w[1] + d_at, w[2] + d_at, w[3] + d_at);
        const v4f dmin = min_at == NO_MIN ? d : v4f_from_halves(w[0] + min_at, w[1] + min_at, w[2] + min_at, w[3] + min_at);
        y = step_i8(y, total, mins, d, dmin, (v4f){ *scale, *scale, *scale, *scale }, min_at);
        for (int r = 0; r < I8_SUMS; r++) {
            /* The same place of the rows that come next: the processor's own prefetch does not follow four short rows. Into the
             * second cache: the first one can wait for too few lines at once (1.1B Q4_K_M: 30 tokens/s, so 47). */
            for (int at = 0; at < block_bytes; at += 64) __builtin_prefetch(w[r] + 2 * I8_SUMS * p->w_stride + at, 0, 2);
            w[r] += block_bytes;
        }
    }
    memcpy(p->y + j * p->y_stride + i, &y, (size_t)rows * sizeof *p->y);
}

/* Weight row i with up to four activation rows from j, all of which there are when `rows` is 4. */
INLINE void many_i8(const struct product *p, int64_t i, int64_t j, int block, int block_bytes, int d_at, int min_at, sums_i8_fn *sums,
                    const int rows)
{
    const struct act_i8 *a = p->xq;
    const int64_t row = p->xq_first + j, blocks = a->k / block;
    const float *scale = a->scale + row * blocks;
    const char *w = (const char *)p->w + (size_t)i * p->w_stride;
    v4f y = { 0 };
    for (int64_t c = 0; c < p->k; c += block, scale++, w += block_bytes) {
        const struct rows_i8 x = rows_i8_at(a, row, c);
        vi total[I8_SUMS], mins[I8_SUMS];
        v4f s = { 0 };
        for (int r = 0; r < I8_SUMS; r++) total[r] = mins[r] = vi_zero();
        for (int r = 0; r < rows; r++) s[r] = scale[r * blocks];
        sums(total, mins, w, &x, rows);
        const v4f d = v4f_from_halves(w + d_at, w + d_at, w + d_at, w + d_at);
        const v4f dmin = min_at == NO_MIN ? d : v4f_from_halves(w + min_at, w + min_at, w + min_at, w + min_at);
        y = step_i8(y, total, mins, d, dmin, s, min_at);
    }
    for (int r = 0; r < rows; r++) p->y[(j + r) * p->y_stride + i] = y[r];
}

INLINE void product_i8(const struct product *p, int block, int block_bytes, int d_at, int min_at, sums_i8_fn *sums)
{
    if (p->n_x <= I8_FEW) {
        for (int64_t i = 0; i < p->n_w; i += I8_SUMS) {
            for (int64_t j = 0; j < p->n_x; j++) few_i8(p, i, j, block, block_bytes, d_at, min_at, sums);
        }
        return;
    }
    for (int64_t group = 0; group < p->n_x; group += I8_GROUP) {
        const int64_t end = least(group + I8_GROUP, p->n_x);
        for (int64_t i = 0; i < p->n_w; i++) {
            int64_t j = group;
            for (; j + I8_SUMS <= end; j += I8_SUMS) many_i8(p, i, j, block, block_bytes, d_at, min_at, sums, I8_SUMS);
            for (; j < end; j++) many_i8(p, i, j, block, block_bytes, d_at, min_at, sums, 1);
        }
    }
}

#endif
