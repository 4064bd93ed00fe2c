/* The chain: loads the logits, runs the steps that are on, draws a token, keeps the history. */
#include "sample/chain_int.h"

#include <math.h>
#include <string.h>

const struct sample_step sample_steps[STEP_COUNT] = {
#define STEP(id, name, run, chosen, help) { name, run, chosen, help },
#include "sample/steps.def"
#undef STEP
};

/* ---- life */

static void plan_make(struct sample_chain *s, const struct hearth_sampling *settings)
{
    for (int i = 0; i < settings->n_order; i++) {
        const enum sample_step_id step = settings->order[i];
        if (sampling_step_on(settings, step)) s->plan[s->n_plan++] = &sample_steps[step];
    }
    s->greedy = s->n_plan > 0 && s->plan[0]->run == step_temperature && s->value[PARAM_TEMPERATURE] == 0;
}

static bool plan_has(const struct sample_chain *s, enum sample_step_id step)
{
    for (int i = 0; i < s->n_plan; i++) {
        if (s->plan[i] == &sample_steps[step]) return true;
    }
    return false;
}

static int bias_make(struct sample_chain *s, const struct hearth_sampling *settings, struct hearth_error *err)
{
    for (uint32_t i = 0; i < settings->n_bias; i++) {
        const struct logit_bias b = settings->bias[i];
        if (b.token >= s->n_vocab)
            return fail(err, HEARTH_E_ARG, "a logit bias names token %d, but the model's tokens are 0 to %d", b.token,
                        s->n_vocab - 1);
        if (s->bias) s->bias[b.token] = b.bias;
    }
    return HEARTH_OK;
}

static void *chain_array(struct sample_chain *s, uint64_t n, uint64_t size, bool wanted, bool *short_of)
{
    void *p = wanted ? arena_array(&s->arena, n, size) : NULL;
    *short_of |= wanted && !p;
    return p;
}

/* Takes the memory that the steps of the plan need; a greedy chain needs none. */
static int chain_allocate(struct sample_chain *s, struct hearth_error *err)
{
    const uint64_t n = (uint64_t)s->n_vocab;
    const bool penalties = !s->greedy && plan_has(s, STEP_PENALTIES);
    bool short_of = false;
    s->n_recent = (int32_t)s->value[PARAM_PENALTY_LAST_N];
    s->items = chain_array(s, n, sizeof *s->items, !s->greedy, &short_of);
    s->spare = chain_array(s, n, sizeof *s->spare, !s->greedy, &short_of);
    s->key = (uint32_t *)s->spare; /* selecting and sorting never happen at once */
    s->weight = chain_array(s, n, sizeof *s->weight, !s->greedy, &short_of);
    s->bias = chain_array(s, n, sizeof *s->bias, !s->greedy && plan_has(s, STEP_BIAS), &short_of);
    s->count = chain_array(s, n, sizeof *s->count, penalties, &short_of);
    s->recent = chain_array(s, (uint64_t)s->n_recent, sizeof *s->recent, penalties && s->n_recent > 0, &short_of);
    s->adaptive_prior = chain_array(s, n, sizeof *s->adaptive_prior, !s->greedy && plan_has(s, STEP_ADAPTIVE_P), &short_of);
    return short_of ? fail_memory(err, n * 28, "sampling") : HEARTH_OK;
}

int sample_chain_new(struct sample_chain **out, const struct hearth_sampling *settings, int32_t n_vocab, struct hearth_error *err)
{
    *out = NULL;
    if (n_vocab <= 0) return fail(err, HEARTH_E_ARG, "cannot sample from a vocabulary of %d tokens", n_vocab);
    struct sample_chain *s = mem_array(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s, "sampling");
    arena_init(&s->arena, UINT64_MAX);
    s->n_vocab = n_vocab;
    s->greedy = true;
    int status = HEARTH_OK;
    if (settings) {
        memcpy(s->value, settings->value, sizeof s->value);
        plan_make(s, settings);
        status = chain_allocate(s, err);
        if (!status) status = bias_make(s, settings, err);
    }
    if (status) {
        sample_chain_free(s);
        return status;
    }
    sample_chain_seed(s, 0);
    sample_chain_reset(s);
    *out = s;
    return HEARTH_OK;
}

void sample_chain_free(struct sample_chain *s)
{
    if (!s) return;
    arena_free(&s->arena);
    mem_free(s);
}

void sample_chain_seed(struct sample_chain *s, uint64_t seed)
{
    rng_seed(&s->rng, seed);
}

/* ---- history */

void sample_chain_accept(struct sample_chain *s, int32_t token)
{
    if (!s->count) return;
    if (s->recent) {
        const int32_t gone = s->recent[s->at_recent];
        if (gone >= 0) s->count[gone]--;
        s->recent[s->at_recent] = token < s->n_vocab ? token : -1;
        s->at_recent = s->at_recent + 1 == s->n_recent ? 0 : s->at_recent + 1;
    }
    if (token >= 0 && token < s->n_vocab) s->count[token]++;
}

void sample_chain_reset(struct sample_chain *s)
{
    if (s->count) memset(s->count, 0, (size_t)s->n_vocab * sizeof *s->count);
    for (int32_t i = 0; s->recent && i < s->n_recent; i++) s->recent[i] = -1;
    s->at_recent = 0;
    s->mirostat_mu = 2 * s->value[PARAM_MIROSTAT_TAU];
    /* as if all tokens so far had hit the target */
    s->adaptive_weight = 1 / (1 - s->value[PARAM_ADAPTIVE_DECAY]);
    s->adaptive_sum = s->value[PARAM_ADAPTIVE_TARGET] * s->adaptive_weight;
}

/* ---- picking */

static int fail_nan(const float *logits, struct hearth_error *err)
{
    int32_t token = 0;
    while (!isnan(logits[token])) token++;
    return fail(err, HEARTH_E_FORMAT, "the logit of token %d is not a number: weights or computation are broken", token);
}

static int fail_none(struct hearth_error *err)
{
    return fail(err, HEARTH_E_FORMAT, "the logits of all tokens are -infinity: no token is left to choose");
}

/* The first of the largest. */
static int pick_best(const struct sample_chain *s, const float *logits, int32_t *token, struct hearth_error *err)
{
    float best = -INFINITY;
    int32_t at = -1;
    for (int32_t i = 0; i < s->n_vocab; i++) {
        if (logits[i] > best) {
            best = logits[i];
            at = i;
        } else if (isnan(logits[i])) {
            return fail_nan(logits, err);
        }
    }
    if (at < 0) return fail_none(err);
    *token = at;
    return HEARTH_OK;
}

/* All tokens but those at -inf become candidates; where the model says +inf, only those. */
static int candidates_load(struct sample_chain *s, const float *logits, struct candidates *c, struct hearth_error *err)
{
    int nan = 0, infinite = 0;
    *c = (struct candidates){ .c = s->items };
    for (int32_t i = 0; i < s->n_vocab; i++) {
        const float l = logits[i];
        nan |= l != l;
        infinite |= l == INFINITY;
        c->c[c->n] = (struct candidate){ i, l };
        c->n += l > -INFINITY;
    }
    if (nan) return fail_nan(logits, err);
    if (infinite) {
        c->n = 0;
        for (int32_t i = 0; i < s->n_vocab; i++) {
            if (logits[i] == INFINITY) c->c[c->n++] = (struct candidate){ i, 0 };
        }
    }
    return c->n > 0 ? HEARTH_OK : fail_none(err);
}

static int chain_run(struct sample_chain *s, const float *logits, struct candidates *c, struct hearth_error *err)
{
    const int status = candidates_load(s, logits, c, err);
    if (status) return status;
    for (int i = 0; i < s->n_plan; i++) {
        s->plan[i]->run(s, c);
        if (c->n == 0) return fail(err, HEARTH_E_ARG, "the logit biases forbid every token that the model allows: remove some");
    }
    return HEARTH_OK;
}

int sample_chain_pick(struct sample_chain *s, const float *logits, int32_t *token, struct hearth_error *err)
{
    if (s->greedy) return pick_best(s, logits, token, err);
    struct candidates c;
    const int status = chain_run(s, logits, &c, err);
    if (status) return status;
    double p;
    *token = c.c[candidates_draw(s, &c, rng_unit(&s->rng), &p)].id;
    for (int i = 0; i < s->n_plan; i++) {
        if (s->plan[i]->chosen) s->plan[i]->chosen(s, *token, p);
    }
    return HEARTH_OK;
}

int sample_chain_probs(struct sample_chain *s, const float *logits, float *probs, struct hearth_error *err)
{
    int32_t best = 0;
    struct candidates c;
    const struct rng rng = s->rng; /* the next pick shall see the same random numbers */
    const int status = s->greedy ? pick_best(s, logits, &best, err) : chain_run(s, logits, &c, err);
    s->rng = rng;
    if (status) return status;
    memset(probs, 0, (size_t)s->n_vocab * sizeof *probs);
    if (s->greedy) {
        probs[best] = 1;
        return HEARTH_OK;
    }
    const struct softmax m = candidates_softmax(s, &c);
    for (int32_t i = 0; i < c.n; i++) probs[c.c[i].id] = (float)((double)s->weight[i] / m.sum);
    return HEARTH_OK;
}
