/* The vector vocabulary (ref/ref_vec.h) for AVX2 with FMA and F16C: 16 floats are two registers. */
#ifndef KERNELS_AVX2_VEC_H
#define KERNELS_AVX2_VEC_H

#include "kernels/avx2/avx2_ints.h"

#define VEC_TILE_W 4
#define VEC_TILE_X 3
#define VEC_DOT_ROWS 4
#define VEC_ROWS 2

typedef struct {
    __m256 a, b;
} vf;

typedef __m256 vr;
#define VEC_PARTS 2

INLINE vr vr_zero(void)
{
    return _mm256_setzero_ps();
}

INLINE vr vr_load(const void *p)
{
    return _mm256_loadu_ps(p);
}

INLINE vr vf_part(vf v, const int part)
{
    return part == 0 ? v.a : v.b;
}

INLINE void vf_set_part(vf *v, const int part, vr x)
{
    *(part == 0 ? &v->a : &v->b) = x;
}

INLINE vr vr_mul_add(vr sum, vr x, vr y)
{
    return _mm256_fmadd_ps(x, y, sum);
}

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

INLINE vf vf_add(vf x, vf y)
{
    return (vf){ _mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b) };
}

INLINE vf vf_max(vf x, vf y)
{
    return (vf){ _mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b) };
}

INLINE float vf_top(vf x)
{
    const __m256 v = _mm256_max_ps(x.a, x.b);
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)), two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

INLINE void m256_transpose(__m256 *r)
{
    __m256 t[8], u[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(u[i], u[4 + i], 0x20);
        r[4 + i] = _mm256_permute2f128_ps(u[i], u[4 + i], 0x31);
    }
}

INLINE void vf_transpose(vf *v)
{
    __m256 quarter[4][8]; /* rows 0 .. 7 and 8 .. 15, columns likewise */
    for (int i = 0; i < 8; i++) {
        quarter[0][i] = v[i].a, quarter[1][i] = v[8 + i].a;
        quarter[2][i] = v[i].b, quarter[3][i] = v[8 + i].b;
    }
    for (int q = 0; q < 4; q++) m256_transpose(quarter[q]);
    for (int i = 0; i < 8; i++) {
        v[i] = (vf){ quarter[0][i], quarter[1][i] };
        v[8 + i] = (vf){ quarter[2][i], quarter[3][i] };
    }
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

INLINE void vf_sums(float *y, const vf *x, const int n)
{
    for (int i = 0; i < n; i++) y[i] = vf_sum(x[i]);
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

/* To the nearest bf16, in the low halves of the lanes. */
INLINE __m256i m256_round_bf16(__m256 v)
{
    const __m256i u = _mm256_castps_si256(v), odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256 nan = _mm256_cmp_ps(v, v, _CMP_UNORD_Q), quiet = _mm256_or_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(0x400000)));
    return _mm256_srli_epi32(_mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(rounded), quiet, nan)), 16);
}

typedef struct {
    __m256i a, b;
} vp;

INLINE vp vp_load(const void *p)
{
    return (vp){ _mm256_loadu_si256(p), _mm256_loadu_si256((const __m256i *)p + 1) };
}

INLINE void vp_store(void *p, vp v)
{
    _mm256_storeu_si256(p, v.a);
    _mm256_storeu_si256((__m256i *)p + 1, v.b);
}

INLINE __m256i m256_pairs(vf v)
{
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(m256_round_bf16(v.a), m256_round_bf16(v.b)), 0xd8);
}

INLINE vp vp_round(vf first, vf last)
{
    return (vp){ m256_pairs(first), m256_pairs(last) };
}

INLINE __m256 m256_dot_pairs(__m256 sum, __m256i w, __m256i x)
{
    const __m256i high = _mm256_set1_epi32((int)0xffff0000);
    sum = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_and_si256(w, high)), _mm256_castsi256_ps(_mm256_and_si256(x, high)), sum);
    return _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_slli_epi32(w, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)), sum);
}

INLINE vr vr_dot_pairs(vr sum, vr w, vr x)
{
    return m256_dot_pairs(sum, _mm256_castps_si256(w), _mm256_castps_si256(x));
}

INLINE vf vf_dot_pairs(vf sum, vp w, vp x)
{
    return (vf){ m256_dot_pairs(sum.a, w.a, x.a), m256_dot_pairs(sum.b, w.b, x.b) };
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
