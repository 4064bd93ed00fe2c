/* Finds scales that make the squared error of a packed block small. Both searches work alike:
 * 1. each sub-block alone: try a row of step sizes around the obvious one; for each, round, then solve for the scale (and
 *    minimum) that fits those integers best, by least squares; keep the best;
 * 2. the largest scale fixes the scale of the whole block; round the others to it, try their neighbours as well. */
#include "quant/search.h"

#include "base/half.h"

enum { AFFINE_SUB = 32, LINEAR_SUB = 16, REFITS = 4 };

void search_range(float *d, float *m, const float *x, int n, int levels)
{
    float least = x[0], most = x[0];
    for (int i = 1; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    *d = (most - least) / (float)levels;
    *m = least;
}

/* ---- with a minimum: value = scale * q - min, min >= 0 */

struct affine {
    float scale, min;
};

static float affine_round(uint8_t *q, const float *x, struct affine a, int levels)
{
    const float inverse = a.scale > 0 ? 1 / a.scale : 0;
    float error = 0;
    for (int i = 0; i < AFFINE_SUB; i++) {
        q[i] = (uint8_t)search_round((x[i] + a.min) * inverse, 0, levels);
        const float off = a.scale * q[i] - a.min - x[i];
        error += off * off;
    }
    return error;
}

/* Best scale and minimum for given integers. */
static struct affine affine_fit(const uint8_t *q, const float *x)
{
    const float n = AFFINE_SUB;
    float sum_q = 0, sum_qq = 0, sum_x = 0, sum_qx = 0;
    for (int i = 0; i < AFFINE_SUB; i++) {
        sum_q += q[i];
        sum_qq += (float)q[i] * q[i];
        sum_x += x[i];
        sum_qx += q[i] * x[i];
    }
    const float det = n * sum_qq - sum_q * sum_q;
    const struct affine a = { (n * sum_qx - sum_q * sum_x) / det, (sum_q * sum_qx - sum_qq * sum_x) / det };
    if (det > 0 && a.min >= 0) return a;
    return (struct affine){ sum_qq > 0 ? sum_qx / sum_qq : 0, 0 };
}

static struct affine affine_find(const float *x, int levels)
{
    float lo = 0, hi = x[0], best_error;
    for (int i = 0; i < AFFINE_SUB; i++) {
        lo = fminf(lo, x[i]);
        hi = fmaxf(hi, x[i]);
    }
    uint8_t q[AFFINE_SUB];
    struct affine best = { (hi - lo) / (float)levels, -lo };
    best_error = affine_round(q, x, best, levels);

    for (int step = -10; step <= 10; step++) {
        struct affine a = { (hi - lo) / ((float)levels + 0.1f * (float)step), -lo };
        affine_round(q, x, a, levels);
        for (int i = 0; i < REFITS; i++) {
            a = affine_fit(q, x);
            const float error = affine_round(q, x, a, levels);
            if (!(error < best_error)) break;
            best_error = error;
            best = a;
        }
    }
    return best;
}

/* Rounds one sub-block to multiples of d and dmin. */
static void affine_settle(struct search_affine *out, int sub, const float *x, struct affine a, int levels)
{
    const float d = f16_to_f32(out->d), dmin = f16_to_f32(out->dmin);
    const int scale = search_round(d > 0 ? a.scale / d : 0, 0, 63), min = search_round(dmin > 0 ? a.min / dmin : 0, 0, 63);
    uint8_t q[AFFINE_SUB];
    float best_error = INFINITY;
    for (int s = scale > 0 ? scale - 1 : 0; s <= scale + 1 && s <= 63; s++) {
        for (int m = min > 0 ? min - 1 : 0; m <= min + 1 && m <= 63; m++) {
            const float error = affine_round(q, x, (struct affine){ d * (float)s, dmin * (float)m }, levels);
            if (!(error < best_error)) continue;
            best_error = error;
            out->scale[sub] = (uint8_t)s;
            out->min[sub] = (uint8_t)m;
            memcpy(out->q + sub * AFFINE_SUB, q, sizeof q);
        }
    }
}

void search_affine(struct search_affine *out, const float *x, int levels)
{
    struct affine a[SEARCH_BLOCK / AFFINE_SUB];
    float max_scale = 0, max_min = 0;
    memset(out, 0, sizeof *out);
    for (int sub = 0; sub < SEARCH_BLOCK / AFFINE_SUB; sub++) {
        a[sub] = affine_find(x + sub * AFFINE_SUB, levels);
        max_scale = fmaxf(max_scale, a[sub].scale);
        max_min = fmaxf(max_min, a[sub].min);
    }
    out->d = f32_to_f16(max_scale / 63);
    out->dmin = f32_to_f16(max_min / 63);
    for (int sub = 0; sub < SEARCH_BLOCK / AFFINE_SUB; sub++) affine_settle(out, sub, x + sub * AFFINE_SUB, a[sub], levels);
}

/* ---- without: value = scale * q */

static float linear_round(int8_t *q, const float *x, float scale)
{
    const float inverse = scale != 0 ? 1 / scale : 0;
    float error = 0;
    for (int i = 0; i < LINEAR_SUB; i++) {
        q[i] = (int8_t)search_round(x[i] * inverse, -32, 31);
        const float off = scale * q[i] - x[i];
        error += off * off;
    }
    return error;
}

static float linear_fit(const int8_t *q, const float *x)
{
    float sum_qq = 0, sum_qx = 0;
    for (int i = 0; i < LINEAR_SUB; i++) {
        sum_qq += (float)q[i] * q[i];
        sum_qx += q[i] * x[i];
    }
    return sum_qq > 0 ? sum_qx / sum_qq : 0;
}

/* The value farthest from zero gets -32 or near it; the sign of the scale follows. */
static float linear_find(const float *x)
{
    float far = 0;
    for (int i = 0; i < LINEAR_SUB; i++) far = fabsf(x[i]) > fabsf(far) ? x[i] : far;
    int8_t q[LINEAR_SUB];
    float best = far / -32, best_error = linear_round(q, x, best);

    for (int step = -16; step <= 16; step++) {
        float scale = far / (-32 + 0.125f * (float)step);
        linear_round(q, x, scale);
        for (int i = 0; i < REFITS; i++) {
            scale = linear_fit(q, x);
            const float error = linear_round(q, x, scale);
            if (!(error < best_error)) break;
            best_error = error;
            best = scale;
        }
    }
    return best;
}

static void linear_settle(struct search_linear *out, int sub, const float *x, float wanted)
{
    const float d = f16_to_f32(out->d);
    const int scale = search_round(d != 0 ? wanted / d : 0, -128, 127);
    int8_t q[LINEAR_SUB];
    float best_error = INFINITY;
    for (int s = scale > -128 ? scale - 1 : -128; s <= scale + 1 && s <= 127; s++) {
        const float error = linear_round(q, x, d * (float)s);
        if (!(error < best_error)) continue;
        best_error = error;
        out->scale[sub] = (int8_t)s;
        memcpy(out->q + sub * LINEAR_SUB, q, sizeof q);
    }
}

void search_linear(struct search_linear *out, const float *x)
{
    float scale[SEARCH_BLOCK / LINEAR_SUB], max_scale = 0;
    memset(out, 0, sizeof *out);
    for (int sub = 0; sub < SEARCH_BLOCK / LINEAR_SUB; sub++) {
        scale[sub] = linear_find(x + sub * LINEAR_SUB);
        max_scale = fabsf(scale[sub]) > fabsf(max_scale) ? scale[sub] : max_scale;
    }
    out->d = f32_to_f16(max_scale / -128);
    for (int sub = 0; sub < SEARCH_BLOCK / LINEAR_SUB; sub++) linear_settle(out, sub, x + sub * LINEAR_SUB, scale[sub]);
}
