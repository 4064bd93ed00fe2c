/* RWKV-4's mixer, and the channel mix of all versions. A layer's state: shifted row of the mixer [width], of the channel mix
 * [width], then numerator, denominator and exponent of the mixer [3, rnn_width] (later versions: wkv_block.c). */
#include "model/blocks/blocks.h"

int64_t rwkv4_state_width(const struct arch *a) { return 2 * (int64_t)a->width + 3 * (int64_t)a->rnn_width; }

struct tensor *rwkv4_mixer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct layer_weights *w = &l->w;
    (void)s;
    struct tensor *before = op_token_shift(t, x, l->group, l->group_layer, 0);
    struct tensor *k = op_linear(t, w->time_key, op_mix(t, x, before, w->time_mix_key), NULL);
    struct tensor *v = op_linear(t, w->time_value, op_mix(t, x, before, w->time_mix_value), NULL);
    struct tensor *r = op_linear(t, w->time_receptance, op_mix(t, x, before, w->time_mix_receptance), NULL);
    struct tensor *y = op_wkv4(t, k, v, w->time_decay, w->time_first, m->arch.decay, l->group, l->group_layer, 2 * m->arch.width);
    return op_linear(t, w->time_out, op_activate(t, ACT_SIGMOID, r, y), NULL);
}

/* RWKV-7 has no receptance. */
struct tensor *rwkv_channel_mix(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    const struct layer_weights *w = &l->w;
    struct tensor *before = op_token_shift(t, x, l->group, l->group_layer, m->arch.width);
    struct tensor *now = m->arch.mix_previous ? before : x, *other = m->arch.mix_previous ? x : before;
    struct tensor *k = op_linear(t, w->channel_key, op_mix(t, now, other, w->channel_mix_key), NULL);
    struct tensor *r = w->channel_receptance ? op_linear(t, w->channel_receptance, op_mix(t, now, other, w->channel_mix_receptance), NULL) : NULL;
    struct tensor *v = op_linear(t, w->channel_value, op_activate(t, m->arch.act, k, NULL), NULL);
    return r ? op_activate(t, ACT_SIGMOID, r, v) : v;
}
