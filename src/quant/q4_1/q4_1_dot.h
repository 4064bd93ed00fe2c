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

static const struct weight_type q4_1_type = {
    .values = Q4_1_BLOCK,
    .bytes = sizeof(struct q4_1),
    .floats = q4_1_floats,
    .sums_i8 = q4_1_sums_i8,
    .scale = v4f_from_halves,
    .d_at = offsetof(struct q4_1, d),
    .min_at = offsetof(struct q4_1, m),
};

#endif
