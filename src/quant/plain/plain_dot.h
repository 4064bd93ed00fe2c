/* Template of f32, f16 and bf16; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_PLAIN_DOT_H
#define QUANT_PLAIN_DOT_H

INLINE vf f32_load(const void *p)
{
    return vf_load(p);
}

static void f32_kernel_unpack(float *dst, const void *src, int64_t n)
{
    unpack_plain(dst, src, n, 4, f32_load);
}

INLINE void f32_dots(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_plain(y, w, w_stride, x, n, 4, f32_load, rows);
}

static float f32_kernel_dot(const void *w, const float *x, int64_t n)
{
    float y;
    f32_dots(&y, w, 0, x, n, 1);
    return y;
}

static void f32_kernel_axpy(float *y, float a, const void *x, int64_t n)
{
    axpy_plain(y, a, x, n, 4, f32_load);
}

INLINE void f32_fill(char *dst, const void *src, int64_t n)
{
    f32_kernel_unpack((float *)(void *)dst, src, n);
    step_end(dst, n, sizeof(float));
}

static void f32_kernel_product(const struct product *p)
{
    product_f32(p, 1, 4, f32_fill, f32_dots);
}

INLINE vp f32_pairs(const void *p)
{
    return vp_round(f32_load(p), f32_load((const char *)p + 64));
}

INLINE void f32_dots_bf16(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_plain_bf16(y, w, w_stride, x, n, 4, f32_pairs, rows);
}

INLINE void f32_fill_bf16(char *dst, const void *src, int64_t n)
{
    fill_bf16(dst, src, n, 1, 4, f32_kernel_unpack);
}

static void f32_kernel_product_bf16(const struct product *p)
{
    product_bf16(p, 1, 4, f32_fill_bf16, f32_dots_bf16);
}

static void f32_kernel_columns(const struct product *p)
{
    product_columns(p, 4, f32_load);
}

static void f16_kernel_unpack(float *dst, const void *src, int64_t n)
{
    unpack_plain(dst, src, n, 2, vf_load_f16);
}

INLINE void f16_dots(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_plain(y, w, w_stride, x, n, 2, vf_load_f16, rows);
}

static float f16_kernel_dot(const void *w, const float *x, int64_t n)
{
    float y;
    f16_dots(&y, w, 0, x, n, 1);
    return y;
}

static void f16_kernel_axpy(float *y, float a, const void *x, int64_t n)
{
    axpy_plain(y, a, x, n, 2, vf_load_f16);
}

INLINE void f16_fill(char *dst, const void *src, int64_t n)
{
    f16_kernel_unpack((float *)(void *)dst, src, n);
    step_end(dst, n, sizeof(float));
}

static void f16_kernel_product(const struct product *p)
{
    product_f32(p, 1, 2, f16_fill, f16_dots);
}

INLINE vp f16_pairs(const void *p)
{
    return vp_round(vf_load_f16(p), vf_load_f16((const char *)p + 32));
}

INLINE void f16_dots_bf16(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_plain_bf16(y, w, w_stride, x, n, 2, f16_pairs, rows);
}

INLINE void f16_fill_bf16(char *dst, const void *src, int64_t n)
{
    fill_bf16(dst, src, n, 1, 2, f16_kernel_unpack);
}

static void f16_kernel_product_bf16(const struct product *p)
{
    product_bf16(p, 1, 2, f16_fill_bf16, f16_dots_bf16);
}

static void f16_kernel_columns(const struct product *p)
{
    product_columns(p, 2, vf_load_f16);
}

static void bf16_kernel_unpack(float *dst, const void *src, int64_t n)
{
    unpack_plain(dst, src, n, 2, vf_load_bf16);
}

INLINE void bf16_dots(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_plain(y, w, w_stride, x, n, 2, vf_load_bf16, rows);
}

static float bf16_kernel_dot(const void *w, const float *x, int64_t n)
{
    float y;
    bf16_dots(&y, w, 0, x, n, 1);
    return y;
}

static void bf16_kernel_axpy(float *y, float a, const void *x, int64_t n)
{
    axpy_plain(y, a, x, n, 2, vf_load_bf16);
}

INLINE void bf16_fill(char *dst, const void *src, int64_t n)
{
    bf16_kernel_unpack((float *)(void *)dst, src, n);
    step_end(dst, n, sizeof(float));
}

static void bf16_kernel_product(const struct product *p)
{
    product_f32(p, 1, 2, bf16_fill, bf16_dots);
}

INLINE vp bf16_pairs(const void *p)
{
    return vp_load(p);
}

INLINE void bf16_dots_bf16(float *y, const void *w, size_t w_stride, const void *x, int64_t n, const int rows)
{
    dots_plain_bf16(y, w, w_stride, x, n, 2, bf16_pairs, rows);
}

INLINE void bf16_fill_bf16(char *dst, const void *src, int64_t n)
{
    fill_bf16(dst, src, n, 1, 2, bf16_kernel_unpack);
}

static void bf16_kernel_product_bf16(const struct product *p)
{
    product_bf16(p, 1, 2, bf16_fill_bf16, bf16_dots_bf16);
}

static void bf16_kernel_columns(const struct product *p)
{
    product_columns(p, 2, vf_load_bf16);
}

#endif
