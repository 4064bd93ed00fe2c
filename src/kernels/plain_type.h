/* The kernels of a plain type, from what TYPE(type) says of it; as kernels/block_type.h is for types of blocks. */

static __attribute__((noinline)) void TYPE(unpack_row)(float *dst, const void *src, int64_t n)
{
    unpack_plain(dst, src, n, &TYPE(type));
}

static float TYPE(dot)(const void *w, const float *x, int64_t n)
{
    return dot_any(w, x, n, &TYPE(type));
}

static void TYPE(axpy)(float *y, float a, const void *x, int64_t n)
{
    axpy_plain(y, a, x, n, &TYPE(type));
}

static void TYPE(product_f32)(const struct product *p)
{
    product_f32(p, &TYPE(type), TYPE(unpack_row));
}

static void TYPE(product_bf16)(const struct product *p)
{
    product_bf16(p, &TYPE(type), TYPE(unpack_row));
}

static void TYPE(product_in_major)(const struct product *p)
{
    product_columns(p, &TYPE(type));
}

static const struct type_kernels TYPE(kernels) = {
    .product_f32 = TYPE(product_f32),
    .product_bf16 = TYPE(product_bf16),
    .product_in_major = TYPE(product_in_major),
    .unpack = TYPE(unpack_row),
    .dot = TYPE(dot),
    .axpy = TYPE(axpy),
};

#undef TYPE
