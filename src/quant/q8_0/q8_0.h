/* Q8_0: 32 values, value = d * q. */
#ifndef QUANT_Q8_0_H
#define QUANT_Q8_0_H

#include <stdint.h>

#define Q8_0_BLOCK 32

struct __attribute__((packed)) q8_0 {
    uint16_t d; /* f16 */
    int8_t   q[Q8_0_BLOCK];
};

_Static_assert(sizeof(struct q8_0) == 34, "Q8_0 as files have it");

void q8_0_unpack(float *dst, const void *src, int64_t n); /* dst [n] */
void q8_0_pack(void *dst, const float *src, int64_t n);   /* src [n] */

#endif
