/* Template of f32, f16 and bf16; kernels/template.h includes it after a vec.h and kernels/product.h. */
#ifndef QUANT_PLAIN_DOT_H
#define QUANT_PLAIN_DOT_H

INLINE vf f32_load(const void *p)
{
    return vf_load(p);
}

INLINE vp f32_pairs(const void *p)
{
    return vp_round(f32_load(p), f32_load((const char *)p + 64));
}

static const struct weight_type f32_type = { .values = 1, .bytes = 4, .load = f32_load, .pairs = f32_pairs };

INLINE vp f16_pairs(const void *p)
{
    return vp_round(vf_load_f16(p), vf_load_f16((const char *)p + 32));
}

static const struct weight_type f16_type = { .values = 1, .bytes = 2, .load = vf_load_f16, .pairs = f16_pairs };

INLINE vp bf16_pairs(const void *p)
{
    return vp_load(p);
}

static const struct weight_type bf16_type = { .values = 1, .bytes = 2, .load = vf_load_bf16, .pairs = bf16_pairs };

#endif
