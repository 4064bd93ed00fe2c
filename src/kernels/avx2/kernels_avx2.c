/* AVX2 with FMA and F16C (Haswell 2013, Zen 2017): the templates in 256 bits, and panels for many rows in arithmetic int8. */
#include "kernels/avx2/avx2_vec.h"

#include "kernels/template.h"

#include "kernels/avx2/avx2_panel.h"
#include "kernels/panel_i8.h"

void kernels_fill_avx2(struct kernels *k)
{
    template_fill(k);
    panel_fill(k);
}
