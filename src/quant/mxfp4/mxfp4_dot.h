/* Template of MXFP4; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_MXFP4_DOT_H
#define QUANT_MXFP4_DOT_H

#include "quant/mxfp4/mxfp4.h"

INLINE void mxfp4_floats(float *dst, const void *block) /* dst [32] */
{
    const struct mxfp4 *b = block;
    const vf d = vf_set(mxfp4_scale(b->e));
    int8_t twice[MXFP4_BLOCK];
    for (int j = 0; j < MXFP4_BLOCK / 2; j++) {
        twice[j] = mxfp4_twice(b->q[j] & 15);
        twice[j + MXFP4_BLOCK / 2] = mxfp4_twice(b->q[j] >> 4);
    }
    const vb q = vb_load(twice);
    vf_store(dst, vf_mul(d, vf_low_i8(q)));
    vf_store(dst + 16, vf_mul(d, vf_high_i8(q)));
}

static void mxfp4_kernel_unpack(float *dst, const void *src, int64_t n)
{
    unpack_blocks(dst, src, n, MXFP4_BLOCK, sizeof(struct mxfp4), mxfp4_floats);
}

INLINE void mxfp4_dots(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks(y, w, w_stride, x, n, MXFP4_BLOCK, sizeof(struct mxfp4), mxfp4_floats, rows);
}

static float mxfp4_kernel_dot(const void *w, const float *x, int64_t n)
{
    float y;
    mxfp4_dots(&y, w, 0, x, n, 1);
    return y;
}

INLINE void mxfp4_fill(char *dst, const void *src, int64_t n)
{
    mxfp4_kernel_unpack((float *)(void *)dst, src, n);
}

static void mxfp4_kernel_product(const struct product *p)
{
    product_f32(p, MXFP4_BLOCK, sizeof(struct mxfp4), mxfp4_fill, mxfp4_dots);
}

INLINE void mxfp4_dots_bf16(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_blocks_bf16(y, w, w_stride, x, n, MXFP4_BLOCK, sizeof(struct mxfp4), mxfp4_floats, rows);
}

INLINE void mxfp4_fill_bf16(char *dst, const void *src, int64_t n)
{
    fill_bf16(dst, src, n, MXFP4_BLOCK, sizeof(struct mxfp4), mxfp4_kernel_unpack);
}

static void mxfp4_kernel_product_bf16(const struct product *p)
{
    product_bf16(p, MXFP4_BLOCK, sizeof(struct mxfp4), mxfp4_fill_bf16, mxfp4_dots_bf16);
}

#endif
