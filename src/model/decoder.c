/* The decoder: embeddings, layers of (mixer, cross, ffn), head. Every decoder family goes through here. */
#include "model/blocks/blocks.h"

static struct tensor *embed(struct tape *t, const struct model *m, const struct step *s)
{
    struct tensor *x = op_embed(t, m->w.embed, s->ids);
    if (m->arch.position == POSITION_LEARNED) x = op_add(t, x, op_embed(t, m->w.position, s->positions));
    if (m->w.embed_norm) x = block_norm(t, &m->arch, x, m->w.embed_norm, m->w.embed_norm_bias);
    return x;
}

/* What a branch adds, scaled where the layer says so. */
static struct tensor *add_branch(struct tape *t, const struct layer *l, struct tensor *x, struct tensor *y)
{
    return op_add(t, x, l->branch_scale != 1.0f ? op_scale(t, y, l->branch_scale) : y);
}

static struct tensor *decoder_layer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    struct tensor *h = block_norm(t, a, x, l->w.mixer_norm, l->w.mixer_norm_bias);
    x = add_branch(t, l, x, mixer_table[l->mixer].record(t, m, l, s, h));
    if (l->cross_layer >= 0) {
        h = block_norm(t, a, x, l->w.cross_norm, l->w.cross_norm_bias);
        x = op_add(t, x, attention_cross(t, m, l, h));
    }
    if (l->ffn != FFN_NONE) {
        h = block_norm(t, a, x, l->w.ffn_norm, l->w.ffn_norm_bias);
        x = add_branch(t, l, x, ffn_table[l->ffn].record(t, m, l, h));
    }
    return l->halve ? op_scale(t, x, 0.5f) : x;
}

struct tensor *decoder_record(struct tape *t, const struct model *m, struct step *s)
{
    const struct arch *a = &m->arch;
    s->rope = s->frequencies ? op_rope_table(t, s->frequencies, s->set, m->rope_scale) : NULL;
    struct tensor *x = tape_name(embed(t, m, s), a->hidden_skip ? "embedding" : "hidden", a->hidden_skip ? -1 : 0);
    for (int i = 0; i < a->n_layer; i++) {
        t->layer = i;
        x = tape_name(decoder_layer(t, m, &m->layer[i], s, x), "hidden", i + 1 - a->hidden_skip);
    }
    t->layer = -1;
    if (!a->hidden_skip) tape_name(x, "last_layer", -1); /* the reference's last hidden state is the normalised one */
    if (s->want) x = op_rows(t, x, s->want);
    x = tape_name(block_norm(t, a, x, m->w.norm, m->w.norm_bias), "hidden", a->n_layer);
    if (a->head_scale != 0.0f) x = op_scale(t, x, a->head_scale);
    return tape_name(op_linear(t, m->w.head, x, NULL), "logits", -1);
}
