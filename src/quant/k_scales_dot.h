/* Template of what Q4_K and Q5_K have in common, for their _dot.h. */
#ifndef QUANT_K_SCALES_DOT_H
#define QUANT_K_SCALES_DOT_H

#include "quant/k_scales.h"

/* The first 16 bytes of a block of either: d, dmin, and the 12 bytes of quant/k_scales.h. */
INLINE v4u k_scales_load(const struct block_i8 *b)
{
    v4u v;
    memcpy(&v, b->w, sizeof v);
    return v;
}

/* k_scales_get of four blocks side by side. */
INLINE v4i k_head_i8(struct head_i8 *h, const struct block_i8 *b)
{
    const v4u r0 = k_scales_load(&b[0]), r1 = k_scales_load(&b[1]), r2 = k_scales_load(&b[2]), r3 = k_scales_load(&b[3]);
    const v4u a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), c = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
    const v4u e = __builtin_shufflevector(r0, r1, 2, 6, 3, 7), f = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    const v4u d = __builtin_shufflevector(a, c, 0, 1, 4, 5), low_s = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    const v4u low_m = __builtin_shufflevector(e, f, 0, 1, 4, 5), last = __builtin_shufflevector(e, f, 2, 3, 6, 7);
    const v4u scale[2] = { low_s & 0x3f3f3f3f, (last & 0x0f0f0f0f) | (low_s >> 2 & 0x30303030) };
    const v4u min[2] = { low_m & 0x3f3f3f3f, (last >> 4 & 0x0f0f0f0f) | (low_m >> 2 & 0x30303030) };
    const v4u mins[2] = { __builtin_shufflevector(min[0], min[1], 0, 4, 1, 5), __builtin_shufflevector(min[0], min[1], 2, 6, 3, 7) };
    scales_twice(h->scale[0], __builtin_shufflevector(scale[0], scale[1], 0, 4, 1, 5));
    scales_twice(h->scale[2], __builtin_shufflevector(scale[0], scale[1], 2, 6, 3, 7));
    h->d = v4f_from_f16(d & 0xffff);
    h->min = v4f_from_f16(d >> 16);
    return v4i_dot_sums(mins, b[0].sum32, b[1].sum32, b[2].sum32, b[3].sum32);
}

#endif
