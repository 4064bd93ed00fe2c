/* The decoder: embeddings, layers of (mixer, cross, ffn), head. Every decoder family goes through here. */
#include "model/blocks/blocks.h"

/* From the last state of the rows that are wanted to their logits. */
static struct tensor *head(struct tape *t, const struct model *m, struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    if (m->w.norm && a->final_eps != 0.0f) x = op_layer_norm(t, x, m->w.norm, m->w.norm_bias, a->final_eps);
    else if (m->w.norm || (a->norm_bare && a->residual != RESIDUAL_POST)) x = block_norm(t, a, x, m->w.norm, m->w.norm_bias);
    if (m->w.project_out) x = op_linear(t, m->w.project_out, x, NULL);
    s->states = x = tape_name(x, "hidden", a->n_layer);
    if (s->headless) return x;
    if (a->head_scale != 0.0f) x = op_scale(t, x, a->head_scale);
    x = op_linear(t, m->w.head, x, m->w.head_bias);
    if (m->head_lengths) x = op_mul(t, x, m->head_lengths);
    if (a->head_softcap != 0.0f) x = op_softcap(t, x, a->head_softcap);
    return tape_name(x, "logits", -1);
}

struct tensor *decoder_record(struct tape *t, const struct model *m, struct step *s)
{
    const struct arch *a = &m->arch;
    const struct embedding e = { a, m->w.embed, m->w.position, m->w.embed_norm, m->w.embed_norm_bias };
    const bool first_is_hidden = !a->hidden_skip && !a->embed_norm_inside;
    block_ropes(t, m, s);
    struct tensor *carried = NULL, *x = tape_name(block_embed(t, m, s, &e), first_is_hidden ? "hidden" : "embedding", first_is_hidden ? 0 : -1);
    s->carried = &carried;
    for (int i = 0; i < a->n_layer; i++) {
        t->layer = i;
        x = tape_name(block_layer(t, m, &m->layer[i], s, x), "hidden", i + 1 - a->hidden_skip);
    }
    t->layer = -1;
    if (!a->hidden_skip) tape_name(x, "last_layer", -1); /* the reference's last hidden state is the normalised one */
    if (s->want) x = op_rows(t, x, s->want);
    return head(t, m, s, x);
}
