/* The kernels of a type of blocks, from what TYPE(type) says of it (kernels/product.h:weight_type). kernels/template.h includes this
 * once for each type, with TYPE(name) defined as the type's prefix before the name. */

static __attribute__((noinline)) void TYPE(unpack_row)(float *dst, const void *src, int64_t n)
{
    unpack_blocks(dst, src, n, &TYPE(type));
}

static float TYPE(dot)(const void *w, const float *x, int64_t n)
{
    return dot_any(w, x, n, &TYPE(type));
}

static void TYPE(product_f32)(const struct product *p)
{
    product_f32(p, &TYPE(type), TYPE(unpack_row));
}

static void TYPE(product_bf16)(const struct product *p)
{
    product_bf16(p, &TYPE(type), TYPE(unpack_row));
}

static void TYPE(product_i8)(const struct product *p)
{
    product_i8(p, &TYPE(type));
}

static const struct type_kernels TYPE(kernels) = {
    .product_f32 = TYPE(product_f32),
    .product_bf16 = TYPE(product_bf16),
    .product_i8 = TYPE(product_i8),
    .unpack = TYPE(unpack_row),
    .dot = TYPE(dot),
};

#undef TYPE
