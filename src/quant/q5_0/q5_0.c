/* Reference pack and unpack of Q5_0. */
#include "quant/q5_0/q5_0.h"

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "quant/fifth_bits.h"
#include "quant/search.h"

void q5_0_unpack(float *dst, const void *src, int64_t n)
{
    const struct q5_0 *b = src;
    for (int64_t i = 0; i < n; i += Q5_0_BLOCK, b++) {
        const float d = f16_to_f32(b->d);
        for (int j = 0; j < Q5_0_BLOCK / 2; j++) {
            dst[i + j] = d * (((b->q[j] & 15) | fifth_bit_get(b->high, j)) - 16);
            dst[i + j + Q5_0_BLOCK / 2] = d * (((b->q[j] >> 4) | fifth_bit_get(b->high, j + Q5_0_BLOCK / 2)) - 16);
        }
    }
}

/* The value farthest from zero becomes -16, whichever its sign, as in the files of ggml. */
void q5_0_pack(void *dst, const float *src, int64_t n)
{
    struct q5_0 *b = dst;
    for (int64_t i = 0; i < n; i += Q5_0_BLOCK, b++) {
        float max = 0;
        for (int j = 0; j < Q5_0_BLOCK; j++) max = fabsf(src[i + j]) > fabsf(max) ? src[i + j] : max;
        const float d = max / -16, inverse = d != 0 ? 1 / d : 0;
        b->d = f32_to_f16(d);
        memset(b->high, 0, sizeof b->high);
        for (int j = 0; j < Q5_0_BLOCK / 2; j++) {
            const int low = search_clamp(src[i + j] * inverse + 16.5f, 0, 31);
            const int high = search_clamp(src[i + j + Q5_0_BLOCK / 2] * inverse + 16.5f, 0, 31);
            b->q[j] = (uint8_t)((low & 15) | (high & 15) << 4);
            fifth_bit_set(b->high, j, low);
            fifth_bit_set(b->high, j + Q5_0_BLOCK / 2, high);
        }
    }
}
