/* Cross entropy over the rows that have a label. */
#include <math.h>

#include "ops/ops_int.h"

struct tensor *op_cross_entropy_(struct tape *t, struct tensor *logits, struct tensor *labels)
{
    if (t->status) return logits;
    if (!op_is_f32(logits) || logits->rank != 2 || labels->type != DTYPE_I32 || labels->rank != 1 || labels->dim[0] != logits->dim[0])
        return op_shapes(t, "cross_entropy", logits, labels);
    return op_end(t, op_make(t, OP_CROSS_ENTROPY, logits, labels, NULL, 1, (int64_t[]){ 1 }));
}

static bool has_label(const struct op_record *r, int64_t row, int32_t *label)
{
    *label = ((const int32_t *)r->in[1]->data)[row];
    return *label >= 0 && *label < r->in[0]->dim[1];
}

static double log_sum(const float *x, int64_t n)
{
    double max = -INFINITY, sum = 0.0;
    for (int64_t c = 0; c < n; c++) max = fmax(max, (double)x[c]);
    for (int64_t c = 0; c < n; c++) sum += exp((double)x[c] - max);
    return max + log(sum);
}

static int64_t count_labels(const struct op_record *r)
{
    int64_t n = 0;
    int32_t label;
    for (int64_t i = 0; i < r->in[0]->dim[0]; i++) n += has_label(r, i, &label);
    return n ? n : 1;
}

void cross_entropy_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g, (void)begin, (void)end;
    double sum = 0.0;
    int32_t label;
    for (int64_t i = 0; i < r->in[0]->dim[0]; i++)
        if (has_label(r, i, &label)) sum += log_sum(ROW(r->in[0], i), r->in[0]->dim[1]) - (double)ROW(r->in[0], i)[label];
    *(float *)r->out[0]->data = (float)(sum / (double)count_labels(r));
}

void cross_entropy_gradient(struct tape *t, const struct op_record *r, struct tensor *dy, struct tensor *din[TAPE_INPUTS])
{
    if (t->status) return;
    din[0] = op_end(t, op_make(t, OP_CROSS_ENTROPY_BACK, r->in[0], r->in[1], dy, 2, r->in[0]->dim));
}

/* (softmax - one at the label) / rows with a label, times the loss's own gradient. */
void cross_entropy_back_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t width = r->in[0]->dim[1];
    const double scale = (double)*(const float *)r->in[2]->data / (double)count_labels(r);
    for (int64_t i = begin; i < end; i++) {
        const float *x = ROW(r->in[0], i);
        float *y = ROW(r->out[0], i);
        int32_t label;
        const bool labelled = has_label(r, i, &label);
        const double whole = log_sum(x, width);
        for (int64_t c = 0; c < width; c++) y[c] = labelled ? (float)(scale * (exp((double)x[c] - whole) - (c == label))) : 0.0f;
    }
}
