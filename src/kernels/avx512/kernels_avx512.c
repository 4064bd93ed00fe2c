/* AVX-512 with VNNI (Cascade Lake 2019, Zen 4): the templates, and panels for many rows in arithmetic int8. */
#include "kernels/avx512/avx512_vec.h"

#include "kernels/template.h"

#include "kernels/avx512/avx512_panel.h"
#include "kernels/panel_i8.h"

void kernels_fill_avx512(struct kernels *k)
{
    template_fill(k);
    panel_fill(k);
}
