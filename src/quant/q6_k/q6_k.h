/* Q6_K: 256 values in 16 sub-blocks of 16, value = d * scale * (q - 32), q of 6 bits, scale of 8 bits with sign. */
#ifndef QUANT_Q6_K_H
#define QUANT_Q6_K_H

#include <stdint.h>

#define Q6_K_BLOCK 256

/* Two halves of 128 values, each four runs of 32. Run r of half h, value j: low bits in low[64 h + 32 (r & 1) + j], in the
 * low half of the byte for r < 2, the high half for the others; high bits in bits 2 r and 2 r + 1 of high[32 h + j]. */
struct __attribute__((packed)) q6_k {
    uint8_t  low[128];
    uint8_t  high[64];
    int8_t   scales[16];
    uint16_t d; /* f16 */
};

_Static_assert(sizeof(struct q6_k) == 210, "Q6_K as files have it");

void q6_k_unpack(float *dst, const void *src, int64_t n); /* dst [n] */
void q6_k_pack(void *dst, const float *src, int64_t n);   /* src [n] */

#endif
