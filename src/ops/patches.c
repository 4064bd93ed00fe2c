/* Pictures cut into patches, so that a convolution whose kernel is as wide as its step becomes a product. */
#include "ops/ops_int.h"

struct tensor *op_patches_(struct tape *t, struct tensor *picture, int side)
{
    if (t->status) return picture;
    if (!op_is_f32(picture) || picture->rank != 3 || side < 1 || picture->dim[1] % side || picture->dim[2] % side) return op_shapes(t, "patches", picture, NULL);
    const int64_t n = (picture->dim[1] / side) * (picture->dim[2] / side);
    struct op_record *r = op_make(t, OP_PATCHES, picture, NULL, NULL, 2, (int64_t[]){ n, picture->dim[0] * side * side });
    if (r) r->p.i[0] = side;
    return op_end(t, r);
}

void patches_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const struct tensor *x = r->in[0];
    const int64_t side = r->p.i[0], across = x->dim[2] / side;
    (void)g;
    for (int64_t i = begin; i < end; i++) {
        float *y = ROW(r->out[0], i);
        for (int64_t c = 0; c < x->dim[0]; c++)
            for (int64_t row = 0; row < side; row++, y += side)
                memcpy(y, ROW(x, c * x->dim[1] + i / across * side + row) + i % across * side, (size_t)side * sizeof *y);
    }
}
