/* Steps that only remove candidates, judging by the candidates of this moment alone. */
#include "sample/chain_int.h"

#include <math.h>

static void keep_k(struct sample_chain *s, struct candidates *c, int32_t k)
{
    if (k >= c->n) return;
    candidates_key(s, c);
    candidates_keep_reaching(s, c, NULL, k);
}

/* Most of a big vocabulary is below the k best of the tokens before it, and one comparison per token shows that: only the
 * others are collected, at the front, and reduced to k whenever they are many. A later token that equals the least of the k
 * has a larger id, so it loses. */
void step_top_k(struct sample_chain *s, struct candidates *c)
{
    const int32_t k = (int32_t)s->value[PARAM_TOP_K];
    struct candidates front = { .c = c->c, .sorted = c->sorted };
    if (k < c->n / 8) {
        float least = -INFINITY;
        for (int32_t i = 0; i < c->n; i++) {
            if (c->c[i].logit <= least && front.n >= k) continue;
            front.c[front.n++] = c->c[i];
            if (front.n < 4 * k + 1024) continue;
            keep_k(s, &front, k);
            least = front.c[0].logit;
            for (int32_t j = 1; j < k; j++) least = front.c[j].logit < least ? front.c[j].logit : least;
        }
        c->n = front.n;
    }
    keep_k(s, c, k);
}

void step_top_p(struct sample_chain *s, struct candidates *c)
{
    const struct softmax m = candidates_softmax(s, c);
    candidates_key(s, c);
    candidates_keep_reaching(s, c, s->weight, s->value[PARAM_TOP_P] * m.sum);
}

void step_min_p(struct sample_chain *s, struct candidates *c)
{
    candidates_keep_above(c, candidates_max(c), log(s->value[PARAM_MIN_P]));
}

/* arXiv 2202.00666: nearest first by how far a token's surprise is from the expected one. */
void step_typical_p(struct sample_chain *s, struct candidates *c)
{
    const struct softmax m = candidates_softmax(s, c);
    const double expected = candidates_entropy(s, c, m) - log(m.sum);
    for (int32_t i = 0; i < c->n; i++) {
        const double surprise = (double)m.max - (double)c->c[i].logit; /* less log(sum), as is `expected` */
        s->key[i] = float_key((float)-fabs(surprise - expected));
    }
    candidates_keep_reaching(s, c, s->weight, s->value[PARAM_TYPICAL_P] * m.sum);
}

/* arXiv 2210.15191, both cutoffs. */
void step_epsilon_cutoff(struct sample_chain *s, struct candidates *c)
{
    const struct softmax m = candidates_softmax(s, c);
    candidates_keep_above(c, m.max, log(s->value[PARAM_EPSILON_CUTOFF] * m.sum));
}

void step_eta_cutoff(struct sample_chain *s, struct candidates *c)
{
    const struct softmax m = candidates_softmax(s, c);
    const double epsilon = s->value[PARAM_ETA_CUTOFF];
    const double eta = fmin(epsilon, sqrt(epsilon) * exp(-candidates_entropy(s, c, m)));
    candidates_keep_above(c, m.max, log(eta * m.sum));
}

void step_top_a(struct sample_chain *s, struct candidates *c)
{
    const struct softmax m = candidates_softmax(s, c); /* the best probability is 1 / sum */
    candidates_keep_above(c, m.max, log(s->value[PARAM_TOP_A] / m.sum));
}

/* arXiv 2411.07641, over the candidates that are left. */
void step_top_n_sigma(struct sample_chain *s, struct candidates *c)
{
    const float max = candidates_max(c);
    double sum = 0, squares = 0;
    for (int32_t i = 0; i < c->n; i++) sum += (double)c->c[i].logit - (double)max;
    const double mean = sum / c->n;
    for (int32_t i = 0; i < c->n; i++) {
        const double d = (double)c->c[i].logit - (double)max - mean;
        squares += d * d;
    }
    candidates_keep_above(c, max, -s->value[PARAM_TOP_N_SIGMA] * sqrt(squares / c->n));
}

/* Tail-free sampling in KoboldCpp's form: cuts before the first index, never 0, at which the running sum of the normalised
 * second differences exceeds z. */
void step_tfs(struct sample_chain *s, struct candidates *c)
{
    if (c->n <= 2) return;
    candidates_sort(s, c);
    candidates_softmax(s, c); /* a common factor of the weights does not matter here */
    const float *w = s->weight;
    double sum = 0, running = 0;
    for (int32_t i = 0; i + 2 < c->n; i++) sum += fabs((double)w[i] - 2 * (double)w[i + 1] + (double)w[i + 2]);
    for (int32_t i = 0; i + 2 < c->n; i++) {
        running += fabs((double)w[i] - 2 * (double)w[i + 1] + (double)w[i + 2]);
        if (i > 0 && running > s->value[PARAM_TFS] * sum) {
            c->n = i;
            return;
        }
    }
}

/* arXiv 2509.02510: of the 100 best, the first tokens that hold a share of the entropy. */
void step_top_h(struct sample_chain *s, struct candidates *c)
{
    if (c->n > 100) {
        candidates_key(s, c);
        candidates_keep_reaching(s, c, NULL, 100);
    }
    candidates_sort(s, c);
    const struct softmax m = candidates_softmax(s, c);
    const double most = s->value[PARAM_TOP_H] * candidates_entropy(s, c, m);
    double running = 0;
    int32_t kept = 0;
    for (; kept < c->n; kept++) {
        const double p = (double)s->weight[kept] / m.sum;
        running += p > 0 ? -p * log(p) : 0;
        if (running > most) break;
    }
    c->n = kept > 0 ? kept : 1;
}

/* Exclude top choices: when the die says so, all likely tokens go but the least likely of them. A threshold above 0.5 removes
 * nothing, as one token at most is that likely. */
void step_xtc(struct sample_chain *s, struct candidates *c)
{
    if (rng_unit(&s->rng) >= s->value[PARAM_XTC_PROBABILITY]) return;
    const struct softmax m = candidates_softmax(s, c);
    const double least = (double)m.max + log(s->value[PARAM_XTC_THRESHOLD] * m.sum);
    int32_t stays = -1;
    for (int32_t i = 0; i < c->n; i++) {
        const float l = c->c[i].logit;
        if ((double)l >= least && (stays < 0 || l <= c->c[stays].logit)) stays = i;
    }
    int32_t kept = 0;
    for (int32_t i = 0; i < c->n; i++) {
        if (i == stays || (double)c->c[i].logit < least) c->c[kept++] = c->c[i];
    }
    c->n = kept;
}
