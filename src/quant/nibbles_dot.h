/* Template of what the types of 32 values have in common whose low bits are packed in pairs, for their _dot.h. */
#ifndef QUANT_NIBBLES_DOT_H
#define QUANT_NIBBLES_DOT_H

#include "quant/fifth_bits.h"

/* The first and the last 16 values of two blocks, of which a and b are the 16 bytes of pairs. */
INLINE void nibbles_pair(vb *first, vb *last, const uint8_t *a, const uint8_t *b)
{
    const vb q = vb_load_two(a, b);
    *first = vb_and(q, 15);
    *last = vb_and(vw_right(q, 4), 15);
}

/* Adds the fifth bits. */
INLINE void fifth_bits_pair(vb *first, vb *last, const uint8_t a[4], const uint8_t b[4])
{
    const uint32_t high_a = fifth_bits_all(a), high_b = fifth_bits_all(b);
    *first = vb_or(*first, vb_bits((high_a & 0xffff) | high_b << 16, 16));
    *last = vb_or(*last, vb_bits(high_a >> 16 | (high_b & 0xffff0000), 16));
}

#endif
