/* Steps that bend the whole curve of logits. */
#include "sample/chain_int.h"

#include <math.h>

/* Distances from the best are divided, not the logits: nothing overflows, and the likely tokens keep their precision. */
static void logits_divide(struct candidates *c, double divisor)
{
    const double factor = 1 / (divisor > 1e-30 ? divisor : 1e-30), max = (double)candidates_max(c);
    for (int32_t i = 0; i < c->n; i++) c->c[i].logit = (float)(((double)c->c[i].logit - max) * factor);
    c->shift = (c->shift + max) * factor;
}

/* With a range, the divisor follows the entropy of the candidates over the most it could be (arXiv 2309.02772). */
void step_temperature(struct sample_chain *s, struct candidates *c)
{
    const double t = s->value[PARAM_TEMPERATURE], range = s->value[PARAM_DYNATEMP_RANGE];
    if (t == 0) {
        candidates_keep_best(c);
        return;
    }
    if (range == 0) {
        logits_divide(c, t);
        return;
    }
    if (c->n == 1) return;
    const double low = t > range ? t - range : 0, high = t + range;
    const struct softmax m = candidates_softmax(s, c);
    const double share = candidates_entropy(s, c, m) / log(c->n);
    logits_divide(c, low + (high - low) * pow(share, s->value[PARAM_DYNATEMP_EXPONENT]));
}

static double quadratic(double d, double square, double cube)
{
    return d == -INFINITY ? d : d * d * (square + cube * d);
}

/* With a curve other than 1 the best token need not stay the best: the new best becomes 0. */
void step_quadratic(struct sample_chain *s, struct candidates *c)
{
    const double factor = s->value[PARAM_SMOOTHING_FACTOR], curve = s->value[PARAM_SMOOTHING_CURVE];
    const double square = -factor * (3 - curve) / 2, cube = factor * (curve - 1) / 2;
    const double max = (double)candidates_max(c);
    double best = 0;
    candidates_unsort(s, c);
    for (int32_t i = 0; i < c->n; i++) best = fmax(best, quadratic((double)c->c[i].logit - max, square, cube));
    for (int32_t i = 0; i < c->n; i++) {
        c->c[i].logit = float_clamp(quadratic((double)c->c[i].logit - max, square, cube) - best);
    }
    c->shift += max + best;
}
