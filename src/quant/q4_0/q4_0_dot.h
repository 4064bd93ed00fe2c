/* Template of Q4_0; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q4_0_DOT_H
#define QUANT_Q4_0_DOT_H

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
INLINE void q4_0_block_i8(float *y, const void *block, const struct rows_i8 *x, const int rows)
{
    const struct q4_0 *b = block;
    const float d = f16_to_f32(b->d);
    const vw w = vw_scaled(vb_load_halves(b->q), 1, 1);
    for (int r = 0; r < rows; r++) {
        const int16_t *sum = x->sum + r * x->sum_stride;
        const vi total = vi_dot(vi_zero(), w, vb_load(x->q + r * x->q_stride));
        y[r] += x->scale[r * x->scale_stride] * (d * (float)(vi_sum(total) - 8 * (sum[0] + sum[1])));
    }
}

static void q4_0_kernel_unpack(float *dst, const void *src, int64_t n)
{
    unpack_blocks(dst, src, n, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_floats);
}

static float q4_0_kernel_dot(const void *w, const float *x, int64_t n)
{
    return dot_blocks(w, x, n, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_floats);
}

static void q4_0_kernel_product(const struct product *p)
{
    product_floats(p, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_kernel_unpack, q4_0_kernel_dot);
}

static void q4_0_kernel_product_i8(const struct product *p)
{
    product_i8(p, Q4_0_BLOCK, sizeof(struct q4_0), q4_0_block_i8);
}

#endif
