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

static const struct weight_type q4_0_type = {
    .values = Q4_0_BLOCK,
    .bytes = sizeof(struct q4_0),
    .floats = q4_0_floats,
    .sums_i8 = q4_0_sums_i8,
    .scale = v4f_from_halves,
    .d_at = offsetof(struct q4_0, d),
};

#endif
