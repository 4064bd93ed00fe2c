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
    const vb top = r < 2 ? vw_left(high, 4 - 2 * r) : vw_right(high, 2 * r - 4);
    return vb_and_or(r < 2 ? low : vw_right(low, 4), 15, vb_and(top, 0x30));
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
INLINE vi q6_k_excess(const struct block_i8 *b)
{
    return vi_dot_sums_16(((const struct q6_k *)b->w)->scales, -32, b->sum);
}

INLINE v4i q6_k_head_i8(struct head_i8 *h, const struct block_i8 *b)
{
    const int at = offsetof(struct q6_k, d);
    for (int r = 0; r < I8_SUMS; r++) h->scales[r] = vh_from_16(((const struct q6_k *)b[r].w)->scales);
    h->d = v4f_from_halves(block_at(&b[0], at), block_at(&b[1], at), block_at(&b[2], at), block_at(&b[3], at));
    return vi_sum4(q6_k_excess(&b[0]), q6_k_excess(&b[1]), q6_k_excess(&b[2]), q6_k_excess(&b[3]));
}

INLINE void q6_k_sums_i8(vi *total, const struct head_i8 *h, const struct block_i8 *b, const int rows)
{
    for (int r = 0; r < rows; r++) total[r] = vi_zero();
    UNROLL_8
    for (int run = 0; run < 8; run++) {
        for (int r = 0; r < rows; r++) {
            total[r] = vi_dot_scaled_16(total[r], q6_k_values(b[r].w, run), h->scales[r], run, vb_load(b[r].x + run * 32));
        }
    }
}

static const struct weight_type q6_k_type = {
    .values = Q6_K_BLOCK,
    .bytes = sizeof(struct q6_k),
    .floats = q6_k_floats,
    .head_i8 = q6_k_head_i8,
    .sums_i8 = q6_k_sums_i8,
};

#endif
