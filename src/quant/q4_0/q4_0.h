/* Q4_0: 32 values, value = d * (q - 8), q of 4 bits. */
#ifndef QUANT_Q4_0_H
#define QUANT_Q4_0_H

#include <stdint.h>

#define Q4_0_BLOCK 32

struct __attribute__((packed)) q4_0 {
    uint16_t d;                 /* f16 */
    uint8_t  q[Q4_0_BLOCK / 2]; /* low halves: values 0 .. 15, high halves: 16 .. 31 */
};

_Static_assert(sizeof(struct q4_0) == 18, "Q4_0 as files have it");

void q4_0_unpack(float *dst, const void *src, int64_t n); /* dst [n] */
void q4_0_pack(void *dst, const float *src, int64_t n);   /* src [n] */

#endif
