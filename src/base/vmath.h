/* Elementary functions written so that compilers vectorise loops over them: no branches, no tables, the same polynomial on
 * every machine, so results do not depend on the C library. */
#ifndef BASE_VMATH_H
#define BASE_VMATH_H

#include <stdint.h>
#include <string.h>

static inline float float_from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint32_t float_to_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

/* e^x, within 2 ulp; 0 below -87.3, infinity above 88.7, NaN stays. Cody-Waite reduction, degree 6 polynomial (Cephes expf).
 * The rounding constant keeps the integer in the low bits, so no float-to-int conversion can overflow. */
static inline float vexpf(float x)
{
    const float lo = -87.3f, hi = 88.7f, shift = 12582912.0f; /* 1.5 * 2^23 */
    const float c = x < lo ? lo : x;
    const float d = c > hi ? hi : c;
    const float m = d * 1.44269504088896341f + shift;
    const float n = m - shift;
    const float r = d - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    /* 2^n in two halves, since n may be 128 */
    const uint32_t k = float_to_bits(m) - float_to_bits(shift);
    const uint32_t half = (uint32_t)((int32_t)k >> 1);
    float y = p * float_from_bits((half + 127u) << 23) * float_from_bits((k - half + 127u) << 23);
    y = x < lo ? 0.0f : y;
    return x > hi ? float_from_bits(0x7f800000u) : y;
}

/* tanh through exp: 1 - 2 / (e^2x + 1); absolute error below 2e-7. */
static inline float vtanhf(float x)
{
    return 1.0f - 2.0f / (vexpf(2.0f * x) + 1.0f);
}

static inline float vsiluf(float x)
{
    return x / (1.0f + vexpf(-x));
}

/* gelu with tanh in place of erf */
static inline float vgelu_tanhf(float x)
{
    return 0.5f * x * (1.0f + vtanhf(0.79788456080286535588f * (x + 0.044715f * x * x * x)));
}

#endif
