/* Ops that work value by value. The units of work are rows. */
#include <math.h>

#include "base/vmath.h"
#include "ops/ops_int.h"

int64_t rows_units(const struct op_record *r, const struct ragged *g)
{
    (void)g;
    return tensor_rows(r->out[0]);
}

/* ---- activations */

static inline float act_identity(float x) { return x; }
static inline float act_relu(float x) { return x > 0.0f ? x : 0.0f; }
static inline float act_relu2(float x) { const float y = act_relu(x); return y * y; }
static inline float act_sigmoid(float x) { return 1.0f / (1.0f + vexpf(-x)); }
static inline float act_silu(float x) { return vsiluf(x); }
/* log(1 + e^x); x itself from 20 on, as torch has it. */
static inline float act_softplus(float x) { return x > 20.0f ? x : log1pf(expf(x)); }
static inline float act_tanh(float x) { return tanhf(x); }
static inline float act_gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752440f)); }
static inline float act_gelu_quick(float x) { return x / (1.0f + vexpf(-1.702f * x)); }
static inline float act_gelu_tanh(float x) { return vgelu_tanhf(x); }

/* One loop a function, so that each is vectorised by itself. */
#define ACTIVATION(id, fn, ...)                                                    \
    static void fn##_row(float *y, const float *x, const float *gate, int64_t n)   \
    {                                                                              \
        if (gate)                                                                  \
            for (int64_t i = 0; i < n; i++) y[i] = fn(x[i]) * gate[i];             \
        else                                                                       \
            for (int64_t i = 0; i < n; i++) y[i] = fn(x[i]);                       \
    }
#include "ops/activations.def"
#undef ACTIVATION

static const struct {
    void (*row)(float *y, const float *x, const float *gate, int64_t n);
    const char *names[6];
} activation_table[ACT_COUNT] = {
#define ACTIVATION(id, fn, ...) { fn##_row, { __VA_ARGS__ } },
#include "ops/activations.def"
#undef ACTIVATION
};

int activation_from_name(struct str name)
{
    for (int a = 0; a < ACT_COUNT; a++)
        for (int i = 0; i < 6 && activation_table[a].names[i]; i++)
            if (str_is(name, activation_table[a].names[i])) return a;
    return -1;
}

const char *activation_name(enum activation a) { return activation_table[a].names[0]; }

void activation_row(enum activation a, float *y, const float *x, const float *gate, int64_t n)
{
    activation_table[a].row(y, x, gate, n);
}

struct tensor *op_activate_(struct tape *t, enum activation fn, struct tensor *a, struct tensor *b)
{
    if (t->status) return a;
    if (!op_is_f32(a) || (b && (!op_is_f32(b) || !tensor_same_shape(a, b)))) return op_shapes(t, "activate", a, b);
    struct op_record *r = op_make(t, OP_ACTIVATE, a, b, NULL, a->rank, a->dim);
    if (r) r->p.i[0] = (int32_t)fn;
    return op_end(t, r);
}

float activation_value(enum activation a, float x)
{
    float y;
    activation_row(a, &y, &x, NULL, 1);
    return y;
}

void activate_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    for (int64_t i = begin; i < end; i++)
        activation_row((enum activation)r->p.i[0], ROW(r->out[0], i), ROW(r->in[0], i), r->in[1] ? ROW(r->in[1], i) : NULL,
                       tensor_width(r->out[0]));
}

/* Slope of the activations that training meets; the others have none yet. */
static float slope_relu(float x) { return x > 0.0f ? 1.0f : 0.0f; }
static float slope_silu(float x)
{
    const float s = 1.0f / (1.0f + expf(-x));
    return s * (1.0f + x * (1.0f - s));
}
static float slope_gelu(float x)
{
    return 0.5f * (1.0f + erff(x * 0.70710678118654752440f)) + x * 0.39894228040143267794f * expf(-0.5f * x * x);
}
static float slope_gelu_tanh(float x)
{
    const float k = 0.79788456080286535588f, u = tanhf(k * (x + 0.044715f * x * x * x));
    return 0.5f * (1.0f + u) + 0.5f * x * (1.0f - u * u) * k * (1.0f + 3.0f * 0.044715f * x * x);
}

static float (*const slopes[ACT_COUNT])(float x) = {
    [ACT_RELU] = slope_relu, [ACT_SILU] = slope_silu, [ACT_GELU] = slope_gelu, [ACT_GELU_TANH] = slope_gelu_tanh };

void activate_gradient(struct tape *t, const struct op_record *r, struct tensor *dy, struct tensor *din[TAPE_INPUTS])
{
    if (!slopes[r->p.i[0]]) {
        tape_fail(t, HEARTH_E_UNSUPPORTED, "there is no gradient for activation %s", activation_name((enum activation)r->p.i[0]));
        return;
    }
    struct tensor *through = dy;
    if (r->in[1]) { /* fn(a) * b */
        din[1] = op_mul_(t, dy, op_activate_(t, (enum activation)r->p.i[0], r->in[0], NULL));
        through = op_mul_(t, dy, r->in[1]);
    }
    if (t->status) return;
    struct op_record *back = op_make(t, OP_ACTIVATE_BACK, r->in[0], through, NULL, dy->rank, dy->dim);
    if (back) back->p.i[0] = r->p.i[0];
    din[0] = op_end(t, back);
}

void activate_back_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    for (int64_t i = begin; i < end; i++)
        for (int64_t c = 0; c < tensor_width(r->out[0]); c++) ROW(r->out[0], i)[c] = slopes[r->p.i[0]](ROW(r->in[0], i)[c]) * ROW(r->in[1], i)[c];
}

/* ---- arithmetic */

static struct tensor *binary(struct tape *t, enum op_id id, struct tensor *a, struct tensor *b)
{
    if (t->status) return a;
    if (!op_is_f32(a) || !op_is_f32(b) || (!tensor_same_shape(a, b) && !op_is_vector(b, tensor_width(a))))
        return op_shapes(t, op_table[id].name, a, b);
    return op_end(t, op_make(t, id, a, b, NULL, a->rank, a->dim));
}

struct tensor *op_add_(struct tape *t, struct tensor *a, struct tensor *b) { return binary(t, OP_ADD, a, b); }
struct tensor *op_mul_(struct tape *t, struct tensor *a, struct tensor *b) { return binary(t, OP_MUL, a, b); }

void add_gradient(struct tape *t, const struct op_record *r, struct tensor *dy, struct tensor *din[TAPE_INPUTS])
{
    din[0] = dy;
    din[1] = r->in[1]->rank == 1 && r->in[0]->rank > 1 ? op_sum_rows_(t, dy) : dy;
}

/* Row i of b, or its only row. */
static const float *second_row(const struct op_record *r, int64_t i)
{
    return r->in[1]->rank == 1 ? r->in[1]->data : ROW(r->in[1], i);
}

void add_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = tensor_width(r->out[0]);
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *a = ROW(r->in[0], i), *b = second_row(r, i);
        for (int64_t c = 0; c < n; c++) y[c] = a[c] + b[c];
    }
}

void mul_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = tensor_width(r->out[0]);
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *a = ROW(r->in[0], i), *b = second_row(r, i);
        for (int64_t c = 0; c < n; c++) y[c] = a[c] * b[c];
    }
}

struct tensor *op_scale_(struct tape *t, struct tensor *a, float factor)
{
    if (t->status) return a;
    if (!op_is_f32(a)) return op_shapes(t, "scale", a, NULL);
    struct op_record *r = op_make(t, OP_SCALE, a, NULL, NULL, a->rank, a->dim);
    if (r) r->p.f[0] = factor;
    return op_end(t, r);
}

void scale_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = tensor_width(r->out[0]);
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *a = ROW(r->in[0], i);
        for (int64_t c = 0; c < n; c++) y[c] = a[c] * r->p.f[0];
    }
}

struct tensor *op_clamp_(struct tape *t, struct tensor *a, float low, float high)
{
    if (t->status) return a;
    if (!op_is_f32(a)) return op_shapes(t, "clamp", a, NULL);
    struct op_record *r = op_make(t, OP_CLAMP, a, NULL, NULL, a->rank, a->dim);
    if (r) memcpy(r->p.f, (float[]){ low, high }, 2 * sizeof(float));
    return op_end(t, r);
}

void clamp_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = tensor_width(r->out[0]);
    const float low = r->p.f[0], high = r->p.f[1];
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *a = ROW(r->in[0], i);
        for (int64_t c = 0; c < n; c++) y[c] = a[c] < low ? low : a[c] > high ? high : a[c];
    }
}

struct tensor *op_softcap_(struct tape *t, struct tensor *a, float cap)
{
    if (t->status) return a;
    if (!op_is_f32(a)) return op_shapes(t, "softcap", a, NULL);
    struct op_record *r = op_make(t, OP_SOFTCAP, a, NULL, NULL, a->rank, a->dim);
    if (r) r->p.f[0] = cap;
    return op_end(t, r);
}

void softcap_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = tensor_width(r->out[0]);
    const float cap = r->p.f[0];
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *a = ROW(r->in[0], i);
        for (int64_t c = 0; c < n; c++) y[c] = cap * tanhf(a[c] / cap);
    }
}

struct tensor *op_clamped_glu_(struct tape *t, struct tensor *gate, struct tensor *up, float limit, float alpha)
{
    if (t->status) return gate;
    if (gate->type != DTYPE_F32 || up->type != DTYPE_F32 || !tensor_same_shape(gate, up)) return op_shapes(t, "clamped_glu", gate, up);
    struct op_record *r = op_make(t, OP_CLAMPED_GLU, gate, up, NULL, gate->rank, gate->dim);
    if (r) memcpy(r->p.f, (float[]){ limit, alpha }, 2 * sizeof(float));
    return op_end(t, r);
}

void clamped_glu_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const struct tensor *gate = r->in[0], *up = r->in[1];
    const int64_t n = tensor_width(r->out[0]), dg = gate->stride[gate->rank - 1] / (int64_t)sizeof(float), du = up->stride[up->rank - 1] / (int64_t)sizeof(float);
    const float limit = r->p.f[0], alpha = r->p.f[1];
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *a = ROW(gate, i), *b = ROW(up, i);
        for (int64_t c = 0; c < n; c++) {
            const float x = a[c * dg] > limit ? limit : a[c * dg], u = b[c * du];
            y[c] = x / (1.0f + vexpf(-alpha * x)) * ((u > limit ? limit : u < -limit ? -limit : u) + 1.0f);
        }
    }
}

struct tensor *op_mix_(struct tape *t, struct tensor *a, struct tensor *b, struct tensor *w)
{
    if (t->status) return a;
    if (!op_is_f32(a) || !op_is_f32(b) || !tensor_same_shape(a, b)) return op_shapes(t, "mix", a, b);
    if (!op_is_vector(w, tensor_width(a)) && !(op_is_f32(w) && tensor_same_shape(a, w))) return op_shapes(t, "mix", a, w);
    return op_end(t, op_make(t, OP_MIX, a, b, w, a->rank, a->dim));
}

void mix_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = tensor_width(r->out[0]);
    const bool shared = r->in[2]->rank == 1;
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        const float *a = ROW(r->in[0], i), *b = ROW(r->in[1], i), *w = shared ? r->in[2]->data : ROW(r->in[2], i);
        for (int64_t c = 0; c < n; c++) y[c] = a[c] * w[c] + b[c] * (1.0f - w[c]);
    }
}

struct tensor *op_concat_(struct tape *t, struct tensor *a, struct tensor *b)
{
    if (t->status) return a;
    int64_t dim[TENSOR_RANK];
    bool same = op_is_f32(a) && op_is_f32(b) && a->rank == b->rank;
    for (int i = 0; same && i < a->rank - 1; i++) same = a->dim[i] == b->dim[i];
    if (!same) return op_shapes(t, "concat", a, b);
    memcpy(dim, a->dim, sizeof dim);
    dim[a->rank - 1] += b->dim[b->rank - 1];
    return op_end(t, op_make(t, OP_CONCAT, a, b, NULL, a->rank, dim));
}

void concat_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t na = tensor_width(r->in[0]), nb = tensor_width(r->in[1]);
    for (int64_t i = begin; i < end; i++) {
        memcpy(ROW(r->out[0], i), ROW(r->in[0], i), (size_t)na * sizeof(float));
        memcpy(ROW(r->out[0], i) + na, ROW(r->in[1], i), (size_t)nb * sizeof(float));
    }
}

struct tensor *op_rows_(struct tape *t, struct tensor *x, struct tensor *index)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 2 || index->type != DTYPE_I32 || index->rank != 1) return op_shapes(t, "rows", x, index);
    return op_end(t, op_make(t, OP_ROWS, x, index, NULL, 2, (int64_t[]){ index->dim[0], x->dim[1] }));
}

void rows_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int32_t *index = r->in[1]->data;
    for (int64_t i = begin; i < end; i++)
        memcpy(ROW(r->out[0], i), ROW(r->in[0], index[i]), (size_t)tensor_width(r->out[0]) * sizeof(float));
}

struct tensor *op_mean_rows_(struct tape *t, struct tensor *x, int64_t n)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 2 || !t->ragged || n < 1) return op_shapes(t, "mean_rows", x, NULL);
    return op_end(t, op_make(t, OP_MEAN_ROWS, x, NULL, NULL, 2, (int64_t[]){ n, x->dim[1] }));
}

void mean_rows_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int64_t n = tensor_width(r->out[0]);
    for (int64_t i = begin; i < end; i++) {
        const struct ragged_seq *s = &g->seq[i];
        float *restrict y = ROW(r->out[0], i);
        for (int64_t c = 0; c < n; c++) {
            double sum = 0.0;
            for (int32_t k = 0; k < s->rows; k++) sum += (double)ROW(r->in[0], s->first + k)[c];
            y[c] = (float)(sum / s->rows);
        }
    }
}
