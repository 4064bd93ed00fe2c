/* Latent attention (DeepSeek-AI 2024): the cache holds one compressed key/value row and one rotary key for all heads. Queries
 * are moved into the compressed space (k_b), attention runs there as if all heads shared one key, and the result is expanded to
 * each head's value (v_b). The same sums as expanding every cached row, in another order. */
#include "model/blocks/blocks.h"

static struct tensor *latent_query(struct tape *t, const struct arch *a, const struct layer_weights *w, struct tensor *x)
{
    if (!a->q_rank) return op_linear(t, w->latent_q, x, NULL);
    struct tensor *c = op_linear(t, w->latent_q_a, x, w->latent_q_a_bias);
    return op_linear(t, w->latent_q_b, op_rms_norm(t, c, w->latent_q_norm, a->latent_eps), NULL);
}

struct tensor *latent_mixer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const struct layer_weights *w = &l->w;
    const int64_t n = x->dim[0], heads = a->n_head, nope = a->nope_width, part = a->rope.part, rank = a->kv_rank;
    struct tensor *q = latent_query(t, a, w, x); /* [n, heads * (nope + part)] */
    q = tape_reshape(t, q, 3, (int64_t[]){ n, heads, nope + part });
    struct tensor *q_turned = op_rope(t, tape_columns(t, q, nope, part), s->rope[l->rope], (int)part, a->rope.interleaved);
    struct tensor *q_latent = op_heads(t, w->latent_k_b, tape_columns(t, q, 0, nope)); /* [n, heads, rank] */
    q = op_concat(t, q_latent, tape_reshape(t, q_turned, 3, (int64_t[]){ n, heads, part }));

    struct tensor *kv = op_linear(t, w->latent_kv_a, x, w->latent_kv_a_bias); /* [n, rank + part] */
    struct tensor *c = op_rms_norm(t, tape_columns(t, kv, 0, rank), w->latent_kv_norm, a->latent_eps);
    struct tensor *k = op_concat(t, c, op_rope(t, tape_columns(t, kv, rank, part), s->rope[l->rope], (int)part, a->rope.interleaved));
    op_cache_store(t, l->group, l->group_layer, k, c);
    struct tensor *y = op_attention(t, &(struct attention){
        .q = tape_reshape(t, q, 2, (int64_t[]){ n, heads * (rank + part) }), .group = l->group, .group_layer = l->group_layer,
        .n_head = a->n_head, .n_kv = 1, .window = l->window, .scale = l->attn_scale, .causal = true });
    y = op_heads(t, w->latent_v_b, tape_reshape(t, y, 3, (int64_t[]){ n, heads, rank })); /* [n, heads, value] */
    return op_linear(t, w->latent_out, tape_reshape(t, y, 2, (int64_t[]){ n, heads * a->latent_value_width }), w->latent_out_bias);
}
