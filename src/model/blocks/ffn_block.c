/* Feed-forward blocks. */
#include "model/blocks/blocks.h"

struct tensor *ffn_dense(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    struct tensor *h = op_linear(t, l->w.ffn_up, x, l->w.ffn_up_bias);
    return op_linear(t, l->w.ffn_down, op_activate(t, m->arch.act, h, NULL), l->w.ffn_down_bias);
}

/* act(gate) * up: SwiGLU and its relatives (Shazeer 2020). */
struct tensor *ffn_gated(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    struct tensor *gate = op_linear(t, l->w.ffn_gate, x, l->w.ffn_gate_bias);
    struct tensor *up = op_linear(t, l->w.ffn_up, x, l->w.ffn_up_bias);
    return op_linear(t, l->w.ffn_down, op_activate(t, m->arch.act, gate, up), l->w.ffn_down_bias);
}

struct tensor *ffn_experts(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    struct tensor *ids, *logits = op_linear(t, l->w.router, x, NULL);
    struct tensor *weights = op_route(t, logits, m->arch.n_expert_used, m->arch.expert_normalize, &ids);
    struct tensor *gate = op_experts(t, l->w.expert_gate, x, ids);
    struct tensor *up = op_experts(t, l->w.expert_up, x, ids);
    struct tensor *y = op_experts(t, l->w.expert_down, op_activate(t, m->arch.act, gate, up), ids);
    return op_combine(t, y, weights);
}
