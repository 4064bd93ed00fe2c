/* The reference set: the templates in plain C. */
#include "kernels/ref/ref_vec.h"

#include "kernels/template.h"

void kernels_fill_ref(struct kernels *k)
{
    template_fill(k);
}
