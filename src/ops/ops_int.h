/* Shared by the op files: shape checks, making records, and the functions that ops.def names. */
#ifndef OPS_OPS_INT_H
#define OPS_OPS_INT_H

#include "ops/ops.h"

#define OP(id, name, units, run, gradient) op_units_fn units; op_run_fn run;
#include "ops/ops.def"
#undef OP

op_gradient_fn embed_gradient, linear_gradient, add_gradient, activate_gradient, layer_norm_gradient, attention_gradient, cross_entropy_gradient;
op_units_fn one_unit;

/* The tensor's values when it is f32; a check in every op makes sure. */
#define ROW(x, r) ((float *)tensor_row((x), (r)))

bool op_is_f32(const struct tensor *x);
bool op_is_vector(const struct tensor *x, int64_t width); /* f32 [width], contiguous */

/* The failure every shape check ends in: names the op and both shapes. */
struct tensor *op_shapes(struct tape *t, const char *op, const struct tensor *a, const struct tensor *b);

/* Appends a record with these inputs and one fresh output shaped like the given one. NULL after a failure. */
struct op_record *op_make(struct tape *t, enum op_id id, struct tensor *a, struct tensor *b, struct tensor *c,
                          int rank, const int64_t *dim);
/* Ends an op: runs it in run-now mode, returns its first output. */
struct tensor *op_end(struct tape *t, struct op_record *r);

/* Whether `floats` values from the start of a layer's state lie in that state group. */
bool op_state_fits(const struct tape *t, int group, int group_layer, int64_t floats);

/* Scalar activation, f32. */
typedef float activation_fn(float x);
void activation_row(enum activation a, float *y, const float *x, const float *gate, int64_t n); /* gate NULL: none */

/* Attention: key positions [from, to) that a row sees, and what a score of one head becomes before the softmax. */
#define HEAD_MAX 1024 /* widest key or value of a head; wider ones are refused when the model opens */
void attention_range(const struct op_record *r, const struct ragged *g, int64_t row, int32_t *from, int32_t *to);

struct score_rule {
    float        scale, softcap;
    const float *bias; /* [2 * reach + 1]; NULL: none */
    int32_t      reach;
    float        slope;
    bool         absolute;
};
struct score_rule attention_rule(const struct op_record *r, int head);
/* The score of a key at `position` for the query at `query`, from q k^T. */
float attention_score(const struct score_rule *s, float product, int32_t position, int32_t query);
/* The head's sink, or -INFINITY. */
float attention_sink(const struct op_record *r, int head);

#endif
