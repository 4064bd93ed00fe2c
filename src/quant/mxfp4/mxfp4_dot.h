/* Template of MXFP4; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_MXFP4_DOT_H
#define QUANT_MXFP4_DOT_H

#include <stddef.h>

#include "quant/mxfp4/mxfp4.h"
#include "quant/nibbles_dot.h"

/* Twice the values of the codes, 12 more than they count. */
#define MXFP4_EXCESS 12
static const uint8_t mxfp4_table[16] = { 12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0 };

INLINE vb mxfp4_values(const struct mxfp4 *b)
{
    return vb_table16(mxfp4_table, vb_load_halves(b->q));
}

INLINE void mxfp4_floats(float *dst, const void *block) /* dst [32] */
{
    const struct mxfp4 *b = block;
    const vf d = vf_set(mxfp4_scale(b->e)), excess = vf_set(MXFP4_EXCESS);
    const vb q = mxfp4_values(b);
    vf_store(dst, vf_mul(d, vf_sub(vf_low_i8(q), excess)));
    vf_store(dst + 16, vf_mul(d, vf_sub(vf_high_i8(q), excess)));
}

INLINE void mxfp4_sums_i8(vi *total, const struct head_i8 *h, const struct block_i8 *b, const int rows)
{
    (void)h;
    for (int r = 0; r < rows; r++) total[r] = vi_dot(vi_zero(), mxfp4_values(b[r].w), vb_load(b[r].x));
}

INLINE void mxfp4_pair_i8(vb *first, vb *last, const void *a, const void *b)
{
    nibbles_pair(first, last, ((const struct mxfp4 *)a)->q, ((const struct mxfp4 *)b)->q);
    *first = vb_table16(mxfp4_table, *first);
    *last = vb_table16(mxfp4_table, *last);
}

/* mxfp4_scale of four. */
INLINE v4f mxfp4_scales(const void *a, const void *b, const void *c, const void *d)
{
    const v4i e = { *(const uint8_t *)a, *(const uint8_t *)b, *(const uint8_t *)c, *(const uint8_t *)d };
    const v4i small = e < 2; /* below the normal floats */
    return (v4f)((small & (e + 1)) << 21 | (~small & (e - 1)) << 23);
}

static const struct weight_type mxfp4_type = {
    .values = MXFP4_BLOCK,
    .bytes = sizeof(struct mxfp4),
    .floats = mxfp4_floats,
    .excess = MXFP4_EXCESS,
    .sums_i8 = mxfp4_sums_i8,
    .pair_i8 = mxfp4_pair_i8,
    .scale = mxfp4_scales,
    .d_at = offsetof(struct mxfp4, e),
};

#endif
