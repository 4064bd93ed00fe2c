/* Search for scales when packing: what the block types with sub-blocks share. Errors are sums of squares. */
#ifndef QUANT_SEARCH_H
#define QUANT_SEARCH_H

#include <math.h>
#include <stdint.h>

#define SEARCH_BLOCK 256

/* v cut to an integer of lo .. hi, toward zero; lo for NaN. */
static inline int search_clamp(float v, int lo, int hi)
{
    if (!(v > (float)lo)) return lo;
    return v < (float)hi ? (int)v : hi;
}

/* v rounded to the nearest integer of lo .. hi; lo for NaN. */
static inline int search_round(float v, int lo, int hi)
{
    if (!(v > (float)lo)) return lo;
    return v < (float)hi ? (int)lrintf(v) : hi;
}

/* A grid of levels + 1 values from the smallest of x to the largest: value = d * q + m. */
void search_range(float *d, float *m, const float *x, int n, int levels); /* x [n] */

/* Sub-blocks of 32: value = d * scale * q - dmin * min, 0 <= q <= levels, scale and min of 6 bits (Q4_K, Q5_K). */
struct search_affine {
    uint16_t d, dmin; /* f16 */
    uint8_t  scale[8], min[8];
    uint8_t  q[SEARCH_BLOCK];
};

void search_affine(struct search_affine *out, const float *x, int levels); /* x [256] */

/* Sub-blocks of 16: value = d * scale * q, -32 <= q <= 31, scale of 8 bits (Q6_K). */
struct search_linear {
    uint16_t d; /* f16 */
    int8_t   scale[16];
    int8_t   q[SEARCH_BLOCK];
};

void search_linear(struct search_linear *out, const float *x); /* x [256] */

#endif
