/* Ops whose state is a matrix for each head: RWKV-5 to 7 and Mamba 2. A unit of work is one head of one sequence, so rows are
 * walked in order and a result depends neither on chunks nor on threads. */
#include <math.h>

#include "base/vmath.h"
#include "ops/ops_int.h"

/* In the records of wkv5, wkv7 and ssd. */
enum { I_GROUP, I_LAYER, I_AT, I_PARTS, I_FORM };

static bool heads_fit(int64_t width, int n_head)
{
    return n_head > 0 && width % n_head == 0 && width / n_head <= HEAD_MAX;
}

static bool is_row(const struct tensor *x, const struct tensor *like)
{
    return op_is_f32(x) && tensor_same_shape(x, like);
}

static float *head_state(const struct op_record *r, const struct ragged *g, const struct ragged_seq *s, int64_t head, int64_t floats)
{
    return cache_state(&g->group[r->p.i[I_GROUP]], s->slot, r->p.i[I_LAYER]) + r->p.i[I_AT] + head * floats;
}

static float decay_of(int32_t form, float x)
{
    return form == DECAY_PLAIN ? x : vexpf(form == DECAY_LOG ? x : -vexpf(x));
}

/* w [n] of a head in one row; decay [rows, width], [width] or [n_head]. */
static void decay_row(const struct op_record *r, int64_t row, int64_t head, float *restrict w, int64_t n)
{
    const struct tensor *decay = r->in[3];
    const float *x = decay->rank == 2 ? ROW(decay, row) : decay->data;
    const bool each = decay->dim[decay->rank - 1] == tensor_width(r->out[0]);
    for (int64_t i = 0; i < n; i++) w[i] = decay_of(r->p.i[I_FORM], each ? x[head * n + i] : x[head]);
}

static struct op_record *make_wkv(struct tape *t, enum op_id id, const struct wkv *w)
{
    struct op_record *r = op_make(t, id, w->r, w->k, w->v, 2, w->r->dim);
    if (!r) return NULL;
    r->in[3] = w->decay;
    r->in[4] = w->kk;
    r->in[5] = w->a;
    memcpy(r->p.i, (int32_t[]){ w->group, w->group_layer, w->at, w->n_head, (int32_t)w->form }, 5 * sizeof(int32_t));
    return r;
}

static bool wkv_fits(const struct tape *t, const struct wkv *w)
{
    const int64_t width = tensor_width(w->r);
    return heads_fit(width, w->n_head) && op_state_fits(t, w->group, w->group_layer, w->at + width * (width / w->n_head));
}

/* ---- RWKV-5 and 6 */

struct tensor *op_wkv5_(struct tape *t, const struct wkv *w)
{
    if (t->status) return w->r;
    if (!op_is_f32(w->r) || w->r->rank != 2 || !is_row(w->k, w->r) || !is_row(w->v, w->r)) return op_shapes(t, "wkv5", w->r, w->k);
    if (!wkv_fits(t, w)) return op_shapes(t, "wkv5", w->r, NULL);
    if (!is_row(w->decay, w->r) && !op_is_vector(w->decay, tensor_width(w->r)) && !op_is_vector(w->decay, w->n_head)) return op_shapes(t, "wkv5", w->r, w->decay);
    return op_end(t, make_wkv(t, OP_WKV5, w));
}

int64_t wkv5_units(const struct op_record *r, const struct ragged *g) { return g->n_seq * (int64_t)r->p.i[I_PARTS]; }

void wkv5_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int64_t heads = r->p.i[I_PARTS], n = tensor_width(r->out[0]) / heads;
    float w[HEAD_MAX];
    for (int64_t u = begin; u < end; u++) {
        const struct ragged_seq *s = &g->seq[u / heads];
        const int64_t head = u % heads, at = head * n;
        float *state = head_state(r, g, s, head, n * n);
        for (int64_t j = s->first; j < s->first + s->rows; j++) {
            float *restrict y = ROW(r->out[0], j) + at;
            const float *q = ROW(r->in[0], j) + at, *k = ROW(r->in[1], j) + at, *v = ROW(r->in[2], j) + at;
            if (j == s->first || r->in[3]->rank == 2) decay_row(r, j, head, w, n);
            memset(y, 0, (size_t)n * sizeof *y);
            for (int64_t i = 0; i < n; i++) {
                float *restrict row = state + i * n;
                for (int64_t c = 0; c < n; c++) {
                    y[c] += q[i] * row[c];
                    row[c] = w[i] * row[c] + k[i] * v[c];
                }
            }
        }
    }
}

struct tensor *op_bonus_(struct tape *t, struct tensor *r, struct tensor *k, struct tensor *v, struct tensor *u, int n_head, bool u_is_log)
{
    if (t->status) return r;
    if (!op_is_f32(r) || r->rank != 2 || !is_row(k, r) || !is_row(v, r) || !heads_fit(tensor_width(r), n_head)) return op_shapes(t, "bonus", r, k);
    if (!op_is_vector(u, tensor_width(r)) && !op_is_vector(u, n_head)) return op_shapes(t, "bonus", r, u);
    struct op_record *o = op_make(t, OP_BONUS, r, k, v, 2, r->dim);
    if (o) {
        o->in[3] = u;
        o->p.i[0] = n_head;
        o->p.i[1] = u_is_log;
    }
    return op_end(t, o);
}

void bonus_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t width = tensor_width(r->out[0]), heads = r->p.i[0], n = width / heads;
    const float *u = r->in[3]->data;
    const bool each = r->in[3]->dim[0] == width;
    for (int64_t j = begin; j < end; j++)
        for (int64_t h = 0; h < heads; h++) {
            const float *q = ROW(r->in[0], j) + h * n, *k = ROW(r->in[1], j) + h * n, *v = ROW(r->in[2], j) + h * n;
            double sum = 0.0;
            for (int64_t i = 0; i < n; i++) {
                const float x = each ? u[h * n + i] : u[h];
                sum += (double)q[i] * (double)k[i] * (double)(r->p.i[1] ? vexpf(x) : x);
            }
            for (int64_t i = 0; i < n; i++) ROW(r->out[0], j)[h * n + i] = (float)sum * v[i];
        }
}

/* ---- RWKV-7 */

struct tensor *op_wkv7_(struct tape *t, const struct wkv *w)
{
    if (t->status) return w->r;
    if (!op_is_f32(w->r) || w->r->rank != 2 || !is_row(w->k, w->r) || !is_row(w->v, w->r)) return op_shapes(t, "wkv7", w->r, w->k);
    if (!is_row(w->kk, w->r) || !is_row(w->a, w->r) || !is_row(w->decay, w->r)) return op_shapes(t, "wkv7", w->r, w->kk);
    if (!wkv_fits(t, w)) return op_shapes(t, "wkv7", w->r, NULL);
    return op_end(t, make_wkv(t, OP_WKV7, w));
}

int64_t wkv7_units(const struct op_record *r, const struct ragged *g) { return wkv5_units(r, g); }

/* One row of a head: removed [n] is what the state holds for the direction kk. */
static void wkv7_row(const struct op_record *r, int64_t row, int64_t head, float *state, int64_t n)
{
    const int64_t at = head * n;
    float *restrict y = ROW(r->out[0], row) + at;
    const float *q = ROW(r->in[0], row) + at, *k = ROW(r->in[1], row) + at, *v = ROW(r->in[2], row) + at;
    const float *kk = ROW(r->in[4], row) + at, *a = ROW(r->in[5], row) + at;
    float w[HEAD_MAX], removed[HEAD_MAX];
    decay_row(r, row, head, w, n);
    memset(y, 0, (size_t)n * sizeof *y);
    memset(removed, 0, (size_t)n * sizeof *removed);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < n; c++) removed[c] += kk[i] * state[i * n + c];
    for (int64_t i = 0; i < n; i++) {
        float *restrict s = state + i * n;
        const float rate = kk[i] * a[i];
        for (int64_t c = 0; c < n; c++) {
            s[c] = w[i] * s[c] - rate * removed[c] + k[i] * v[c];
            y[c] += q[i] * s[c];
        }
    }
}

void wkv7_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int64_t heads = r->p.i[I_PARTS], n = tensor_width(r->out[0]) / heads;
    for (int64_t u = begin; u < end; u++) {
        const struct ragged_seq *s = &g->seq[u / heads];
        float *state = head_state(r, g, s, u % heads, n * n);
        for (int64_t j = s->first; j < s->first + s->rows; j++) wkv7_row(r, j, u % heads, state, n);
    }
}

/* ---- Mamba 2 */

struct tensor *op_ssd_(struct tape *t, const struct ssd *s)
{
    if (t->status) return s->x;
    const int64_t width = tensor_width(s->x), heads = tensor_width(s->dt), states = tensor_width(s->b);
    if (!op_is_f32(s->x) || s->x->rank != 2 || !op_is_f32(s->dt) || s->dt->rank != 2 || s->dt->dim[0] != s->x->dim[0]) return op_shapes(t, "ssd", s->x, s->dt);
    if (width % heads || s->n_group < 1 || heads % s->n_group || states % s->n_group) return op_shapes(t, "ssd", s->x, s->b);
    if (!op_is_f32(s->b) || s->b->rank != 2 || s->b->dim[0] != s->x->dim[0] || !is_row(s->c, s->b)) return op_shapes(t, "ssd", s->b, s->c);
    if (!op_is_vector(s->a, heads) || !op_is_vector(s->d, heads)) return op_shapes(t, "ssd", s->dt, s->a);
    if (!op_state_fits(t, s->group, s->group_layer, s->at + width * (states / s->n_group))) return op_shapes(t, "ssd", s->x, NULL);
    struct op_record *r = op_make(t, OP_SSD, s->x, s->dt, s->b, 2, s->x->dim);
    if (!r) return s->x;
    r->in[3] = s->c;
    r->in[4] = s->a;
    r->in[5] = s->d;
    r->p.f[0] = s->dt_min;
    r->p.f[1] = s->dt_max;
    memcpy(r->p.i, (int32_t[]){ s->group, s->group_layer, s->at, s->n_group, (int32_t)s->form }, 5 * sizeof(int32_t));
    return op_end(t, r);
}

int64_t ssd_units(const struct op_record *r, const struct ragged *g) { return g->n_seq * tensor_width(r->in[1]); }

/* One row of a head; b and c [n_state] of its group, state [n_state, n]. */
static void ssd_row(float *restrict y, const float *x, float keep, float dt, const float *b, const float *c, float *state,
                    int64_t n_state, int64_t n)
{
    memset(y, 0, (size_t)n * sizeof *y);
    for (int64_t i = 0; i < n_state; i++) {
        float *restrict h = state + i * n;
        const float in = dt * b[i];
        for (int64_t p = 0; p < n; p++) {
            h[p] = keep * h[p] + in * x[p];
            y[p] += c[i] * h[p];
        }
    }
}

void ssd_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    const int64_t heads = tensor_width(r->in[1]), n = tensor_width(r->out[0]) / heads, groups = r->p.i[I_PARTS];
    const int64_t n_state = tensor_width(r->in[2]) / groups;
    const float *a = r->in[4]->data, *d = r->in[5]->data;
    for (int64_t u = begin; u < end; u++) {
        const struct ragged_seq *s = &g->seq[u / heads];
        const int64_t head = u % heads, at = head / (heads / groups) * n_state;
        float *state = head_state(r, g, s, head, n * n_state);
        const float rate = r->p.i[I_FORM] == DECAY_LOG ? a[head] : -vexpf(a[head]);
        for (int64_t j = s->first; j < s->first + s->rows; j++) {
            float *y = ROW(r->out[0], j) + head * n;
            const float *x = ROW(r->in[0], j) + head * n;
            const float dt = fminf(fmaxf(ROW(r->in[1], j)[head], r->p.f[0]), r->p.f[1]);
            ssd_row(y, x, vexpf(rate * dt), dt, ROW(r->in[2], j) + at, ROW(r->in[3], j) + at, state, n_state, n);
            for (int64_t p = 0; p < n; p++) y[p] += d[head] * x[p];
        }
    }
}
