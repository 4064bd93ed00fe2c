/* The ops: what model code may ask the tape for. Each checks shapes, appends a record and returns its output. Activations are
 * f32 [n_rows, width] unless said otherwise; weights are of any type, as stored. NULL for an optional tensor: left out. */
#ifndef OPS_OPS_H
#define OPS_OPS_H

#include "tensor/tape.h"

enum op_id {
#define OP(id, ...) OP_##id,
#include "ops/ops.def"
#undef OP
    OP_COUNT,
};

typedef int64_t op_units_fn(const struct op_record *r, const struct ragged *g);
typedef void op_run_fn(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end);

/* dy: gradient of the record's first output. Fills din[i] for the inputs that have one; the tape carries failures. */
typedef void op_gradient_fn(struct tape *t, const struct op_record *r, struct tensor *dy, struct tensor *din[TAPE_INPUTS]);

struct op_info {
    const char     *name;
    op_units_fn    *units;
    op_run_fn      *run;
    op_gradient_fn *gradient;
};
extern const struct op_info op_table[OP_COUNT];

enum activation {
#define ACTIVATION(id, ...) ACT_##id,
#include "ops/activations.def"
#undef ACTIVATION
    ACT_COUNT,
};

int activation_from_name(struct str name); /* -1: unknown */
const char *activation_name(enum activation a);
float activation_value(enum activation a, float x);

/* linear.c
 * embed: rows of table [n_table, width] chosen by ids i32 [n] -> [n, width].
 * linear: w [out, in] (or [a, b, in] with out = a * b; or input-major: a view with strides swapped), x [n, in],
 *         bias f32 [out] -> [n, out] = x w^T + bias, named as the weight.
 * heads:  w [n_head, out, in], x [n, n_head, in] -> [n, n_head, out]: each head has its own matrix.
 * experts: w [n_expert, out, in], x [n, in] or [n, k, in], ids i32 [n, k], bias f32 [n_expert, out] -> [n, k, out]; rows by
 *          chosen expert. */
struct tensor *op_embed_(struct tape *t, struct tensor *table, struct tensor *ids);
struct tensor *op_linear_(struct tape *t, struct tensor *w, struct tensor *x, struct tensor *bias);
struct tensor *op_heads_(struct tape *t, struct tensor *w, struct tensor *x);
struct tensor *op_experts_(struct tape *t, struct tensor *w, struct tensor *x, struct tensor *ids, struct tensor *bias);

/* patches.c
 * patches: picture f32 [channels, height, width] -> [n, channels * side * side]: squares of `side` from left to right, top to
 *          bottom, each as a convolution kernel lies. */
struct tensor *op_patches_(struct tape *t, struct tensor *picture, int side);

/* route.c
 * route: see struct. logits [n, n_expert] -> *ids i32 [n, k], returns weights [n, k].
 * combine: x [n, k, width], weights [n, k] -> [n, width]: sum over k, in order. */
struct route {
    int            k;             /* experts a row; equal scores go to the smaller index */
    bool           sigmoid;       /* scores are sigmoids; else a softmax over all experts */
    bool           normalize;     /* weights are divided by their sum */
    float          scale;         /* of the weights, last */
    struct tensor *bias;          /* f32 [n_expert], added for choosing only; NULL: none */
    int            groups, group_k; /* choose among the group_k groups whose two best sum highest; groups <= 1: among all */
    bool           group_best;      /* ... whose best is highest */
};
struct tensor *op_route_(struct tape *t, struct tensor *logits, const struct route *how, struct tensor **ids);
struct tensor *op_combine_(struct tape *t, struct tensor *x, struct tensor *weights);

/* elementwise.c (rank and shape of a kept)
 * add: a + b, b of the same shape or [width]. mul: a * b likewise. scale: a * factor.
 * clamp: held in low .. high. softcap: cap * tanh(a / cap). concat: a and b side by side along the last dim.
 * clamped_glu: g sigmoid(alpha g) (u + 1), g the gate held below limit, u `up` held in -limit .. limit (OpenAI 2025); both may be views.
 * mean_rows: of the n sequences of a step, each one's rows -> [n, width].
 * mix: a * w + b * (1 - w), w f32 [width] or of a's shape. activate: fn(a), times b when given (gated). rows: x[index[i]] , index i32 [n]. */
struct tensor *op_add_(struct tape *t, struct tensor *a, struct tensor *b);
struct tensor *op_mul_(struct tape *t, struct tensor *a, struct tensor *b);
struct tensor *op_scale_(struct tape *t, struct tensor *a, float factor);
struct tensor *op_clamp_(struct tape *t, struct tensor *a, float low, float high);
struct tensor *op_clamped_glu_(struct tape *t, struct tensor *gate, struct tensor *up, float limit, float alpha);
struct tensor *op_softcap_(struct tape *t, struct tensor *a, float cap);
struct tensor *op_mix_(struct tape *t, struct tensor *a, struct tensor *b, struct tensor *w);
struct tensor *op_activate_(struct tape *t, enum activation fn, struct tensor *a, struct tensor *b);
struct tensor *op_concat_(struct tape *t, struct tensor *a, struct tensor *b);
struct tensor *op_rows_(struct tape *t, struct tensor *x, struct tensor *index);
struct tensor *op_mean_rows_(struct tape *t, struct tensor *x, int64_t n);

/* norm.c
 * rms_norm: x / sqrt(mean(x^2) + eps) * w, w f32 [width]. Zhang & Sennrich 2019.
 * l2_norm: x / max(|x|, eps) of each row.
 * layer_norm: (x - mean) / sqrt(var + eps) * w + b, w and b f32 [width] or NULL. Ba et al. 2016. */
struct tensor *op_rms_norm_(struct tape *t, struct tensor *x, struct tensor *w, float eps);
struct tensor *op_l2_norm_(struct tape *t, struct tensor *x, float eps);
struct tensor *op_layer_norm_(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *b, float eps);

/* rotary.c (Su et al. 2021)
 * rope_table: frequencies f32 [n_set, part / 2], set i32 [n] (which set each row uses), scale: of cos and sin
 *             -> [n, part]: cosines then sines of position * frequency, computed in f32 as the references do.
 * rope: x [n, heads * head_width], or a view [n, heads, head_width] -> [n, heads * head_width]; the first `part` values of each head are turned. Pairs (i, i + part / 2), or
 *       (2i, 2i + 1) when `interleaved`.
 * waves: frequencies f32 [half] -> [rows of like, 2 * half]: sines, then cosines of (position + offset) * frequency; or of the
 *       given positions i32 [n] * frequency, and zeros for position `empty`. */
struct tensor *op_waves_(struct tape *t, struct tensor *frequencies, struct tensor *like, int offset);
struct tensor *op_waves_at_(struct tape *t, struct tensor *frequencies, struct tensor *positions, int empty);
struct tensor *op_rope_table_(struct tape *t, struct tensor *frequencies, struct tensor *set, float scale);
struct tensor *op_rope_(struct tape *t, struct tensor *x, struct tensor *table, int head_width, bool interleaved);

/* attention.c
 * cache_store: writes keys [n, n_kv * key_width] and values [n, n_kv * value_width] of the step's rows into a paged group.
 * attention: see struct. Returns [n, n_head * value_width]. */
struct attention {
    struct tensor *q;        /* [n, n_head * key_width] */
    struct tensor *k, *v;    /* keys and values of the step itself (encoders); NULL: from the cache group */
    struct tensor *bias;     /* f32 [n_head, 2 * d + 1]: added at key position - query position held in -d .. d; NULL: none */
    struct tensor *slopes;   /* f32 [n_head]: slope * (key position - query position) is added (ALiBi); NULL: none */
    bool           absolute_slopes; /* bf16(slope * key position) * scale is added instead (Falcon) */
    struct tensor *sinks;    /* f32 [n_head]: a score without a value that takes part in the softmax; NULL: none */
    int            group, group_layer; /* cache group and layer within it */
    int            n_head, n_kv;
    int            window;   /* keys a query sees, its own position included; not causal: half of it to each side; 0: all */
    float          scale;    /* of q k^T, before bias */
    float          softcap;  /* scores become cap * tanh(score / cap), before bias; 0: not */
    bool           causal;   /* keys after the query are hidden */
};
void           op_cache_store_(struct tape *t, int group, int group_layer, struct tensor *k, struct tensor *v);
struct tensor *op_attention_(struct tape *t, const struct attention *a);

/* How files store what a state is multiplied by in each step: exp(-exp(x)), exp(x), or x itself. */
enum decay { DECAY_LOG_LOG, DECAY_LOG, DECAY_PLAIN };

/* recurrent.c; state groups keep f32 per slot: `at` = first float of the op's part in the layer's state.
 * token_shift: the previous row of the same sequence, the stored one for its first row -> [n, width]; stores the last row.
 * conv_state: causal convolution along each channel (Mamba): w f32 [width, kernel], bias f32 [width] or NULL; the state holds
 *       the last kernel - 1 rows -> [n, width].
 * ssm_scan: selective state space (Gu & Dao 2023), x and dt [n, width], b and c [n, n_state] views, a_log f32 [width, n_state]
 *       (or with DECAY_LOG -exp of it), d f32 [width]; state h [width, n_state]: h = exp(-exp(a_log) dt) h + dt b x; y = c h + d x -> [n, width].
 * wkv4: RWKV-4's attention-free mixing (Peng et al. 2023), key and value [n, width], decay (DECAY_LOG_LOG or DECAY_LOG) and
 *       first f32 [width]; state: numerator, denominator, exponent, each [width] -> [n, width]. */
struct tensor *op_token_shift_(struct tape *t, struct tensor *x, int group, int group_layer, int at);
struct tensor *op_conv_state_(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *bias, int group, int group_layer, int at);
struct scan {
    struct tensor *x, *dt, *b, *c, *a_log, *d;
    enum decay     form; /* DECAY_LOG_LOG or DECAY_LOG */
    int            group, group_layer, at;
};
struct tensor *op_ssm_scan_(struct tape *t, const struct scan *s);
struct tensor *op_wkv4_(struct tape *t, struct tensor *key, struct tensor *value, struct tensor *decay, struct tensor *first,
                        enum decay form, int group, int group_layer, int at);

/* wkv.c: states that are a matrix for each head, zero at the start; r, k, v [n, n_head * head].
 * wkv5: RWKV-5 and 6 (Peng et al. 2024): y = r S, then S = diag(w) S + k^T v; w from decay f32 [n, width] (its own for each
 *       row), [width] or [n_head]; state S [n_head, head (of k), head (of v)] -> y [n, width], without the bonus of the row itself.
 * bonus: v times the head's sum of r * k * u, u f32 [width] or [n_head] (u_is_log: exp(u)) -> [n, width].
 * wkv7: RWKV-7 (Peng et al. 2025): S = diag(w) S + (kk a)^T (-kk S) + k^T v, then y = r S; decay, kk and a [n, width]; state as wkv5.
 * ssd:  Mamba 2 (Dao & Gu 2024): x [n, n_head * head], dt [n, n_head], b and c [n, n_group * n_state] views, a (decay for dt = 1)
 *       and d f32 [n_head]; state h [n_head, n_state, head]: h = w^dt h + (dt b)^T x; y = c h + d x; dt is held in
 *       dt_min .. dt_max first -> [n, n_head * head]. */
struct wkv {
    struct tensor *r, *k, *v, *decay;
    struct tensor *kk, *a; /* wkv7 only */
    enum decay     form;
    int            n_head, group, group_layer, at;
};
struct tensor *op_wkv5_(struct tape *t, const struct wkv *w);
struct tensor *op_wkv7_(struct tape *t, const struct wkv *w);
struct tensor *op_bonus_(struct tape *t, struct tensor *r, struct tensor *k, struct tensor *v, struct tensor *u, int n_head, bool u_is_log);
struct ssd {
    struct tensor *x, *dt, *b, *c, *a, *d;
    enum decay     form;
    float          dt_min, dt_max;
    int            n_group, group, group_layer, at;
};
struct tensor *op_ssd_(struct tape *t, const struct ssd *s);

/* loss.c
 * cross_entropy: logits [n, n_class], labels i32 [n], negative ones are left out -> [1]: mean of -log p(label). */
struct tensor *op_cross_entropy_(struct tape *t, struct tensor *logits, struct tensor *labels);

/* gradient.c, linear.c: what rules are made of.
 * transpose: [a, b] -> [b, a]. sum_rows: [n, width] -> [width]. scatter_rows: rows of x added to row index[i] -> [n_rows, width].
 * The _back ops give the gradient of the op's first input (attention: of q, k and v side by side) from that of its output. */
struct tensor *op_transpose_(struct tape *t, struct tensor *x);
struct tensor *op_sum_rows_(struct tape *t, struct tensor *x);
struct tensor *op_scatter_rows_(struct tape *t, struct tensor *x, struct tensor *index, int64_t n_rows);

/* Appends the reverse walk: from loss f32 [1] back to the tensors `of` (weights or activations); grads[i] has the shape of of[i].
 * seed f32 [1]: the gradient of the loss itself, 1. */
int gradient_record(struct tape *t, struct tensor *loss, struct tensor *seed, struct tensor *const *of, int n, struct tensor **grads, struct hearth_error *err);

/* Model code calls these, so that a record knows the line that asked for it. */
#define op_embed(t, ...)       op_embed_(TAPE_HERE(t), __VA_ARGS__)
#define op_linear(t, ...)      op_linear_(TAPE_HERE(t), __VA_ARGS__)
#define op_heads(t, ...)       op_heads_(TAPE_HERE(t), __VA_ARGS__)
#define op_experts(t, ...)     op_experts_(TAPE_HERE(t), __VA_ARGS__)
#define op_patches(t, ...)     op_patches_(TAPE_HERE(t), __VA_ARGS__)
#define op_route(t, ...)       op_route_(TAPE_HERE(t), __VA_ARGS__)
#define op_combine(t, ...)     op_combine_(TAPE_HERE(t), __VA_ARGS__)
#define op_add(t, ...)         op_add_(TAPE_HERE(t), __VA_ARGS__)
#define op_mul(t, ...)         op_mul_(TAPE_HERE(t), __VA_ARGS__)
#define op_scale(t, ...)       op_scale_(TAPE_HERE(t), __VA_ARGS__)
#define op_clamp(t, ...)       op_clamp_(TAPE_HERE(t), __VA_ARGS__)
#define op_softcap(t, ...)     op_softcap_(TAPE_HERE(t), __VA_ARGS__)
#define op_clamped_glu(t, ...) op_clamped_glu_(TAPE_HERE(t), __VA_ARGS__)
#define op_waves(t, ...)       op_waves_(TAPE_HERE(t), __VA_ARGS__)
#define op_waves_at(t, ...)    op_waves_at_(TAPE_HERE(t), __VA_ARGS__)
#define op_mix(t, ...)         op_mix_(TAPE_HERE(t), __VA_ARGS__)
#define op_activate(t, ...)    op_activate_(TAPE_HERE(t), __VA_ARGS__)
#define op_concat(t, ...)      op_concat_(TAPE_HERE(t), __VA_ARGS__)
#define op_rows(t, ...)        op_rows_(TAPE_HERE(t), __VA_ARGS__)
#define op_mean_rows(t, ...)   op_mean_rows_(TAPE_HERE(t), __VA_ARGS__)
#define op_rms_norm(t, ...)    op_rms_norm_(TAPE_HERE(t), __VA_ARGS__)
#define op_l2_norm(t, ...)     op_l2_norm_(TAPE_HERE(t), __VA_ARGS__)
#define op_bonus(t, ...)       op_bonus_(TAPE_HERE(t), __VA_ARGS__)
#define op_wkv5(t, ...)        op_wkv5_(TAPE_HERE(t), __VA_ARGS__)
#define op_wkv7(t, ...)        op_wkv7_(TAPE_HERE(t), __VA_ARGS__)
#define op_ssd(t, ...)         op_ssd_(TAPE_HERE(t), __VA_ARGS__)
#define op_layer_norm(t, ...)  op_layer_norm_(TAPE_HERE(t), __VA_ARGS__)
#define op_rope_table(t, ...)  op_rope_table_(TAPE_HERE(t), __VA_ARGS__)
#define op_rope(t, ...)        op_rope_(TAPE_HERE(t), __VA_ARGS__)
#define op_cache_store(t, ...) op_cache_store_(TAPE_HERE(t), __VA_ARGS__)
#define op_attention(t, ...)   op_attention_(TAPE_HERE(t), __VA_ARGS__)
#define op_token_shift(t, ...) op_token_shift_(TAPE_HERE(t), __VA_ARGS__)
#define op_conv_state(t, ...)  op_conv_state_(TAPE_HERE(t), __VA_ARGS__)
#define op_ssm_scan(t, ...)    op_ssm_scan_(TAPE_HERE(t), __VA_ARGS__)
#define op_cross_entropy(t, ...) op_cross_entropy_(TAPE_HERE(t), __VA_ARGS__)
#define op_wkv4(t, ...)        op_wkv4_(TAPE_HERE(t), __VA_ARGS__)

#endif
