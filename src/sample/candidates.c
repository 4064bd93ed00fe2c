/* What steps are made of: softmax, selection, sorting and drawing over the candidates. Everything is linear in the number of
 * candidates, whatever the logits, and allocates nothing. */
#include "sample/chain_int.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/vmath.h"

float candidates_max(const struct candidates *c)
{
    float max[4]; /* four chains of comparisons at once */
    int32_t i = 0;
    for (int k = 0; k < 4; k++) max[k] = c->c[0].logit;
    if (c->sorted) return max[0];
    for (; i + 4 <= c->n; i += 4) {
        for (int k = 0; k < 4; k++) max[k] = c->c[i + k].logit > max[k] ? c->c[i + k].logit : max[k];
    }
    for (; i < c->n; i++) max[0] = c->c[i].logit > max[0] ? c->c[i].logit : max[0];
    for (int k = 1; k < 4; k++) max[0] = max[k] > max[0] ? max[k] : max[0];
    return max[0];
}

/* By blocks of constant size, which compilers vectorise, with four sums at once; the order of adding is fixed. */
struct softmax candidates_softmax(struct sample_chain *s, const struct candidates *c)
{
    enum { BLOCK = 64 };
    struct softmax m = { .max = candidates_max(c) };
    double sum[4] = { 0 };
    int32_t i = 0;
    for (; i + BLOCK <= c->n; i += BLOCK) {
        float w[BLOCK];
        for (int k = 0; k < BLOCK; k++) w[k] = c->c[i + k].logit - m.max;
        for (int k = 0; k < BLOCK; k++) w[k] = vexpf(w[k]);
        for (int k = 0; k < BLOCK; k++) sum[k % 4] += (double)w[k];
        memcpy(&s->weight[i], w, sizeof w);
    }
    for (; i < c->n; i++) {
        s->weight[i] = vexpf(c->c[i].logit - m.max);
        sum[0] += (double)s->weight[i];
    }
    m.sum = sum[0] + sum[1] + sum[2] + sum[3];
    return m;
}

double candidates_entropy(const struct sample_chain *s, const struct candidates *c, struct softmax m)
{
    double mean = 0; /* of logit - max */
    for (int32_t i = 0; i < c->n; i++) {
        if (s->weight[i] > 0) mean += (double)s->weight[i] * ((double)c->c[i].logit - (double)m.max);
    }
    const double entropy = log(m.sum) - mean / m.sum;
    return entropy > 0 ? entropy : 0;
}

void candidates_keep_above(struct candidates *c, float max, double cut)
{
    const double least = (double)max + (cut < 0 ? cut : 0);
    int32_t kept = 0;
    for (int32_t i = 0; i < c->n; i++) {
        const struct candidate one = c->c[i];
        c->c[kept] = one;
        kept += (double)one.logit >= least;
    }
    c->n = kept;
}

void candidates_keep_best(struct candidates *c)
{
    const float max = candidates_max(c);
    int32_t best = 0;
    while (c->c[best].logit < max) best++;
    c->c[0] = c->c[best];
    c->n = 1;
}

/* ---- selection */

uint32_t float_key(float x)
{
    const uint32_t u = float_to_bits(x + 0.0f);
    return u ^ (u >> 31 ? 0xffffffffu : 0x80000000u);
}

void candidates_key(struct sample_chain *s, const struct candidates *c)
{
    for (int32_t i = 0; i < c->n; i++) s->key[i] = float_key(c->c[i].logit);
}

/* A key is read as three digits, the highest first: the digits of the cut are found one after another, each by adding up
 * weights per digit value among the keys that share the digits before. */
#define DIGITS 3
static const struct {
    int      shift;
    uint32_t values;
} digit[DIGITS] = { { 21, 2048 }, { 10, 2048 }, { 0, 1024 } };

struct cut {
    uint32_t key;
    int32_t  ties; /* how many of those with this very key belong */
};

static struct cut find_cut(const uint32_t *key, const float *weight, int32_t n, double target)
{
    struct cut cut = { 0 };
    uint32_t mask = 0;
    double above = 0; /* weight of all keys above the cut */
    for (int d = 0; d < DIGITS; d++) {
        const int shift = digit[d].shift;
        const uint32_t last = digit[d].values - 1;
        double sum[2048] = { 0 };
        for (int32_t i = 0; i < n; i++) {
            if ((key[i] & mask) == cut.key) sum[key[i] >> shift & last] += weight ? (double)weight[i] : 1;
        }
        uint32_t v = last;
        while (v > 0 && above + sum[v] < target) above += sum[v--];
        cut.key |= v << shift;
        mask |= last << shift;
    }
    for (int32_t i = 0; i < n && above < target; i++) {
        if (key[i] != cut.key) continue;
        above += weight ? (double)weight[i] : 1;
        cut.ties++;
    }
    return cut;
}

void candidates_keep_reaching(struct sample_chain *s, struct candidates *c, const float *weight, double target)
{
    /* above 0, or no key at all would reach it */
    const struct cut cut = find_cut(s->key, weight, c->n, target > DBL_MIN ? target : DBL_MIN);
    int32_t kept = 0, ties = cut.ties;
    for (int32_t i = 0; i < c->n; i++) {
        const uint32_t key = s->key[i];
        if (key > cut.key || (key == cut.key && ties-- > 0)) c->c[kept++] = c->c[i];
    }
    c->n = kept;
}

/* ---- sorting */

static uint32_t sort_key(struct candidate c, bool by_id)
{
    return by_id ? (uint32_t)c.id : ~float_key(c.logit);
}

/* Stable, smallest sort_key first: by insertion when short, else digit by digit, the lowest first. */
static void sort(struct candidate *c, struct candidate *spare, int32_t n, bool by_id)
{
    if (n <= 64) {
        for (int32_t i = 1; i < n; i++) {
            const struct candidate one = c[i];
            const uint32_t key = sort_key(one, by_id);
            int32_t j = i;
            for (; j > 0 && sort_key(c[j - 1], by_id) > key; j--) c[j] = c[j - 1];
            c[j] = one;
        }
        return;
    }
    struct candidate *from = c, *to = spare;
    for (int d = DIGITS - 1; d >= 0; d--) {
        const int shift = digit[d].shift;
        const uint32_t last = digit[d].values - 1;
        int32_t start[2048 + 1] = { 0 };
        for (int32_t i = 0; i < n; i++) start[(sort_key(from[i], by_id) >> shift & last) + 1]++;
        for (uint32_t v = 1; v <= last; v++) start[v] += start[v - 1];
        for (int32_t i = 0; i < n; i++) to[start[sort_key(from[i], by_id) >> shift & last]++] = from[i];
        struct candidate *const swap = from;
        from = to;
        to = swap;
    }
    memcpy(c, spare, (size_t)n * sizeof *c); /* three digits: the result lies in spare */
}

void candidates_sort(struct sample_chain *s, struct candidates *c)
{
    if (c->sorted) return;
    sort(c->c, s->spare, c->n, false);
    c->sorted = true;
}

void candidates_unsort(struct sample_chain *s, struct candidates *c)
{
    if (!c->sorted) return;
    sort(c->c, s->spare, c->n, true);
    c->sorted = false;
}

/* ---- drawing */

int32_t candidates_draw(struct sample_chain *s, const struct candidates *c, double u, double *p)
{
    const struct softmax m = candidates_softmax(s, c);
    double running = 0;
    int32_t at = 0;
    for (int32_t i = 0; i < c->n; i++) {
        if (!(s->weight[i] > 0)) continue;
        at = i; /* rounding may leave u unreached: then the last one that can be drawn */
        running += (double)s->weight[i];
        if (running > u * m.sum) break;
    }
    *p = (double)s->weight[at] / m.sum;
    return at;
}

float float_clamp(double x)
{
    const double most = (double)FLT_MAX;
    if (x == -INFINITY) return -INFINITY;
    return (float)fmin(fmax(x, -most), most);
}
