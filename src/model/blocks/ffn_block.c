/* Feed-forward blocks. */
#include "model/blocks/blocks.h"

struct tensor *ffn_dense(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    struct tensor *h = op_linear(t, l->w.ffn_up, x, l->w.ffn_up_bias);
    return op_linear(t, l->w.ffn_down, op_activate(t, m->arch.act, h, NULL), l->w.ffn_down_bias);
}

/* act(gate) * up: SwiGLU and its relatives (Shazeer 2020). */
static struct tensor *gated(struct tape *t, const struct arch *a, struct tensor *x, struct tensor *gate, struct tensor *gate_bias,
                            struct tensor *up, struct tensor *up_bias)
{
    return op_activate(t, a->act, op_linear(t, gate, x, gate_bias), op_linear(t, up, x, up_bias));
}

struct tensor *ffn_gated(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    const struct layer_weights *w = &l->w;
    return op_linear(t, w->ffn_down, gated(t, &m->arch, x, w->ffn_gate, w->ffn_gate_bias, w->ffn_up, w->ffn_up_bias), w->ffn_down_bias);
}

struct tensor *ffn_experts(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const struct layer_weights *w = &l->w;
    const struct route how = { .k = a->n_expert_used, .sigmoid = a->expert_sigmoid, .normalize = a->expert_normalize,
                               .scale = a->expert_scale != 0.0f ? a->expert_scale : 1.0f, .bias = w->router_bias,
                               .groups = a->expert_groups, .group_k = a->expert_groups_used };
    struct tensor *ids, *weights = op_route(t, op_linear(t, w->router, x, NULL), &how, &ids);
    struct tensor *gate = op_experts(t, w->expert_gate, x, ids);
    struct tensor *up = op_experts(t, w->expert_up, x, ids);
    struct tensor *y = op_combine(t, op_experts(t, w->expert_down, op_activate(t, a->act, gate, up), ids), weights);
    if (!w->shared_up) return y;
    return op_add(t, y, op_linear(t, w->shared_down, gated(t, a, x, w->shared_gate, NULL, w->shared_up, NULL), NULL));
}
