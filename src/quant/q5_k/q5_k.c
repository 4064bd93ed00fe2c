/* Reference pack and unpack of Q5_K. */
#include "quant/q5_k/q5_k.h"

#include <string.h>

#include "base/half.h"
#include "quant/k_scales.h"
#include "quant/search.h"

void q5_k_unpack(float *dst, const void *src, int64_t n)
{
    const struct q5_k *b = src;
    uint8_t scale[8], min[8];
    for (int64_t i = 0; i < n; i += Q5_K_BLOCK, b++) {
        const float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
        k_scales_get(scale, min, b->scales);
        for (int sub = 0; sub < 8; sub++) {
            const float step = d * scale[sub], offset = dmin * min[sub];
            for (int j = 0; j < 32; j++) {
                const int low = b->q[sub / 2 * 32 + j] >> (sub & 1) * 4 & 15;
                const int q = low | (b->high[j] >> sub & 1) << 4;
                dst[i + sub * 32 + j] = step * q - offset;
            }
        }
    }
}

void q5_k_pack(void *dst, const float *src, int64_t n)
{
    struct q5_k *b = dst;
    struct search_affine found;
    for (int64_t i = 0; i < n; i += Q5_K_BLOCK, b++) {
        search_affine(&found, src + i, 31);
        b->d = found.d;
        b->dmin = found.dmin;
        k_scales_put(b->scales, found.scale, found.min);
        memset(b->high, 0, sizeof b->high);
        for (int j = 0; j < Q5_K_BLOCK; j++) b->high[j % 32] |= (uint8_t)(found.q[j] >> 4 << j / 32);
        for (int j = 0; j < 128; j++) {
            const uint8_t *q = found.q + j / 32 * 64 + j % 32;
            b->q[j] = (uint8_t)((q[0] & 15) | (q[32] & 15) << 4);
        }
    }
}
