/* Template of attention's parts for a page of keys (Dao et al. 2022), over a vec.h: backends/cpu/attend.c puts them together.
 * Each number's sum runs over one index upwards in a lane of its own, so that it does not depend on what else is computed. */
#ifndef KERNELS_FLASH_H
#define KERNELS_FLASH_H

#include <math.h>

#include "base/vmath.h"
#include "kernels/product.h"

/* c[r][16 i ...] += sum over k of a[r][k] * b[k][16 i ...] for nx rows and nw vectors: all sums stay in registers. */
INLINE void flash_tile(const struct block_product *p, int64_t row, int64_t column, const int nx, const int nw)
{
    vf s[VEC_ROWS][2];
    float *c = p->c + row * p->c_stride + column;
    const float *a = p->a + row * p->a_stride, *b = p->b + column;
    UNROLL_8
    for (int r = 0; r < nx; r++) {
        for (int i = 0; i < nw; i++) s[r][i] = p->add ? vf_load(c + r * p->c_stride + i * 16) : vf_set(0);
    }
    for (int64_t k = 0; k < p->k; k++, b += p->b_stride) {
        const vf first = vf_load(b), last = nw > 1 ? vf_load(b + 16) : first;
        UNROLL_8
        for (int r = 0; r < nx; r++) {
            const vf x = vf_set(a[r * p->a_stride + k]);
            s[r][0] = vf_mul_add(s[r][0], first, x);
            if (nw > 1) s[r][1] = vf_mul_add(s[r][1], last, x);
        }
    }
    UNROLL_8
    for (int r = 0; r < nx; r++) {
        for (int i = 0; i < nw; i++) vf_store(c + r * p->c_stride + i * 16, s[r][i]);
    }
}

INLINE void flash_rows(const struct block_product *p, int64_t row, const int nx)
{
    int64_t column = 0;
    for (; column + 32 <= p->n; column += 32) flash_tile(p, row, column, nx, 2);
    if (column < p->n) flash_tile(p, row, column, nx, 1);
}

static void flash_product(const struct block_product *p)
{
    int64_t row = 0;
    for (; row + VEC_ROWS <= p->m; row += VEC_ROWS) flash_rows(p, row, VEC_ROWS);
#if VEC_ROWS > 2
    for (; row + 2 <= p->m; row += 2) flash_rows(p, row, 2);
#endif
    for (; row < p->m; row++) flash_rows(p, row, 1);
}

/* src [32, k] with 16 floats behind it that may be read; dst [k up to a multiple of 16, 32] */
static void flash_transpose(float *dst, const float *src, int64_t k)
{
    for (int64_t c = 0; c < k; c += 16) {
        for (int half = 0; half < 32; half += 16) {
            vf v[16];
            UNROLL_16
            for (int r = 0; r < 16; r++) v[r] = vf_load(src + (half + r) * k + c);
            vf_transpose(v);
            UNROLL_16
            for (int r = 0; r < 16; r++) vf_store(dst + (c + r) * 32 + half, v[r]);
        }
    }
}

/* One row's scores [32], of which [from, to) count, become weights; what was summed with a smaller maximum is scaled down. */
INLINE void flash_softmax_row(float *restrict score, float *restrict sum, int64_t width, float scale, int from, int to, float *max, float *total)
{
    for (int i = 0; i < 32; i++) score[i] = i >= from && i < to ? score[i] * scale : -INFINITY;
    float top = vf_top(vf_max(vf_load(score), vf_load(score + 16)));
    if (top > *max) {
        const float keep = vexpf(*max - top);
        for (int64_t c = 0; c < width; c++) sum[c] *= keep;
        *total *= keep;
        *max = top;
    }
    top = *max;
    for (int i = 0; i < 32; i++) score[i] = vexpf(score[i] - top);
    *total += vf_sum(vf_add(vf_load(score), vf_load(score + 16)));
}

static void flash_softmax(const struct block_softmax *s)
{
    for (int64_t r = 0; r < s->m; r++) {
        flash_softmax_row(s->score + r * 32, s->sum + r * s->width, s->width, s->scale, s->from, s->to, s->max + r, s->total + r);
    }
}

#endif
