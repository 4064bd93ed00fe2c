/* The op table and what all op files share. */
#include "ops/ops_int.h"

const struct op_info op_table[OP_COUNT] = {
#define OP(id, name, units, run, gradient) { name, units, run, gradient },
#include "ops/ops.def"
#undef OP
};

int64_t one_unit(const struct op_record *r, const struct ragged *g)
{
    (void)r;
    (void)g;
    return 1;
}

bool op_is_f32(const struct tensor *x)
{
    return x->type == DTYPE_F32 && x->rank >= 1 && x->stride[x->rank - 1] == (int64_t)sizeof(float);
}

bool op_is_vector(const struct tensor *x, int64_t width)
{
    return op_is_f32(x) && x->rank == 1 && x->dim[0] == width;
}

struct tensor *op_shapes(struct tape *t, const char *op, const struct tensor *a, const struct tensor *b)
{
    char ta[100], tb[100];
    if (t->status) return &t->tensor[0];
    return tape_fail(t, HEARTH_E_INTERNAL, "%s does not take %s %s and %s %s", op, a->name, tensor_describe(a, ta, sizeof ta),
                     b ? b->name : "nothing", b ? tensor_describe(b, tb, sizeof tb) : "");
}

struct op_record *op_make(struct tape *t, enum op_id id, struct tensor *a, struct tensor *b, struct tensor *c,
                          int rank, const int64_t *dim)
{
    struct tensor *out = tape_tensor(t, op_table[id].name, DTYPE_F32, rank, dim);
    struct op_record *r = tape_append(t, id);
    if (!r) return NULL;
    out->index = t->layer;
    r->in[0] = a;
    r->in[1] = b;
    r->in[2] = c;
    r->out[0] = out;
    return r;
}

struct tensor *op_end(struct tape *t, struct op_record *r)
{
    if (!r) return &t->tensor[0];
    tape_done(t, r);
    return r->out[0] ? r->out[0] : &t->tensor[0];
}
