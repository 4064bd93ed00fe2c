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

INLINE void q8_0_sums_i8(vi *total, const struct head_i8 *h, const struct block_i8 *b, const int rows)
{
    (void)h;
    for (int r = 0; r < rows; r++) total[r] = vi_dot_signed(vb_load(((const struct q8_0 *)b[r].w)->q), vb_load(b[r].x));
}

static const struct weight_type q8_0_type = {
    .values = Q8_0_BLOCK,
    .bytes = sizeof(struct q8_0),
    .floats = q8_0_floats,
    .sums_i8 = q8_0_sums_i8,
    .scale = v4f_from_halves,
    .d_at = offsetof(struct q8_0, d),
};

#endif
