/* Attention over cached keys and values, or over the step's own (encoders). The reference: one query row and head at a time,
 * scores in double, softmax with the maximum subtracted. */
#include <math.h>

#include "base/half.h"
#include "ops/ops_int.h"

static const struct cache_group *paged_group(const struct tape *t, int group, int group_layer)
{
    if (!t->ragged || group < 0 || group >= t->ragged->n_group) return NULL;
    const struct cache_group *g = &t->ragged->group[group];
    return g->kind == CACHE_STATE || group_layer < 0 || group_layer >= g->n_layer ? NULL : g;
}

void op_cache_store_(struct tape *t, int group, int group_layer, struct tensor *k, struct tensor *v)
{
    if (t->status) return;
    const struct cache_group *g = paged_group(t, group, group_layer);
    if (!g || !op_is_f32(k) || !op_is_f32(v) || k->rank != 2 || v->rank != 2 || k->dim[0] != v->dim[0] ||
        k->dim[1] != (int64_t)g->n_kv * g->key_width || v->dim[1] != (int64_t)g->n_kv * g->value_width) {
        op_shapes(t, "cache_store", k, v);
        return;
    }
    struct op_record *r = tape_append(t, OP_CACHE_STORE);
    if (!r) return;
    r->in[0] = k;
    r->in[1] = v;
    r->p.i[0] = group;
    r->p.i[1] = group_layer;
    tape_done(t, r);
}

int64_t cache_store_units(const struct op_record *r, const struct ragged *g)
{
    (void)g;
    return r->in[0]->dim[0];
}

void cache_store_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const struct cache_group *c = &g->group[r->p.i[0]];
    const struct type_info *type = type_of(c->type);
    for (int64_t i = begin; i < end; i++) {
        const struct ragged_seq *s = &g->seq[g->row_seq[i]];
        const int32_t position = ragged_position(g, i), page = s->pages[r->p.i[0]][position / CACHE_PAGE];
        for (int h = 0; h < c->n_kv; h++) {
            type->pack(cache_keys(c, page, r->p.i[1], h) + position % CACHE_PAGE * c->key_bytes,
                       ROW(r->in[0], i) + (int64_t)h * c->key_width, c->key_width);
            type->pack(cache_values(c, page, r->p.i[1], h) + position % CACHE_PAGE * c->value_bytes,
                       ROW(r->in[1], i) + (int64_t)h * c->value_width, c->value_width);
        }
    }
}

static struct tensor *attention_own(struct tape *t, const struct attention *a, int64_t *value_width)
{
    if (!op_is_f32(a->k) || !op_is_f32(a->v) || a->k->rank != 2 || a->v->rank != 2 || a->k->dim[0] != a->q->dim[0] ||
        a->v->dim[0] != a->q->dim[0] || a->k->dim[1] * a->n_head != a->q->dim[1] * a->n_kv || a->v->dim[1] % a->n_kv)
        return op_shapes(t, "attention", a->k, a->v);
    *value_width = a->v->dim[1] / a->n_kv;
    return NULL;
}

struct tensor *op_attention_(struct tape *t, const struct attention *a)
{
    if (t->status) return a->q;
    if (!op_is_f32(a->q) || a->q->rank != 2 || a->n_kv < 1 || a->n_head % a->n_kv || a->q->dim[1] % a->n_head)
        return op_shapes(t, "attention", a->q, a->k);
    if (a->slopes && !op_is_vector(a->slopes, a->n_head)) return op_shapes(t, "attention", a->q, a->slopes);
    if (a->sinks && !op_is_vector(a->sinks, a->n_head)) return op_shapes(t, "attention", a->q, a->sinks);
    if (a->bias && (!op_is_f32(a->bias) || a->bias->rank != 2 || a->bias->dim[0] != a->n_head || a->bias->dim[1] % 2 == 0))
        return op_shapes(t, "attention", a->q, a->bias);
    int64_t value_width = 0;
    if (a->k) {
        struct tensor *bad = attention_own(t, a, &value_width);
        if (bad) return bad;
    } else {
        const struct cache_group *g = paged_group(t, a->group, a->group_layer);
        if (!g || g->n_kv != a->n_kv || (int64_t)g->key_width * a->n_head != a->q->dim[1]) return op_shapes(t, "attention", a->q, NULL);
        value_width = g->value_width;
    }
    struct op_record *r = op_make(t, OP_ATTENTION, a->q, a->k, a->v, 2, (int64_t[]){ a->q->dim[0], a->n_head * value_width });
    if (!r) return a->q;
    r->in[3] = a->bias;
    r->in[4] = a->slopes;
    r->in[5] = a->sinks;
    r->p.f[0] = a->scale;
    r->p.f[1] = a->softcap;
    memcpy(r->p.i, (int32_t[]){ a->group, a->group_layer, a->n_head, a->n_kv, a->causal, a->window, a->absolute_slopes }, 7 * sizeof(int32_t));
    return op_end(t, r);
}

void attention_range(const struct op_record *r, const struct ragged *g, int64_t row, int32_t *from, int32_t *to)
{
    const struct ragged_seq *s = &g->seq[g->row_seq[row]];
    const int32_t position = ragged_position(g, row), window = r->p.i[5];
    const bool causal = r->p.i[4];
    *from = r->in[1] ? s->position : 0;
    if (!r->in[1] && g->group[r->p.i[0]].kind == CACHE_CROSS)
        *to = s->source;
    else
        *to = causal ? position + 1 : s->position + s->rows;
    if (!window) return;
    const int32_t first = causal ? position + 1 - window : position - window / 2;
    if (first > *from) *from = first;
    if (!causal && position + window / 2 + 1 < *to) *to = position + window / 2 + 1;
}

struct score_rule attention_rule(const struct op_record *r, int head)
{
    struct score_rule s = { .scale = r->p.f[0], .softcap = r->p.f[1], .absolute = r->p.i[6] };
    if (r->in[3]) {
        s.bias = ROW(r->in[3], head);
        s.reach = (int32_t)(r->in[3]->dim[1] / 2);
    }
    if (r->in[4]) s.slope = ((const float *)r->in[4]->data)[head];
    return s;
}

float attention_score(const struct score_rule *s, float product, int32_t position, int32_t query)
{
    float score = product * s->scale;
    if (s->softcap != 0.0f) score = s->softcap * tanhf(score / s->softcap);
    if (s->bias) {
        const int32_t d = position - query;
        score += s->bias[(d < -s->reach ? -s->reach : d > s->reach ? s->reach : d) + s->reach];
    }
    if (s->slope == 0.0f) return score;
    return score + (s->absolute ? bf16_to_f32(f32_to_bf16(s->slope * (float)position)) * s->scale : s->slope * (float)(position - query));
}

float attention_sink(const struct op_record *r, int head) { return r->in[5] ? ((const float *)r->in[5]->data)[head] : -INFINITY; }

int64_t attention_units(const struct op_record *r, const struct ragged *g)
{
    (void)g;
    return r->out[0]->dim[0] * r->p.i[2];
}

/* Key (or value) of kv head h at position p of the row's sequence, unpacked into x. */
static void read_cached(const struct op_record *r, const struct ragged *g, int64_t row, int h, int32_t p, bool value, float *x, int64_t n)
{
    const struct ragged_seq *s = &g->seq[g->row_seq[row]];
    if (r->in[1]) {
        const struct tensor *t = value ? r->in[2] : r->in[1];
        memcpy(x, ROW(t, s->first + p - s->position) + h * n, (size_t)n * sizeof *x);
        return;
    }
    const struct cache_group *c = &g->group[r->p.i[0]];
    const int32_t page = s->pages[r->p.i[0]][p / CACHE_PAGE], at = p % CACHE_PAGE;
    const char *from = value ? cache_values(c, page, r->p.i[1], h) + at * c->value_bytes
                             : cache_keys(c, page, r->p.i[1], h) + at * c->key_bytes;
    type_of(c->type)->unpack(x, from, n);
}

void attention_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int n_head = r->p.i[2], n_kv = r->p.i[3];
    const int64_t kw = tensor_width(r->in[0]) / n_head, vw = tensor_width(r->out[0]) / n_head;
    for (int64_t u = begin; u < end; u++) {
        const int64_t row = u / n_head;
        const int h = (int)(u % n_head), kv = h / (n_head / n_kv);
        const float *q = ROW(r->in[0], row) + h * kw;
        float x[HEAD_MAX], *y = ROW(r->out[0], row) + h * vw;
        const struct score_rule rule = attention_rule(r, h);
        double sum[HEAD_MAX] = { 0 }, max = (double)attention_sink(r, h), total = max > -INFINITY ? 1.0 : 0.0;
        int32_t from, to;
        attention_range(r, g, row, &from, &to);
        for (int32_t p = from; p < to; p++) { /* a growing maximum rescales what was summed */
            double product = 0.0;
            read_cached(r, g, row, kv, p, false, x, kw);
            for (int64_t c = 0; c < kw; c++) product += (double)q[c] * (double)x[c];
            const double score = (double)attention_score(&rule, (float)product, p, ragged_position(g, row));
            const double top = score > max ? score : max, keep = exp(max - top), e = exp(score - top);
            read_cached(r, g, row, kv, p, true, x, vw);
            for (int64_t c = 0; c < vw; c++) sum[c] = sum[c] * keep + e * (double)x[c];
            total = total * keep + e;
            max = top;
        }
        for (int64_t c = 0; c < vw; c++) y[c] = total > 0.0 ? (float)(sum[c] / total) : 0.0f;
    }
}

/* ---- gradient, of attention over the step's own keys and values */

void attention_gradient(struct tape *t, const struct op_record *r, struct tensor *dy, struct tensor *din[TAPE_INPUTS])
{
    struct tensor *q = r->in[0], *k = r->in[1], *v = r->in[2];
    if (!k || r->in[3] || r->in[4] || r->in[5] || r->p.f[1] != 0.0f) {
        tape_fail(t, HEARTH_E_UNSUPPORTED, "there is no gradient through cached keys, a bias by distance, sinks or soft caps");
        return;
    }
    struct op_record *back = op_make(t, OP_ATTENTION_BACK, q, k, v, 2, (int64_t[]){ q->dim[0], q->dim[1] + k->dim[1] + v->dim[1] });
    if (!back) return;
    back->p = r->p;
    back->in[3] = dy;
    struct tensor *all = op_end(t, back);
    din[0] = tape_columns(t, all, 0, q->dim[1]);
    din[1] = tape_columns(t, all, q->dim[1], k->dim[1]);
    din[2] = tape_columns(t, all, q->dim[1] + k->dim[1], v->dim[1]);
}

/* A piece is one kv head of one sequence: its keys' and values' gradients are sums over all queries. */
int64_t attention_back_units(const struct op_record *r, const struct ragged *g) { return g->n_seq * (int64_t)r->p.i[3]; }

struct attention_back {
    const struct op_record *r;
    const struct ragged    *g;
    int64_t                 kw, vw, q_at, k_at, v_at; /* widths of a head; columns of the output where the head's parts begin */
    int                     head, kv;
};

static double dot_f32(const float *a, const float *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t c = 0; c < n; c++) sum += (double)a[c] * (double)b[c];
    return sum;
}

/* One query row: with p its softmax, ds = p (dy v - sum of p dy v); dq += ds k, dk += ds q (both scaled), dv += p dy. */
static void attention_back_row(const struct attention_back *b, const struct ragged_seq *s, int64_t row)
{
    const struct op_record *r = b->r;
    const float *q = ROW(r->in[0], row) + b->head * b->kw, *dy = ROW(r->in[3], row) + b->head * b->vw;
    const double scale = (double)r->p.f[0];
    double max = -INFINITY, total = 0.0, mean = 0.0;
    int32_t from, to;
    attention_range(r, b->g, row, &from, &to);
    for (int32_t p = from; p < to; p++) max = fmax(max, scale * dot_f32(q, ROW(r->in[1], s->first + p - s->position) + b->kv * b->kw, b->kw));
    for (int pass = 0; pass < 2; pass++) /* first the sums, then the gradients */
        for (int32_t p = from; p < to; p++) {
            const int64_t j = s->first + p - s->position;
            const float *k = ROW(r->in[1], j) + b->kv * b->kw, *v = ROW(r->in[2], j) + b->kv * b->vw;
            const double e = exp(scale * dot_f32(q, k, b->kw) - max), dp = dot_f32(dy, v, b->vw);
            if (pass == 0) {
                total += e;
                mean += e * dp;
                continue;
            }
            const double weight = e / total, ds = scale * weight * (dp - mean / total);
            float *dq = ROW(r->out[0], row) + b->q_at, *dk = ROW(r->out[0], j) + b->k_at, *dv = ROW(r->out[0], j) + b->v_at;
            for (int64_t c = 0; c < b->kw; c++) {
                dq[c] += (float)(ds * (double)k[c]);
                dk[c] += (float)(ds * (double)q[c]);
            }
            for (int64_t c = 0; c < b->vw; c++) dv[c] += (float)(weight * (double)dy[c]);
        }
}

void attention_back_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int n_head = r->p.i[2], n_kv = r->p.i[3], share = n_head / n_kv;
    struct attention_back b = { .r = r, .g = g, .kw = tensor_width(r->in[0]) / n_head, .vw = tensor_width(r->in[2]) / n_kv };
    for (int64_t u = begin; u < end; u++) {
        const struct ragged_seq *s = &g->seq[u / n_kv];
        b.kv = (int)(u % n_kv);
        b.k_at = tensor_width(r->in[0]) + b.kv * b.kw;
        b.v_at = tensor_width(r->in[0]) + tensor_width(r->in[1]) + b.kv * b.vw;
        for (int64_t row = s->first; row < s->first + s->rows; row++) {
            memset(ROW(r->out[0], row) + b.kv * share * b.kw, 0, (size_t)(share * b.kw) * sizeof(float));
            memset(ROW(r->out[0], row) + b.k_at, 0, (size_t)b.kw * sizeof(float));
            memset(ROW(r->out[0], row) + b.v_at, 0, (size_t)b.vw * sizeof(float));
        }
        for (b.head = b.kv * share; b.head < (b.kv + 1) * share; b.head++) {
            b.q_at = b.head * b.kw;
            for (int64_t row = s->first; row < s->first + s->rows; row++) attention_back_row(&b, s, row);
        }
    }
}
