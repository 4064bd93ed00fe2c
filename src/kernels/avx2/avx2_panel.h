/* What kernels/panel_i8.h is written over, in 256 bits: pi are 8 int32 (or words, or bytes), pf 8 floats. With AVX-VNNI bytes are
 * multiplied and added up to 32 bits at once; without, several steps add up in words as long as the largest weight allows. */
#ifndef KERNELS_AVX2_PANEL_H
#define KERNELS_AVX2_PANEL_H

#include "kernels/avx2/avx2_vec.h"
#include "kernels/product.h"

#define PANEL_LANES 8
#define PANEL_T     3 /* activation rows whose sums stay in registers together */

typedef __m256i pi;
typedef __m256  pf;

INLINE pi pi_zero(void) { return _mm256_setzero_si256(); }
INLINE pi pi_set(int v) { return _mm256_set1_epi32(v); }
INLINE pi pi_load(const void *p) { return _mm256_loadu_si256(p); }
INLINE pi pi_or(pi x, pi y) { return _mm256_or_si256(x, y); }
INLINE pi pi_and(pi v, uint32_t mask) { return _mm256_and_si256(v, _mm256_set1_epi32((int)mask)); }
INLINE pi pi_left(pi v, int n) { return _mm256_sll_epi32(v, _mm_cvtsi32_si128(n)); }
INLINE pi pi_right(pi v, int n) { return _mm256_srl_epi32(v, _mm_cvtsi32_si128(n)); }
INLINE pi pi_right_signed(pi v, int n) { return _mm256_sra_epi32(v, _mm_cvtsi32_si128(n)); }
INLINE pi pi_table16(const uint8_t table[16], pi v) { return vb_table16(table, v); }
INLINE pi pi_sub_words(pi x, pi y) { return _mm256_sub_epi16(x, y); }

INLINE pf pf_set(float v) { return _mm256_set1_ps(v); }
INLINE pf pf_load(const float *p) { return _mm256_load_ps(p); }
INLINE void pf_store(float *p, pf v) { _mm256_store_ps(p, v); }
INLINE pf pf_add(pf x, pf y) { return _mm256_add_ps(x, y); }
INLINE pf pf_sub(pf x, pf y) { return _mm256_sub_ps(x, y); }
INLINE pf pf_mul(pf x, pf y) { return _mm256_mul_ps(x, y); }
INLINE pf pf_from(pi v) { return _mm256_cvtepi32_ps(v); }
INLINE pf pf_from_halves(const uint16_t *h) { return _mm256_cvtph_ps(_mm_loadu_si128((const void *)h)); }

INLINE pi pi_broadcast(const void *p) /* 4 bytes to every lane */
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return _mm256_set1_epi32(v);
}

INLINE pi pi_dot_words(pi sum, pi w, pi x)
{
    return vi_dot_words(sum, w, x);
}

/* `bytes` (16, 32 or 64) at offset `at` of each lane's row: out[i] has the 4 bytes from 4 i on. */
INLINE void panel_columns(pi *out, const char *const *w, int at, const int bytes)
{
    for (int from = 0; from < bytes; from += 32) {
        __m256 r[8];
        UNROLL_8
        for (int i = 0; i < 8; i++) {
            const void *p = w[i] + at + from;
            r[i] = _mm256_castsi256_ps(bytes == 16 ? _mm256_castsi128_si256(_mm_loadu_si128(p)) : _mm256_loadu_si256(p));
        }
        m256_transpose(r);
        UNROLL_8
        for (int i = 0; i < 8; i++) {
            if (i * 4 < bytes) out[from / 4 + i] = _mm256_castps_si256(r[i]);
        }
    }
}

#ifdef __AVXVNNI__

#define PANEL_BIAS 128 /* added to signed bytes, which the instruction does not take */

INLINE pi pi_bias(pi v) { return _mm256_xor_si256(v, _mm256_set1_epi8((char)0x80)); }
INLINE pi pi_scale(pi v) { return v; }

INLINE int panel_room(int limit)
{
    (void)limit;
    return 8;
}

INLINE pi panel_dot(pi part, pi w, pi x, int limit)
{
    (void)limit;
    return vi_dot(part, w, x);
}

INLINE pi panel_add_scaled(pi sum, pi part, const pi *scale, int limit)
{
    (void)limit;
    return _mm256_add_epi32(sum, scale ? _mm256_mullo_epi32(part, *scale) : part);
}

#else

#define PANEL_BIAS 0 /* signed bytes are multiplied as they are: by magnitude, the sign goes over to the other factor */

INLINE pi pi_bias(pi v) { return v; }
INLINE pi pi_scale(pi v) { return _mm256_or_si256(_mm256_and_si256(v, _mm256_set1_epi32(0xffff)), _mm256_slli_epi32(v, 16)); } /* in both words */

/* A step adds two products of at most limit * 127 to each word. Signed bytes go straight to 32 bits. */
INLINE int panel_room(int limit)
{
    const int steps = 32767 / (limit * 254);
    return limit > 127 || steps >= 8 ? 8 : steps >= 4 ? 4 : 2;
}

INLINE pi panel_dot(pi part, pi w, pi x, int limit)
{
    if (limit > 127) return _mm256_add_epi32(part, vi_dot_signed(w, x));
    return _mm256_add_epi16(part, _mm256_maddubs_epi16(w, x));
}

INLINE pi panel_add_scaled(pi sum, pi part, const pi *scale, int limit)
{
    if (limit > 127) return _mm256_add_epi32(sum, part);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(part, scale ? *scale : _mm256_set1_epi16(1)));
}

#endif

#endif
