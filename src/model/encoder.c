/* The encoder: layers over the whole text at once. For encoder-decoders the step ends by writing every decoder layer's cross
 * keys and values, so that decoding never sees the encoder again. */
#include "model/blocks/blocks.h"

static struct tensor *encoder_layer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    struct tensor *h = block_norm(t, a, x, l->w.mixer_norm, l->w.mixer_norm_bias);
    x = op_add(t, x, mixer_table[l->mixer].record(t, m, l, s, h));
    h = block_norm(t, a, x, l->w.ffn_norm, l->w.ffn_norm_bias);
    return op_add(t, x, ffn_table[l->ffn].record(t, m, l, h));
}

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

struct tensor *encoder_record(struct tape *t, const struct model *m, struct step *s)
{
    const struct arch *a = &m->arch;
    const char *name = a->n_layer ? "encoder_hidden" : "hidden";
    struct tensor *x = tape_name(a->patch ? embed_picture(t, m, s) : op_embed(t, m->w.embed, s->ids), name, 0);
    for (int i = 0; i < a->n_encoder_layer; i++) {
        t->layer = i;
        x = tape_name(encoder_layer(t, m, &m->encoder_layer[i], s, x), name, i + 1);
    }
    t->layer = -1;
    x = tape_name(block_norm(t, a, x, m->w.encoder_norm, m->w.encoder_norm_bias), a->n_layer ? "encoder_last_hidden_state" : "last_hidden_state", -1);
    for (int i = 0; i < a->n_layer && m->cross_group >= 0; i++) {
        const struct layer *l = &m->layer[i];
        t->layer = i;
        op_cache_store(t, m->cross_group, l->cross_layer, op_linear(t, l->w.cross_k, x, l->w.cross_k_bias),
                       op_linear(t, l->w.cross_v, x, l->w.cross_v_bias));
    }
    t->layer = -1;
    if (!m->w.classifier) return x;
    return tape_name(op_linear(t, m->w.classifier, op_rows(t, x, s->want), m->w.classifier_bias), "logits", -1);
}
