/* Mixture of experts: choosing experts for each row and adding up what they say. */
#include <math.h>

#include "base/vmath.h"
#include "ops/ops_int.h"

#define ROUTE_MAX 4096 /* experts */

struct tensor *op_route_(struct tape *t, struct tensor *logits, const struct route *how, struct tensor **ids)
{
    *ids = &t->tensor[0];
    if (t->status) return logits;
    const int64_t n = op_is_f32(logits) && logits->rank == 2 ? logits->dim[1] : 0;
    const int groups = how->groups > 1 ? how->groups : 1;
    if (how->k < 1 || how->k > n || n > ROUTE_MAX || n % groups || (how->bias && !op_is_vector(how->bias, n)) ||
        (groups > 1 && (how->group_k < 1 || how->group_k > groups || how->group_k * (n / groups) < how->k)))
        return op_shapes(t, "route", logits, how->bias);
    const int64_t dim[] = { logits->dim[0], how->k };
    *ids = tape_tensor(t, "experts_chosen", DTYPE_I32, 2, dim);
    struct op_record *r = op_make(t, OP_ROUTE, logits, how->bias, NULL, 2, dim);
    if (!r) return logits;
    r->out[1] = *ids;
    memcpy(r->p.i, (int32_t[]){ how->k, how->normalize, how->sigmoid, groups, how->group_k, how->group_best }, 6 * sizeof(int32_t));
    r->p.f[0] = how->scale;
    return op_end(t, r);
}

int64_t route_units(const struct op_record *r, const struct ragged *g) { return rows_units(r, g); }

/* Scores of all experts: softmax, or sigmoid each. */
static void score_experts(const float *logits, int64_t n, bool sigmoid, float *score)
{
    float max = logits[0];
    double sum = 0.0;
    for (int64_t e = 1; e < n; e++) max = logits[e] > max ? logits[e] : max;
    for (int64_t e = 0; e < n; e++) {
        score[e] = sigmoid ? 1.0f / (1.0f + vexpf(-logits[e])) : vexpf(logits[e] - max);
        sum += (double)score[e];
    }
    for (int64_t e = 0; !sigmoid && e < n; e++) score[e] = (float)((double)score[e] / sum);
}

/* The k largest of n into ids, largest first: k times the best that is left, since n and k are small. */
static void choose_largest(const float *value, int64_t n, int k, int32_t *ids)
{
    for (int s = 0; s < k; s++) {
        int32_t best = -1;
        for (int32_t e = 0; e < n; e++) {
            bool taken = false;
            for (int i = 0; i < s; i++) taken |= ids[i] == e;
            if (!taken && (best < 0 || value[e] > value[best])) best = e;
        }
        ids[s] = best;
    }
}

/* Experts outside the best groups are out of the choice (DeepSeek-AI 2024); `counted` experts speak for a group. */
static void drop_groups(float *choice, int64_t n, int groups, int keep, int counted)
{
    float best[ROUTE_MAX];
    int32_t kept[ROUTE_MAX];
    const int64_t size = n / groups;
    for (int g = 0; g < groups; g++) {
        int32_t two[2] = { 0, 0 };
        choose_largest(choice + g * size, size, counted, two);
        best[g] = choice[g * size + two[0]] + (counted > 1 ? choice[g * size + two[1]] : 0.0f);
    }
    choose_largest(best, groups, keep, kept);
    for (int g = 0; g < groups; g++) {
        bool stays = false;
        for (int i = 0; i < keep; i++) stays |= kept[i] == g;
        for (int64_t e = 0; !stays && e < size; e++) choice[g * size + e] = -INFINITY;
    }
}

void route_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t n = r->in[0]->dim[1];
    const float *bias = r->in[1] ? r->in[1]->data : NULL;
    const int k = r->p.i[0];
    for (int64_t i = begin; i < end; i++) {
        float score[ROUTE_MAX], choice[ROUTE_MAX], *weights = ROW(r->out[0], i);
        int32_t *ids = tensor_row(r->out[1], i);
        double sum = 0.0;
        score_experts(ROW(r->in[0], i), n, r->p.i[2], score);
        for (int64_t e = 0; e < n; e++) choice[e] = score[e] + (bias ? bias[e] : 0.0f);
        if (r->p.i[3] > 1) drop_groups(choice, n, r->p.i[3], r->p.i[4], r->p.i[5] || n == r->p.i[3] ? 1 : 2);
        choose_largest(choice, n, k, ids);
        for (int s = 0; s < k; s++) sum += (double)(weights[s] = score[ids[s]]);
        for (int s = 0; s < k; s++) weights[s] = (float)((double)weights[s] / (r->p.i[1] ? sum : 1.0)) * r->p.f[0];
    }
}

struct tensor *op_combine_(struct tape *t, struct tensor *x, struct tensor *weights)
{
    if (t->status) return x;
    if (!op_is_f32(x) || x->rank != 3 || !op_is_f32(weights) || weights->rank != 2 || weights->dim[0] != x->dim[0] ||
        weights->dim[1] != x->dim[1])
        return op_shapes(t, "combine", x, weights);
    return op_end(t, op_make(t, OP_COMBINE, x, weights, NULL, 2, (int64_t[]){ x->dim[0], x->dim[2] }));
}

int64_t combine_units(const struct op_record *r, const struct ragged *g) { return rows_units(r, g); }

void combine_run(const struct op_record *r, const struct ragged *g, int64_t begin, int64_t end)
{
    (void)g;
    const int64_t k = r->in[0]->dim[1], width = r->in[0]->dim[2];
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = ROW(r->out[0], i);
        memset(y, 0, (size_t)width * sizeof *y);
        for (int64_t s = 0; s < k; s++) {
            const float *x = ROW(r->in[0], i * k + s), w = ROW(r->in[1], i)[s];
            for (int64_t c = 0; c < width; c++) y[c] += x[c] * w;
        }
    }
}
