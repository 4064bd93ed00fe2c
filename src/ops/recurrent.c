/* Ops with a state that runs along a sequence. A unit of work is one sequence (token_shift, conv_state) or a block of
 * channels of one sequence (wkv4, ssm_scan), so rows are walked in order. */
#include "base/vmath.h"
#include "ops/ops_int.h"

#define CHANNELS 64 /* of one unit */

bool op_state_fits(const struct tape *t, int group, int group_layer, int64_t floats)
{
    if (!t->ragged || group < 0 || group >= t->ragged->n_group) return false;
    const struct cache_group *g = &t->ragged->group[group];
    return g->kind == CACHE_STATE && group_layer >= 0 && group_layer < g->n_layer && floats <= g->state_width;
}

struct tensor *op_token_shift_(struct tape *t, struct tensor *x, int group, int group_layer, int at)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 2 || !op_state_fits(t, group, group_layer, at + x->dim[1])) return op_shapes(t, "token_shift", x, NULL);
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

/* Channels of a sequence are independent: a unit of work is CHANNELS of them. */
static int64_t channel_blocks(const struct op_record *r) { return (tensor_width(r->out[0]) + CHANNELS - 1) / CHANNELS; }

/* ---- Mamba */

struct tensor *op_conv_state_(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *bias, int group, int group_layer, int at)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 2 || !op_is_f32(w) || w->rank != 2 || w->dim[0] != x->dim[1] || w->dim[1] < 1) return op_shapes(t, "conv_state", x, w);
    if ((bias && !op_is_vector(bias, x->dim[1])) || !op_state_fits(t, group, group_layer, at + (w->dim[1] - 1) * x->dim[1])) return op_shapes(t, "conv_state", x, bias);
    struct op_record *r = op_make(t, OP_CONV_STATE, x, w, bias, 2, x->dim);
    if (r) memcpy(r->p.i, (int32_t[]){ group, group_layer, at }, 3 * sizeof(int32_t));
    return op_end(t, r);
}

int64_t conv_state_units(const struct op_record *r, const struct ragged *g)
{
    (void)r;
    return g->n_seq;
}

/* Row `j` of a sequence's input, counted from its first row of this step; negative ones are in the state [kernel - 1, width]. */
static const float *conv_input(const struct op_record *r, const struct ragged_seq *s, const float *state, int64_t j)
{
    const int64_t width = tensor_width(r->out[0]), kept = r->in[1]->dim[1] - 1;
    return j < 0 ? state + (kept + j) * width : ROW(r->in[0], s->first + j);
}

void conv_state_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int64_t width = tensor_width(r->out[0]), kernel = r->in[1]->dim[1], kept = kernel - 1;
    const float *bias = r->in[2] ? r->in[2]->data : NULL;
    for (int64_t i = begin; i < end; i++) {
        const struct ragged_seq *s = &g->seq[i];
        float *state = cache_state(&g->group[r->p.i[0]], s->slot, r->p.i[1]) + r->p.i[2];
        for (int64_t j = 0; j < s->rows; j++) {
            float *y = ROW(r->out[0], s->first + j);
            for (int64_t c = 0; c < width; c++) y[c] = bias ? bias[c] : 0.0f;
            for (int64_t k = 0; k < kernel; k++) {
                const float *x = conv_input(r, s, state, j - kept + k);
                for (int64_t c = 0; c < width; c++) y[c] += ROW(r->in[1], c)[k] * x[c];
            }
        }
        /* oldest first: a row moved down within the state is read before it is overwritten */
        for (int64_t k = 0; k < kept; k++) memcpy(state + k * width, conv_input(r, s, state, s->rows - kept + k), (size_t)width * sizeof *state);
    }
}

struct tensor *op_ssm_scan_(struct tape *t, const struct scan *a)
{
    if (t->status) return a->x;
    const int64_t n = tensor_width(a->x), n_state = tensor_width(a->b);
    if (!op_is_f32(a->x) || !op_is_f32(a->dt) || a->x->rank != 2 || !tensor_same_shape(a->x, a->dt)) return op_shapes(t, "ssm_scan", a->x, a->dt);
    if (!op_is_f32(a->b) || !op_is_f32(a->c) || !tensor_same_shape(a->b, a->c) || a->b->dim[0] != a->x->dim[0]) return op_shapes(t, "ssm_scan", a->b, a->c);
    if (!op_is_f32(a->a_log) || a->a_log->rank != 2 || a->a_log->dim[0] != n || a->a_log->dim[1] != n_state || !op_is_vector(a->d, n))
        return op_shapes(t, "ssm_scan", a->a_log, a->d);
    if (!op_state_fits(t, a->group, a->group_layer, a->at + n * n_state)) return op_shapes(t, "ssm_scan", a->x, NULL);
    struct op_record *r = op_make(t, OP_SSM_SCAN, a->x, a->dt, a->b, 2, a->x->dim);
    if (!r) return a->x;
    r->in[3] = a->c;
    r->in[4] = a->a_log;
    r->in[5] = a->d;
    memcpy(r->p.i, (int32_t[]){ a->group, a->group_layer, a->at, (int32_t)a->form }, 4 * sizeof(int32_t));
    return op_end(t, r);
}

int64_t ssm_scan_units(const struct op_record *r, const struct ragged *g) { return g->n_seq * channel_blocks(r); }

static float scan_channel(float *restrict h, const float *a, bool a_is_log, float x, float dt, const float *b, const float *c, int64_t n)
{
    float y = 0.0f;
    for (int64_t k = 0; k < n; k++) {
        h[k] = vexpf((a_is_log ? -vexpf(a[k]) : a[k]) * dt) * h[k] + dt * b[k] * x;
        y += h[k] * c[k];
    }
    return y;
}

void ssm_scan_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int64_t width = tensor_width(r->out[0]), n_state = r->in[4]->dim[1], blocks = channel_blocks(r);
    const float *d = r->in[5]->data;
    for (int64_t u = begin; u < end; u++) {
        const struct ragged_seq *s = &g->seq[u / blocks];
        float *state = cache_state(&g->group[r->p.i[0]], s->slot, r->p.i[1]) + r->p.i[2];
        const int64_t first = u % blocks * CHANNELS, last = first + CHANNELS < width ? first + CHANNELS : width;
        for (int64_t j = s->first; j < s->first + s->rows; j++)
            for (int64_t c = first; c < last; c++) {
                const float x = ROW(r->in[0], j)[c];
                ROW(r->out[0], j)[c] = scan_channel(state + c * n_state, ROW(r->in[4], c), r->p.i[3] != DECAY_LOG, x, ROW(r->in[1], j)[c], ROW(r->in[2], j), ROW(r->in[3], j), n_state) + d[c] * x;
            }
    }
}

/* ---- RWKV-4 */

struct tensor *op_wkv4_(struct tape *t, struct tensor *key, struct tensor *value, struct tensor *decay, struct tensor *first,
                        enum decay form, int group, int group_layer, int at)
{
    if (t->status) return key;
    const int64_t n = tensor_width(key);
    if (!op_is_f32(key) || !op_is_f32(value) || key->rank != 2 || !tensor_same_shape(key, value)) return op_shapes(t, "wkv4", key, value);
    if (!op_is_vector(decay, n) || !op_is_vector(first, n)) return op_shapes(t, "wkv4", key, decay);
    if (!op_state_fits(t, group, group_layer, at + 3 * n)) return op_shapes(t, "wkv4", key, NULL);
    struct op_record *r = op_make(t, OP_WKV4, key, value, decay, 2, key->dim);
    if (r) {
        r->in[3] = first;
        memcpy(r->p.i, (int32_t[]){ group, group_layer, at, (int32_t)form }, 4 * sizeof(int32_t));
    }
    return op_end(t, r);
}

int64_t wkv4_units(const struct op_record *r, const struct ragged *g) { return g->n_seq * channel_blocks(r); }

/* One row, channels [0, n). A stored exponent of 0 with denominator 0 is the empty state: the first key then sets the scale
 * (the references start at -1e38; a zeroed slot must mean the same). */
static void wkv4_row(float *restrict y, const float *k, const float *v, const float *log_decay, const float *first,
                     float *restrict num, float *restrict den, float *restrict ex, int n)
{
    for (int c = 0; c < n; c++) {
        const float old = den[c] == 0.0f ? -1e38f : ex[c];
        const float now = k[c] + first[c], top = old > now ? old : now;
        const float e1 = vexpf(old - top), e2 = vexpf(now - top);
        y[c] = (e1 * num[c] + e2 * v[c]) / (e1 * den[c] + e2);
        const float kept = old + log_decay[c], next = kept > k[c] ? kept : k[c];
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
        float log_decay[CHANNELS];
        for (int i = 0; i < n; i++) log_decay[i] = r->p.i[3] == DECAY_LOG ? decay[i] : -vexpf(decay[i]);
        for (int32_t j = s->first; j < s->first + s->rows; j++)
            wkv4_row(ROW(r->out[0], j) + c, ROW(r->in[0], j) + c, ROW(r->in[1], j) + c, log_decay, first, state, state + width,
                     state + 2 * width, n);
    }
}
