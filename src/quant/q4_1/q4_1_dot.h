/* Template of Q4_1; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q4_1_DOT_H
#define QUANT_Q4_1_DOT_H

#include <stddef.h>

#include "base/half.h"
#include "quant/nibbles_dot.h"
#include "quant/q4_1/q4_1.h"

INLINE void q4_1_floats(float *dst, const void *block) /* dst [32] */
{
    const struct q4_1 *b = block;
    const vf d = vf_set(f16_to_f32(b->d)), minus_m = vf_set(-f16_to_f32(b->m));
    const vb q = vb_load_halves(b->q);
    vf_store(dst, vf_sub(vf_mul(d, vf_low_i8(q)), minus_m));
    vf_store(dst + 16, vf_sub(vf_mul(d, vf_high_i8(q)), minus_m));
}

INLINE void q4_1_sums_i8(vi *total, const struct head_i8 *h, const struct block_i8 *b, const int rows)
{
    (void)h;
    for (int r = 0; r < rows; r++) total[r] = vi_dot(vi_zero(), vb_load_halves(((const struct q4_1 *)b[r].w)->q), vb_load(b[r].x));
}

INLINE void q4_1_pair_i8(vb *first, vb *last, const void *a, const void *b)
{
    nibbles_pair(first, last, ((const struct q4_1 *)a)->q, ((const struct q4_1 *)b)->q);
}

static const struct weight_type q4_1_type = {
    .values = Q4_1_BLOCK,
    .bytes = sizeof(struct q4_1),
    .floats = q4_1_floats,
    .sums_i8 = q4_1_sums_i8,
    .pair_i8 = q4_1_pair_i8,
    .scale = v4f_from_halves,
    .d_at = offsetof(struct q4_1, d),
    .min_at = offsetof(struct q4_1, m),
};

#endif
