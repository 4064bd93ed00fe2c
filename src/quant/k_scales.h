/* The 12 bytes in which Q4_K and Q5_K keep 8 scales and 8 minima of 6 bits each: the first four of both as the low 6 bits
 * of bytes 0-3 and 4-7; of the last four the low 4 bits in bytes 8-11 and the high 2 bits on top of bytes 0-3 and 4-7. */
#ifndef QUANT_K_SCALES_H
#define QUANT_K_SCALES_H

#include <stdint.h>
#include <string.h>

/* scale [8], min [8]; each written at once, so that a vector load of all eight finds them in one store */
static inline void k_scales_get(uint8_t *scale, uint8_t *min, const uint8_t *bytes)
{
    uint32_t low_s, low_m, last;
    memcpy(&low_s, bytes, sizeof low_s);
    memcpy(&low_m, bytes + 4, sizeof low_m);
    memcpy(&last, bytes + 8, sizeof last);
    const uint64_t s = (low_s & 0x3f3f3f3f) | (uint64_t)((last & 0x0f0f0f0f) | (low_s >> 2 & 0x30303030)) << 32;
    const uint64_t m = (low_m & 0x3f3f3f3f) | (uint64_t)((last >> 4 & 0x0f0f0f0f) | (low_m >> 2 & 0x30303030)) << 32;
    memcpy(scale, &s, sizeof s);
    memcpy(min, &m, sizeof m);
}

static inline void k_scales_put(uint8_t *bytes, const uint8_t *scale, const uint8_t *min)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(scale[i] | scale[4 + i] >> 4 << 6);
        bytes[4 + i] = (uint8_t)(min[i] | min[4 + i] >> 4 << 6);
        bytes[8 + i] = (uint8_t)((scale[4 + i] & 15) | (min[4 + i] & 15) << 4);
    }
}

#endif
