/* Reference pack and unpack of Q4_0. */
#include "quant/q4_0/q4_0.h"

#include <math.h>

#include "base/half.h"
#include "quant/search.h"

void q4_0_unpack(float *dst, const void *src, int64_t n)
{
    const struct q4_0 *b = src;
    for (int64_t i = 0; i < n; i += Q4_0_BLOCK, b++) {
        const float d = f16_to_f32(b->d);
        for (int j = 0; j < Q4_0_BLOCK / 2; j++) {
            dst[i + j] = d * ((b->q[j] & 15) - 8);
            dst[i + j + Q4_0_BLOCK / 2] = d * ((b->q[j] >> 4) - 8);
        }
    }
}

/* The value farthest from zero becomes -8, whichever its sign, as in the files of ggml. */
void q4_0_pack(void *dst, const float *src, int64_t n)
{
    struct q4_0 *b = dst;
    for (int64_t i = 0; i < n; i += Q4_0_BLOCK, b++) {
        float max = 0;
        for (int j = 0; j < Q4_0_BLOCK; j++) max = fabsf(src[i + j]) > fabsf(max) ? src[i + j] : max;
        const float d = max / -8, inverse = d != 0 ? 1 / d : 0;
        b->d = f32_to_f16(d);
        for (int j = 0; j < Q4_0_BLOCK / 2; j++) {
            const int low = search_clamp(src[i + j] * inverse + 8.5f, 0, 15);
            const int high = search_clamp(src[i + j + Q4_0_BLOCK / 2] * inverse + 8.5f, 0, 15);
            b->q[j] = (uint8_t)(low | high << 4);
        }
    }
}
