/* The templates of all types, compiled for the vec.h that was included before, and the function that puts them into the table.
 * An instruction set's .c file includes its vec.h, then this, calls template_fill, then sets what it does better by hand. */
#ifndef KERNELS_TEMPLATE_H
#define KERNELS_TEMPLATE_H

#include "base/half.h"
#include "kernels/flash.h"
#include "kernels/product.h"
#include "quant/mxfp4/mxfp4_dot.h"
#include "quant/plain/plain_dot.h"
#include "quant/q4_0/q4_0_dot.h"
#include "quant/q4_1/q4_1_dot.h"
#include "quant/q4_k/q4_k_dot.h"
#include "quant/q5_0/q5_0_dot.h"
#include "quant/q5_1/q5_1_dot.h"
#include "quant/q5_k/q5_k_dot.h"
#include "quant/q6_k/q6_k_dot.h"
#include "quant/q8_0/q8_0_dot.h"

/* ---- the kernels of each type, whose functions are named TYPE(...) there */

#define TYPE(name) f32_##name
#include "kernels/plain_type.h"
#define TYPE(name) f16_##name
#include "kernels/plain_type.h"
#define TYPE(name) bf16_##name
#include "kernels/plain_type.h"

#define TYPE(name) q8_0_##name
#include "kernels/block_type.h"
#define TYPE(name) q4_0_##name
#include "kernels/block_type.h"
#define TYPE(name) q4_1_##name
#include "kernels/block_type.h"
#define TYPE(name) q5_0_##name
#include "kernels/block_type.h"
#define TYPE(name) q5_1_##name
#include "kernels/block_type.h"
#define TYPE(name) q4_k_##name
#include "kernels/block_type.h"
#define TYPE(name) q5_k_##name
#include "kernels/block_type.h"
#define TYPE(name) q6_k_##name
#include "kernels/block_type.h"
#define TYPE(name) mxfp4_##name
#include "kernels/block_type.h"

/* Keys and values in the cache may have this type of blocks. */
static void q8_0_axpy(float *y, float a, const void *x, int64_t n)
{
    axpy_blocks(y, a, x, n, &q8_0_type);
}

/* ---- activations */

#define ROUND_LEAST 0x1p-119f /* a block of smaller values counts as zero, so that 127 / largest stays finite */

/* scale = largest / 127; q = x / scale to nearest even. A block with an infinity or a NaN gets scale NaN and q = 0, so that every
 * product with it is NaN, as it would (mostly) be without rounding. */
static void template_round_i8(const struct act_i8 *a, int64_t row, const float *x)
{
    int8_t *q = a->q + row * a->k;
    int16_t *sum = a->sum + row * (a->k / 16);
    int16_t *sum32 = a->sum32 + row * (a->k / 32);
    float *scale = a->scale + row * (a->k / a->block);
    for (int64_t i = 0; i < a->k; i += a->block) {
        int32_t bits = 0; /* largest magnitude: floats without sign are in the order of their bits */
        for (int c = 0; c < a->block; c++) {
            const int32_t b = (int32_t)(f32_bits(x[i + c]) & 0x7fffffff);
            bits = b > bits ? b : bits;
        }
        const int finite = bits < 0x7f800000;
        const float largest = finite ? f32_from_bits((uint32_t)bits) : 0, inverse = largest >= ROUND_LEAST ? 127 / largest : 0;
        scale[i / a->block] = !finite ? f32_from_bits(0x7fc00000) : inverse > 0 ? largest / 127 : 0;
        for (int c = 0; c < a->block; c += 16) {
            int16_t total = 0;
            for (int lane = 0; lane < 16; lane++) {
                /* At 1.5 * 2^23 a float's last place is 1: the addition rounds, the low bits are the integer. */
                const float value = finite ? x[i + c + lane] * inverse : 0;
                const int32_t rounded = (int32_t)(f32_bits(value + 0x1.8p23f) - 0x4b400000u);
                q[i + c + lane] = (int8_t)rounded;
                total = (int16_t)(total + rounded);
            }
            sum[(i + c) / 16] = total;
        }
    }
    for (int64_t i = 0; i < a->k / 32; i++) sum32[i] = (int16_t)(sum[2 * i] + sum[2 * i + 1]);
}

static void template_round_bf16(uint16_t *dst, const float *x, int64_t n)
{
    round_bf16(dst, x, n);
}

/* The formulas are those of the ops; here a loop has the instruction set's width. */
static void template_silu(float *y, const float *x, const float *gate, int64_t n)
{
    if (gate)
        for (int64_t i = 0; i < n; i++) y[i] = vsiluf(x[i]) * gate[i];
    else
        for (int64_t i = 0; i < n; i++) y[i] = vsiluf(x[i]);
}

static void template_gelu_tanh(float *y, const float *x, const float *gate, int64_t n)
{
    if (gate)
        for (int64_t i = 0; i < n; i++) y[i] = vgelu_tanhf(x[i]) * gate[i];
    else
        for (int64_t i = 0; i < n; i++) y[i] = vgelu_tanhf(x[i]);
}

static const struct {
    enum dtype                 type;
    const struct type_kernels *kernels;
} template_table[] = {
    { DTYPE_F32, &f32_kernels },
    { DTYPE_F16, &f16_kernels },
    { DTYPE_BF16, &bf16_kernels },
    { DTYPE_Q8_0, &q8_0_kernels },
    { DTYPE_Q4_0, &q4_0_kernels },
    { DTYPE_Q4_1, &q4_1_kernels },
    { DTYPE_Q5_0, &q5_0_kernels },
    { DTYPE_Q5_1, &q5_1_kernels },
    { DTYPE_Q4_K, &q4_k_kernels },
    { DTYPE_Q5_K, &q5_k_kernels },
    { DTYPE_Q6_K, &q6_k_kernels },
    { DTYPE_MXFP4, &mxfp4_kernels },
};

static void template_fill(struct kernels *k)
{
    for (size_t i = 0; i < sizeof template_table / sizeof *template_table; i++) {
        const enum dtype t = template_table[i].type;
        const struct type_kernels *from = template_table[i].kernels;
        k->product_f32[t] = from->product_f32;
        k->product_bf16[t] = from->product_bf16;
        k->product_i8[t] = from->product_i8;
        k->product_in_major[t] = from->product_in_major;
        k->unpack[t] = from->unpack;
        k->dot[t] = from->dot;
        k->axpy[t] = from->axpy;
    }
    k->axpy[DTYPE_Q8_0] = q8_0_axpy;
    k->silu = template_silu;
    k->gelu_tanh = template_gelu_tanh;
    k->block_product = flash_product;
    k->block_transpose = flash_transpose;
    k->block_softmax = flash_softmax;
    k->round_i8 = template_round_i8;
    k->round_bf16 = template_round_bf16;
}

#endif
