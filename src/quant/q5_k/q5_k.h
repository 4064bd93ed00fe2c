/* Q5_K: 256 values in 8 sub-blocks of 32, value = d * scale * q - dmin * min, q of 5 bits, scale and min of 6 bits. */
#ifndef QUANT_Q5_K_H
#define QUANT_Q5_K_H

#include <stdint.h>

#define Q5_K_BLOCK 256

struct __attribute__((packed)) q5_k {
    uint16_t d, dmin;    /* f16 */
    uint8_t  scales[12]; /* 8 scales and 8 minima: scales_of_k (quant/search.h) */
    uint8_t  high[32];   /* bit s of byte j: bit 4 of value j of sub-block s */
    uint8_t  q[128];     /* low 4 bits: byte j of 32-byte row r holds values 64 r + j (low half) and 64 r + 32 + j (high half) */
};

_Static_assert(sizeof(struct q5_k) == 176, "Q5_K as files have it");

void q5_k_unpack(float *dst, const void *src, int64_t n); /* dst [n] */
void q5_k_pack(void *dst, const float *src, int64_t n);   /* src [n] */

#endif
