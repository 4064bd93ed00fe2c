/* Fifth bits of 32 values, kept apart from the other four: Q5_0 and Q5_1. Bit j % 8 of byte j / 8 belongs to value j. */
#ifndef QUANT_FIFTH_BITS_H
#define QUANT_FIFTH_BITS_H

#include <stdint.h>
#include <string.h>

/* 16 or 0 */
static inline int fifth_bit_get(const uint8_t high[4], int j)
{
    return (high[j / 8] >> j % 8 & 1) << 4;
}

static inline void fifth_bit_set(uint8_t high[4], int j, int q)
{
    high[j / 8] = (uint8_t)(high[j / 8] | (q >> 4 & 1) << j % 8);
}

/* All of them as bytes of 16 or 0. Eight at a time: each byte of a word gets the whole byte, keeps its own bit, and carries it to
 * its top. */
static inline void fifth_bits_spread(uint8_t out[32], const uint8_t high[4])
{
    for (int i = 0; i < 4; i++) {
        const uint64_t own = high[i] * UINT64_C(0x0101010101010101) & UINT64_C(0x8040201008040201);
        const uint64_t bits = ((own + UINT64_C(0x7f7f7f7f7f7f7f7f)) & UINT64_C(0x8080808080808080)) >> 3;
        memcpy(out + 8 * i, &bits, sizeof bits);
    }
}

#endif
