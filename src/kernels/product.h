/* Template of the kernels: what is the same for all types, over a vec.h (see ref/ref_vec.h) included before. Functions that
 * take a function are inlined with it, so each type's entry becomes one loop.
 *
 * Arithmetic f32: value c of a row goes to lane c % 16 of one sum, c upwards; at the end vf_sum adds the lanes. One row or
 * many, fused or through an unpacked panel: the order is the same, so the bits are.
 * Arithmetic int8: exact integers inside a block, then one float step a block, blocks upwards:
 *     y += scale_x * (d * sum of (sub-block scale * q_w * q_x) - dmin * sum of (sub-block min * sum of q_x)) */
#ifndef KERNELS_PRODUCT_H
#define KERNELS_PRODUCT_H

#include <string.h>

#include "kernels/kernels.h"

/* One block of a quantised type to floats; 16 values of a plain type. */
typedef void unpack_block_fn(float *dst, const void *block);
typedef vf load_fn(const void *p);

enum {
    CHUNK     = 256, /* values of a row that an unpacked panel keeps together; a multiple of every block */
    X_GROUP   = 4,   /* activation rows whose sums are kept while a chunk of the panel is in the nearest cache */
    I8_GROUP  = 64,  /* activation rows that should stay in the second cache while all weight rows pass */
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
typedef float dot_fn(const void *w, const float *x, int64_t n);

/* The product of a type whose values come `block` at a time in block_bytes bytes. */
INLINE void product_floats(const struct product *p, int block, int block_bytes, unpack_fn *unpack, dot_fn *dot)
{
    const char *w = p->w;
    if (p->n_x <= 1) {
        for (int64_t i = 0; i < p->n_w && p->n_x; i++) p->y[i] = dot(w + (size_t)i * p->w_stride, p->x, p->k);
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

/* ---- entries of quantised types */

INLINE void unpack_blocks(float *dst, const void *src, int64_t n, int block, int block_bytes, unpack_block_fn *unpack)
{
    const char *b = src;
    for (int64_t i = 0; i < n; i += block, b += block_bytes) unpack(dst + i, b);
}

INLINE float dot_blocks(const void *w, const float *x, int64_t n, int block, int block_bytes, unpack_block_fn *unpack)
{
    const char *b = w;
    float values[CHUNK];
    vf sum = vf_set(0);
    for (int64_t i = 0; i < n; i += block, b += block_bytes) {
        unpack(values, b);
        for (int c = 0; c < block; c += 16) sum = vf_mul_add(sum, vf_load(values + c), vf_load(x + i + c));
    }
    return vf_sum(sum);
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

INLINE float dot_plain(const void *w, const float *x, int64_t n, int size, load_fn *load)
{
    const char *s = w;
    vf sum = vf_set(0);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) sum = vf_mul_add(sum, load(s + i * size), vf_load(x + i));
    if (i < n) sum = vf_mul_add(sum, load_tail(s + i * size, n - i, size, load), vf_load_tail(x + i, n - i));
    return vf_sum(sum);
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

/* Some rounded activation rows, at one block. */
struct rows_i8 {
    const int8_t  *q;     /* row r: q + r * q_stride */
    const int16_t *sum;   /* of each 16 */
    const float   *scale; /* one a block */
    int64_t        q_stride, sum_stride, scale_stride;
};

/* y[r] += block * row r of x, r < rows <= VEC_ROWS_I8 */
typedef void block_i8_fn(float *y, const void *block, const struct rows_i8 *x, const int rows);

INLINE void row_i8(const struct product *p, const char *w, int64_t i, int64_t j, int block, int block_bytes, block_i8_fn *add,
                   const int rows)
{
    const struct act_i8 *a = p->xq;
    const int64_t row = p->xq_first + j, blocks = p->k / block;
    struct rows_i8 x = { a->q + row * a->k,          a->sum + row * (a->k / 16), a->scale + row * (a->k / block), a->k, a->k / 16,
                         a->k / block };
    float y[VEC_ROWS_I8] = { 0 };
    for (int64_t b = 0; b < blocks; b++) {
        add(y, w + b * block_bytes, &x, rows);
        x.q += block;
        x.sum += block / 16;
        x.scale++;
    }
    for (int r = 0; r < rows; r++) p->y[(j + r) * p->y_stride + i] = y[r];
}

INLINE void product_i8(const struct product *p, int block, int block_bytes, block_i8_fn *add)
{
    for (int64_t group = 0; group < p->n_x; group += I8_GROUP) {
        const int64_t end = least(group + I8_GROUP, p->n_x);
        for (int64_t i = 0; i < p->n_w; i++) {
            const char *w = (const char *)p->w + (size_t)i * p->w_stride;
            int64_t j = group;
            for (; j + VEC_ROWS_I8 <= end; j += VEC_ROWS_I8) row_i8(p, w, i, j, block, block_bytes, add, VEC_ROWS_I8);
            for (; j < end; j++) row_i8(p, w, i, j, block, block_bytes, add, 1);
        }
    }
}

#endif
