/* Template of Q4_1; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q4_1_DOT_H
#define QUANT_Q4_1_DOT_H

#include <stddef.h>

#include "base/half.h"
#include "quant/q4_1/q4_1.h"

INLINE void q4_1_floats(float *dst, const void *block) /* dst [32] */
{
    const struct q4_1 *b = block;
    const vf d = vf_set(f16_to_f32(b->d)), minus_m = vf_set(-f16_to_f32(b->m));
    const vb q = vb_load_halves(b->q);
    vf_store(dst, vf_sub(vf_mul(d, vf_low_i8(q)), minus_m));
    vf_store(dst + 16, vf_sub(vf_mul(d, vf_high_i8(q)), minus_m));
}

/* m counts once for each activation: their sums are known. */
INLINE void q4_1_sums_i8(vi *total, vi *mins, const void *block, const struct rows_i8 *x, const int rows)
{
    const vb w = vb_load_halves(((const struct q4_1 *)block)->q);
    for (int r = 0; r < rows; r++) {
        total[r] = vi_dot(vi_zero(), w, vb_load(x->q + r * x->q_stride));
        mins[r] = vi_from(-x->sum32[r * x->sum_stride]);
    }
}

static void q4_1_kernel_unpack(float *dst, const void *src, int64_t n)
{
    unpack_blocks(dst, src, n, Q4_1_BLOCK, sizeof(struct q4_1), q4_1_floats);
}

INLINE void q4_1_dots(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks(y, w, w_stride, x, n, Q4_1_BLOCK, sizeof(struct q4_1), q4_1_floats, rows);
}

static float q4_1_kernel_dot(const void *w, const float *x, int64_t n)
{
    float y;
    q4_1_dots(&y, w, 0, x, n, 1);
    return y;
}

INLINE void q4_1_fill(char *dst, const void *src, int64_t n)
{
    q4_1_kernel_unpack((float *)(void *)dst, src, n);
}

static void q4_1_kernel_product(const struct product *p)
{
    product_f32(p, Q4_1_BLOCK, sizeof(struct q4_1), q4_1_fill, q4_1_dots);
}

INLINE void q4_1_dots_bf16(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks_bf16(y, w, w_stride, x, n, Q4_1_BLOCK, sizeof(struct q4_1), q4_1_floats, rows);
}

INLINE void q4_1_fill_bf16(char *dst, const void *src, int64_t n)
{
    fill_bf16(dst, src, n, Q4_1_BLOCK, sizeof(struct q4_1), q4_1_kernel_unpack);
}

static void q4_1_kernel_product_bf16(const struct product *p)
{
    product_bf16(p, Q4_1_BLOCK, sizeof(struct q4_1), q4_1_fill_bf16, q4_1_dots_bf16);
}

static void q4_1_kernel_product_i8(const struct product *p)
{
    product_i8(p, Q4_1_BLOCK, sizeof(struct q4_1), offsetof(struct q4_1, d), offsetof(struct q4_1, m), q4_1_sums_i8);
}

#endif
