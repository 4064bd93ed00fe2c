/* The mixers of RWKV-5, 6 (Peng et al. 2024) and 7 (Peng et al. 2025). A layer's state: shifted row of the mixer [width], of the
 * channel mix [width], then a matrix for each head [heads, head, head]. */
#include "model/blocks/blocks.h"

int64_t wkv_state_width(const struct arch *a) { return 2 * (int64_t)a->width + (int64_t)a->rnn_width * (a->rnn_width / a->n_head); }

/* Each head is normalised by itself; weight and bias are those of the whole width. */
static struct tensor *head_norm(struct tape *t, const struct arch *a, const struct layer_weights *w, struct tensor *y)
{
    const int64_t n = y->dim[0], width = a->rnn_width, heads = a->n_head;
    y = op_layer_norm(t, tape_reshape(t, y, 3, (int64_t[]){ n, heads, width / heads }), NULL, NULL, a->head_eps);
    return op_add(t, op_mul(t, tape_reshape(t, y, 2, (int64_t[]){ n, width }), w->time_norm), w->time_norm_bias);
}

static struct wkv wkv_of(const struct arch *a, const struct layer *l)
{
    return (struct wkv){ .form = a->decay, .n_head = a->n_head, .group = l->group, .group_layer = l->group_layer, .at = 2 * a->width };
}

/* 5.0 has a decay and a bonus for each head and no gate, 5.1 a gate, 5.2 also a decay and a bonus for each channel. */
struct tensor *rwkv5_mixer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const struct layer_weights *w = &l->w;
    (void)s;
    struct tensor *before = op_token_shift(t, x, l->group, l->group_layer, 0);
    struct wkv wkv = wkv_of(a, l);
    wkv.k = op_linear(t, w->time_key, op_mix(t, x, before, w->time_mix_key), NULL);
    wkv.v = op_linear(t, w->time_value, op_mix(t, x, before, w->time_mix_value), NULL);
    wkv.r = op_linear(t, w->time_receptance, op_mix(t, x, before, w->time_mix_receptance), NULL);
    wkv.decay = w->time_decay ? w->time_decay : w->time_head_decay;
    struct tensor *bonus = op_bonus(t, wkv.r, wkv.k, wkv.v, w->time_first ? w->time_first : w->time_head_first, a->n_head, a->bonus_log);
    struct tensor *y = head_norm(t, a, w, op_add(t, op_wkv5(t, &wkv), bonus));
    if (w->time_gate) y = op_activate(t, ACT_SILU, op_linear(t, w->time_gate, op_mix(t, x, before, w->time_mix_gate), NULL), y);
    return op_linear(t, w->time_out, y, NULL);
}

/* What the five inputs of RWKV-6 are mixed from: down [n, 5 * rank]. */
struct mixing {
    struct tensor *x, *before, *down;
    int64_t        rank;
};

/* Input i: how much of the previous row it takes depends on the row itself. */
static struct tensor *mixed(struct tape *t, const struct mixing *m, int i, struct tensor *up, struct tensor *w)
{
    struct tensor *share = op_linear(t, up, tape_columns(t, m->down, i * m->rank, m->rank), w);
    return op_mix(t, m->before, m->x, share);
}

struct tensor *rwkv6_mixer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const struct layer_weights *w = &l->w;
    (void)s;
    struct tensor *before = op_token_shift(t, x, l->group, l->group_layer, 0);
    struct tensor *down = op_activate(t, ACT_TANH, op_linear(t, w->time_mix_down, op_mix(t, before, x, w->time_mix_all), NULL), NULL);
    const struct mixing mix = { x, before, down, a->mix_rank };
    struct tensor *decay = op_linear(t, w->time_decay_down, mixed(t, &mix, 0, w->time_mix_up_decay, w->time_mix_decay), NULL);
    struct wkv wkv = wkv_of(a, l);
    wkv.decay = op_linear(t, w->time_decay_up, op_activate(t, ACT_TANH, decay, NULL), w->time_decay);
    wkv.k = op_linear(t, w->time_key, mixed(t, &mix, 1, w->time_mix_up_key, w->time_mix_key), NULL);
    wkv.v = op_linear(t, w->time_value, mixed(t, &mix, 2, w->time_mix_up_value, w->time_mix_value), NULL);
    wkv.r = op_linear(t, w->time_receptance, mixed(t, &mix, 3, w->time_mix_up_receptance, w->time_mix_receptance), NULL);
    struct tensor *gate = op_linear(t, w->time_gate, mixed(t, &mix, 4, w->time_mix_up_gate, w->time_mix_gate), NULL);
    struct tensor *bonus = op_bonus(t, wkv.r, wkv.k, wkv.v, w->time_first, a->n_head, false);
    struct tensor *y = head_norm(t, a, w, op_add(t, op_wkv5(t, &wkv), bonus));
    return op_linear(t, w->time_out, op_activate(t, ACT_SILU, gate, y), NULL);
}

static struct tensor *low_rank(struct tape *t, struct tensor *down, struct tensor *up, struct tensor *bias, enum activation fn, struct tensor *x)
{
    struct tensor *h = op_linear(t, down, x, NULL);
    return op_linear(t, up, fn == ACT_IDENTITY ? h : op_activate(t, fn, h, NULL), bias);
}

/* The first layer's values go to all others, which take a share of them. */
static struct tensor *carry_value(struct tape *t, const struct layer *l, const struct step *s, struct tensor *v, struct tensor *xv)
{
    const struct layer_weights *w = &l->w;
    if (l->index == 0) *s->carried = v;
    if (l->index == 0) return v;
    struct tensor *share = low_rank(t, w->time_carry_down, w->time_carry_up, w->time_carry, ACT_IDENTITY, xv);
    return op_mix(t, *s->carried, v, op_activate(t, ACT_SIGMOID, share, NULL));
}

struct tensor *rwkv7_mixer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const struct layer_weights *w = &l->w;
    const int64_t n = x->dim[0], heads = a->n_head, width = a->rnn_width;
    struct tensor *before = op_token_shift(t, x, l->group, l->group_layer, 0);
    struct tensor *xv = op_mix(t, before, x, w->time_mix_value);
    struct tensor *decay = low_rank(t, w->time_decay_down, w->time_decay_up, w->time_decay, ACT_TANH, op_mix(t, before, x, w->time_mix_decay));
    struct tensor *rate = low_rank(t, w->time_rate_down, w->time_rate_up, w->time_rate, ACT_IDENTITY, op_mix(t, before, x, w->time_mix_rate));
    struct tensor *gate = low_rank(t, w->time_gate_down, w->time_gate_up, NULL, ACT_SIGMOID, op_mix(t, before, x, w->time_mix_gate));
    struct tensor *k = op_linear(t, w->time_key, op_mix(t, before, x, w->time_mix_key), NULL);
    struct wkv wkv = wkv_of(a, l);
    wkv.decay = op_scale(t, op_activate(t, ACT_SIGMOID, decay, NULL), -0.60653065971263342f); /* e^-0.5: no decay is below 0.545 */
    wkv.a = op_activate(t, ACT_SIGMOID, rate, NULL);
    wkv.r = op_linear(t, w->time_receptance, op_mix(t, before, x, w->time_mix_receptance), NULL);
    wkv.v = carry_value(t, l, s, op_linear(t, w->time_value, xv, NULL), xv);
    wkv.kk = op_l2_norm(t, tape_reshape(t, op_mul(t, k, w->time_key_scale), 3, (int64_t[]){ n, heads, width / heads }), 1e-12f);
    wkv.kk = tape_reshape(t, wkv.kk, 2, (int64_t[]){ n, width });
    wkv.k = op_mix(t, op_mul(t, k, wkv.a), k, w->time_key_rate);
    struct tensor *y = head_norm(t, a, w, op_wkv7(t, &wkv));
    y = op_add(t, y, op_bonus(t, wkv.r, wkv.k, wkv.v, w->time_first, a->n_head, false));
    return op_linear(t, w->time_out, op_mul(t, y, gate), NULL);
}
