/* Fifth bits of 32 values, kept apart from the other four: Q5_0 and Q5_1. Bit j % 8 of byte j / 8 belongs to value j. */
#ifndef QUANT_FIFTH_BITS_H
#define QUANT_FIFTH_BITS_H

#include <stdint.h>

/* 16 or 0 */
static inline int fifth_bit_get(const uint8_t high[4], int j)
{
    return (high[j / 8] >> j % 8 & 1) << 4;
}

static inline void fifth_bit_set(uint8_t high[4], int j, int q)
{
    high[j / 8] = (uint8_t)(high[j / 8] | (q >> 4 & 1) << j % 8);
}

/* All of them, value j in bit j. */
static inline uint32_t fifth_bits_all(const uint8_t high[4])
{
    return high[0] | (uint32_t)high[1] << 8 | (uint32_t)high[2] << 16 | (uint32_t)high[3] << 24;
}

#endif
