/* Template of Q5_K; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q5_K_DOT_H
#define QUANT_Q5_K_DOT_H

#include <stddef.h>

#include "base/half.h"
#include "quant/k_scales.h"
#include "quant/q5_k/q5_k.h"

/* The 32 values of a sub-block. */
INLINE vb q5_k_values(const struct q5_k *b, int sub)
{
    const vb q = vb_load(b->q + sub / 2 * 32), high = vb_and(vb_right(vb_load(b->high), sub), 1);
    return vb_or(sub & 1 ? vb_right(q, 4) : vb_and(q, 15), vb_left(high, 4));
}

INLINE void q5_k_floats(float *dst, const void *block) /* dst [256] */
{
    const struct q5_k *b = block;
    const float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
    uint8_t scale[8], min[8];
    k_scales_get(scale, min, b->scales);
    for (int sub = 0; sub < 8; sub++, dst += 32) {
        const vf step = vf_set(d * scale[sub]), offset = vf_set(dmin * min[sub]);
        const vb q = q5_k_values(b, sub);
        vf_store(dst, vf_sub(vf_mul(step, vf_low_i8(q)), offset));
        vf_store(dst + 16, vf_sub(vf_mul(step, vf_high_i8(q)), offset));
    }
}

INLINE void q5_k_sums_i8(vi *total, vi *mins, const void *block, const struct rows_i8 *x, const int rows)
{
    const struct q5_k *b = block;
    uint8_t scale[8], min[8];
    k_scales_get(scale, min, b->scales);
    const vh scales = vh_from_8(scale);
    for (int r = 0; r < rows; r++) {
        total[r] = vi_zero();
        mins[r] = vi_dot_sums_8(min, x->sum32 + r * x->sum_stride);
    }
    UNROLL_8
    for (int sub = 0; sub < 8; sub++) {
        const vb w = q5_k_values(b, sub);
        for (int r = 0; r < rows; r++) total[r] = vi_dot_scaled(total[r], w, scales, sub, vb_load(x->q + r * x->q_stride + sub * 32));
    }
}

static const struct weight_type q5_k_type = {
    .values = Q5_K_BLOCK,
    .bytes = sizeof(struct q5_k),
    .floats = q5_k_floats,
    .sums_i8 = q5_k_sums_i8,
    .scale = v4f_from_halves,
    .d_at = offsetof(struct q5_k, d),
    .min_at = offsetof(struct q5_k, dmin),
};

#endif
