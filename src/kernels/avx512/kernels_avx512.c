/* AVX-512 with VNNI (Cascade Lake 2019, Zen 4): the templates, and panels for many rows in arithmetic int8. */
#include "kernels/avx512/avx512_vec.h"

#include "kernels/template.h"

#include "kernels/avx512/panel_i8.h"

static void q8_0_panel_product(const struct product *p)
{
    panel_product_i8(p, Q8_0_BLOCK, sizeof(struct q8_0), panel_q8_0, tile_q8_0, q8_0_kernel_product_i8);
}

static void q4_0_panel_product(const struct product *p)
{
    panel_product_i8(p, Q4_0_BLOCK, sizeof(struct q4_0), panel_q4_0, tile_q4_0, q4_0_kernel_product_i8);
}

static void q4_k_panel_product(const struct product *p)
{
    panel_product_i8(p, Q4_K_BLOCK, sizeof(struct q4_k), panel_q4_k, tile_k_mins, q4_k_kernel_product_i8);
}

static void q5_k_panel_product(const struct product *p)
{
    panel_product_i8(p, Q5_K_BLOCK, sizeof(struct q5_k), panel_q5_k, tile_k_mins, q5_k_kernel_product_i8);
}

static void q6_k_panel_product(const struct product *p)
{
    panel_product_i8(p, Q6_K_BLOCK, sizeof(struct q6_k), panel_q6_k, tile_q6_k, q6_k_kernel_product_i8);
}

void kernels_fill_avx512(struct kernels *k)
{
    template_fill(k);
    k->product_i8[DTYPE_Q8_0] = q8_0_panel_product;
    k->product_i8[DTYPE_Q4_0] = q4_0_panel_product;
    k->product_i8[DTYPE_Q4_K] = q4_k_panel_product;
    k->product_i8[DTYPE_Q5_K] = q5_k_panel_product;
    k->product_i8[DTYPE_Q6_K] = q6_k_panel_product;
    k->round_i8 = panel_round_i8;
}
