/* AVX-VNNI (Alder Lake 2021, Zen 5): AVX2 with the instruction that multiplies bytes and adds up (kernels/avx2/avx2_ints.h). */
#include "kernels/avx2/avx2_vec.h"

#include "kernels/template.h"

#include "kernels/avx2/avx2_panel.h"
#include "kernels/panel_i8.h"

void kernels_fill_avxvnni(struct kernels *k)
{
    template_fill(k);
    panel_fill(k);
}
