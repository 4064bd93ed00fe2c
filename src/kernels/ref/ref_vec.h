/* The vector vocabulary in plain C (vector extensions of gcc and clang): any CPU of little-endian byte order. It is also the
 * vocabulary's definition: the vec.h of an instruction set has the same names, and the templates (quant/<type>/<type>_dot.h,
 * kernels/product.h) use nothing else. Integer results are exact, so how an instruction set spreads them over lanes is its own
 * affair; floats have 16 lanes everywhere, and vf_sum adds them in one fixed order. */
#ifndef KERNELS_REF_VEC_H
#define KERNELS_REF_VEC_H

#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Register block of the f32 product: how many weight rows by how many activation rows add up at once. */
#define VEC_TILE_W 4
#define VEC_TILE_X 2

/* Rows of the products of attention that add up at once, 32 columns each. */
#define VEC_ROWS 1

/* Weight rows that pass together when there is one activation row: rows hide the latency of each other's sum. */
#define VEC_DOT_ROWS 1

typedef float    v4f __attribute__((vector_size(16)));
typedef int32_t  v4i __attribute__((vector_size(16)));
typedef uint32_t v4u __attribute__((vector_size(16)));
typedef int16_t  v8h __attribute__((vector_size(16)));
typedef uint16_t v8u __attribute__((vector_size(16)));
typedef int8_t   v16b __attribute__((vector_size(16)));
typedef uint8_t  v16u __attribute__((vector_size(16)));

#define SPLAT4(type, s) ((type){ (s), (s), (s), (s) })
#define SPLAT8(type, s) ((type){ (s), (s), (s), (s), (s), (s), (s), (s) })

/* ---- vf: 16 floats */

typedef struct {
    v4f a, b, c, d;
} vf;

/* A register's share of a vf: part 0 .. VEC_PARTS - 1. In products of bf16 a lane holds a pair instead (see vp). */
typedef v4f vr;
#define VEC_PARTS 4

INLINE vr vr_zero(void)
{
    return (vr){ 0 };
}

INLINE vr vr_load(const void *p)
{
    vr v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE vr vf_part(vf v, const int part)
{
    return part == 0 ? v.a : part == 1 ? v.b : part == 2 ? v.c : v.d;
}

INLINE void vf_set_part(vf *v, const int part, vr x)
{
    *(part == 0 ? &v->a : part == 1 ? &v->b : part == 2 ? &v->c : &v->d) = x;
}

INLINE vr vr_mul_add(vr sum, vr x, vr y)
{
    return sum + x * y;
}

INLINE vf vf_set(float s)
{
    const v4f v = SPLAT4(v4f, s);
    return (vf){ v, v, v, v };
}

INLINE vf vf_load(const float *p) /* any address */
{
    vf v;
    memcpy(&v.a, p, sizeof v.a);
    memcpy(&v.b, (const char *)p + 16, sizeof v.b);
    memcpy(&v.c, (const char *)p + 32, sizeof v.c);
    memcpy(&v.d, (const char *)p + 48, sizeof v.d);
    return v;
}

INLINE void vf_store(float *p, vf v)
{
    memcpy(p, &v.a, sizeof v.a);
    memcpy((char *)p + 16, &v.b, sizeof v.b);
    memcpy((char *)p + 32, &v.c, sizeof v.c);
    memcpy((char *)p + 48, &v.d, sizeof v.d);
}

INLINE vf vf_sub(vf x, vf y)
{
    return (vf){ x.a - y.a, x.b - y.b, x.c - y.c, x.d - y.d };
}

INLINE vf vf_mul(vf x, vf y)
{
    return (vf){ x.a * y.a, x.b * y.b, x.c * y.c, x.d * y.d };
}

INLINE vf vf_add(vf x, vf y)
{
    return (vf){ x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d };
}

INLINE v4f v4f_max(v4f x, v4f y)
{
    const v4i more = x > y;
    return (v4f)(((v4i)x & more) | ((v4i)y & ~more));
}

INLINE vf vf_max(vf x, vf y)
{
    return (vf){ v4f_max(x.a, y.a), v4f_max(x.b, y.b), v4f_max(x.c, y.c), v4f_max(x.d, y.d) };
}

INLINE float vf_top(vf x) /* the largest of 16 */
{
    const v4f v = v4f_max(v4f_max(x.a, x.b), v4f_max(x.c, x.d));
    const float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
}

/* sum + x * y, in one rounding or two as the instruction set has it */
INLINE vf vf_mul_add(vf sum, vf x, vf y)
{
    return (vf){ sum.a + x.a * y.a, sum.b + x.b * y.b, sum.c + x.c * y.c, sum.d + x.d * y.d };
}

/* Lane i with i + 8, then with i + 4, i + 2, i + 1. */
INLINE float vf_sum(vf x)
{
    const v4f v = (x.a + x.c) + (x.b + x.d);
    return (v[0] + v[2]) + (v[1] + v[3]);
}

INLINE void vf_sums(float *y, const vf *x, const int n) /* n of them */
{
    for (int i = 0; i < n; i++) y[i] = vf_sum(x[i]);
}

/* 16 rows become 16 columns. */
INLINE void vf_transpose(vf *v)
{
    float from[16][16], to[16][16];
    memcpy(from, v, sizeof from);
    for (int r = 0; r < 16; r++) {
        for (int c = 0; c < 16; c++) to[r][c] = from[c][r];
    }
    memcpy(v, to, sizeof to);
}

/* f16 in the upper halves of 32-bit lanes. Denormals (`small`) get the exponent above theirs and lose its hidden bit again:
 * arithmetic on f32 denormals would be right as well, but very slow on some machines. */
INLINE v4f v4f_from_f16_high(v4u high)
{
    const v4i em = (v4i)((high & SPLAT4(v4u, 0x7fff0000u)) >> 3);
    const v4i small = em < SPLAT4(v4i, 0x00800000), special = em > SPLAT4(v4i, 0x0f7fffff);
    const v4i wide = em + SPLAT4(v4i, 0x38000000) + (special & SPLAT4(v4i, 0x38000000)) + (small & SPLAT4(v4i, 0x00800000));
    const v4f value = (v4f)wide - (v4f)(small & SPLAT4(v4i, 0x38800000));
    return (v4f)((v4u)value | (high & SPLAT4(v4u, 0x80000000u)));
}

INLINE v4f v4f_from_f16(v4u h) /* in the lower halves, the upper ones zero */
{
    return v4f_from_f16_high(h << 16);
}

/* 16-bit lanes moved to the upper halves of 32-bit lanes: the first four, the last four. */
INLINE v4u v4u_raise_low(v8u h)
{
    return (v4u)__builtin_shufflevector((v8u){ 0 }, h, 0, 8, 1, 9, 2, 10, 3, 11);
}

INLINE v4u v4u_raise_high(v8u h)
{
    return (v4u)__builtin_shufflevector((v8u){ 0 }, h, 4, 12, 5, 13, 6, 14, 7, 15);
}

INLINE vf vf_load_f16(const void *p)
{
    v8u h[2];
    memcpy(h, p, sizeof h);
    return (vf){ v4f_from_f16_high(v4u_raise_low(h[0])), v4f_from_f16_high(v4u_raise_high(h[0])),
                 v4f_from_f16_high(v4u_raise_low(h[1])), v4f_from_f16_high(v4u_raise_high(h[1])) };
}

INLINE vf vf_load_bf16(const void *p)
{
    v8u h[2];
    memcpy(h, p, sizeof h);
    return (vf){ (v4f)v4u_raise_low(h[0]), (v4f)v4u_raise_high(h[0]), (v4f)v4u_raise_low(h[1]), (v4f)v4u_raise_high(h[1]) };
}

/* To the nearest bf16, ties to even; NaN stays NaN. */
INLINE v4f v4f_round_bf16(v4f v)
{
    const v4u u = (v4u)v, rounded = (u + 0x7fffu + (u >> 16 & 1)) & 0xffff0000u, nan = (v4u)((u & 0x7fffffffu) > SPLAT4(v4u, 0x7f800000u));
    return (v4f)((rounded & ~nan) | ((u | 0x400000u) & 0xffff0000u & nan));
}

/* ---- vp: 16 pairs of bf16, the first of each in the low half of a lane */

typedef struct {
    v4u a, b, c, d;
} vp;

INLINE vp vp_load(const void *p)
{
    vp v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void vp_store(void *p, vp v)
{
    memcpy(p, &v, sizeof v);
}

INLINE v4u v4u_pairs(v4f first, v4f last)
{
    const v4u f = (v4u)v4f_round_bf16(first), l = (v4u)v4f_round_bf16(last);
    return __builtin_shufflevector(f, l, 0, 2, 4, 6) >> 16 | __builtin_shufflevector(f, l, 1, 3, 5, 7);
}

INLINE vp vp_round(vf first, vf last) /* 32 values in order */
{
    return (vp){ v4u_pairs(first.a, first.b), v4u_pairs(first.c, first.d), v4u_pairs(last.a, last.b), v4u_pairs(last.c, last.d) };
}

INLINE v4f v4f_dot_pairs(v4f sum, v4u w, v4u x)
{
    const v4f odd = sum + (v4f)(w & 0xffff0000u) * (v4f)(x & 0xffff0000u);
    return odd + (v4f)(w << 16) * (v4f)(x << 16);
}

INLINE vr vr_dot_pairs(vr sum, vr w, vr x)
{
    return v4f_dot_pairs(sum, (v4u)w, (v4u)x);
}

/* sum + products of the pairs, the odd ones first; they are exact, so one rounding or two are the same */
INLINE vf vf_dot_pairs(vf sum, vp w, vp x)
{
    return (vf){ v4f_dot_pairs(sum.a, w.a, x.a), v4f_dot_pairs(sum.b, w.b, x.b), v4f_dot_pairs(sum.c, w.c, x.c), v4f_dot_pairs(sum.d, w.d, x.d) };
}

/* ---- vb: 32 bytes */

typedef struct {
    v16u a, b;
} vb;

INLINE vb vb_load(const void *p)
{
    vb v;
    memcpy(&v.a, p, sizeof v.a);
    memcpy(&v.b, (const char *)p + 16, sizeof v.b);
    return v;
}

/* 16 bytes as 32 values of 4 bits: the low halves, then the high halves */
INLINE vb vb_load_halves(const void *p)
{
    v16u v;
    memcpy(&v, p, sizeof v);
    return (vb){ v & 15, (v16u)((v8u)v >> 4) & 15 };
}

INLINE vb vb_and(vb v, uint8_t mask)
{
    return (vb){ v.a & mask, v.b & mask };
}

INLINE vb vb_or(vb x, vb y)
{
    return (vb){ x.a | y.a, x.b | y.b };
}

INLINE vb vb_and_or(vb v, uint8_t mask, vb w) /* (v & mask) | w */
{
    return vb_or(vb_and(v, mask), w);
}

/* Two bytes at a time are shifted: the caller masks what came from the neighbour. */
INLINE vb vw_right(vb v, int n)
{
    return (vb){ (v16u)((v8u)v.a >> n), (v16u)((v8u)v.b >> n) };
}

INLINE vb vw_left(vb v, int n)
{
    return (vb){ (v16u)((v8u)v.a << n), (v16u)((v8u)v.b << n) };
}

INLINE vb vb_table16(const uint8_t table[16], vb v) /* each byte, below 16, becomes what the table has there */
{
    vb found = { { 0 }, { 0 } };
    for (int i = 0; i < 16; i++) {
        found.a |= (v16u)(v.a == (uint8_t)i) & table[i];
        found.b |= (v16u)(v.b == (uint8_t)i) & table[i];
    }
    return found;
}

INLINE vb vb_load_two(const void *p, const void *q) /* 16 bytes of each */
{
    vb v;
    memcpy(&v.a, p, sizeof v.a);
    memcpy(&v.b, q, sizeof v.b);
    return v;
}

INLINE vb vb_firsts(vb x, vb y) /* the first 16 bytes of both */
{
    return (vb){ x.a, y.a };
}

INLINE vb vb_lasts(vb x, vb y)
{
    return (vb){ x.b, y.b };
}

INLINE v16u v16u_bits(v16u times_4, const int half, uint8_t value) /* times_4: each byte four times */
{
    const v4u four = (v4u)times_4, own = SPLAT4(v4u, 0x08040201), upper = SPLAT4(v4u, 0x80402010);
    const v16u bit = (v16u)__builtin_shufflevector(own, upper, 0, 4, 0, 4);
    const v4u  eight = half ? __builtin_shufflevector(four, four, 2, 2, 3, 3) : __builtin_shufflevector(four, four, 0, 0, 1, 1);
    return (v16u)(((v16u)eight & bit) == bit) & value;
}

INLINE vb vb_bits(uint32_t bits, uint8_t value) /* byte i is `value` where bit i is set, else 0 */
{
    const v16b once = (v16b)(v4u){ bits };
    const v8h twice = (v8h)__builtin_shufflevector(once, once, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const v16u four = (v16u)__builtin_shufflevector(twice, twice, 0, 8, 1, 9, 2, 10, 3, 11);
    return (vb){ v16u_bits(four, 0, value), v16u_bits(four, 1, value) };
}

/* ---- bytes to floats: first and last 16 of 32 */

INLINE vf vf_from_v16b(v16b v)
{
    /* Each byte ends at the top of its lane; an arithmetic shift brings the sign down. */
    const v8h low = (v8h)__builtin_shufflevector(v, v, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const v8h high = (v8h)__builtin_shufflevector(v, v, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    const v4i a = (v4i)v4u_raise_low((v8u)low) >> 24, b = (v4i)v4u_raise_high((v8u)low) >> 24;
    const v4i c = (v4i)v4u_raise_low((v8u)high) >> 24, d = (v4i)v4u_raise_high((v8u)high) >> 24;
    return (vf){ __builtin_convertvector(a, v4f), __builtin_convertvector(b, v4f), __builtin_convertvector(c, v4f),
                 __builtin_convertvector(d, v4f) };
}

INLINE vf vf_low_i8(vb v)
{
    return vf_from_v16b((v16b)v.a);
}

INLINE vf vf_high_i8(vb v)
{
    return vf_from_v16b((v16b)v.b);
}

/* Four f16 from four places. */
INLINE v4f v4f_from_halves(const void *a, const void *b, const void *c, const void *d)
{
    uint16_t h[4];
    memcpy(&h[0], a, sizeof *h);
    memcpy(&h[1], b, sizeof *h);
    memcpy(&h[2], c, sizeof *h);
    memcpy(&h[3], d, sizeof *h);
    const v4u u = { h[0], h[1], h[2], h[3] };
    return v4f_from_f16_high(u << 16);
}

/* ---- vi: int32 lanes whose total is what counts; vh: scales for the 16 pieces of 16 values of a block */

typedef v4i vi;

typedef struct {
    int16_t v[16];
} vh;

INLINE vi vi_zero(void)
{
    return (vi){ 0 };
}

/* Bytes as 16 bits each: the first eight, the last. */
INLINE v8h v8h_first(v16b v)
{
    return (v8h)__builtin_shufflevector(v, (v16b){ 0 }, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

INLINE v8h v8h_last(v16b v)
{
    return (v8h)__builtin_shufflevector(v, (v16b){ 0 }, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

INLINE void scales_twice(uint32_t *two, v4u scale) /* two [16]: each byte of `scale` as two numbers of 16 bits */
{
    const v8h once[2] = { v8h_first((v16b)scale), v8h_last((v16b)scale) };
    for (int i = 0; i < 2; i++) {
        const v8h low = __builtin_shufflevector(once[i], once[i], 0, 8, 1, 9, 2, 10, 3, 11);
        const v8h high = __builtin_shufflevector(once[i], once[i], 4, 12, 5, 13, 6, 14, 7, 15);
        memcpy(two + i * 8, &low, sizeof low);
        memcpy(two + i * 8 + 4, &high, sizeof high);
    }
}

INLINE vh vh_from_16(const int8_t *p) /* 16 scales of 16 values each */
{
    vh h;
    for (int i = 0; i < 16; i++) h.v[i] = p[i];
    return h;
}

/* Products of 16-bit lanes, added in pairs. Every x86-64 has an instruction for it that the compilers do not find. */
INLINE v4i v4i_pairs(v8h x, v8h y)
{
#ifdef __SSE2__
    return (v4i)__builtin_ia32_pmaddwd128(x, y);
#else
    const v4i even = ((v4i)x << 16 >> 16) * ((v4i)y << 16 >> 16), odd = ((v4i)x >> 16) * ((v4i)y >> 16);
    return even + odd;
#endif
}

/* total + sum of w * x times a scale of the first 16 values, a scale of the last 16. w 0 .. 63; x signed bytes >= -127.
 * So weight * scale fits 16 bits, as does the sum of two weight * activation: an instruction set may do either first. */
INLINE vi vi_dot_words(vi total, vb w, v8h f, v8h l, vb x)
{
    const v8u wa = (v8u)w.a, wb = (v8u)w.b, a = (v8u)x.a, b = (v8u)x.b;
    return total + v4i_pairs((v8h)(wa & 0xff) * f, (v8h)(a << 8) >> 8) + v4i_pairs((v8h)(wa >> 8) * f, (v8h)a >> 8) +
           v4i_pairs((v8h)(wb & 0xff) * l, (v8h)(b << 8) >> 8) + v4i_pairs((v8h)(wb >> 8) * l, (v8h)b >> 8);
}

INLINE vi vi_dot_scaled(vi total, vb w, const uint32_t *scale, vb x) /* the scale twice, as 16 bits */
{
    const v4u s = SPLAT4(v4u, *scale);
    return vi_dot_words(total, w, (v8h)s, (v8h)s, x);
}

INLINE vi vi_dot_scaled_16(vi total, vb w, vh scale, int i, vb x) /* the scales of run i of 32 values */
{
    const v8h f = SPLAT8(v8h, scale.v[2 * i]), l = SPLAT8(v8h, scale.v[2 * i + 1]);
    return vi_dot_words(total, w, f, l, x);
}

/* total + sum of w * x, w 0 .. 127, x as above */
INLINE vi vi_dot(vi total, vb w, vb x)
{
    const v8u wa = (v8u)w.a, wb = (v8u)w.b, a = (v8u)x.a, b = (v8u)x.b;
    return total + v4i_pairs((v8h)(wa & 0xff), (v8h)(a << 8) >> 8) + v4i_pairs((v8h)(wa >> 8), (v8h)a >> 8) +
           v4i_pairs((v8h)(wb & 0xff), (v8h)(b << 8) >> 8) + v4i_pairs((v8h)(wb >> 8), (v8h)b >> 8);
}

/* sum of w * x, w signed bytes */
INLINE vi vi_dot_signed(vb w, vb x)
{
    const v8u wa = (v8u)w.a, wb = (v8u)w.b, a = (v8u)x.a, b = (v8u)x.b;
    return v4i_pairs((v8h)(wa << 8) >> 8, (v8h)(a << 8) >> 8) + v4i_pairs((v8h)wa >> 8, (v8h)a >> 8) +
           v4i_pairs((v8h)(wb << 8) >> 8, (v8h)(b << 8) >> 8) + v4i_pairs((v8h)wb >> 8, (v8h)b >> 8);
}

INLINE vi vi_dot_i16(const int16_t *x, const int16_t *y, int pieces) /* pieces of 8 */
{
    vi total = { 0 };
    for (int i = 0; i < pieces; i++) {
        v8h u, v;
        memcpy(&u, x + i * 8, sizeof u);
        memcpy(&v, y + i * 8, sizeof v);
        total += v4i_pairs(u, v);
    }
    return total;
}

/* sum of factor * m[i] * sum[i], i < 16, factor * m[i] in 16 bits */
INLINE vi vi_dot_sums_16(const int8_t *m, int factor, const int16_t *sum)
{
    int16_t wide[16];
    for (int i = 0; i < 16; i++) wide[i] = (int16_t)(m[i] * factor);
    return vi_dot_i16(wide, sum, 2);
}

/* The totals of four. */
INLINE v4i vi_sum4(vi a, vi b, vi c, vi d)
{
    const v4i ab = __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
    const v4i cd = __builtin_shufflevector(c, d, 0, 1, 4, 5) + __builtin_shufflevector(c, d, 2, 3, 6, 7);
    return __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
}

INLINE vi vi_dot_8(v8h m, const int16_t *sum)
{
    v8h v;
    memcpy(&v, sum, sizeof v);
    return v4i_pairs(m, v);
}

/* Each 8 bytes of m with 8 sums: with a, b, c, d. */
INLINE v4i v4i_dot_sums(const v4u m[2], const int16_t *a, const int16_t *b, const int16_t *c, const int16_t *d)
{
    const v16b p = (v16b)m[0], q = (v16b)m[1];
    return vi_sum4(vi_dot_8(v8h_first(p), a), vi_dot_8(v8h_last(p), b), vi_dot_8(v8h_first(q), c), vi_dot_8(v8h_last(q), d));
}

/* ---- vi2: the same of two, in the first 16 bytes and the last */

typedef struct {
    vi a, b;
} vi2;

INLINE vi2 vi2_zero(void)
{
    return (vi2){ vi_zero(), vi_zero() };
}

INLINE vi vi_dot_half(vi total, v16u w, v16u x)
{
    const v8u a = (v8u)w, b = (v8u)x;
    return total + v4i_pairs((v8h)(a & 0xff), (v8h)(b << 8) >> 8) + v4i_pairs((v8h)(a >> 8), (v8h)b >> 8);
}

INLINE vi2 vi2_dot(vi2 total, vb w, vb x) /* as vi_dot */
{
    return (vi2){ vi_dot_half(total.a, w.a, x.a), vi_dot_half(total.b, w.b, x.b) };
}

INLINE void vi2_sum4(v4i sum[2], const vi2 total[4])
{
    sum[0] = vi_sum4(total[0].a, total[1].a, total[2].a, total[3].a);
    sum[1] = vi_sum4(total[0].b, total[1].b, total[2].b, total[3].b);
}

#endif
