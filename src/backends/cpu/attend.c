/* Attention on the CPU. A unit of work is one kv head and up to ROWS rows of one sequence: keys and values are unpacked a page
 * (32 tokens) at a time and used by every query head and row of the unit. The softmax runs over pages at absolute positions
 * with a running maximum, so a row's sums are the same whatever else is in the unit. */
#include <math.h>

#include "backends/cpu/cpu_int.h"
#include "base/vmath.h"
#include "ops/ops_int.h"

#define ROWS 8

struct attend {
    struct cpu_backend     *b;
    const struct op_record *r;
    const struct ragged    *g;
    int                     n_head, n_kv, share; /* share: query heads a kv head serves */
    int64_t                 kw, vw;
};

/* Running softmax of one (row, head): sum[vw] holds the weighted values so far. */
struct softmax {
    float max, total;
};

static int64_t unit_floats(const struct attend *a)
{
    return CACHE_PAGE * (a->kw + a->vw) + ROWS * a->share * (a->vw + 2);
}

static struct attend attend_of(struct cpu_backend *b, const struct op_record *r, const struct ragged *g)
{
    struct attend a = { .b = b, .r = r, .g = g, .n_head = r->p.i[2], .n_kv = r->p.i[3] };
    a.share = a.n_head / a.n_kv;
    a.kw = tensor_width(r->in[0]) / a.n_head;
    a.vw = tensor_width(r->out[0]) / a.n_head;
    return a;
}

/* n keys (or values) of kv head h from position p on, all in one page, as f32 [n, width] into x. */
static void load_page(const struct attend *a, const struct ragged_seq *s, int h, int32_t p, int32_t n, bool value, float *x)
{
    const int64_t width = value ? a->vw : a->kw;
    const struct op_record *r = a->r;
    if (r->in[1]) {
        const struct tensor *t = value ? r->in[2] : r->in[1];
        for (int32_t i = 0; i < n; i++)
            memcpy(x + i * width, ROW(t, s->first + p + i - s->position) + h * width, (size_t)width * sizeof *x);
        return;
    }
    const struct cache_group *c = &a->g->group[r->p.i[0]];
    const int32_t page = s->pages[r->p.i[0]][p / CACHE_PAGE], at = p % CACHE_PAGE;
    const char *from = value ? cache_values(c, page, r->p.i[1], h) + at * c->value_bytes
                             : cache_keys(c, page, r->p.i[1], h) + at * c->key_bytes;
    a->b->kernels.unpack[c->type](x, from, n * width);
}

/* Adds keys/values [n] at position p to one (row, head). */
static void attend_page(const struct attend *a, const float *q, const float *keys, const float *values, int32_t n,
                        const struct score_rule *rule, int32_t position, int32_t query, struct softmax *s, float *sum)
{
    const struct kernels *k = &a->b->kernels;
    float score[CACHE_PAGE], top = s->max, total = 0.0f;
    for (int32_t i = 0; i < n; i++) {
        score[i] = attention_score(rule, k->dot[DTYPE_F32](keys + i * a->kw, q, a->kw), position + i, query);
        top = score[i] > top ? score[i] : top;
    }
    if (top > s->max) {
        const float keep = vexpf(s->max - top);
        for (int64_t c = 0; c < a->vw; c++) sum[c] *= keep;
        s->total *= keep;
        s->max = top;
    }
    for (int32_t i = 0; i < n; i++) score[i] = vexpf(score[i] - top);
    for (int32_t i = 0; i < n; i++) {
        total += score[i];
        k->axpy[DTYPE_F32](sum, score[i], values + i * a->vw, a->vw);
    }
    s->total += total;
}

/* Rows [first, last) of one sequence, kv head h. */
static void attend_unit(const struct attend *a, const struct ragged_seq *s, int h, int64_t first, int64_t last, float *memory)
{
    const struct op_record *r = a->r;
    float *keys = memory, *values = keys + CACHE_PAGE * a->kw, *sums = values + CACHE_PAGE * a->vw;
    struct softmax *state = (struct softmax *)(sums + ROWS * a->share * a->vw);
    int32_t from[ROWS], to[ROWS], begin = INT32_MAX, end = 0;
    for (int64_t i = first; i < last; i++) {
        attention_range(r, a->g, i, &from[i - first], &to[i - first]);
        if (from[i - first] < begin) begin = from[i - first];
        if (to[i - first] > end) end = to[i - first];
    }
    memset(sums, 0, (size_t)(ROWS * a->share * a->vw) * sizeof *sums);
    for (int i = 0; i < ROWS * a->share; i++) {
        const float sink = attention_sink(r, h * a->share + i % a->share);
        state[i] = (struct softmax){ sink, sink > -INFINITY ? 1.0f : 0.0f };
    }
    for (int32_t page = begin / CACHE_PAGE * CACHE_PAGE; page < end; page += CACHE_PAGE) {
        const int32_t low = page > begin ? page : begin, high = page + CACHE_PAGE < end ? page + CACHE_PAGE : end;
        load_page(a, s, h, low, high - low, false, keys);
        load_page(a, s, h, low, high - low, true, values);
        for (int64_t i = first; i < last; i++) {
            const int32_t lo = from[i - first] > low ? from[i - first] : low, hi = to[i - first] < high ? to[i - first] : high;
            if (lo >= hi) continue;
            for (int j = 0; j < a->share; j++) {
                const int head = h * a->share + j;
                const int64_t at = (i - first) * a->share + j;
                const struct score_rule rule = attention_rule(r, head);
                attend_page(a, ROW(r->in[0], i) + head * a->kw, keys + (lo - low) * a->kw, values + (lo - low) * a->vw, hi - lo,
                            &rule, lo, ragged_position(a->g, i), &state[at], sums + at * a->vw);
            }
        }
    }
    for (int64_t at = 0; at < (last - first) * a->share; at++) {
        float *y = ROW(r->out[0], first + at / a->share) + (h * a->share + at % a->share) * a->vw;
        const float scale = state[at].total > 0.0f ? 1.0f / state[at].total : 0.0f;
        for (int64_t c = 0; c < a->vw; c++) y[c] = sums[at * a->vw + c] * scale;
    }
}

/* Units are counted over sequences: ceil(rows / ROWS) * n_kv each. */
static void attend_part(void *arg, int64_t begin, int64_t end, int thread)
{
    const struct attend *a = arg;
    int64_t base = 0;
    for (int32_t i = 0; i < a->g->n_seq && base < end; i++) {
        const struct ragged_seq *s = &a->g->seq[i];
        const int64_t blocks = (s->rows + ROWS - 1) / ROWS;
        for (int64_t u = 0; u < blocks * a->n_kv && !cpu_cancelled(a->b); u++) {
            if (base + u < begin || base + u >= end) continue;
            const int64_t first = s->first + u / a->n_kv * ROWS, last = first + ROWS < s->first + s->rows ? first + ROWS : s->first + s->rows;
            attend_unit(a, s, (int)(u % a->n_kv), first, last, cpu_own(a->b, thread));
        }
        base += blocks * a->n_kv;
    }
}

void cpu_attention_scratch(const struct cpu_backend *b, const struct op_record *r, const struct ragged *g, int64_t *shared, int64_t *each)
{
    (void)shared;
    const struct attend a = attend_of((struct cpu_backend *)b, r, g);
    *each = unit_floats(&a) * (int64_t)sizeof(float);
}

void cpu_attention_run(struct cpu_backend *b, const struct op_record *r, const struct ragged *g)
{
    struct attend a = attend_of(b, r, g);
    int64_t units = 0, work = 0;
    for (int32_t i = 0; i < g->n_seq; i++) {
        units += (g->seq[i].rows + ROWS - 1) / ROWS * a.n_kv;
        work += (int64_t)g->seq[i].rows * (g->seq[i].position + g->seq[i].rows) * a.n_head * (a.kw + a.vw);
    }
    threads_run(b->pool, units, work < CPU_SMALL ? units : 1, attend_part, &a);
}
