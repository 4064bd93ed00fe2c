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
#define VEC_TILE_W 2
#define VEC_TILE_X 1

/* Activation rows that one pass over a quantised weight row serves. */
#define VEC_ROWS_I8 4

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

/* f16 in the upper halves of 32-bit lanes. Denormals (`small`) get the exponent above theirs and lose its hidden bit again:
 * arithmetic on f32 denormals would be right as well, but very slow on some machines. */
INLINE v4f v4f_from_f16(v4u high)
{
    const v4i em = (v4i)((high & SPLAT4(v4u, 0x7fff0000u)) >> 3);
    const v4i small = em < SPLAT4(v4i, 0x00800000), special = em > SPLAT4(v4i, 0x0f7fffff);
    const v4i wide = em + SPLAT4(v4i, 0x38000000) + (special & SPLAT4(v4i, 0x38000000)) + (small & SPLAT4(v4i, 0x00800000));
    const v4f value = (v4f)wide - (v4f)(small & SPLAT4(v4i, 0x38800000));
    return (v4f)((v4u)value | (high & SPLAT4(v4u, 0x80000000u)));
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
    return (vf){ v4f_from_f16(v4u_raise_low(h[0])), v4f_from_f16(v4u_raise_high(h[0])),
                 v4f_from_f16(v4u_raise_low(h[1])), v4f_from_f16(v4u_raise_high(h[1])) };
}

INLINE vf vf_load_bf16(const void *p)
{
    v8u h[2];
    memcpy(h, p, sizeof h);
    return (vf){ (v4f)v4u_raise_low(h[0]), (v4f)v4u_raise_high(h[0]), (v4f)v4u_raise_low(h[1]), (v4f)v4u_raise_high(h[1]) };
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

INLINE vb vb_right(vb v, int n) /* each byte, 0 <= n < 8 */
{
    return vb_and((vb){ (v16u)((v8u)v.a >> n), (v16u)((v8u)v.b >> n) }, (uint8_t)(0xff >> n));
}

INLINE vb vb_left(vb v, int n)
{
    return vb_and((vb){ (v16u)((v8u)v.a << n), (v16u)((v8u)v.b << n) }, (uint8_t)(0xff << n));
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

/* ---- vi: int32 lanes whose total is what counts; vw: 32 weights times their scale, ready to be multiplied by activations */

typedef v4i vi;

typedef struct {
    v8h a_even, a_odd, b_even, b_odd;
} vw;

INLINE vi vi_zero(void)
{
    return (vi){ 0 };
}

/* Weights of 0 .. 63 and two scales of -128 .. 127, for the first and the last 16. So weight * scale fits 16 bits, as does the
 * sum of two weight * activation: an instruction set may do either first. */
INLINE vw vw_scaled(vb w, int first, int last)
{
    const v8h f = SPLAT8(v8h, (int16_t)first), l = SPLAT8(v8h, (int16_t)last);
    const v8u a = (v8u)w.a, b = (v8u)w.b;
    return (vw){ (v8h)(a & 0xff) * f, (v8h)(a >> 8) * f, (v8h)(b & 0xff) * l, (v8h)(b >> 8) * l };
}

/* Signed weights, scale 1. */
INLINE vw vw_signed(vb w)
{
    const v8u a = (v8u)w.a, b = (v8u)w.b;
    return (vw){ (v8h)(a << 8) >> 8, (v8h)a >> 8, (v8h)(b << 8) >> 8, (v8h)b >> 8 };
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

/* total + sum of w * x, x signed bytes >= -127 */
INLINE vi vi_dot(vi total, vw w, vb x)
{
    const v8u a = (v8u)x.a, b = (v8u)x.b;
    return total + v4i_pairs(w.a_even, (v8h)(a << 8) >> 8) + v4i_pairs(w.a_odd, (v8h)a >> 8) +
           v4i_pairs(w.b_even, (v8h)(b << 8) >> 8) + v4i_pairs(w.b_odd, (v8h)b >> 8);
}

/* total + sum of x * y over 16 numbers of 16 bits */
INLINE vi vi_dot_i16(vi total, const int16_t *x, const int16_t *y)
{
    v8h u[2], v[2];
    memcpy(u, x, sizeof u);
    memcpy(v, y, sizeof v);
    return total + v4i_pairs(u[0], v[0]) + v4i_pairs(u[1], v[1]);
}

INLINE int32_t vi_sum(vi v)
{
    const v4i half = v + __builtin_shufflevector(v, v, 2, 3, 0, 1);
    return half[0] + half[1];
}

#endif
