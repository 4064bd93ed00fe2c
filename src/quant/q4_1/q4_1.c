/* Reference pack and unpack of Q4_1. */
#include "quant/q4_1/q4_1.h"

#include <math.h>

#include "base/half.h"
#include "quant/search.h"

void q4_1_unpack(float *dst, const void *src, int64_t n)
{
    const struct q4_1 *b = src;
    for (int64_t i = 0; i < n; i += Q4_1_BLOCK, b++) {
        const float d = f16_to_f32(b->d), m = f16_to_f32(b->m);
        for (int j = 0; j < Q4_1_BLOCK / 2; j++) {
            dst[i + j] = d * (b->q[j] & 15) + m;
            dst[i + j + Q4_1_BLOCK / 2] = d * (b->q[j] >> 4) + m;
        }
    }
}

/* Fifteen steps from the smallest value to the largest, as in the files of ggml. */
void q4_1_pack(void *dst, const float *src, int64_t n)
{
    struct q4_1 *b = dst;
    for (int64_t i = 0; i < n; i += Q4_1_BLOCK, b++) {
        float d, m;
        search_range(&d, &m, src + i, Q4_1_BLOCK, 15);
        const float inverse = d != 0 ? 1 / d : 0;
        b->d = f32_to_f16(d);
        b->m = f32_to_f16(m);
        for (int j = 0; j < Q4_1_BLOCK / 2; j++) {
            const int low = search_clamp((src[i + j] - m) * inverse + 0.5f, 0, 15);
            const int high = search_clamp((src[i + j + Q4_1_BLOCK / 2] - m) * inverse + 0.5f, 0, 15);
            b->q[j] = (uint8_t)(low | high << 4);
        }
    }
}
