/* Attention blocks: self (causal and cached, or over the whole step in encoders) and cross. */
#include <math.h>
#include <stdlib.h>

#include "model/blocks/blocks.h"

/* Queries or keys [n, heads * width] with each head, or all of them, normalised. */
static struct tensor *normalize_heads(struct tape *t, const struct arch *a, struct tensor *x, struct tensor *w, struct tensor *b)
{
    const int64_t n = x->dim[0], width = x->dim[1];
    if (a->qk_norm == QK_NORM_NONE || !w) return x;
    if (a->qk_norm == QK_NORM_WIDTH) return block_norm(t, a, x, w, b);
    x = tape_reshape(t, x, 3, (int64_t[]){ n, width / a->key_width, a->key_width });
    if (a->qk_norm == QK_NORM_HEAD) return tape_reshape(t, block_norm(t, a, x, w, b), 2, (int64_t[]){ n, width });
    x = op_mul(t, tape_reshape(t, block_norm(t, a, x, NULL, NULL), 2, (int64_t[]){ n, width }), w);
    return b ? op_add(t, x, b) : x;
}

static struct tensor *project(struct tape *t, const struct arch *a, struct tensor *w, struct tensor *x, struct tensor *bias)
{
    struct tensor *y = op_linear(t, w, x, bias);
    return a->qkv_clip != 0.0f ? op_clamp(t, y, -a->qkv_clip, a->qkv_clip) : y;
}

struct tensor *attention_mixer(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = l->arch;
    const struct layer_weights *w = &l->w;
    const bool causal = l->group >= 0, cached = causal && !s->whole;
    struct tensor *q = normalize_heads(t, a, project(t, a, w->attn_q, x, w->attn_q_bias), w->attn_q_norm, w->attn_q_norm_bias);
    struct tensor *k = normalize_heads(t, a, project(t, a, w->attn_k, x, w->attn_k_bias), w->attn_k_norm, w->attn_k_norm_bias);
    struct tensor *v = project(t, a, w->attn_v, x, w->attn_v_bias), *rope = l->rope < 0 ? NULL : s->rope[l->rope];
    if (rope) {
        q = op_rope(t, q, rope, a->key_width, a->rope.interleaved);
        k = op_rope(t, k, rope, a->key_width, a->rope.interleaved);
    }
    if (cached) op_cache_store(t, l->group, l->group_layer, k, v);
    struct tensor *y = op_attention(t, &(struct attention){
        .q = q, .k = cached ? NULL : k, .v = cached ? NULL : v, .bias = l->bias, .slopes = m->slopes,
        .absolute_slopes = a->alibi_bf16, .sinks = w->attn_sinks, .group = l->group, .group_layer = l->group_layer,
        .n_head = a->n_head, .n_kv = a->n_kv, .window = l->window, .scale = l->attn_scale, .softcap = a->attn_softcap, .causal = causal });
    return op_linear(t, w->attn_out, y, w->attn_out_bias);
}

struct tensor *attention_cross_turn(struct tape *t, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = l->arch;
    return a->cross_rotary ? op_rope(t, x, s->rope[l->rope], a->key_width, a->rope.interleaved) : x;
}

/* Keys and values of the source were stored when it was encoded. */
struct tensor *attention_cross(struct tape *t, const struct model *m, const struct layer *l, const struct step *s, struct tensor *x)
{
    const struct arch *a = l->arch;
    struct tensor *q = attention_cross_turn(t, l, s, op_linear(t, l->w.cross_q, x, l->w.cross_q_bias));
    struct tensor *y = op_attention(t, &(struct attention){
        .q = q, .group = m->cross_group, .group_layer = l->cross_layer, .n_head = a->n_head, .n_kv = a->n_kv, .scale = l->attn_scale });
    return op_linear(t, l->w.cross_out, y, l->w.cross_out_bias);
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
