/* Steps with a memory of what was drawn: they steer a property of the text towards a target. They belong at the end. */
#include "sample/chain_int.h"

#include <math.h>

/* ---- mirostat (arXiv 2007.14966): mu is the largest surprise allowed now, in bits */

/* Version 1 estimates the exponent of Zipf's law from the 100 best tokens and from it how many tokens mu allows. */
static int32_t mirostat_k(const struct candidates *c, double mu, int32_t n_vocab)
{
    const int32_t m = c->n < 100 ? c->n : 100;
    double tb = 0, tt = 0;
    for (int32_t i = 0; i + 1 < m; i++) {
        const double t = log((i + 2.0) / (i + 1.0)), b = (double)c->c[i].logit - (double)c->c[i + 1].logit;
        tb += t * b;
        tt += t * t;
    }
    const double exponent = tb / tt, epsilon = exponent - 1;
    const double k = pow(epsilon * exp2(mu) / (1 - pow(n_vocab, -epsilon)), 1 / exponent);
    return k >= c->n ? c->n : k >= 1 ? (int32_t)k : 1; /* NaN gives 1 */
}

void step_mirostat(struct sample_chain *s, struct candidates *c)
{
    if (s->value[PARAM_MIROSTAT] == 2) {
        const struct softmax m = candidates_softmax(s, c);
        candidates_keep_above(c, m.max, log(m.sum) - s->mirostat_mu * log(2));
    }
    candidates_sort(s, c); /* the draw shall go from the most likely down */
    if (s->value[PARAM_MIROSTAT] == 1 && c->n > 1) c->n = mirostat_k(c, s->mirostat_mu, s->n_vocab);
}

void chosen_mirostat(struct sample_chain *s, int32_t token, double p)
{
    (void)token;
    s->mirostat_mu -= s->value[PARAM_MIROSTAT_ETA] * (-log2(p) - s->value[PARAM_MIROSTAT_TAU]);
}

/* ---- adaptive-p (llama.cpp pull request 17927) */

void step_adaptive_p(struct sample_chain *s, struct candidates *c)
{
    const double wanted = s->value[PARAM_ADAPTIVE_TARGET];
    if (wanted < 0) return;
    const double mean = s->adaptive_weight > 0 ? s->adaptive_sum / s->adaptive_weight : wanted;
    const double target = fmin(fmax(2 * wanted - mean, 0), 1);
    const struct softmax m = candidates_softmax(s, c);
    for (int32_t i = 0; i < c->n; i++) {
        const double p = (double)s->weight[i] / m.sum, d = fabs(p - target) / 0.3;
        s->adaptive_prior[c->c[i].id] = (float)p;
        c->c[i].logit = (float)(5 - 10 * d * d / (1 + d));
    }
    candidates_unsort(s, c);
}

void chosen_adaptive_p(struct sample_chain *s, int32_t token, double p)
{
    (void)p; /* what counts is the probability before the step */
    const double decay = s->value[PARAM_ADAPTIVE_DECAY];
    s->adaptive_sum = (double)s->adaptive_prior[token] + decay * s->adaptive_sum;
    s->adaptive_weight = 1 + decay * s->adaptive_weight;
}
