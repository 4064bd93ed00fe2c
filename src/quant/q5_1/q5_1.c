/* Reference pack and unpack of Q5_1. */
#include "quant/q5_1/q5_1.h"

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "quant/fifth_bits.h"
#include "quant/search.h"

void q5_1_unpack(float *dst, const void *src, int64_t n)
{
    const struct q5_1 *b = src;
    for (int64_t i = 0; i < n; i += Q5_1_BLOCK, b++) {
        const float d = f16_to_f32(b->d), m = f16_to_f32(b->m);
        for (int j = 0; j < Q5_1_BLOCK / 2; j++) {
            dst[i + j] = d * ((b->q[j] & 15) | fifth_bit_get(b->high, j)) + m;
            dst[i + j + Q5_1_BLOCK / 2] = d * ((b->q[j] >> 4) | fifth_bit_get(b->high, j + Q5_1_BLOCK / 2)) + m;
        }
    }
}

/* Thirty-one steps from the smallest value to the largest, as in the files of ggml. */
void q5_1_pack(void *dst, const float *src, int64_t n)
{
    struct q5_1 *b = dst;
    for (int64_t i = 0; i < n; i += Q5_1_BLOCK, b++) {
        float d, m;
        search_range(&d, &m, src + i, Q5_1_BLOCK, 31);
        const float inverse = d != 0 ? 1 / d : 0;
        b->d = f32_to_f16(d);
        b->m = f32_to_f16(m);
        memset(b->high, 0, sizeof b->high);
        for (int j = 0; j < Q5_1_BLOCK / 2; j++) {
            const int low = search_clamp((src[i + j] - m) * inverse + 0.5f, 0, 31);
            const int high = search_clamp((src[i + j + Q5_1_BLOCK / 2] - m) * inverse + 0.5f, 0, 31);
            b->q[j] = (uint8_t)((low & 15) | (high & 15) << 4);
            fifth_bit_set(b->high, j, low);
            fifth_bit_set(b->high, j + Q5_1_BLOCK / 2, high);
        }
    }
}
