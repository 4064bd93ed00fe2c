/* Rotary position embedding: one table of cosines and sines a step, then a turn of queries and keys in every layer. */
#include <math.h>

#include "ops/ops_int.h"

struct tensor *op_rope_table_(struct tape *t, struct tensor *frequencies, struct tensor *set, float scale)
{
    if (t->status) return frequencies;
    if (!op_is_f32(frequencies) || frequencies->rank != 2 || set->type != DTYPE_I32 || set->rank != 1)
        return op_shapes(t, "rope_table", frequencies, set);
    struct op_record *r = op_make(t, OP_ROPE_TABLE, frequencies, set, NULL, 2, (int64_t[]){ set->dim[0], 2 * frequencies->dim[1] });
    if (r) r->p.f[0] = scale;
    return op_end(t, r);
}

void rope_table_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int64_t half = r->in[0]->dim[1];
    const int32_t *set = r->in[1]->data;
    for (int64_t i = begin; i < end; i++) {
        const float position = (float)ragged_position(g, i), *f = ROW(r->in[0], set[i]);
        float *y = ROW(r->out[0], i);
        for (int64_t c = 0; c < half; c++) { /* the angle is a float32 product in the references too */
            const float angle = position * f[c];
            y[c] = cosf(angle) * r->p.f[0];
            y[half + c] = sinf(angle) * r->p.f[0];
        }
    }
}

struct tensor *op_waves_(struct tape *t, struct tensor *frequencies, struct tensor *like, int offset)
{
    if (t->status) return frequencies;
    if (!op_is_f32(frequencies) || frequencies->rank != 1) return op_shapes(t, "waves", frequencies, like);
    struct op_record *r = op_make(t, OP_WAVES, frequencies, NULL, NULL, 2, (int64_t[]){ like->dim[0], 2 * frequencies->dim[0] });
    if (r) r->p.i[0] = offset;
    return op_end(t, r);
}

struct tensor *op_waves_at_(struct tape *t, struct tensor *frequencies, struct tensor *positions, int empty)
{
    if (t->status) return frequencies;
    if (!op_is_f32(frequencies) || frequencies->rank != 1 || positions->type != DTYPE_I32 || positions->rank != 1)
        return op_shapes(t, "waves", frequencies, positions);
    struct op_record *r = op_make(t, OP_WAVES, frequencies, positions, NULL, 2, (int64_t[]){ positions->dim[0], 2 * frequencies->dim[0] });
    if (r) r->p.i[0] = empty;
    return op_end(t, r);
}

void waves_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int64_t half = r->in[0]->dim[0];
    const float *f = r->in[0]->data;
    const int32_t *positions = r->in[1] ? r->in[1]->data : NULL;
    for (int64_t i = begin; i < end; i++) {
        const int32_t at = positions ? positions[i] : ragged_position(g, i) + r->p.i[0];
        const float position = (float)at;
        float *y = ROW(r->out[0], i);
        if (positions && at == r->p.i[0]) {
            memset(y, 0, 2 * (size_t)half * sizeof *y);
            continue;
        }
        for (int64_t c = 0; c < half; c++) {
            y[c] = sinf(position * f[c]);
            y[half + c] = cosf(position * f[c]);
        }
    }
}

struct tensor *op_rope_(struct tape *t, struct tensor *x, struct tensor *table, int head_width, bool interleaved)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank < 2 || !op_is_f32(table) || table->rank != 2 || table->dim[0] != x->dim[0] || table->dim[1] > head_width ||
        (x->rank == 2 ? x->dim[1] % head_width != 0 : x->dim[2] != head_width))
        return op_shapes(t, "rope", x, table);
    if (x->rank == 2) x = tape_view(t, x, 0, 3, (int64_t[]){ x->dim[0], x->dim[1] / head_width, head_width },
                                    (int64_t[]){ x->stride[0], head_width * (int64_t)sizeof(float), sizeof(float) });
    struct op_record *r = op_make(t, OP_ROPE, x, table, NULL, 2, (int64_t[]){ x->dim[0], x->dim[1] * head_width });
    if (r) r->p.i[0] = interleaved;
    return op_end(t, r);
}

/* One head: the pair (a, b) becomes (a cos - b sin, b cos + a sin). */
static void turn_head(float *restrict y, const float *restrict x, const float *cs, int64_t part, int64_t width, bool interleaved)
{
    const int64_t half = part / 2;
    const float *sn = cs + half;
    if (interleaved)
        for (int64_t c = 0; c < half; c++) {
            y[2 * c] = x[2 * c] * cs[c] - x[2 * c + 1] * sn[c];
            y[2 * c + 1] = x[2 * c + 1] * cs[c] + x[2 * c] * sn[c];
        }
    else
        for (int64_t c = 0; c < half; c++) {
            y[c] = x[c] * cs[c] - x[half + c] * sn[c];
            y[half + c] = x[half + c] * cs[c] + x[c] * sn[c];
        }
    for (int64_t c = part; c < width; c++) y[c] = x[c];
}

void rope_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n_head = r->in[0]->dim[1], width = r->in[0]->dim[2], part = r->in[1]->dim[1];
    for (int64_t i = begin; i < end; i++)
        for (int64_t h = 0; h < n_head; h++)
            turn_head(ROW(r->out[0], i) + h * width, ROW(r->in[0], i * n_head + h), ROW(r->in[1], i), part, width, r->p.i[0]);
}
