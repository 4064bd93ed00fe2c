/* Normalisations over the innermost dimension. Sums run in double: one pass over a row of a few thousand values costs nothing
 * beside the products, and the references' own float32 sums are then the only difference. */
#include <math.h>

#include "ops/ops_int.h"

struct tensor *op_rms_norm_(struct tape *t, struct tensor *x, struct tensor *w, float eps)
{
    if (t->status) return x;
    if (!op_is_f32(x) || (w && !op_is_vector(w, tensor_width(x)))) return op_shapes(t, "rms_norm", x, w);
    struct op_record *r = op_make(t, OP_RMS_NORM, x, w, NULL, x->rank, x->dim);
    if (r) r->p.f[0] = eps;
    return op_end(t, r);
}

/* Sum over c of (x[c] - shift)^2, in eight fixed lanes. */
static double sum_squares(const float *x, int64_t n, float shift)
{
    double lane[8] = { 0 }, sum = 0.0;
    int64_t c = 0;
    for (; c + 8 <= n; c += 8)
        for (int l = 0; l < 8; l++) {
            const double d = (double)x[c + l] - (double)shift;
            lane[l] += d * d;
        }
    for (; c < n; c++) {
        const double d = (double)x[c] - (double)shift;
        sum += d * d;
    }
    for (int l = 0; l < 8; l++) sum += lane[l];
    return sum;
}

static double sum_values(const float *x, int64_t n)
{
    double lane[8] = { 0 }, sum = 0.0;
    int64_t c = 0;
    for (; c + 8 <= n; c += 8)
        for (int l = 0; l < 8; l++) lane[l] += (double)x[c + l];
    for (; c < n; c++) sum += (double)x[c];
    for (int l = 0; l < 8; l++) sum += lane[l];
    return sum;
}

void rms_norm_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = tensor_width(r->out[0]);
    const float *w = r->in[1] ? r->in[1]->data : NULL;
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *x = ROW(r->in[0], i);
        const float s = (float)(1.0 / sqrt(sum_squares(x, n, 0.0f) / (double)n + (double)r->p.f[0]));
        if (w)
            for (int64_t c = 0; c < n; c++) y[c] = w[c] * (x[c] * s);
        else
            for (int64_t c = 0; c < n; c++) y[c] = x[c] * s;
    }
}

struct tensor *op_layer_norm_(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *b, float eps)
{
    if (t->status) return x;
    const int64_t n = tensor_width(x);
    if (!op_is_f32(x) || (w && !op_is_vector(w, n))) return op_shapes(t, "layer_norm", x, w);
    if (b && !op_is_vector(b, n)) return op_shapes(t, "layer_norm", x, b);
    struct op_record *r = op_make(t, OP_LAYER_NORM, x, w, b, x->rank, x->dim);
    if (r) r->p.f[0] = eps;
    return op_end(t, r);
}

void layer_norm_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = tensor_width(r->out[0]);
    const float *w = r->in[1] ? r->in[1]->data : NULL, *b = r->in[2] ? r->in[2]->data : NULL;
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *x = ROW(r->in[0], i);
        const float mean = (float)(sum_values(x, n) / (double)n);
        const float s = (float)(1.0 / sqrt(sum_squares(x, n, mean) / (double)n + (double)r->p.f[0]));
        for (int64_t c = 0; c < n; c++) y[c] = (x[c] - mean) * s;
        if (w)
            for (int64_t c = 0; c < n; c++) y[c] *= w[c];
        if (b)
            for (int64_t c = 0; c < n; c++) y[c] += b[c];
    }
}
