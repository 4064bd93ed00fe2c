/* The kernel table: products of weights as stored with activations, one entry a type, filled by the instruction sets this
 * machine has (weakest first, so that the strongest entry stays). An arithmetic fixes how activations are rounded and in
 * which order sums are taken; within one, a result never depends on the number of rows. */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quant/types.h"

/* Activations rounded to int8 for arithmetic int8: one scale per `block` values (the weight type's act_block),
 * value = scale * q, |q| <= 127; sum: of each 16 consecutive q, for types with minima. All point into caller memory. */
struct act_i8 {
    int8_t  *q;     /* [n, k] */
    float   *scale; /* [n, k / block] */
    int16_t *sum;   /* [n, k / 16] */
    int16_t *sum32; /* [n, k / 32]: of each 32 */
    int8_t  *packed; /* q once more as [n / ACT_PACK rounded up, k / 4, ACT_PACK, 4], for sets that multiply panels; NULL: few rows */
    int64_t  n, k;
    int      block;
};

#define ACT_PACK 6 /* rows whose 4 consecutive values lie side by side */

/* Bytes that n rows of k values take, and carving them from memory aligned to 64 bytes. k is a multiple of block. */
size_t act_i8_bytes(int64_t n, int64_t k, int block);
void   act_i8_place(struct act_i8 *a, void *memory, int64_t n, int64_t k, int block);

/* One product: y[j * y_stride + i] = sum over c < k of w[i][c] * x[j][c], for i < n_w, j < n_x. */
struct product {
    const void          *w;        /* n_w rows of k values as stored, w_stride bytes apart */
    size_t               w_stride;
    int64_t              n_w, n_x, k;
    const float         *x;        /* [n_x, k], rows x_stride floats apart (arithmetic f32) */
    const uint16_t      *xb;       /* the same as bf16, zeros behind k up to a multiple of 32 (arithmetic bf16) */
    int64_t              x_stride; /* of x or xb, in values */
    const struct act_i8 *xq;       /* the rounded rows xq_first .. + n_x (arithmetic int8) */
    int64_t              xq_first;
    float               *y;        /* [n_x, n_w], rows y_stride floats apart */
    int64_t              y_stride;
    float               *scratch;  /* PRODUCT_SCRATCH bytes, private to the thread, aligned to 64 bytes */
};

#define KERNEL_PANEL 16 /* weight rows that are unpacked together for many rows of activations */
#define KERNEL_GRAIN 32 /* pieces of a product should be multiples of so many weight rows */

#define PRODUCT_SCRATCH (288 << 10)

/* Values of a row of xb: k up to whole steps. */
static inline int64_t bf16_row(int64_t k) { return (k + 31) / 32 * 32; }

typedef void product_fn(const struct product *p);

/* ---- attention: parts for one page of KERNEL_PAGE keys, which belong together (kernels/flash.h) */

#define KERNEL_PAGE 32

/* c[m, n] = a[m, k] b[k, n], or added to what c holds; n is a multiple of 16. */
struct block_product {
    const float *a, *b;
    float       *c;
    int64_t      a_stride, b_stride, c_stride, m, n, k;
    bool         add;
};

/* m running softmaxes go on by a page: scores become weights e^(scale * score - max), 0 outside of [from, to). */
struct block_softmax {
    float  *score;       /* [m, KERNEL_PAGE] */
    float  *sum;         /* [m, width]: values summed with the weights so far; scaled down when the maximum grows */
    float  *max, *total; /* [m] */
    float   scale;
    int     from, to;
    int64_t m, width;
};

struct kernels {
    const char *name; /* the strongest set that filled an entry */
    const char *set_f32[DTYPE_COUNT], *set_i8[DTYPE_COUNT], *set_bf16[DTYPE_COUNT], *set_in_major[DTYPE_COUNT]; /* which set has filled which; NULL: none */
    product_fn *product_f32[DTYPE_COUNT]; /* arithmetic f32; NULL: not a weight type */
    product_fn *product_bf16[DTYPE_COUNT]; /* arithmetic bf16: weights are rounded to bf16 as well */
    product_fn *product_i8[DTYPE_COUNT];  /* arithmetic int8; NULL: the type has none, use f32 */
    /* Weights stored as [k, n_w] (input-major, as GPT-2 does): w points at column 0 of the slice, w_stride is bytes between
     * input rows. Sums run over c = 0 .. k-1 in order. F32, F16, BF16 only. */
    product_fn *product_in_major[DTYPE_COUNT];
    void (*unpack[DTYPE_COUNT])(float *dst, const void *src, int64_t n);            /* dst [n] */
    float (*dot[DTYPE_COUNT])(const void *w, const float *x, int64_t n);            /* one stored row with f32 [n]; same bits as product_f32 */
    void (*axpy[DTYPE_COUNT])(float *y, float a, const void *x, int64_t n);         /* y[n] += a * x[n]; F32, F16, BF16, Q8_0 */
    void (*round_bf16)(uint16_t *dst, const float *x, int64_t n);                    /* dst [bf16_row(n)]: x [n] to the nearest bf16 */
    void (*silu)(float *y, const float *x, const float *gate, int64_t n);            /* y[n] = silu(x), times the gate when there is one */
    void (*gelu_tanh)(float *y, const float *x, const float *gate, int64_t n);
    void (*block_product)(const struct block_product *p);
    void (*block_transpose)(float *dst, const float *src, int64_t k);               /* src [KERNEL_PAGE, k], 16 floats behind it are read; dst [k up to 16, KERNEL_PAGE] */
    void (*block_softmax)(const struct block_softmax *s);
    void (*round_i8)(const struct act_i8 *a, int64_t row, const float *x);          /* x [k] into row `row` of a */
};

/* Instruction sets, weakest first; the first is the reference, which needs nothing. */
struct kernel_set {
    const char *name;
    uint64_t    needs; /* feature bits (base/cpu.h) */
    void (*fill)(struct kernels *k); /* overwrites the entries that the set has */
};
extern const struct kernel_set kernel_sets[];
extern const int               kernel_set_count;

/* Fills the table with every set that `features` is enough for: cpu_features() & mask. */
void kernels_fill(struct kernels *k, uint64_t features);

void kernels_fill_ref(struct kernels *k);
void kernels_fill_avx2(struct kernels *k);
void kernels_fill_avxvnni(struct kernels *k);
void kernels_fill_avx512(struct kernels *k);
void kernels_fill_avx512bf16(struct kernels *k);

#endif
