/* The integers of the vector vocabulary (ref/ref_vec.h) in 256 bits, for AVX2 and what is built on it. With a VNNI (AVX-VNNI, or
 * that of AVX-512) multiplying and adding up is one instruction. The compilers' intrinsic for it does not tie its accumulator,
 * and gcc then stores and reloads it at every step: so it is written out. */
#ifndef KERNELS_AVX2_INTS_H
#define KERNELS_AVX2_INTS_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef float   v4f __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));
typedef uint32_t v4u __attribute__((vector_size(16)));

typedef __m256i vb, vi, vh;

/* ---- vb: 32 bytes */

INLINE vb vb_load(const void *p)
{
    return _mm256_loadu_si256(p);
}

INLINE vb vb_and(vb v, uint8_t mask)
{
    return _mm256_and_si256(v, _mm256_set1_epi8((char)mask));
}

INLINE vb vb_or(vb x, vb y)
{
    return _mm256_or_si256(x, y);
}

INLINE vb vb_and_or(vb v, uint8_t mask, vb w)
{
#ifdef __AVX512VL__
    return _mm256_ternarylogic_epi32(v, _mm256_set1_epi8((char)mask), w, 0xea);
#else
    return vb_or(vb_and(v, mask), w);
#endif
}

INLINE vb vw_right(vb v, int n)
{
    return _mm256_srli_epi16(v, n);
}

INLINE vb vw_left(vb v, int n)
{
    return _mm256_slli_epi16(v, n);
}

INLINE vb vb_load_halves(const void *p)
{
    const __m128i v = _mm_loadu_si128(p);
    return vb_and(_mm256_inserti128_si256(_mm256_castsi128_si256(v), _mm_srli_epi16(v, 4), 1), 15);
}

INLINE vb vb_table16(const uint8_t table[16], vb v)
{
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table)), v);
}

INLINE vb vb_load_two(const void *p, const void *q)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(p)), _mm_loadu_si128(q), 1);
}

INLINE vb vb_firsts(vb x, vb y)
{
    return _mm256_permute2x128_si256(x, y, 0x20);
}

INLINE vb vb_lasts(vb x, vb y)
{
    return _mm256_permute2x128_si256(x, y, 0x31);
}

INLINE vb vb_bits(uint32_t bits, uint8_t value)
{
#ifdef __AVX512VL__
    return _mm256_maskz_set1_epi8(bits, (char)value);
#else
    const __m256i order = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201), spread = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), order);
    return vb_and(_mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit), value);
#endif
}

INLINE v4f v4f_from_halves(const void *a, const void *b, const void *c, const void *d)
{
    uint16_t h[4];
    memcpy(&h[0], a, sizeof *h);
    memcpy(&h[1], b, sizeof *h);
    memcpy(&h[2], c, sizeof *h);
    memcpy(&h[3], d, sizeof *h);
    const uint64_t all = h[0] | (uint64_t)h[1] << 16 | (uint64_t)h[2] << 32 | (uint64_t)h[3] << 48;
    return (v4f)_mm_cvtph_ps(_mm_cvtsi64_si128((long long)all));
}

/* Of each lane the low 16 bits, the others zero. */
INLINE v4f v4f_from_f16(v4u h)
{
    return (v4f)_mm_cvtph_ps(_mm_packus_epi32((__m128i)h, (__m128i)h));
}

/* ---- vi, vh */

INLINE vi vi_zero(void)
{
    return _mm256_setzero_si256();
}

/* total + unsigned bytes w * signed bytes x; without a VNNI two neighbours must fit 16 bits. */
INLINE vi vi_dot(vi total, vb w, vb x)
{
#if defined(__AVX512VNNI__)
    __asm__("vpdpbusd %2, %1, %0" : "+v"(total) : "v"(w), "v"(x));
    return total;
#elif defined(__AVXVNNI__)
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(total) : "x"(w), "x"(x));
    return total;
#else
    return _mm256_add_epi32(total, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1)));
#endif
}

/* total + x * y, numbers of 16 bits */
INLINE vi vi_dot_words(vi total, __m256i x, __m256i y)
{
#if defined(__AVX512VNNI__)
    __asm__("vpdpwssd %2, %1, %0" : "+v"(total) : "v"(x), "v"(y));
    return total;
#elif defined(__AVXVNNI__)
    __asm__("%{vex%} vpdpwssd %2, %1, %0" : "+x"(total) : "x"(x), "x"(y));
    return total;
#else
    return _mm256_add_epi32(total, _mm256_madd_epi16(x, y));
#endif
}

INLINE vi vi_dot_signed(vb w, vb x) /* |w| is at most 128 and |x| 127: two products fit 16 bits */
{
    return vi_dot(vi_zero(), _mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

INLINE void scales_twice(uint32_t *two, v4u scale)
{
#if defined(__AVX512F__)
    const __m512i v = _mm512_cvtepu8_epi32((__m128i)scale);
    _mm512_storeu_si512(two, _mm512_or_si512(v, _mm512_slli_epi32(v, 16)));
#else
    const __m256i low = _mm256_cvtepu8_epi32((__m128i)scale), high = _mm256_cvtepu8_epi32(_mm_unpackhi_epi64((__m128i)scale, (__m128i)scale));
    _mm256_storeu_si256((void *)two, _mm256_or_si256(low, _mm256_slli_epi32(low, 16)));
    _mm256_storeu_si256((void *)(two + 8), _mm256_or_si256(high, _mm256_slli_epi32(high, 16)));
#endif
}

/* Scales in 16 bits: of first halves of runs in the low 128 bits, of last halves in the high ones. */
INLINE vh vh_from_16(const int8_t *p)
{
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    return _mm256_cvtepi8_epi16(_mm_shuffle_epi8(_mm_loadu_si128((const void *)p), order));
}

INLINE vi vi_dot_scaled(vi total, vb w, const uint32_t *scale, vb x)
{
#if defined(__AVX512VNNI__)
    __asm__("vpdpwssd %2%{1to8%}, %1, %0" : "+v"(total) : "v"(_mm256_maddubs_epi16(w, x)), "m"(*scale));
    return total;
#else
    return vi_dot_words(total, _mm256_maddubs_epi16(w, x), _mm256_set1_epi32((int)*scale));
#endif
}

INLINE vi vi_dot_scaled_16(vi total, vb w, vh scale, int i, vb x)
{
    const __m256i both = _mm256_shuffle_epi8(scale, _mm256_set1_epi16((short)(0x0100 + 0x0202 * i)));
    return vi_dot_words(total, _mm256_maddubs_epi16(w, x), both);
}

INLINE __m256i two_dot_sums(v4u m, const int16_t *a, const int16_t *b)
{
    const __m256i sums = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)a)), _mm_loadu_si128((const void *)b), 1);
    return _mm256_madd_epi16(_mm256_cvtepu8_epi16((__m128i)m), sums);
}

INLINE v4i v4i_dot_sums(const v4u m[2], const int16_t *a, const int16_t *b, const int16_t *c, const int16_t *d)
{
    const __m256i four = _mm256_hadd_epi32(two_dot_sums(m[0], a, b), two_dot_sums(m[1], c, d));
    const __m256i two = _mm256_hadd_epi32(four, four); /* a c .. | b d .. */
    return (v4i)_mm_unpacklo_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

INLINE vi vi_dot_sums_16(const int8_t *m, int factor, const int16_t *sum)
{
    const __m256i wide = _mm256_mullo_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)m)), _mm256_set1_epi16((short)factor));
    return _mm256_madd_epi16(wide, _mm256_loadu_si256((const void *)sum));
}

INLINE v4i vi_sum4(vi a, vi b, vi c, vi d)
{
    const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    return (v4i)_mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

typedef __m256i vi2;

INLINE vi2 vi2_zero(void)
{
    return vi_zero();
}

INLINE vi2 vi2_dot(vi2 total, vb w, vb x)
{
    return vi_dot(total, w, x);
}

INLINE void vi2_sum4(v4i sum[2], const vi2 total[4])
{
    const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(total[0], total[1]), _mm256_hadd_epi32(total[2], total[3]));
    sum[0] = (v4i)_mm256_castsi256_si128(all);
    sum[1] = (v4i)_mm256_extracti128_si256(all, 1);
}

#endif
