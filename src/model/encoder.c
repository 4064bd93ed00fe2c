/* The encoder: layers over the whole text at once. For encoder-decoders the step ends by writing every decoder layer's cross
 * keys and values, so that decoding never sees the encoder again. */
#include "model/blocks/blocks.h"

/* A picture's rows: the class row, then its patches from left to right, top to bottom. */
static struct tensor *embed_picture(struct tape *t, const struct model *m, const struct step *s)
{
    const int64_t width = m->arch.width;
    struct tensor *x = op_linear(t, m->w.patch, op_patches(t, s->picture, m->arch.patch), m->w.patch_bias);
    if (t->status) return x;
    const int64_t n = x->dim[0];
    x = op_concat(t, tape_reshape(t, m->w.class_row, 2, (int64_t[]){ 1, width }), tape_reshape(t, x, 2, (int64_t[]){ 1, n * width }));
    return op_add(t, tape_reshape(t, x, 2, (int64_t[]){ n + 1, width }), op_embed(t, m->w.position, s->positions));
}

/* Tables and norm of the encoder's embeddings; most models have one set. */
static struct embedding encoder_embedding(const struct model *m)
{
    const struct model_weights *w = &m->w;
    return (struct embedding){ &m->encoder, w->encoder_embed ? w->encoder_embed : w->embed,
                               w->encoder_position ? w->encoder_position : w->position,
                               w->encoder_embed_norm ? w->encoder_embed_norm : w->embed_norm,
                               w->encoder_embed_norm ? w->encoder_embed_norm_bias : w->embed_norm_bias };
}

static void write_cross(struct tape *t, const struct model *m, const struct step *s, struct tensor *x)
{
    if (m->w.cross_in) x = op_linear(t, m->w.cross_in, x, m->w.cross_in_bias);
    for (int i = m->arch.cross_first; i < m->arch.n_layer; i++) {
        const struct layer *l = &m->layer[i];
        t->layer = i;
        struct tensor *k = attention_cross_turn(t, l, s, op_linear(t, l->w.cross_k, x, l->w.cross_k_bias));
        op_cache_store(t, m->cross_group, l->cross_layer, k, op_linear(t, l->w.cross_v, x, l->w.cross_v_bias));
    }
    t->layer = -1;
}

/* Names are the reference's: its last state is the normalised one, where there is a last norm. */
struct tensor *encoder_record(struct tape *t, const struct model *m, struct step *s)
{
    const struct arch *a = &m->encoder;
    const char *name = a->n_layer ? "encoder_hidden" : "hidden", *last = a->n_layer ? "encoder_last_hidden_state" : "last_hidden_state";
    const struct embedding e = encoder_embedding(m);
    block_ropes(t, m, s);
    struct tensor *x = tape_name(a->patch ? embed_picture(t, m, s) : block_embed(t, m, s, &e), name, 0);
    for (int i = 0; i < a->n_encoder_layer; i++) {
        t->layer = i;
        x = tape_name(block_layer(t, m, &m->encoder_layer[i], s, x), name, i + 1);
    }
    t->layer = -1;
    if (m->w.encoder_norm) {
        tape_name(x, "last_layer", -1);
        x = block_norm(t, a, x, m->w.encoder_norm, m->w.encoder_norm_bias);
    }
    s->states = tape_name(x, last, -1);
    if (m->cross_group >= 0) write_cross(t, m, s, x);
    return s->headless ? x : block_head(t, m, s, x);
}
