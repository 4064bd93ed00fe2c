/* Template of Q4_0; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q4_0_DOT_H
#define QUANT_Q4_0_DOT_H

#include <stddef.h>

#include "base/half.h"
#include "quant/q4_0/q4_0.h"

INLINE void q4_0_floats(float *dst, const void *block) /* dst [32] */
{
    const struct q4_0 *b = block;
    const vf d = vf_set(f16_to_f32(b->d)), eight = vf_set(8);
    const vb q = vb_load_halves(b->q);
    vf_store(dst, vf_mul(d, vf_sub(vf_low_i8(q), eight)));
    vf_store(dst + 16, vf_mul(d, vf_sub(vf_high_i8(q), eight)));
}

/* The 8 that each q has too much is taken off through the sums of the activations. */
INLINE void q4_0_sums_i8(vi *total, vi *mins, const void *block, const struct rows_i8 *x, const int rows)
{
    const vb w = vb_load_halves(((const struct q4_0 *)block)->q);
    (void)mins;
    for (int r = 0; r < rows; r++) total[r] = vi_dot(vi_from(-8 * x->sum32[r * x->sum_stride]), w, vb_load(x->q + r * x->q_stride));
}

static void q4_0_kernel_unpack(float *dst, const void *src, int64_t n)
{
    unpack_blocks(dst, src, n, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_floats);
}

INLINE void q4_0_dots(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks(y, w, w_stride, x, n, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_floats, rows);
}

static float q4_0_kernel_dot(const void *w, const float *x, int64_t n)
{
    float y;
    q4_0_dots(&y, w, 0, x, n, 1);
    return y;
}

INLINE void q4_0_fill(char *dst, const void *src, int64_t n)
{
    q4_0_kernel_unpack((float *)(void *)dst, src, n);
}

static void q4_0_kernel_product(const struct product *p)
{
    product_f32(p, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_fill, q4_0_dots);
}

INLINE void q4_0_dots_bf16(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks_bf16(y, w, w_stride, x, n, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_floats, rows);
}

INLINE void q4_0_fill_bf16(char *dst, const void *src, int64_t n)
{
    fill_bf16(dst, src, n, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_kernel_unpack);
}

static void q4_0_kernel_product_bf16(const struct product *p)
{
    product_bf16(p, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_fill_bf16, q4_0_dots_bf16);
}

static void q4_0_kernel_product_i8(const struct product *p)
{
    product_i8(p, Q4_0_BLOCK, sizeof(struct q4_0), offsetof(struct q4_0, d), NO_MIN, q4_0_sums_i8);
}

#endif
