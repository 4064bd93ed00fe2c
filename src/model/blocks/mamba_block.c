/* The mixers of Mamba (Gu & Dao 2023) and Mamba 2 (Dao & Gu 2024). Mamba's state of a layer: the last kernel - 1 inputs of the convolution [kernel - 1, inner], then the
 * state space [inner, n_state]. */
#include "model/blocks/blocks.h"

int64_t mamba_state_width(const struct arch *a) { return (int64_t)a->rnn_width * (a->conv_kernel - 1 + a->n_state); }

struct tensor *mamba_mixer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const struct layer_weights *w = &l->w;
    const int64_t inner = a->rnn_width, rank = a->dt_rank, n_state = a->n_state;
    (void)s;
    struct tensor *xz = op_linear(t, w->mamba_in, x, w->mamba_in_bias); /* [n, x: inner | gate: inner] */
    struct tensor *h = op_conv_state(t, tape_columns(t, xz, 0, inner), w->mamba_conv, w->mamba_conv_bias, l->group, l->group_layer, 0);
    h = op_activate(t, a->act, h, NULL);
    struct tensor *p = op_linear(t, w->mamba_x, h, NULL); /* [n, dt: rank | b: n_state | c: n_state] */
    struct tensor *dt = op_activate(t, ACT_SOFTPLUS, op_linear(t, w->mamba_dt, tape_columns(t, p, 0, rank), w->mamba_dt_bias), NULL);
    struct tensor *y = op_ssm_scan(t, &(struct scan){
        .x = h, .dt = dt, .b = tape_columns(t, p, rank, n_state), .c = tape_columns(t, p, rank + n_state, n_state), .a_log = w->mamba_a_log,
        .d = w->mamba_d, .form = a->decay, .group = l->group, .group_layer = l->group_layer, .at = (int)(inner * (a->conv_kernel - 1)) });
    return op_linear(t, w->mamba_out, op_activate(t, ACT_SILU, tape_columns(t, xz, inner, inner), y), w->mamba_out_bias);
}

/* What goes through the convolution: x [inner], then b and c, each [groups, n_state]. */
static int64_t conv_width(const struct arch *a) { return (int64_t)a->rnn_width + 2 * (int64_t)a->state_groups * a->n_state; }

/* A layer's state: the last kernel - 1 inputs of the convolution, then [heads, n_state, head]. */
int64_t mamba2_state_width(const struct arch *a)
{
    return conv_width(a) * (a->conv_kernel - 1) + (int64_t)a->rnn_width * a->n_state;
}

/* The norm of Mamba 2: gated, then over each group. */
static struct tensor *group_norm(struct tape *t, const struct arch *a, struct tensor *y, struct tensor *w)
{
    const int64_t n = y->dim[0], inner = a->rnn_width, groups = a->state_groups;
    y = op_rms_norm(t, tape_reshape(t, y, 3, (int64_t[]){ n, groups, inner / groups }), NULL, a->norm_eps);
    return op_mul(t, tape_reshape(t, y, 2, (int64_t[]){ n, inner }), w);
}

struct tensor *mamba2_mixer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const struct layer_weights *w = &l->w;
    const int64_t inner = a->rnn_width, conv = conv_width(a), states = (int64_t)a->state_groups * a->n_state;
    (void)s;
    struct tensor *p = op_linear(t, w->ssd_in, x, w->ssd_in_bias); /* [n, gate: inner | conv | dt: heads] */
    struct tensor *h = op_conv_state(t, tape_columns(t, p, inner, conv), w->ssd_conv, w->ssd_conv_bias, l->group, l->group_layer, 0);
    h = op_activate(t, a->act, h, NULL);
    struct tensor *dt = op_activate(t, ACT_SOFTPLUS, op_add(t, tape_columns(t, p, inner + conv, a->n_head), w->ssd_dt_bias), NULL);
    struct tensor *y = op_ssd(t, &(struct ssd){
        .x = tape_columns(t, h, 0, inner), .dt = dt, .b = tape_columns(t, h, inner, states), .c = tape_columns(t, h, inner + states, states),
        .a = w->ssd_a, .d = w->ssd_d, .form = a->decay, .dt_min = a->dt_min, .dt_max = a->dt_max, .n_group = a->state_groups,
        .group = l->group, .group_layer = l->group_layer, .at = (int)(conv * (a->conv_kernel - 1)) });
    y = op_activate(t, ACT_SILU, tape_columns(t, p, 0, inner), y);
    return op_linear(t, w->mamba_out, group_norm(t, a, y, w->ssd_norm), w->mamba_out_bias);
}
