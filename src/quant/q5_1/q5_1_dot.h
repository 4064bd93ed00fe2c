/* Template of Q5_1; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q5_1_DOT_H
#define QUANT_Q5_1_DOT_H

#include <stddef.h>

#include "base/half.h"
#include "quant/nibbles_dot.h"
#include "quant/q5_1/q5_1.h"

INLINE vb q5_1_values(const struct q5_1 *b)
{
    return vb_or(vb_load_halves(b->q), vb_bits(fifth_bits_all(b->high), 16));
}

INLINE void q5_1_floats(float *dst, const void *block) /* dst [32] */
{
    const struct q5_1 *b = block;
    const vf d = vf_set(f16_to_f32(b->d)), minus_m = vf_set(-f16_to_f32(b->m));
    const vb q = q5_1_values(b);
    vf_store(dst, vf_sub(vf_mul(d, vf_low_i8(q)), minus_m));
    vf_store(dst + 16, vf_sub(vf_mul(d, vf_high_i8(q)), minus_m));
}

INLINE void q5_1_sums_i8(vi *total, const struct head_i8 *h, const struct block_i8 *b, const int rows)
{
    (void)h;
    for (int r = 0; r < rows; r++) total[r] = vi_dot(vi_zero(), q5_1_values(b[r].w), vb_load(b[r].x));
}

INLINE void q5_1_pair_i8(vb *first, vb *last, const void *a, const void *b)
{
    const struct q5_1 *const p = a, *const q = b;
    nibbles_pair(first, last, p->q, q->q);
    fifth_bits_pair(first, last, p->high, q->high);
}

static const struct weight_type q5_1_type = {
    .values = Q5_1_BLOCK,
    .bytes = sizeof(struct q5_1),
    .floats = q5_1_floats,
    .sums_i8 = q5_1_sums_i8,
    .pair_i8 = q5_1_pair_i8,
    .scale = v4f_from_halves,
    .d_at = offsetof(struct q5_1, d),
    .min_at = offsetof(struct q5_1, m),
};

#endif
