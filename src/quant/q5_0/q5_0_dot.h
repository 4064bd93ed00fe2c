/* Template of Q5_0; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q5_0_DOT_H
#define QUANT_Q5_0_DOT_H

#include <stddef.h>

#include "base/half.h"
#include "quant/fifth_bits.h"
#include "quant/q5_0/q5_0.h"

INLINE vb q5_0_values(const struct q5_0 *b)
{
    uint8_t high[Q5_0_BLOCK];
    fifth_bits_spread(high, b->high);
    return vb_or(vb_load_halves(b->q), vb_load(high));
}

INLINE void q5_0_floats(float *dst, const void *block) /* dst [32] */
{
    const struct q5_0 *b = block;
    const vf d = vf_set(f16_to_f32(b->d)), sixteen = vf_set(16);
    const vb q = q5_0_values(b);
    vf_store(dst, vf_mul(d, vf_sub(vf_low_i8(q), sixteen)));
    vf_store(dst + 16, vf_mul(d, vf_sub(vf_high_i8(q), sixteen)));
}

/* The 16 that each q has too much is taken off through the sums of the activations. */
INLINE void q5_0_sums_i8(vi *total, vi *mins, const void *block, const struct rows_i8 *x, const int rows)
{
    const vb w = q5_0_values(block);
    (void)mins;
    for (int r = 0; r < rows; r++) total[r] = vi_dot(vi_from(-16 * x->sum32[r * x->sum_stride]), w, vb_load(x->q + r * x->q_stride));
}

static void q5_0_kernel_unpack(float *dst, const void *src, int64_t n)
{
    unpack_blocks(dst, src, n, Q5_0_BLOCK, sizeof(struct q5_0), q5_0_floats);
}

INLINE void q5_0_dots(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks(y, w, w_stride, x, n, Q5_0_BLOCK, sizeof(struct q5_0), q5_0_floats, rows);
}

static float q5_0_kernel_dot(const void *w, const float *x, int64_t n)
{
    float y;
    q5_0_dots(&y, w, 0, x, n, 1);
    return y;
}

INLINE void q5_0_fill(char *dst, const void *src, int64_t n)
{
    q5_0_kernel_unpack((float *)(void *)dst, src, n);
}

static void q5_0_kernel_product(const struct product *p)
{
    product_f32(p, Q5_0_BLOCK, sizeof(struct q5_0), q5_0_fill, q5_0_dots);
}

INLINE void q5_0_dots_bf16(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks_bf16(y, w, w_stride, x, n, Q5_0_BLOCK, sizeof(struct q5_0), q5_0_floats, rows);
}

INLINE void q5_0_fill_bf16(char *dst, const void *src, int64_t n)
{
    fill_bf16(dst, src, n, Q5_0_BLOCK, sizeof(struct q5_0), q5_0_kernel_unpack);
}

static void q5_0_kernel_product_bf16(const struct product *p)
{
    product_bf16(p, Q5_0_BLOCK, sizeof(struct q5_0), q5_0_fill_bf16, q5_0_dots_bf16);
}

static void q5_0_kernel_product_i8(const struct product *p)
{
    product_i8(p, Q5_0_BLOCK, sizeof(struct q5_0), offsetof(struct q5_0, d), NO_MIN, q5_0_sums_i8);
}

#endif
