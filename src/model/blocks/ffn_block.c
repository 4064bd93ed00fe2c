/* Feed-forward blocks. */
#include "model/blocks/blocks.h"

struct tensor *ffn_dense(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    (void)m;
    struct tensor *h = op_linear(t, l->w.ffn_up, x, l->w.ffn_up_bias);
    return op_linear(t, l->w.ffn_down, op_activate(t, l->arch->act, h, NULL), l->w.ffn_down_bias);
}

/* act(gate) * up: SwiGLU and its relatives (Shazeer 2020). */
static struct tensor *gated(struct tape *t, const struct arch *a, struct tensor *x, struct tensor *gate, struct tensor *gate_bias,
                            struct tensor *up, struct tensor *up_bias)
{
    return op_activate(t, a->act, op_linear(t, gate, x, gate_bias), op_linear(t, up, x, up_bias));
}

/* A gate of two parts, of which one has no activation: act(gate) * up * linear; linear NULL: it has one part. */
static struct tensor *gated_twice(struct tape *t, struct tensor *h, struct tensor *linear, struct tensor *x)
{
    return linear ? op_mul(t, h, op_linear(t, linear, x, NULL)) : h;
}

struct tensor *ffn_gated(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    (void)m;
    const struct layer_weights *w = &l->w;
    struct tensor *h = gated(t, l->arch, x, w->ffn_gate, w->ffn_gate_bias, w->ffn_up, w->ffn_up_bias);
    return op_linear(t, w->ffn_down, gated_twice(t, h, w->ffn_gate_linear, x), w->ffn_down_bias);
}

struct tensor *ffn_extra(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    (void)m;
    const struct layer_weights *w = &l->w;
    struct tensor *h = gated(t, l->arch, x, w->extra_gate, NULL, w->extra_up, NULL);
    return op_linear(t, w->extra_down, gated_twice(t, h, w->extra_gate_linear, x), NULL);
}

/* Every second value of the last dim, from the first or the second on: a view. */
static struct tensor *every_second(struct tape *t, struct tensor *x, int which)
{
    return tape_view(t, x, which * (int64_t)sizeof(float), 3, (int64_t[]){ x->dim[0], x->dim[1], x->dim[2] / 2 },
                     (int64_t[]){ x->stride[0], x->stride[1], 2 * (int64_t)sizeof(float) });
}

/* act(gate) * up of the chosen experts [n, k, expert width]. */
static struct tensor *gated_experts(struct tape *t, const struct arch *a, const struct layer_weights *w, struct tensor *x, struct tensor *ids)
{
    struct tensor *gate, *up;
    if (w->expert_gate_up) {
        struct tensor *both = op_experts(t, w->expert_gate_up, x, ids, w->expert_gate_up_bias);
        if (t->status) return x;
        gate = every_second(t, both, 0);
        up = every_second(t, both, 1);
    } else {
        gate = op_experts(t, w->expert_gate, x, ids, w->expert_gate_bias);
        up = op_experts(t, w->expert_up, x, ids, w->expert_up_bias);
    }
    if (a->glu_limit != 0.0f) return op_clamped_glu(t, gate, up, a->glu_limit, a->glu_alpha);
    struct tensor *h = op_activate(t, a->act, gate, up);
    return w->expert_gate_linear ? op_mul(t, h, op_experts(t, w->expert_gate_linear, x, ids, NULL)) : h;
}

/* What every token passes; some weigh it by a sigmoid of the state. */
static struct tensor *shared_expert(struct tape *t, const struct arch *a, const struct layer_weights *w, struct tensor *x)
{
    struct tensor *y = op_linear(t, w->shared_down, gated(t, a, x, w->shared_gate, NULL, w->shared_up, NULL), NULL);
    if (!w->shared_router) return y;
    struct tensor *weight = op_activate(t, ACT_SIGMOID, op_linear(t, w->shared_router, x, NULL), NULL);
    if (t->status) return y;
    return op_combine(t, tape_reshape(t, y, 3, (int64_t[]){ y->dim[0], 1, y->dim[1] }), weight);
}

struct tensor *ffn_experts(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const struct layer_weights *w = &l->w;
    const struct route how = { .k = a->n_expert_used, .sigmoid = a->expert_sigmoid, .normalize = a->expert_normalize,
                               .scale = a->expert_scale != 0.0f ? a->expert_scale : 1.0f, .bias = w->router_bias,
                               .groups = a->expert_groups, .group_k = a->expert_groups_used, .group_best = a->expert_group_best };
    struct tensor *ids, *weights = op_route(t, op_linear(t, w->router, x, w->router_linear_bias), &how, &ids);
    struct tensor *y = op_experts(t, w->expert_down, gated_experts(t, a, w, x, ids), ids, w->expert_down_bias);
    y = op_combine(t, y, weights);
    return w->shared_up ? op_add(t, y, shared_expert(t, a, w, x)) : y;
}
