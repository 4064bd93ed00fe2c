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

struct tensor *op_l2_norm_(struct tape *t, struct tensor *x, float eps)
{
    if (t->status) return x;
    if (!op_is_f32(x)) return op_shapes(t, "l2_norm", x, NULL);
    struct op_record *r = op_make(t, OP_L2_NORM, x, NULL, NULL, x->rank, x->dim);
    if (r) r->p.f[0] = eps;
    return op_end(t, r);
}

void l2_norm_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = tensor_width(r->out[0]);
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *x = ROW(r->in[0], i);
        const double length = sqrt(sum_squares(x, n, 0.0f));
        const float s = (float)(1.0 / (length > (double)r->p.f[0] ? length : (double)r->p.f[0]));
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

/* With n = (x - mean) / sigma: dx = (g - mean(g) - n mean(g n)) / sigma, g = dy w; dw = sum of dy n; db = sum of dy. */
void layer_norm_gradient(struct tape *t, const struct op_record *r, struct tensor *dy, struct tensor *din[TAPE_INPUTS])
{
    struct tensor *x = r->in[0], *w = r->in[1];
    struct tensor *n = op_layer_norm_(t, x, NULL, NULL, r->p.f[0]);
    if (t->status) return;
    struct op_record *back = op_make(t, OP_LAYER_NORM_BACK, x, w ? op_mul_(t, dy, w) : dy, n, x->rank, x->dim);
    if (back) back->p.f[0] = r->p.f[0];
    din[0] = op_end(t, back);
    if (w) din[1] = op_sum_rows_(t, op_mul_(t, dy, n));
    if (r->in[2]) din[2] = op_sum_rows_(t, dy);
}

void layer_norm_back_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t width = tensor_width(r->out[0]);
    for (int64_t i = begin; i < end; i++) {
        const float *x = ROW(r->in[0], i), *dn = ROW(r->in[1], i), *n = ROW(r->in[2], i);
        const float mean = (float)(sum_values(x, width) / (double)width);
        const double s = 1.0 / sqrt(sum_squares(x, width, mean) / (double)width + (double)r->p.f[0]);
        double a = 0.0, b = 0.0;
        for (int64_t c = 0; c < width; c++) {
            a += (double)dn[c];
            b += (double)dn[c] * (double)n[c];
        }
        for (int64_t c = 0; c < width; c++)
            ROW(r->out[0], i)[c] = (float)(s * ((double)dn[c] - a / (double)width - (double)n[c] * b / (double)width));
    }
}
