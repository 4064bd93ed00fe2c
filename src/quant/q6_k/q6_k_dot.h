/* Template of Q6_K; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q6_K_DOT_H
#define QUANT_Q6_K_DOT_H

#include <stddef.h>

#include "base/half.h"
#include "quant/q6_k/q6_k.h"

/* The 32 values of a run (two sub-blocks), 32 more than they count: run 0 .. 7 of the block. */
INLINE vb q6_k_values(const struct q6_k *b, int run)
{
    const int half = run / 4, r = run % 4;
    const vb low = vb_load(b->low + half * 64 + (r & 1) * 32), high = vb_load(b->high + half * 32);
    return vb_or(r < 2 ? vb_and(low, 15) : vb_right(low, 4), vb_left(vb_and(vb_right(high, r * 2), 3), 4));
}

INLINE void q6_k_floats(float *dst, const void *block) /* dst [256] */
{
    const struct q6_k *b = block;
    const float d = f16_to_f32(b->d);
    const vf middle = vf_set(32);
    for (int run = 0; run < 8; run++, dst += 32) {
        const vb q = q6_k_values(b, run);
        vf_store(dst, vf_mul(vf_set(d * b->scales[run * 2]), vf_sub(vf_low_i8(q), middle)));
        vf_store(dst + 16, vf_mul(vf_set(d * b->scales[run * 2 + 1]), vf_sub(vf_high_i8(q), middle)));
    }
}

/* The 32 that each q has too much is taken off through the sums of the activations. */
INLINE void q6_k_sums_i8(vi *total, vi *mins, const void *block, const struct rows_i8 *x, const int rows)
{
    const struct q6_k *b = block;
    const vh scales = vh_from_16(b->scales);
    (void)mins;
    for (int r = 0; r < rows; r++) total[r] = vi_dot_sums_16(b->scales, -32, x->sum + r * x->sum_stride * 2);
    UNROLL_8
    for (int run = 0; run < 8; run++) {
        const vb w = q6_k_values(b, run);
        for (int r = 0; r < rows; r++) total[r] = vi_dot_scaled(total[r], w, scales, run, vb_load(x->q + r * x->q_stride + run * 32));
    }
}

static const struct weight_type q6_k_type = {
    .values = Q6_K_BLOCK,
    .bytes = sizeof(struct q6_k),
    .floats = q6_k_floats,
    .sums_i8 = q6_k_sums_i8,
    .scale = v4f_from_halves,
    .d_at = offsetof(struct q6_k, d),
};

#endif
