/* f16 and bf16 to f32 and back, rounding to nearest even; denormals, infinities and NaNs included. Integer code without
 * branches (selects only), so that a loop over it vectorises on any machine. */
#ifndef BASE_HALF_H
#define BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float f32_from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* All ones when c, else zero: keeps both sides of a choice straight-line code. */
static inline uint32_t half_mask(int c)
{
    return (uint32_t)-c;
}

static inline float f16_to_f32(uint16_t h)
{
    const uint32_t em = (uint32_t)(h & 0x7fff) << 13; /* exponent and mantissa in f32's places */
    const uint32_t small = half_mask(em < 0x00800000u), special = half_mask(em >= 0x0f800000u);
    const uint32_t normal = em + 0x38000000u + (special & 0x38000000u); /* exponent + 112; 31 becomes 255 */
    const uint32_t denormal = f32_bits(f32_from_bits(em + 0x38800000u) - f32_from_bits(0x38800000u)); /* (2^-14 + m) - 2^-14 */
    return f32_from_bits((denormal & small) | (normal & ~small) | (uint32_t)(h & 0x8000) << 16);
}

static inline uint16_t f32_to_f16(float f)
{
    const uint32_t x = f32_bits(f), a = x & 0x7fffffffu;
    const uint32_t small = half_mask(a < 0x38800000u), big = half_mask(a >= 0x477ff000u), nan = half_mask(a > 0x7f800000u);
    const uint32_t normal = (a - 0x38000000u + 0xfffu + (a >> 13 & 1)) >> 13;
    const uint32_t denormal = f32_bits(f32_from_bits(a & small) + 0.5f) - 0x3f000000u; /* 0.5 has the same last place: 2^-24 */
    const uint32_t special = 0x7c00u | (nan & (0x200u | (a >> 13 & 0x3ffu)));
    return (uint16_t)((denormal & small) | (special & big) | (normal & ~(small | big)) | (x >> 16 & 0x8000u));
}

static inline float bf16_to_f32(uint16_t h)
{
    return f32_from_bits((uint32_t)h << 16);
}

static inline uint16_t f32_to_bf16(float f)
{
    const uint32_t x = f32_bits(f), nan = half_mask((x & 0x7fffffffu) > 0x7f800000u);
    const uint32_t rounded = (x + 0x7fffu + (x >> 16 & 1)) >> 16, quiet = x >> 16 | 0x40u;
    return (uint16_t)((rounded & ~nan) | (quiet & nan));
}

#endif
