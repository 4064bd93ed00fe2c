/* Attention on the CPU (Dao et al. 2022). A unit of work is one kv head and some rows of one sequence: keys and values are unpacked
 * a page (32 tokens) at a time and used by every query head and row of the unit, in products whose sums stay in registers. The
 * softmax runs over pages at absolute positions with a running maximum, so a row's sums are the same whatever else is in the unit. */
#include <math.h>

#include "backends/cpu/cpu_int.h"
#include "ops/ops_int.h"

#define ROWS_MAX   32 /* of a unit */
#define UNIT_SUMS  64 /* rows times query heads that a unit should have */

_Static_assert(KERNEL_PAGE == CACHE_PAGE, "the kernels work on pages of the cache");

struct attend {
    struct cpu_backend     *b;
    const struct op_record *r;
    const struct ragged    *g;
    int                     n_head, n_kv, share; /* share: query heads a kv head serves */
    int                     rows;                /* of a unit */
    int64_t                 kw, vw, wide;        /* width of keys, of values; of values with zeros up to a multiple of 16 */
    bool                    plain;               /* a score is the product times the scale, nothing more */
};

/* A unit's memory; m: rows times share. */
struct unit {
    float *flat;   /* [CACHE_PAGE, kw] and 16 more: keys as they come */
    float *keys;   /* [kw up to a multiple of 16, CACHE_PAGE] */
    float *values; /* [CACHE_PAGE, wide] */
    float *q;      /* [m, kw] */
    float *score;  /* [m, CACHE_PAGE] */
    float *sum;    /* [m, wide] */
    float *max, *total; /* [m]: running softmax; total of the weights so far */
};

static int64_t round_16(int64_t n) { return (n + 15) / 16 * 16; }

/* Places the arrays; returns how many floats they take. */
static int64_t unit_place(struct unit *u, const struct attend *a, float *memory)
{
    const int64_t m = (int64_t)a->rows * a->share;
    const int64_t n[] = { round_16(CACHE_PAGE * a->kw + 16), CACHE_PAGE * round_16(a->kw), CACHE_PAGE * a->wide, round_16(m * a->kw),
                          m * CACHE_PAGE, m * a->wide, round_16(m), round_16(m) };
    float **const to[] = { &u->flat, &u->keys, &u->values, &u->q, &u->score, &u->sum, &u->max, &u->total };
    int64_t used = 0;
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        if (memory) *to[i] = memory + used;
        used += n[i];
    }
    return used;
}

static struct attend attend_of(struct cpu_backend *b, const struct op_record *r, const struct ragged *g)
{
    struct attend a = { .b = b, .r = r, .g = g, .n_head = r->p.i[2], .n_kv = r->p.i[3] };
    a.share = a.n_head / a.n_kv;
    a.rows = UNIT_SUMS / a.share < 1 ? 1 : UNIT_SUMS / a.share > ROWS_MAX ? ROWS_MAX : UNIT_SUMS / a.share;
    a.kw = tensor_width(r->in[0]) / a.n_head;
    a.vw = tensor_width(r->out[0]) / a.n_head;
    a.wide = round_16(a.vw);
    a.plain = r->p.f[1] == 0.0f && !r->in[3] && !r->in[4]; /* scores that are scaled and nothing else: no softcap, bias or slopes */
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

/* Positions [low, high) of one page. Keys with one column a position (columns of other positions are zeros), values with one row. */
static void load_unit(const struct attend *a, const struct unit *u, const struct ragged_seq *s, int h, int32_t low, int32_t high)
{
    const int64_t at = low % CACHE_PAGE, n = high - low;
    load_page(a, s, h, low, (int32_t)n, false, u->flat + at * a->kw);
    memset(u->flat, 0, (size_t)(at * a->kw) * sizeof *u->flat);
    memset(u->flat + (at + n) * a->kw, 0, (size_t)((CACHE_PAGE - at - n) * a->kw + 16) * sizeof *u->flat);
    a->b->kernels.block_transpose(u->keys, u->flat, a->kw);
    load_page(a, s, h, low, (int32_t)n, true, u->values + at * a->vw);
    for (int64_t i = at + n - 1; i >= at && a->wide > a->vw; i--) {
        memmove(u->values + i * a->wide, u->values + i * a->vw, (size_t)a->vw * sizeof *u->values);
        memset(u->values + i * a->wide + a->vw, 0, (size_t)(a->wide - a->vw) * sizeof *u->values);
    }
}

/* Scores that are more than a product times the scale: rows [first, first + rows) of the step with positions [low, high). */
static void apply_rules(const struct attend *a, float *score, int h, int64_t first, int64_t rows, int32_t low, int32_t high)
{
    for (int64_t at = 0; at < rows * a->share; at++) {
        const struct score_rule rule = attention_rule(a->r, h * a->share + (int)(at % a->share));
        const int32_t query = ragged_position(a->g, first + at / a->share);
        for (int32_t p = low; p < high; p++) {
            float *s = &score[at * CACHE_PAGE + p % CACHE_PAGE];
            *s = attention_score(&rule, *s, p, query);
        }
    }
}

/* `rows` rows from `first` that see the positions [low, high) of the loaded page; `at`: their place in the unit. */
static void attend_rows(const struct attend *a, const struct unit *u, int h, int64_t first, int64_t rows, int64_t at, int32_t low, int32_t high)
{
    const struct kernels *k = &a->b->kernels;
    const int from = low % CACHE_PAGE, n = high - low;
    const int64_t begin = at * a->share, m = rows * a->share;
    float *score = u->score + begin * CACHE_PAGE, *sum = u->sum + begin * a->wide;
    k->block_product(&(struct block_product){ .a = u->q + begin * a->kw, .a_stride = a->kw, .b = u->keys, .b_stride = CACHE_PAGE,
                                              .c = score, .c_stride = CACHE_PAGE, .m = m, .n = CACHE_PAGE, .k = a->kw });
    if (!a->plain) apply_rules(a, score, h, first, rows, low, high);
    k->block_softmax(&(struct block_softmax){ .score = score, .sum = sum, .max = u->max + begin, .total = u->total + begin, .m = m,
                                              .scale = a->plain ? a->r->p.f[0] : 1.0f, .from = from, .to = from + n, .width = a->wide });
    k->block_product(&(struct block_product){ .a = score + from, .a_stride = CACHE_PAGE, .b = u->values + from * a->wide, .b_stride = a->wide,
                                              .c = sum, .c_stride = a->wide, .m = m, .n = a->wide, .k = n, .add = true });
}

static void unit_begin(const struct attend *a, const struct unit *u, int h, int64_t first, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++)
        memcpy(u->q + i * a->share * a->kw, ROW(a->r->in[0], first + i) + h * a->share * a->kw, (size_t)(a->share * a->kw) * sizeof *u->q);
    memset(u->sum, 0, (size_t)(rows * a->share * a->wide) * sizeof *u->sum);
    for (int64_t i = 0; i < rows * a->share; i++) {
        u->max[i] = attention_sink(a->r, h * a->share + (int)(i % a->share));
        u->total[i] = u->max[i] > -INFINITY ? 1.0f : 0.0f;
    }
}

static void unit_end(const struct attend *a, const struct unit *u, int h, int64_t first, int64_t rows)
{
    for (int64_t at = 0; at < rows * a->share; at++) {
        float *y = ROW(a->r->out[0], first + at / a->share) + (h * a->share + at % a->share) * a->vw;
        const float scale = u->total[at] > 0.0f ? 1.0f / u->total[at] : 0.0f;
        for (int64_t c = 0; c < a->vw; c++) y[c] = u->sum[at * a->wide + c] * scale;
    }
}

/* Rows [first, last) of one sequence, kv head h. */
static void attend_unit(const struct attend *a, const struct ragged_seq *s, int h, int64_t first, int64_t last, float *memory)
{
    struct unit u;
    int32_t from[ROWS_MAX], to[ROWS_MAX], begin = INT32_MAX, end = 0;
    unit_place(&u, a, memory);
    for (int64_t i = first; i < last; i++) {
        attention_range(a->r, a->g, i, &from[i - first], &to[i - first]);
        if (from[i - first] < begin) begin = from[i - first];
        if (to[i - first] > end) end = to[i - first];
    }
    unit_begin(a, &u, h, first, last - first);
    for (int32_t page = begin / CACHE_PAGE * CACHE_PAGE; page < end; page += CACHE_PAGE) {
        const int32_t low = page > begin ? page : begin, high = page + CACHE_PAGE < end ? page + CACHE_PAGE : end;
        load_unit(a, &u, s, h, low, high);
        for (int64_t i = 0, next; i < last - first; i = next) { /* rows that see the same of this page */
            const int32_t lo = from[i] > low ? from[i] : low, hi = to[i] < high ? to[i] : high;
            for (next = i + 1; next < last - first; next++) {
                if ((from[next] > low ? from[next] : low) != lo || (to[next] < high ? to[next] : high) != hi) break;
            }
            if (lo < hi) attend_rows(a, &u, h, first + i, next - i, i, lo, hi);
        }
    }
    unit_end(a, &u, h, first, last - first);
}

/* Units are counted over sequences: ceil(rows / ROWS) * n_kv each. */
static void attend_part(void *arg, int64_t begin, int64_t end, int thread)
{
    const struct attend *a = arg;
    int64_t base = 0;
    for (int32_t i = 0; i < a->g->n_seq && base < end; i++) {
        const struct ragged_seq *s = &a->g->seq[i];
        const int64_t blocks = (s->rows + a->rows - 1) / a->rows;
        for (int64_t u = 0; u < blocks * a->n_kv && !cpu_cancelled(a->b); u++) {
            if (base + u < begin || base + u >= end) continue;
            const int64_t first = s->first + u / a->n_kv * a->rows;
            const int64_t last = first + a->rows < s->first + s->rows ? first + a->rows : s->first + s->rows;
            attend_unit(a, s, (int)(u % a->n_kv), first, last, cpu_own(a->b, thread));
        }
        base += blocks * a->n_kv;
    }
}

void cpu_attention_scratch(const struct cpu_backend *b, const struct op_record *r, const struct ragged *g, int64_t *shared, int64_t *each)
{
    (void)shared;
    const struct attend a = attend_of((struct cpu_backend *)b, r, g);
    *each = unit_place(&(struct unit){ 0 }, &a, NULL) * (int64_t)sizeof(float);
}

void cpu_attention_run(struct cpu_backend *b, const struct op_record *r, const struct ragged *g)
{
    struct attend a = attend_of(b, r, g);
    int64_t units = 0, work = 0;
    for (int32_t i = 0; i < g->n_seq; i++) {
        units += (g->seq[i].rows + a.rows - 1) / a.rows * a.n_kv;
        work += (int64_t)g->seq[i].rows * (g->seq[i].position + g->seq[i].rows) * a.n_head * (a.kw + a.vw);
    }
    threads_run(b->pool, units, work < CPU_SMALL ? units : 1, attend_part, &a);
}
