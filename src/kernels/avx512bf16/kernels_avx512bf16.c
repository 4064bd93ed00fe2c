/* AVX-512 with the bf16 instruction (Cooper Lake 2020, Zen 4): arithmetic bf16, at twice the speed of f32. The other entries are
 * those of avx512. */
#include "kernels/avx512/avx512_vec.h"

#include "kernels/template.h"

void kernels_fill_avx512bf16(struct kernels *k)
{
    struct kernels mine = { 0 };
    template_fill(&mine);
    memcpy(k->product_bf16, mine.product_bf16, sizeof k->product_bf16);
    k->round_bf16 = mine.round_bf16;
}
