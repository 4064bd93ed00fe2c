/* MXFP4 (OCP Microscaling Formats 1.0): 32 values of 4 bits (sign, 2 bits of exponent, 1 of mantissa) and a power of two. */
#ifndef QUANT_MXFP4_H
#define QUANT_MXFP4_H

#include <stdint.h>

#include "base/half.h"

#define MXFP4_BLOCK 32

struct mxfp4 { /* as GGUF has it */
    uint8_t e;                 /* values count 2^(e - 127) */
    uint8_t q[MXFP4_BLOCK / 2]; /* low halves: values 0 .. 15, high halves: 16 .. 31 */
};

_Static_assert(sizeof(struct mxfp4) == 17, "MXFP4 as files have it");

void mxfp4_unpack(float *dst, const void *src, int64_t n); /* dst [n] */
void mxfp4_pack(void *dst, const float *src, int64_t n);   /* src [n] */
/* The other order, as gpt-oss has it: byte i holds values 2i (low half) and 2i + 1. */
void mxfp4_from_pairs(struct mxfp4 *dst, const uint8_t pairs[MXFP4_BLOCK / 2], uint8_t e);

/* Twice the value of a code: 0 1 2 3 4 6 8 12 and the same negative. */
static inline int8_t mxfp4_twice(uint8_t code)
{
    const int m = code & 7, v = m + (m > 4 ? m - 4 : 0) + (m > 6 ? 2 : 0);
    return (int8_t)(code & 8 ? -v : v);
}

/* 2^(e - 128), what twice the value counts. */
static inline float mxfp4_scale(uint8_t e)
{
    return f32_from_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

#endif
