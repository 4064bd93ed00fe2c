/* The decoder: embeddings, layers of (mixer, cross, ffn), head. Every decoder family goes through here. */
#include "model/blocks/blocks.h"

static struct tensor *embed(struct tape *t, const struct model *m, const struct step *s)
{
    const struct arch *a = &m->arch;
    struct tensor *x = op_embed(t, m->w.embed, s->ids);
    if (m->w.project_in) x = op_linear(t, m->w.project_in, x, NULL);
    if (a->embed_scale != 0.0f) x = op_scale(t, x, a->embed_scale);
    if (a->position == POSITION_LEARNED) x = op_add(t, x, op_embed(t, m->w.position, s->positions));
    if (a->position == POSITION_WAVES) x = op_add(t, x, op_waves(t, m->waves, s->ids, a->position_offset));
    if (a->embed_norm_inside) tape_name(x, "hidden", 0);
    if (m->w.embed_norm) x = block_norm(t, a, x, m->w.embed_norm, m->w.embed_norm_bias);
    return x;
}

/* The norm before a branch; architectures that normalise elsewhere have none. */
static struct tensor *norm_before(struct tape *t, const struct arch *a, struct tensor *x, struct tensor *w, struct tensor *b)
{
    return a->residual == RESIDUAL_POST || (!w && !a->norm_bare) ? x : block_norm(t, a, x, w, b);
}

/* The state with what a branch adds, normalised and scaled where the architecture says so. */
static struct tensor *add_branch(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x, struct tensor *y,
                                 struct tensor *post_norm, struct tensor *w, struct tensor *b)
{
    if (post_norm) y = block_norm(t, &m->arch, y, post_norm, NULL);
    x = op_add(t, x, l->branch_scale != 1.0f ? op_scale(t, y, l->branch_scale) : y);
    return m->arch.residual == RESIDUAL_POST ? block_norm(t, &m->arch, x, w, b) : x;
}

/* Both branches see the same state. */
static struct tensor *parallel_layer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct layer_weights *w = &l->w;
    struct tensor *h = block_norm(t, &m->arch, x, w->mixer_norm, w->mixer_norm_bias);
    struct tensor *y = mixer_table[l->mixer].record(t, m, l, s, h);
    if (w->ffn_norm) h = block_norm(t, &m->arch, x, w->ffn_norm, w->ffn_norm_bias);
    return add_branch(t, m, l, x, op_add(t, y, ffn_table[l->ffn].record(t, m, l, h)), NULL, NULL, NULL);
}

static struct tensor *decoder_layer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const struct layer_weights *w = &l->w;
    if (a->residual == RESIDUAL_PARALLEL) return parallel_layer(t, m, l, s, x);
    struct tensor *h = norm_before(t, a, x, w->mixer_norm, w->mixer_norm_bias), *y = mixer_table[l->mixer].record(t, m, l, s, h);
    if (a->residual == RESIDUAL_NORMED) x = h;
    x = add_branch(t, m, l, x, y, w->mixer_post_norm, w->mixer_norm, w->mixer_norm_bias);
    if (l->cross_layer >= 0) {
        y = attention_cross(t, m, l, norm_before(t, a, x, w->cross_norm, w->cross_norm_bias));
        x = add_branch(t, m, l, x, y, NULL, w->cross_norm, w->cross_norm_bias);
    }
    if (l->ffn != FFN_NONE) {
        h = norm_before(t, a, x, w->ffn_norm, w->ffn_norm_bias);
        y = ffn_table[l->ffn].record(t, m, l, h);
        if (a->residual == RESIDUAL_NORMED) x = h;
        x = add_branch(t, m, l, x, y, w->ffn_post_norm, w->ffn_norm, w->ffn_norm_bias);
    }
    return l->halve ? op_scale(t, x, 0.5f) : x;
}

/* From the last state of the rows that are wanted to their logits. */
static struct tensor *head(struct tape *t, const struct model *m, struct tensor *x)
{
    const struct arch *a = &m->arch;
    if (m->w.norm && a->final_eps != 0.0f) x = op_layer_norm(t, x, m->w.norm, m->w.norm_bias, a->final_eps);
    else if (m->w.norm || (a->norm_bare && a->residual != RESIDUAL_POST)) x = block_norm(t, a, x, m->w.norm, m->w.norm_bias);
    if (m->w.project_out) x = op_linear(t, m->w.project_out, x, NULL);
    x = tape_name(x, "hidden", a->n_layer);
    if (a->head_scale != 0.0f) x = op_scale(t, x, a->head_scale);
    x = op_linear(t, m->w.head, x, m->w.head_bias);
    if (a->head_softcap != 0.0f) x = op_softcap(t, x, a->head_softcap);
    return tape_name(x, "logits", -1);
}

struct tensor *decoder_record(struct tape *t, const struct model *m, struct step *s)
{
    const struct arch *a = &m->arch;
    for (int i = 0; i < MODEL_ROPES; i++)
        s->rope[i] = s->frequencies[i] ? op_rope_table(t, s->frequencies[i], s->set, m->rope_scale[i]) : NULL;
    const bool first_is_hidden = !a->hidden_skip && !a->embed_norm_inside;
    struct tensor *carried = NULL, *x = tape_name(embed(t, m, s), first_is_hidden ? "hidden" : "embedding", first_is_hidden ? 0 : -1);
    s->carried = &carried;
    for (int i = 0; i < a->n_layer; i++) {
        t->layer = i;
        x = tape_name(decoder_layer(t, m, &m->layer[i], s, x), "hidden", i + 1 - a->hidden_skip);
    }
    t->layer = -1;
    if (!a->hidden_skip) tape_name(x, "last_layer", -1); /* the reference's last hidden state is the normalised one */
    if (s->want) x = op_rows(t, x, s->want);
    return head(t, m, x);
}
