/* Template of Q8_0; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q8_0_DOT_H
#define QUANT_Q8_0_DOT_H

#include <stddef.h>

#include "base/half.h"
#include "quant/q8_0/q8_0.h"

INLINE void q8_0_floats(float *dst, const void *block) /* dst [32] */
{
    const struct q8_0 *b = block;
    const vf d = vf_set(f16_to_f32(b->d));
    const vb q = vb_load(b->q);
    vf_store(dst, vf_mul(d, vf_low_i8(q)));
    vf_store(dst + 16, vf_mul(d, vf_high_i8(q)));
}

INLINE void q8_0_sums_i8(vi *total, vi *mins, const void *block, const struct rows_i8 *x, const int rows)
{
    const vb w = vb_load(((const struct q8_0 *)block)->q);
    (void)mins;
    for (int r = 0; r < rows; r++) total[r] = vi_dot_signed(w, vb_load(x->q + r * x->q_stride));
}

static void q8_0_kernel_unpack(float *dst, const void *src, int64_t n)
{
    unpack_blocks(dst, src, n, Q8_0_BLOCK, sizeof(struct q8_0), q8_0_floats);
}

INLINE void q8_0_dots(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks(y, w, w_stride, x, n, Q8_0_BLOCK, sizeof(struct q8_0), q8_0_floats, rows);
}

static float q8_0_kernel_dot(const void *w, const float *x, int64_t n)
{
    float y;
    q8_0_dots(&y, w, 0, x, n, 1);
    return y;
}

INLINE void q8_0_fill(char *dst, const void *src, int64_t n)
{
    q8_0_kernel_unpack((float *)(void *)dst, src, n);
}

static void q8_0_kernel_product(const struct product *p)
{
    product_f32(p, Q8_0_BLOCK, sizeof(struct q8_0), q8_0_fill, q8_0_dots);
}

INLINE void q8_0_dots_bf16(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks_bf16(y, w, w_stride, x, n, Q8_0_BLOCK, sizeof(struct q8_0), q8_0_floats, rows);
}

INLINE void q8_0_fill_bf16(char *dst, const void *src, int64_t n)
{
    fill_bf16(dst, src, n, Q8_0_BLOCK, sizeof(struct q8_0), q8_0_kernel_unpack);
}

static void q8_0_kernel_product_bf16(const struct product *p)
{
    product_bf16(p, Q8_0_BLOCK, sizeof(struct q8_0), q8_0_fill_bf16, q8_0_dots_bf16);
}

static void q8_0_kernel_product_i8(const struct product *p)
{
    product_i8(p, Q8_0_BLOCK, sizeof(struct q8_0), offsetof(struct q8_0, d), NO_MIN, q8_0_sums_i8);
}

static void q8_0_kernel_axpy(float *y, float a, const void *x, int64_t n)
{
    const struct q8_0 *b = x;
    const vf av = vf_set(a);
    float values[Q8_0_BLOCK];
    for (int64_t i = 0; i < n; i += Q8_0_BLOCK, b++) {
        q8_0_floats(values, b);
        for (int c = 0; c < Q8_0_BLOCK; c += 16) vf_store(y + i + c, vf_mul_add(vf_load(y + i + c), av, vf_load(values + c)));
    }
}

#endif
