/* Q5_0: 32 values, value = d * (q - 16), q of 5 bits. */
#ifndef QUANT_Q5_0_H
#define QUANT_Q5_0_H

#include <stdint.h>

#define Q5_0_BLOCK 32

struct __attribute__((packed)) q5_0 {
    uint16_t d;                 /* f16 */
    uint8_t  high[4];           /* bit j: the fifth bit of value j */
    uint8_t  q[Q5_0_BLOCK / 2]; /* low halves: values 0 .. 15, high halves: 16 .. 31 */
};

_Static_assert(sizeof(struct q5_0) == 22, "Q5_0 as files have it");

void q5_0_unpack(float *dst, const void *src, int64_t n); /* dst [n] */
void q5_0_pack(void *dst, const float *src, int64_t n);   /* src [n] */

#endif
