/* Attention blocks: self (causal and cached, or over the whole step in encoders) and cross. */
#include <math.h>
#include <stdlib.h>

#include "model/blocks/blocks.h"

struct tensor *attention_mixer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const bool cached = l->group >= 0 && !s->whole;
    struct tensor *q = op_linear(t, l->w.attn_q, x, l->w.attn_q_bias);
    struct tensor *k = op_linear(t, l->w.attn_k, x, l->w.attn_k_bias);
    struct tensor *v = op_linear(t, l->w.attn_v, x, l->w.attn_v_bias);
    if (s->rope) {
        q = op_rope(t, q, s->rope, a->key_width, a->rope.interleaved);
        k = op_rope(t, k, s->rope, a->key_width, a->rope.interleaved);
    }
    if (cached) op_cache_store(t, l->group, l->group_layer, k, v);
    struct tensor *y = op_attention(t, &(struct attention){
        .q = q, .k = cached ? NULL : k, .v = cached ? NULL : v, .bias = l->group >= 0 ? m->buckets : m->encoder_buckets,
        .group = l->group, .group_layer = l->group_layer, .n_head = a->n_head, .n_kv = a->n_kv, .scale = l->attn_scale, .causal = l->group >= 0 });
    return op_linear(t, l->w.attn_out, y, l->w.attn_out_bias);
}

/* Keys and values of the source were stored when it was encoded. */
struct tensor *attention_cross(struct tape *t, const struct model *m, const struct layer *l, struct tensor *x)
{
    const struct arch *a = &m->arch;
    struct tensor *q = op_linear(t, l->w.cross_q, x, NULL);
    struct tensor *y = op_attention(t, &(struct attention){
        .q = q, .group = m->cross_group, .group_layer = l->cross_layer, .n_head = a->n_head, .n_kv = a->n_kv, .scale = l->attn_scale });
    return op_linear(t, l->w.cross_out, y, NULL);
}

/* T5's bucket of a distance (key - query): half exact, half logarithmic, all beyond max_distance in the last. float32 as in the
 * reference, since a distance on a border must fall on the same side. */
static int bucket_of(const struct arch *a, int distance, bool bidirectional)
{
    int n = a->buckets, bucket = 0, d = distance < 0 ? -distance : 0;
    if (bidirectional) {
        n /= 2;
        bucket = distance > 0 ? n : 0;
        d = abs(distance);
    }
    const int exact = n / 2;
    if (d < exact) return bucket + d;
    const float ratio = logf((float)d / (float)exact) / (float)log((double)a->bucket_distance / exact);
    const int large = exact + (int)(ratio * (float)(n - exact));
    return bucket + (large < n - 1 ? large : n - 1);
}

void attention_buckets(const struct arch *a, const float *table, bool bidirectional, float *out)
{
    const int reach = a->bucket_distance, width = 2 * reach + 1;
    for (int d = -reach; d <= reach; d++) {
        const int bucket = bucket_of(a, d, bidirectional);
        for (int h = 0; h < a->n_head; h++) out[h * width + d + reach] = table[bucket * a->n_head + h];
    }
}
