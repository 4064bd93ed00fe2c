/* The vector vocabulary (ref/ref_vec.h) for AVX2 with FMA and F16C: 16 floats are two registers. */
#ifndef KERNELS_AVX2_VEC_H
#define KERNELS_AVX2_VEC_H

#include "kernels/avx2/avx2_ints.h"

#define VEC_TILE_W 3
#define VEC_TILE_X 2
#define VEC_DOT_ROWS 4

typedef struct {
    __m256 a, b;
} vf;

INLINE vf vf_set(float s)
{
    return (vf){ _mm256_set1_ps(s), _mm256_set1_ps(s) };
}

INLINE vf vf_load(const float *p)
{
    return (vf){ _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8) };
}

INLINE void vf_store(float *p, vf v)
{
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
}

INLINE vf vf_sub(vf x, vf y)
{
    return (vf){ _mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b) };
}

INLINE vf vf_mul(vf x, vf y)
{
    return (vf){ _mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b) };
}

INLINE vf vf_mul_add(vf sum, vf x, vf y)
{
    return (vf){ _mm256_fmadd_ps(x.a, y.a, sum.a), _mm256_fmadd_ps(x.b, y.b, sum.b) };
}

INLINE float vf_sum(vf x)
{
    const __m256 v = _mm256_add_ps(x.a, x.b);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE vf vf_load_f16(const void *p)
{
    return (vf){ _mm256_cvtph_ps(_mm_loadu_si128(p)), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p + 1)) };
}

INLINE __m256 m256_from_bf16(__m128i h)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

INLINE vf vf_load_bf16(const void *p)
{
    return (vf){ m256_from_bf16(_mm_loadu_si128(p)), m256_from_bf16(_mm_loadu_si128((const __m128i *)p + 1)) };
}

INLINE __m256 m256_round_bf16(__m256 v)
{
    const __m256i u = _mm256_castps_si256(v), odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q), quiet = _mm256_or_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(0x400000)));
    const __m256 high = _mm256_castsi256_ps(_mm256_set1_epi32((int)0xffff0000));
    return _mm256_and_ps(_mm256_blendv_ps(_mm256_castsi256_ps(rounded), quiet, nan), high);
}

INLINE vf vf_round_bf16(vf v)
{
    return (vf){ m256_round_bf16(v.a), m256_round_bf16(v.b) };
}

INLINE vf vf_from_bytes(__m128i v)
{
    return (vf){ _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))) };
}

INLINE vf vf_low_i8(vb v)
{
    return vf_from_bytes(_mm256_castsi256_si128(v));
}

INLINE vf vf_high_i8(vb v)
{
    return vf_from_bytes(_mm256_extracti128_si256(v, 1));
}

#endif
