/* Reference pack and unpack of Q8_0. */
#include "quant/q8_0/q8_0.h"

#include <math.h>

#include "base/half.h"
#include "quant/search.h"

void q8_0_unpack(float *dst, const void *src, int64_t n)
{
    const struct q8_0 *b = src;
    for (int64_t i = 0; i < n; i += Q8_0_BLOCK, b++) {
        const float d = f16_to_f32(b->d);
        for (int j = 0; j < Q8_0_BLOCK; j++) dst[i + j] = d * b->q[j];
    }
}

/* The largest value becomes 127; halves round away from zero, as in the files of ggml. */
void q8_0_pack(void *dst, const float *src, int64_t n)
{
    struct q8_0 *b = dst;
    for (int64_t i = 0; i < n; i += Q8_0_BLOCK, b++) {
        float max = 0;
        for (int j = 0; j < Q8_0_BLOCK; j++) max = fmaxf(max, fabsf(src[i + j]));
        const float d = max / 127, inverse = d > 0 ? 1 / d : 0;
        b->d = f32_to_f16(d);
        for (int j = 0; j < Q8_0_BLOCK; j++) b->q[j] = (int8_t)search_clamp(roundf(src[i + j] * inverse), -127, 127);
    }
}
