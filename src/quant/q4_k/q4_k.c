/* Reference pack and unpack of Q4_K. */
#include "quant/q4_k/q4_k.h"

#include "base/half.h"
#include "quant/k_scales.h"
#include "quant/search.h"

void q4_k_unpack(float *dst, const void *src, int64_t n)
{
    const struct q4_k *b = src;
    uint8_t scale[8], min[8];
    for (int64_t i = 0; i < n; i += Q4_K_BLOCK, b++) {
        const float d = f16_to_f32(b->d), dmin = f16_to_f32(b->dmin);
        k_scales_get(scale, min, b->scales);
        for (int sub = 0; sub < 8; sub++) {
            const float step = d * scale[sub], offset = dmin * min[sub];
            for (int j = 0; j < 32; j++) {
                const int q = b->q[sub / 2 * 32 + j] >> (sub & 1) * 4 & 15;
                dst[i + sub * 32 + j] = step * q - offset;
            }
        }
    }
}

void q4_k_pack(void *dst, const float *src, int64_t n)
{
    struct q4_k *b = dst;
    struct search_affine found;
    for (int64_t i = 0; i < n; i += Q4_K_BLOCK, b++) {
        search_affine(&found, src + i, 15);
        b->d = found.d;
        b->dmin = found.dmin;
        k_scales_put(b->scales, found.scale, found.min);
        for (int j = 0; j < 128; j++) {
            const uint8_t *q = found.q + j / 32 * 64 + j % 32;
            b->q[j] = (uint8_t)(q[0] | q[32] << 4);
        }
    }
}
