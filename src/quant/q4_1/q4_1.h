/* Q4_1: 32 values, value = d * q + m, q of 4 bits. */
#ifndef QUANT_Q4_1_H
#define QUANT_Q4_1_H

#include <stdint.h>

#define Q4_1_BLOCK 32

struct __attribute__((packed)) q4_1 {
    uint16_t d, m;              /* f16 */
    uint8_t  q[Q4_1_BLOCK / 2]; /* low halves: values 0 .. 15, high halves: 16 .. 31 */
};

_Static_assert(sizeof(struct q4_1) == 20, "Q4_1 as files have it");

void q4_1_unpack(float *dst, const void *src, int64_t n); /* dst [n] */
void q4_1_pack(void *dst, const float *src, int64_t n);   /* src [n] */

#endif
