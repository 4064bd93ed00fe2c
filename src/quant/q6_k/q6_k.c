/* Reference pack and unpack of Q6_K. */
#include "quant/q6_k/q6_k.h"

#include <string.h>

#include "base/half.h"
#include "quant/search.h"

/* Where value i of a block lies: which bytes, and how far its bits are shifted. */
struct place {
    int low, low_shift, high, high_shift;
};

static struct place place_of(int i)
{
    const int half = i / 128, run = i / 32 % 4, j = i % 32;
    return (struct place){ half * 64 + (run & 1) * 32 + j, run / 2 * 4, half * 32 + j, run * 2 };
}

void q6_k_unpack(float *dst, const void *src, int64_t n)
{
    const struct q6_k *b = src;
    for (int64_t i = 0; i < n; i += Q6_K_BLOCK, b++) {
        const float d = f16_to_f32(b->d);
        for (int j = 0; j < Q6_K_BLOCK; j++) {
            const struct place p = place_of(j);
            const int q = (b->low[p.low] >> p.low_shift & 15) | (b->high[p.high] >> p.high_shift & 3) << 4;
            dst[i + j] = d * b->scales[j / 16] * (q - 32);
        }
    }
}

void q6_k_pack(void *dst, const float *src, int64_t n)
{
    struct q6_k *b = dst;
    struct search_linear found;
    for (int64_t i = 0; i < n; i += Q6_K_BLOCK, b++) {
        search_linear(&found, src + i);
        memset(b, 0, sizeof *b);
        b->d = found.d;
        memcpy(b->scales, found.scale, sizeof b->scales);
        for (int j = 0; j < Q6_K_BLOCK; j++) {
            const struct place p = place_of(j);
            const int q = found.q[j] + 32;
            b->low[p.low] |= (uint8_t)((q & 15) << p.low_shift);
            b->high[p.high] |= (uint8_t)(q >> 4 << p.high_shift);
        }
    }
}
