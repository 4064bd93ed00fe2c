/* The vector vocabulary (ref/ref_vec.h) for AVX-512 (F, BW, VL, DQ, VNNI): 16 floats are one register. Integers stay in 256 bits:
 * with one row of activations memory is the limit, and for many rows there is panel_i8.h. */
#ifndef KERNELS_AVX512_VEC_H
#define KERNELS_AVX512_VEC_H

#include "kernels/avx2/avx2_ints.h"

#define VEC_TILE_W 4
#define VEC_TILE_X 4
#define VEC_DOT_ROWS 4
#define VEC_ROWS 8

typedef __m512 vf, vr;
#define VEC_PARTS 1

INLINE vr vr_zero(void)
{
    return _mm512_setzero_ps();
}

INLINE vr vr_load(const void *p)
{
    return _mm512_loadu_ps(p);
}

INLINE vr vf_part(vf v, const int part)
{
    (void)part;
    return v;
}

INLINE void vf_set_part(vf *v, const int part, vr x)
{
    (void)part;
    *v = x;
}

INLINE vr vr_mul_add(vr sum, vr x, vr y)
{
    return _mm512_fmadd_ps(x, y, sum);
}

INLINE vf vf_set(float s)
{
    return _mm512_set1_ps(s);
}

INLINE vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

INLINE void vf_store(float *p, vf v)
{
    _mm512_storeu_ps(p, v);
}

INLINE vf vf_sub(vf x, vf y)
{
    return _mm512_sub_ps(x, y);
}

INLINE vf vf_mul(vf x, vf y)
{
    return _mm512_mul_ps(x, y);
}

INLINE vf vf_add(vf x, vf y)
{
    return _mm512_add_ps(x, y);
}

INLINE vf vf_max(vf x, vf y)
{
    return _mm512_max_ps(x, y);
}

INLINE float vf_top(vf x)
{
    return _mm512_reduce_max_ps(x);
}

#if defined(__clang__)
#define UNROLL_VEC _Pragma("clang loop unroll(full)")
#else
#define UNROLL_VEC _Pragma("GCC unroll 16")
#endif

/* Row r's 16 lanes become lane r of 16 registers. */
INLINE void m512i_transpose(__m512i *r)
{
    __m512i t[16];
    UNROLL_VEC
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    UNROLL_VEC
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL_VEC
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
        t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
    }
    UNROLL_VEC
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
        r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
    }
}

INLINE void vf_transpose(vf *v)
{
    __m512i r[16];
    UNROLL_VEC
    for (int i = 0; i < 16; i++) r[i] = _mm512_castps_si512(v[i]);
    m512i_transpose(r);
    UNROLL_VEC
    for (int i = 0; i < 16; i++) v[i] = _mm512_castsi512_ps(r[i]);
}

INLINE vf vf_mul_add(vf sum, vf x, vf y)
{
    return _mm512_fmadd_ps(x, y, sum);
}

INLINE float vf_sum(vf x)
{
    const __m256 v = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* Four at a time: the same additions as vf_sum, side by side. */
INLINE __m128 m128_sums(const vf *x)
{
    const __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(x[0], x[1], 0x44), _mm512_shuffle_f32x4(x[0], x[1], 0xee));
    const __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(x[2], x[3], 0x44), _mm512_shuffle_f32x4(x[2], x[3], 0xee));
    const __m512 four = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    const __m512 two = _mm512_add_ps(four, _mm512_permute_ps(four, 0x4e)), one = _mm512_add_ps(two, _mm512_permute_ps(two, 0xb1));
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(_mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), one));
}

INLINE void vf_sums(float *y, const vf *x, const int n) /* n is 4 */
{
    for (int i = 0; i < n; i += 4) _mm_storeu_ps(y + i, m128_sums(x + i));
}

INLINE vf vf_load_f16(const void *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}

INLINE vf vf_load_bf16(const void *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}

typedef __m512i vp;

INLINE vp vp_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

INLINE void vp_store(void *p, vp v)
{
    _mm512_storeu_si512(p, v);
}

#ifndef __AVX512BF16__

INLINE __m256i m512_round_bf16(__m512 v)
{
    const __m512i u = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i value = _mm512_mask_or_epi32(rounded, nan, u, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(value, 16));
}

INLINE vp vp_round(vf first, vf last)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(m512_round_bf16(first)), m512_round_bf16(last), 1);
}

INLINE vf vf_dot_pairs(vf sum, vp w, vp x)
{
    const __m512i high = _mm512_set1_epi32((int)0xffff0000);
    sum = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(w, high)), _mm512_castsi512_ps(_mm512_and_si512(x, high)), sum);
    return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(w, 16)), _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)), sum);
}

#else /* takes numbers below the normal ones for zero; the accumulator is tied by hand as in avx2_ints.h */

INLINE vp vp_round(vf first, vf last)
{
    return (__m512i)_mm512_cvtne2ps_pbh(last, first);
}

INLINE vf vf_dot_pairs(vf sum, vp w, vp x)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
}

#endif

INLINE vr vr_dot_pairs(vr sum, vr w, vr x)
{
    return vf_dot_pairs(sum, _mm512_castps_si512(w), _mm512_castps_si512(x));
}

INLINE vf vf_low_i8(vb v)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(v)));
}

INLINE vf vf_high_i8(vb v)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256(v, 1)));
}

#endif
