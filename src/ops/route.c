/* Mixture of experts: choosing experts for each row and adding up what they say. */
#include "base/vmath.h"
#include "ops/ops_int.h"

struct tensor *op_route_(struct tape *t, struct tensor *logits, int k, bool normalize, struct tensor **ids)
{
    *ids = &t->tensor[0];
    if (t->status) return logits;
    if (!op_is_f32(logits) || logits->rank != 2 || k < 1 || k > logits->dim[1]) return op_shapes(t, "route", logits, NULL);
    const int64_t dim[] = { logits->dim[0], k };
    *ids = tape_tensor(t, "experts_chosen", DTYPE_I32, 2, dim);
    struct op_record *r = op_make(t, OP_ROUTE, logits, NULL, NULL, 2, dim);
    if (!r) return logits;
    r->out[1] = *ids;
    r->p.i[0] = k;
    r->p.i[1] = normalize;
    return op_end(t, r);
}

int64_t route_units(const struct op_record *r, const struct ragged *g) { return rows_units(r, g); }

static void route_row(const float *logits, int64_t n, int k, bool normalize, float *weights, int32_t *ids)
{
    float max = logits[0];
    for (int64_t e = 1; e < n; e++) max = logits[e] > max ? logits[e] : max;
    double sum = 0.0, chosen = 0.0;
    for (int64_t e = 0; e < n; e++) sum += (double)vexpf(logits[e] - max);
    for (int s = 0; s < k; s++) { /* k times the best that is left: k and n are small */
        int32_t best = -1;
        for (int32_t e = 0; e < n; e++) {
            bool taken = false;
            for (int i = 0; i < s; i++) taken |= ids[i] == e;
            if (!taken && (best < 0 || logits[e] > logits[best])) best = e;
        }
        ids[s] = best;
        weights[s] = (float)((double)vexpf(logits[best] - max) / sum);
        chosen += (double)weights[s];
    }
    for (int s = 0; normalize && s < k; s++) weights[s] = (float)((double)weights[s] / chosen);
}

void route_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    for (int64_t i = begin; i < end; i++)
        route_row(ROW(r->in[0], i), r->in[0]->dim[1], r->p.i[0], r->p.i[1], ROW(r->out[0], i), tensor_row(r->out[1], i));
}

struct tensor *op_combine_(struct tape *t, struct tensor *x, struct tensor *weights)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 3 || !op_is_f32(weights) || weights->rank != 2 || weights->dim[0] != x->dim[0] ||
        weights->dim[1] != x->dim[1])
        return op_shapes(t, "combine", x, weights);
    return op_end(t, op_make(t, OP_COMBINE, x, weights, NULL, 2, (int64_t[]){ x->dim[0], x->dim[2] }));
}

int64_t combine_units(const struct op_record *r, const struct ragged *g) { return rows_units(r, g); }

void combine_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t k = r->in[0]->dim[1], width = r->in[0]->dim[2];
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        memset(y, 0, (size_t)width * sizeof *y);
        for (int64_t s = 0; s < k; s++) {
            const float *x = ROW(r->in[0], i * k + s), w = ROW(r->in[1], i)[s];
            for (int64_t c = 0; c < width; c++) y[c] += x[c] * w;
        }
    }
}
