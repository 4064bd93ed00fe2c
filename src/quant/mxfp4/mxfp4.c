/* Reference pack and unpack of MXFP4. */
#include "quant/mxfp4/mxfp4.h"

#include <math.h>

void mxfp4_unpack(float *dst, const void *src, int64_t n)
{
    const struct mxfp4 *b = src;
    for (int64_t i = 0; i < n; i += MXFP4_BLOCK, b++) {
        const float d = mxfp4_scale(b->e);
        for (int j = 0; j < MXFP4_BLOCK / 2; j++) {
            dst[i + j] = d * (float)mxfp4_twice(b->q[j] & 15);
            dst[i + j + MXFP4_BLOCK / 2] = d * (float)mxfp4_twice(b->q[j] >> 4);
        }
    }
}

/* The code nearest to x, which counts `d` twice. */
static uint8_t nearest(float x, float d)
{
    uint8_t best = 0;
    for (uint8_t c = 1; c < 8; c++)
        if (fabsf(fabsf(x) - d * (float)mxfp4_twice(c)) < fabsf(fabsf(x) - d * (float)mxfp4_twice(best))) best = c;
    return x < 0 ? best | 8 : best;
}

static float pack_block(struct mxfp4 *b, const float *x, int e)
{
    const float d = mxfp4_scale((uint8_t)e);
    float error = 0;
    b->e = (uint8_t)e;
    for (int j = 0; j < MXFP4_BLOCK / 2; j++) {
        const uint8_t low = nearest(x[j], d), high = nearest(x[j + MXFP4_BLOCK / 2], d);
        const float a = x[j] - d * (float)mxfp4_twice(low), c = x[j + MXFP4_BLOCK / 2] - d * (float)mxfp4_twice(high);
        b->q[j] = (uint8_t)(low | high << 4);
        error += a * a + c * c;
    }
    return error;
}

/* The largest value sets the exponent; of the powers of two around it the one with the least error stays. */
void mxfp4_pack(void *dst, const float *src, int64_t n)
{
    struct mxfp4 *b = dst;
    for (int64_t i = 0; i < n; i += MXFP4_BLOCK, b++) {
        float max = 0, least = INFINITY;
        for (int j = 0; j < MXFP4_BLOCK; j++) max = fabsf(src[i + j]) > max ? fabsf(src[i + j]) : max;
        const int top = max > 0 ? (int)floorf(log2f(max)) - 2 + 127 : 0;
        *b = (struct mxfp4){ 0 };
        for (int e = top - 1; e <= top + 1; e++) {
            struct mxfp4 trial;
            if (e < 0 || e > 254 || max == 0) continue;
            const float error = pack_block(&trial, src + i, e);
            if (error < least) {
                least = error;
                *b = trial;
            }
        }
    }
}

void mxfp4_from_pairs(struct mxfp4 *dst, const uint8_t pairs[MXFP4_BLOCK / 2], uint8_t e)
{
    dst->e = e;
    for (int j = 0; j < MXFP4_BLOCK / 2; j++) {
        const int low = pairs[j / 2] >> 4 * (j % 2) & 15, high = pairs[MXFP4_BLOCK / 4 + j / 2] >> 4 * (j % 2) & 15;
        dst->q[j] = (uint8_t)(low | high << 4);
    }
}
