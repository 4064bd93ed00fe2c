/* The vector vocabulary (ref/ref_vec.h) for AVX-512 (F, BW, VL, DQ, VNNI): 16 floats are one register. Integers stay in 256 bits:
 * with one row of activations memory is the limit, and for many rows there is panel_i8.h. */
#ifndef KERNELS_AVX512_VEC_H
#define KERNELS_AVX512_VEC_H

#include "kernels/avx2/avx2_ints.h"

#define VEC_TILE_W 4
#define VEC_TILE_X 4
#define VEC_DOT_ROWS 4

typedef __m512 vf;

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

INLINE vf vf_load_f16(const void *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}

INLINE vf vf_load_bf16(const void *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}

INLINE vf vf_round_bf16(vf v)
{
    const __m512i u = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i value = _mm512_mask_or_epi32(rounded, nan, u, _mm512_set1_epi32(0x400000));
    return _mm512_castsi512_ps(_mm512_and_si512(value, _mm512_set1_epi32((int)0xffff0000)));
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
