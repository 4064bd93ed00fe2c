/* Template of Q4_K; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_Q4_K_DOT_H
#define QUANT_Q4_K_DOT_H

#include <stddef.h>

#include "base/half.h"
#include "quant/k_scales_dot.h"
#include "quant/q4_k/q4_k.h"

/* The 32 values of a sub-block. */
INLINE vb q4_k_values(const struct q4_k *b, int sub)
{
    const vb q = vb_load(b->q + sub / 2 * 32);
    return sub & 1 ? vb_and(vw_right(q, 4), 15) : vb_and(q, 15);
}

INLINE void q4_k_floats(float *dst, const void *block) /* dst [256] */
{
    const struct q4_k *b = block;
    const float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
    uint8_t scale[8], min[8];
    k_scales_get(scale, min, b->scales);
    for (int sub = 0; sub < 8; sub++, dst += 32) {
        const vf step = vf_set(d * scale[sub]), offset = vf_set(dmin * min[sub]);
        const vb q = q4_k_values(b, sub);
        vf_store(dst, vf_sub(vf_mul(step, vf_low_i8(q)), offset));
        vf_store(dst + 16, vf_sub(vf_mul(step, vf_high_i8(q)), offset));
    }
}

INLINE void q4_k_sums_i8(vi *total, const struct head_i8 *h, const struct block_i8 *b, const int rows)
{
    for (int r = 0; r < rows; r++) total[r] = vi_zero();
    UNROLL_8
    for (int sub = 0; sub < 8; sub += 2) {
        for (int r = 0; r < rows; r++) {
            const vb q = vb_load(((const struct q4_k *)b[r].w)->q + sub * 16);
            const uint32_t *scale = &h->scale[r][sub];
            total[r] = vi_dot_scaled(total[r], vb_and(q, 15), scale, vb_load(b[r].x + sub * 32));
            total[r] = vi_dot_scaled(total[r], vb_and(vw_right(q, 4), 15), scale + 1, vb_load(b[r].x + sub * 32 + 32));
        }
    }
}

static const struct weight_type q4_k_type = {
    .values = Q4_K_BLOCK,
    .bytes = sizeof(struct q4_k),
    .floats = q4_k_floats,
    .head_i8 = k_head_i8,
    .sums_i8 = q4_k_sums_i8,
    .min_at = offsetof(struct q4_k, dmin),
};

#endif
