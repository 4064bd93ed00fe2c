/* What kernels/panel_i8.h is written over, in 512 bits with VNNI: pi are 16 int32 (or words, or bytes), pf 16 floats. */
#ifndef KERNELS_AVX512_PANEL_H
#define KERNELS_AVX512_PANEL_H

#include "kernels/avx512/avx512_vec.h"

#define PANEL_LANES 16
#define PANEL_T     6   /* activation rows whose sums stay in registers together */
#define PANEL_BIAS  128 /* added to signed bytes, which the instruction does not take */

typedef __m512i pi;
typedef __m512  pf;

INLINE pi pi_zero(void) { return _mm512_setzero_si512(); }
INLINE pi pi_set(int v) { return _mm512_set1_epi32(v); }
INLINE pi pi_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE pi pi_or(pi x, pi y) { return _mm512_or_si512(x, y); }
INLINE pi pi_and(pi v, uint32_t mask) { return _mm512_and_si512(v, _mm512_set1_epi32((int)mask)); }
INLINE pi pi_left(pi v, int n) { return _mm512_sll_epi32(v, _mm_cvtsi32_si128(n)); }
INLINE pi pi_right(pi v, int n) { return _mm512_srl_epi32(v, _mm_cvtsi32_si128(n)); }
INLINE pi pi_right_signed(pi v, int n) { return _mm512_sra_epi32(v, _mm_cvtsi32_si128(n)); }
INLINE pi pi_sub_words(pi x, pi y) { return _mm512_sub_epi16(x, y); }
INLINE pi pi_table16(const uint8_t table[16], pi v) { return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128((const void *)table)), v); }
INLINE pi pi_bias(pi v) { return _mm512_xor_si512(v, _mm512_set1_epi8((char)0x80)); }
INLINE pi pi_scale(pi v) { return v; } /* as panel_add_scaled wants it */

INLINE pf pf_set(float v) { return _mm512_set1_ps(v); }
INLINE pf pf_load(const float *p) { return _mm512_load_ps(p); }
INLINE void pf_store(float *p, pf v) { _mm512_store_ps(p, v); }
INLINE pf pf_add(pf x, pf y) { return _mm512_add_ps(x, y); }
INLINE pf pf_sub(pf x, pf y) { return _mm512_sub_ps(x, y); }
INLINE pf pf_mul(pf x, pf y) { return _mm512_mul_ps(x, y); }
INLINE pf pf_from(pi v) { return _mm512_cvtepi32_ps(v); }
INLINE pf pf_from_halves(const uint16_t *h) { return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)h)); }

INLINE pi pi_broadcast(const void *p) /* 4 bytes to every lane */
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return _mm512_set1_epi32(v);
}

INLINE pi pi_dot_words(pi sum, pi w, pi x)
{
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
}

/* `bytes` (16, 32 or 64) at offset `at` of each lane's row: out[i] has the 4 bytes from 4 i on. */
INLINE void panel_columns(pi *out, const char *const *w, int at, const int bytes)
{
    pi r[16];
    UNROLL_VEC
    for (int i = 0; i < 16; i++) {
        const void *p = w[i] + at;
        r[i] = bytes == 64 ? _mm512_loadu_si512(p) : bytes == 32 ? _mm512_castsi256_si512(_mm256_loadu_si256(p)) : _mm512_castsi128_si512(_mm_loadu_si128(p));
    }
    m512i_transpose(r);
    UNROLL_VEC
    for (int i = 0; i < 16; i++) {
        if (i * 4 < bytes) out[i] = r[i];
    }
}

/* ---- products of bytes: sums of 32 bits have room for any number of steps */

INLINE int panel_room(int limit)
{
    (void)limit;
    return 8;
}

INLINE pi panel_dot(pi part, pi w, pi x, int limit)
{
    (void)limit;
    __asm__("vpdpbusd %2, %1, %0" : "+v"(part) : "v"(w), "v"(x));
    return part;
}

INLINE pi panel_add_scaled(pi sum, pi part, const pi *scale, int limit)
{
    (void)limit;
    return _mm512_add_epi32(sum, scale ? _mm512_mullo_epi32(part, *scale) : part);
}

#endif
