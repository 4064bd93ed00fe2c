/* Ops with a state that runs along a sequence. A unit of work is one sequence (token_shift) or a block of channels of one
 * sequence (wkv4), so rows are walked in order. */
#include "base/vmath.h"
#include "ops/ops_int.h"

#define CHANNELS 64 /* of one unit of wkv4 */

static bool state_fits(const struct tape *t, int group, int group_layer, int64_t floats)
{
    if (!t->ragged || group < 0 || group >= t->ragged->n_group) return false;
    const struct cache_group *g = &t->ragged->group[group];
    return g->kind == CACHE_STATE && group_layer >= 0 && group_layer < g->n_layer && floats <= g->state_width;
}

struct tensor *op_token_shift_(struct tape *t, struct tensor *x, int group, int group_layer, int at)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 2 || !state_fits(t, group, group_layer, at + x->dim[1])) return op_shapes(t, "token_shift", x, NULL);
    struct op_record *r = op_make(t, OP_TOKEN_SHIFT, x, NULL, NULL, 2, x->dim);
    if (r) memcpy(r->p.i, (int32_t[]){ group, group_layer, at }, 3 * sizeof(int32_t));
    return op_end(t, r);
}

int64_t token_shift_units(const struct op_record *r, const struct ragged *g)
{
    (void)r;
    return g->n_seq;
}

void token_shift_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const size_t bytes = (size_t)tensor_width(r->out[0]) * sizeof(float);
    for (int64_t i = begin; i < end; i++) {
        const struct ragged_seq *s = &g->seq[i];
        float *state = cache_state(&g->group[r->p.i[0]], s->slot, r->p.i[1]) + r->p.i[2];
        memcpy(ROW(r->out[0], s->first), state, bytes);
        for (int32_t j = 1; j < s->rows; j++) memcpy(ROW(r->out[0], s->first + j), ROW(r->in[0], s->first + j - 1), bytes);
        memcpy(state, ROW(r->in[0], s->first + s->rows - 1), bytes);
    }
}

struct tensor *op_wkv4_(struct tape *t, struct tensor *key, struct tensor *value, struct tensor *decay, struct tensor *first,
                        int group, int group_layer, int at)
{
    if (t->status) return key;
    const int64_t n = tensor_width(key);
    if (!op_is_f32(key) || !op_is_f32(value) || key->rank != 2 || !tensor_same_shape(key, value)) return op_shapes(t, "wkv4", key, value);
    if (!op_is_vector(decay, n) || !op_is_vector(first, n)) return op_shapes(t, "wkv4", key, decay);
    if (!state_fits(t, group, group_layer, at + 3 * n)) return op_shapes(t, "wkv4", key, NULL);
    struct op_record *r = op_make(t, OP_WKV4, key, value, decay, 2, key->dim);
    if (r) {
        r->in[3] = first;
        memcpy(r->p.i, (int32_t[]){ group, group_layer, at }, 3 * sizeof(int32_t));
    }
    return op_end(t, r);
}

static int64_t channel_blocks(const struct op_record *r) { return (tensor_width(r->out[0]) + CHANNELS - 1) / CHANNELS; }

int64_t wkv4_units(const struct op_record *r, const struct ragged *g) { return g->n_seq * channel_blocks(r); }

/* One row, channels [0, n). A stored exponent of 0 with denominator 0 is the empty state: the first key then sets the scale
 * (the references start at -1e38; a zeroed slot must mean the same). */
static void wkv4_row(float *restrict y, const float *k, const float *v, const float *decay, const float *first,
                     float *restrict num, float *restrict den, float *restrict ex, int n)
{
    for (int c = 0; c < n; c++) {
        const float old = den[c] == 0.0f ? -1e38f : ex[c];
        const float now = k[c] + first[c], top = old > now ? old : now;
        const float e1 = vexpf(old - top), e2 = vexpf(now - top);
        y[c] = (e1 * num[c] + e2 * v[c]) / (e1 * den[c] + e2);
        const float kept = old - vexpf(decay[c]), next = kept > k[c] ? kept : k[c];
        const float d1 = vexpf(kept - next), d2 = vexpf(k[c] - next);
        num[c] = d1 * num[c] + d2 * v[c];
        den[c] = d1 * den[c] + d2;
        ex[c] = next;
    }
}

void wkv4_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int64_t width = tensor_width(r->out[0]), blocks = channel_blocks(r);
    for (int64_t u = begin; u < end; u++) {
        const struct ragged_seq *s = &g->seq[u / blocks];
        const int64_t c = u % blocks * CHANNELS;
        const int n = (int)(width - c < CHANNELS ? width - c : CHANNELS);
        float *state = cache_state(&g->group[r->p.i[0]], s->slot, r->p.i[1]) + r->p.i[2] + c;
        const float *decay = (float *)r->in[2]->data + c, *first = (float *)r->in[3]->data + c;
        for (int32_t j = s->first; j < s->first + s->rows; j++)
            wkv4_row(ROW(r->out[0], j) + c, ROW(r->in[0], j) + c, ROW(r->in[1], j) + c, decay, first, state, state + width,
                     state + 2 * width, n);
    }
}
