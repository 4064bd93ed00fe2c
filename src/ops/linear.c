/* Products with weights as stored. Here the plain reference: unpack a block, multiply, add in double; backends/cpu has the
 * fast drivers. */
#include "ops/ops_int.h"

/* Rows of a weight with rank 3 count as one list ([heads, head_width, in] is [heads * head_width, in]). */
static int64_t out_width(const struct tensor *w)
{
    int64_t n = 1;
    for (int i = 0; i < w->rank - 1; i++) n *= w->dim[i];
    return n;
}

static bool is_weight(const struct tensor *w)
{
    return type_is_weight(w->type) && w->rank >= 2 && (w->stride[w->rank - 1] == type_of(w->type)->block_bytes ||
                                                        type_of(w->type)->block == 1);
}

struct tensor *op_embed_(struct tape *t, struct tensor *table, struct tensor *ids)
{
    if (t->status) return table;
    if (!is_weight(table) || table->rank != 2 || ids->type != DTYPE_I32 || ids->rank != 1) return op_shapes(t, "embed", table, ids);
    return op_end(t, op_make(t, OP_EMBED, table, ids, NULL, 2, (int64_t[]){ ids->dim[0], table->dim[1] }));
}

int64_t embed_units(const struct op_record *r, const struct ragged *g) { return rows_units(r, g); }

void embed_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const struct tensor *table = r->in[0];
    const int32_t *ids = r->in[1]->data;
    for (int64_t i = begin; i < end; i++) /* ids were checked against the vocabulary by the engine; held here all the same */
        if (ids[i] >= 0 && ids[i] < table->dim[0])
            type_of(table->type)->unpack(ROW(r->out[0], i), tensor_row(table, ids[i]), table->dim[1]);
}

struct tensor *op_linear_(struct tape *t, struct tensor *w, struct tensor *x, struct tensor *bias)
{
    if (t->status) return x;
    if (!is_weight(w) || !op_is_f32(x) || x->rank != 2 || tensor_width(w) != tensor_width(x)) return op_shapes(t, "linear", w, x);
    if (bias && !op_is_vector(bias, out_width(w))) return op_shapes(t, "linear", w, bias);
    return tape_name(op_end(t, op_make(t, OP_LINEAR, w, x, bias, 2, (int64_t[]){ x->dim[0], out_width(w) })), w->name, w->index);
}

int64_t linear_units(const struct op_record *r, const struct ragged *g)
{
    (void)g;
    return out_width(r->in[0]);
}

/* Row i of a weight times x, unpacking a block at a time; strides may be anything when the block is one value. */
static double dot_reference(const struct tensor *w, const char *row, const float *x)
{
    const struct type_info *type = type_of(w->type);
    const int64_t n = tensor_width(w), step = w->stride[w->rank - 1];
    float block[256];
    double sum = 0.0;
    for (int64_t c = 0; c < n; c += type->block) {
        type->unpack(block, row + c / type->block * step, type->block);
        for (int i = 0; i < type->block; i++) sum += (double)block[i] * (double)x[c + i];
    }
    return sum;
}

void linear_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const struct tensor *w = r->in[0], *x = r->in[1];
    const float *bias = r->in[2] ? r->in[2]->data : NULL;
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < x->dim[0]; j++)
            ROW(r->out[0], j)[i] = (float)dot_reference(w, tensor_row(w, i), ROW(x, j)) + (bias ? bias[i] : 0.0f);
}

struct tensor *op_heads_(struct tape *t, struct tensor *w, struct tensor *x)
{
    if (t->status) return x;
    if (!is_weight(w) || w->rank != 3 || !op_is_f32(x) || x->rank != 3 || x->dim[1] != w->dim[0] || tensor_width(w) != tensor_width(x))
        return op_shapes(t, "heads", w, x);
    return tape_name(op_end(t, op_make(t, OP_HEADS, w, x, NULL, 3, (int64_t[]){ x->dim[0], w->dim[0], w->dim[1] })), w->name, w->index);
}

int64_t heads_units(const struct op_record *r, const struct ragged *g) { return rows_units(r, g); }

void heads_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const struct tensor *w = r->in[0];
    for (int64_t u = begin; u < end; u++)
        for (int64_t i = 0; i < w->dim[1]; i++)
            ROW(r->out[0], u)[i] = (float)dot_reference(w, tensor_row(w, u % w->dim[0] * w->dim[1] + i), ROW(r->in[1], u));
}

struct tensor *op_experts_(struct tape *t, struct tensor *w, struct tensor *x, struct tensor *ids, struct tensor *bias)
{
    if (t->status) return x;
    if (!is_weight(w) || w->rank != 3 || !op_is_f32(x) || tensor_width(w) != tensor_width(x)) return op_shapes(t, "experts", w, x);
    if (ids->type != DTYPE_I32 || ids->rank != 2 || ids->dim[0] != x->dim[0] || (x->rank == 3 && x->dim[1] != ids->dim[1]))
        return op_shapes(t, "experts", x, ids);
    if (bias && (!op_is_f32(bias) || bias->rank != 2 || bias->dim[0] != w->dim[0] || bias->dim[1] != w->dim[1])) return op_shapes(t, "experts", w, bias);
    struct op_record *r = op_make(t, OP_EXPERTS, w, x, ids, 3, (int64_t[]){ ids->dim[0], ids->dim[1], w->dim[1] });
    if (r) r->in[3] = bias;
    return tape_name(op_end(t, r), w->name, w->index);
}

int64_t experts_units(const struct op_record *r, const struct ragged *g)
{
    (void)g;
    return r->in[0]->dim[1];
}

void experts_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const struct tensor *w = r->in[0], *x = r->in[1];
    const int64_t pairs = tensor_count(r->in[2]), per_row = x->rank == 3 ? 1 : r->in[2]->dim[1];
    for (int64_t p = 0; p < pairs; p++) {
        const int32_t expert = ((const int32_t *)r->in[2]->data)[p];
        for (int64_t i = begin; i < end; i++)
            ROW(r->out[0], p)[i] = (float)dot_reference(w, tensor_row(w, expert * w->dim[1] + i), ROW(x, p / per_row)) +
                                   (r->in[3] ? ROW(r->in[3], expert)[i] : 0.0f);
    }
}

/* ---- gradients */

struct tensor *op_transpose_(struct tape *t, struct tensor *x)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 2) return op_shapes(t, "transpose", x, NULL);
    return op_end(t, op_make(t, OP_TRANSPOSE, x, NULL, NULL, 2, (int64_t[]){ x->dim[1], x->dim[0] }));
}

void transpose_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < r->in[0]->dim[0]; j++) ROW(r->out[0], i)[j] = ROW(r->in[0], j)[i];
}

struct tensor *op_sum_rows_(struct tape *t, struct tensor *x)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 2) return op_shapes(t, "sum_rows", x, NULL);
    return op_end(t, op_make(t, OP_SUM_ROWS, x, NULL, NULL, 1, &x->dim[1]));
}

void sum_rows_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g, (void)begin, (void)end;
    float *y = r->out[0]->data;
    for (int64_t c = 0; c < r->out[0]->dim[0]; c++) {
        double sum = 0.0;
        for (int64_t i = 0; i < r->in[0]->dim[0]; i++) sum += (double)ROW(r->in[0], i)[c];
        y[c] = (float)sum;
    }
}

struct tensor *op_scatter_rows_(struct tape *t, struct tensor *x, struct tensor *index, int64_t n_rows)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 2 || index->type != DTYPE_I32 || index->rank != 1 || index->dim[0] != x->dim[0]) return op_shapes(t, "scatter_rows", x, index);
    return op_end(t, op_make(t, OP_SCATTER_ROWS, x, index, NULL, 2, (int64_t[]){ n_rows, x->dim[1] }));
}

void scatter_rows_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g, (void)begin, (void)end;
    const int32_t *index = r->in[1]->data;
    memset(r->out[0]->data, 0, (size_t)tensor_bytes(r->out[0]));
    for (int64_t i = 0; i < r->in[0]->dim[0]; i++) {
        if (index[i] < 0 || index[i] >= r->out[0]->dim[0]) continue;
        float *y = ROW(r->out[0], index[i]);
        const float *x = ROW(r->in[0], i);
        for (int64_t c = 0; c < r->out[0]->dim[1]; c++) y[c] += x[c];
    }
}

void embed_gradient(struct tape *t, const struct op_record *r, struct tensor *dy, struct tensor *din[TAPE_INPUTS])
{
    din[0] = op_scatter_rows_(t, dy, r->in[1], r->in[0]->dim[0]);
}

/* The matrix turned over: a view. */
static struct tensor *turned(struct tape *t, struct tensor *x)
{
    return tape_view(t, x, 0, 2, (int64_t[]){ x->dim[1], x->dim[0] }, (int64_t[]){ x->stride[1], x->stride[0] });
}

/* y = x w^T + b: dx = dy w, dw = dy^T x, db = sum of dy. */
void linear_gradient(struct tape *t, const struct op_record *r, struct tensor *dy, struct tensor *din[TAPE_INPUTS])
{
    struct tensor *w = r->in[0], *x = r->in[1];
    if (w->rank != 2 || type_of(w->type)->block != 1) {
        tape_fail(t, HEARTH_E_UNSUPPORTED, "there is no gradient for weights %s of type %s", w->name, type_of(w->type)->name);
        return;
    }
    din[0] = op_linear_(t, turned(t, x), op_transpose_(t, dy), NULL);
    din[1] = op_linear_(t, turned(t, w), dy, NULL);
    if (r->in[2]) din[2] = op_sum_rows_(t, dy);
}
