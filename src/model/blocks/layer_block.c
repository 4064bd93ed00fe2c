/* What decoder and encoder share: the first state, and a layer of (mixer, cross, ffn). */
#include "model/blocks/blocks.h"

void block_ropes(struct tape *t, const struct model *m, struct step *s)
{
    for (int i = 0; i < MODEL_ROPES; i++)
        s->rope[i] = s->frequencies[i] ? op_rope_table(t, s->frequencies[i], s->set, m->rope_scale[i]) : NULL;
}

struct tensor *block_embed(struct tape *t, const struct model *m, const struct step *s, const struct embedding *e)
{
    const struct arch *a = e->arch;
    struct tensor *x = op_embed(t, e->tokens, s->ids);
    if (m->w.project_in && !a->project_last) x = op_linear(t, m->w.project_in, x, m->w.project_in_bias);
    if (a->embed_scale != 0.0f) x = op_scale(t, x, a->embed_scale);
    if (m->w.types) x = op_add(t, x, op_embed(t, m->w.types, s->types));
    if (a->position == POSITION_LEARNED) x = op_add(t, x, op_embed(t, e->position, s->positions));
    if (a->position == POSITION_WAVES)
        x = op_add(t, x, a->pad_positions ? op_waves_at(t, m->waves, s->positions, a->pad) : op_waves(t, m->waves, s->ids, a->position_offset));
    if (a->embed_norm_inside) tape_name(x, "hidden", 0);
    if (e->norm) x = block_norm(t, a, x, e->norm, e->norm_bias);
    return m->w.project_in && a->project_last ? op_linear(t, m->w.project_in, x, m->w.project_in_bias) : x;
}

/* The norm before a branch; architectures that normalise elsewhere have none. */
static struct tensor *norm_before(struct tape *t, const struct arch *a, struct tensor *x, struct tensor *w, struct tensor *b)
{
    return a->residual == RESIDUAL_POST || (!w && !a->norm_bare) ? x : block_norm(t, a, x, w, b);
}

/* The state with what a branch adds, normalised and scaled where the architecture says so. */
static struct tensor *add_branch(struct tape *t, const struct layer *l, struct tensor *x, struct tensor *y, struct tensor *post_norm,
                                 struct tensor *w, struct tensor *b)
{
    if (post_norm) y = block_norm(t, l->arch, y, post_norm, NULL);
    x = op_add(t, x, l->branch_scale != 1.0f ? op_scale(t, y, l->branch_scale) : y);
    return l->arch->residual == RESIDUAL_POST ? block_norm(t, l->arch, x, w, b) : x;
}

/* All branches see the same state. */
static struct tensor *parallel_layer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct layer_weights *w = &l->w;
    struct tensor *h = block_norm(t, l->arch, x, w->mixer_norm, w->mixer_norm_bias);
    struct tensor *y = mixer_table[l->mixer].record(t, m, l, s, h);
    if (l->cross_layer >= 0) y = op_add(t, y, attention_cross(t, m, l, s, h));
    if (w->ffn_norm) h = block_norm(t, l->arch, x, w->ffn_norm, w->ffn_norm_bias);
    return add_branch(t, l, x, op_add(t, y, ffn_table[l->ffn].record(t, m, l, h)), NULL, NULL, NULL);
}

struct tensor *block_layer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = l->arch;
    const struct layer_weights *w = &l->w;
    if (a->residual == RESIDUAL_PARALLEL) return parallel_layer(t, m, l, s, x);
    struct tensor *h = norm_before(t, a, x, w->mixer_norm, w->mixer_norm_bias), *y = mixer_table[l->mixer].record(t, m, l, s, h);
    if (a->residual == RESIDUAL_NORMED) x = h;
    x = add_branch(t, l, x, y, w->mixer_post_norm, w->mixer_norm, w->mixer_norm_bias);
    if (l->cross_layer >= 0) {
        y = attention_cross(t, m, l, s, norm_before(t, a, x, w->cross_norm, w->cross_norm_bias));
        x = add_branch(t, l, x, y, NULL, w->cross_norm, w->cross_norm_bias);
    }
    if (l->ffn != FFN_NONE) {
        h = norm_before(t, a, x, w->ffn_norm, w->ffn_norm_bias);
        y = ffn_table[l->ffn].record(t, m, l, h);
        if (a->residual == RESIDUAL_NORMED) x = h;
        x = add_branch(t, l, x, y, w->ffn_post_norm, w->ffn_norm, w->ffn_norm_bias);
    }
    if (w->extra_up) x = add_branch(t, l, x, ffn_extra(t, m, l, norm_before(t, a, x, w->extra_norm, NULL)), NULL, NULL, NULL);
    return l->halve ? op_scale(t, x, 0.5f) : x;
}
