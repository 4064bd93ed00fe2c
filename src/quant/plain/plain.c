/* Reference pack and unpack of the plain types. Files place tensors at any byte, so values are copied, never cast to. */
#include "quant/plain/plain.h"

#include <string.h>

#include "base/half.h"

static uint16_t half_at(const void *src, int64_t i)
{
    uint16_t h;
    memcpy(&h, (const char *)src + i * 2, sizeof h);
    return h;
}

static void half_put(void *dst, int64_t i, uint16_t h)
{
    memcpy((char *)dst + i * 2, &h, sizeof h);
}

void f32_unpack(float *dst, const void *src, int64_t n)
{
    memcpy(dst, src, (size_t)n * sizeof *dst);
}

void f16_unpack(float *dst, const void *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++) dst[i] = f16_to_f32(half_at(src, i));
}

void bf16_unpack(float *dst, const void *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++) dst[i] = bf16_to_f32(half_at(src, i));
}

void f64_unpack(float *dst, const void *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double d;
        memcpy(&d, (const char *)src + i * 8, sizeof d);
        dst[i] = (float)d;
    }
}

void f32_pack(void *dst, const float *src, int64_t n)
{
    memcpy(dst, src, (size_t)n * sizeof *src);
}

void f16_pack(void *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++) half_put(dst, i, f32_to_f16(src[i]));
}

void bf16_pack(void *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++) half_put(dst, i, f32_to_bf16(src[i]));
}
