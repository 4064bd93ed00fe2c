/* Mamba's mixer (Gu & Dao 2023). A layer's state: the last kernel - 1 inputs of the convolution [kernel - 1, inner], then the
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
        .d = w->mamba_d, .group = l->group, .group_layer = l->group_layer, .at = (int)(inner * (a->conv_kernel - 1)) });
    return op_linear(t, w->mamba_out, op_activate(t, a->act, tape_columns(t, xz, inner, inner), y), w->mamba_out_bias);
}
