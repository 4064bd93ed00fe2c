/* Sampling without recorded data: settings and their errors, order, ties, odd logits, random numbers, memory. Distributions
 * are compared with a plain reference that sorts everything, in doubles. */
#include <float.h>
#include <math.h>

#include "sample/chain_int.h"

#include "test.h" /* after our headers: cmocka has a macro named fail */

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct hearth_error err;

static hearth_sampling *settings_new(void)
{
    hearth_sampling *s;
    assert_ok(hearth_sampling_new(&s, &err), &err);
    return s;
}

static void set(hearth_sampling *s, const char *name, double value)
{
    assert_ok(hearth_sampling_set(s, name, value, &err), &err);
}

static struct sample_chain *chain_new(const hearth_sampling *s, int32_t n_vocab)
{
    struct sample_chain *chain;
    assert_ok(sample_chain_new(&chain, s, n_vocab, &err), &err);
    return chain;
}

static int32_t pick(struct sample_chain *chain, const float *logits)
{
    int32_t token = -1;
    assert_ok(sample_chain_pick(chain, logits, &token, &err), &err);
    return token;
}

static void probs_of(struct sample_chain *chain, const float *logits, float *probs)
{
    assert_ok(sample_chain_probs(chain, logits, probs, &err), &err);
}

static float random_logit(struct rng *r) /* roughly normal */
{
    double x = -6;
    for (int i = 0; i < 12; i++) x += rng_unit(r);
    return (float)(3 * x);
}

/* ---- settings */

static void test_table(void **state)
{
    (void)state;
    size_t n;
    const hearth_sampling_param *p = hearth_sampling_params(&n);
    assert_int_equal(n, PARAM_COUNT);
    hearth_sampling *s = settings_new();
    for (size_t i = 0; i < n; i++) {
        assert_true(p[i].min <= p[i].initial && p[i].initial <= p[i].max && p[i].help[0]);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(p[i].name, p[k].name);
        set(s, p[i].name, p[i].min);
        set(s, p[i].name, p[i].max);
        set(s, p[i].name, p[i].initial);
    }
    for (int i = 0; i < STEP_COUNT; i++) {
        assert_true(sample_steps[i].help[0]);
        assert_false(sampling_step_on(s, (enum sample_step_id)i));
    }
    hearth_sampling_free(s);
    hearth_sampling_free(NULL);
}

static void assert_refused(hearth_sampling *s, const char *name, double value, const char *part, const char *other)
{
    memset(&err, 0, sizeof err);
    assert_fails(hearth_sampling_set(s, name, value, &err), HEARTH_E_ARG, &err);
    if (!strstr(err.text, part) || !strstr(err.text, other)) fail_msg("\"%s\" lacks \"%s\" or \"%s\"", err.text, part, other);
}

static void test_refusals(void **state)
{
    (void)state;
    hearth_sampling *s = settings_new();
    assert_refused(s, "top-p", 0.5, "\"top-p\"", "\"top_p\"");
    assert_refused(s, "temprature", 0.5, "\"temprature\"", "\"temperature\"");
    assert_refused(s, "repeat_penalty", 1.1, "\"repeat_penalty\"", "\"repetition_penalty\"");
    assert_refused(s, "", 1, "\"\"", "did you mean");
    assert_refused(s, "top_p", 1.5, "1.5", "at most 1");
    assert_refused(s, "temperature", -0.25, "-0.25", "at least 0");
    assert_refused(s, "repetition_penalty", 0, "is 0", "at least 0.01");
    assert_refused(s, "top_k", 3000000000.0, "3000000000", "2147483647");
    assert_refused(s, "top_k", 2.5, "2.5", "whole");
    assert_refused(s, "min_p", NAN, "min_p", "not a number");
    assert_refused(s, "min_p", INFINITY, "inf", "at most 1");
    char hostile[10000];
    memset(hostile, 'x', sizeof hostile);
    hostile[sizeof hostile - 1] = '\0';
    assert_refused(s, hostile, 1, "xxx", "did you mean");
    hearth_sampling_free(s);
}

static void test_order(void **state)
{
    (void)state;
    hearth_sampling *s = settings_new();
    const char *order = hearth_sampling_order_default();
    assert_true(strstr(order, "bias,penalties,temperature,") == order);
    assert_non_null(strstr(order, "top_k,top_p,min_p,typical_p"));
    assert_ok(hearth_sampling_order(s, order, &err), &err);
    assert_ok(hearth_sampling_order(s, " top_k , temperature", &err), &err);
    static const struct {
        const char *order, *part;
    } bad[] = {
        { "top_k,tempreature", "\"tempreature\"; did you mean \"temperature\"" }, { "top_k,top_p,top_k", "\"top_k\" twice" },
        { "top_k,", "\"\"" }, { "", "\"\"" }, { "top_k,,top_p", "\"\"" }, { "top_k;top_p", "\"top_k;top_p\"" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_fails(hearth_sampling_order(s, bad[i].order, &err), HEARTH_E_ARG, &err);
        if (!strstr(err.text, bad[i].part)) fail_msg("\"%s\" lacks %s", err.text, bad[i].part);
    }
    /* a refused order changes nothing; a step left out does not act */
    const float logits[4] = { 0, 1, 2, 3 };
    float probs[4];
    set(s, "top_p", 0.1);
    set(s, "top_k", 3);
    struct sample_chain *chain = chain_new(s, 4);
    probs_of(chain, logits, probs);
    assert_true(probs[0] == 0 && probs[1] > 0 && probs[2] > 0 && probs[3] > 0);
    sample_chain_free(chain);
    hearth_sampling_free(s);
}

/* ---- a plain reference for the usual four steps */

struct ref {
    int32_t id;
    double  logit, p;
};

static int ref_before(const void *a, const void *b)
{
    const struct ref *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return x->id - y->id;
}

static void ref_softmax(struct ref *r, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += r[i].p = exp(r[i].logit - r[0].logit);
    for (int i = 0; i < n; i++) r[i].p /= sum;
}

static int ref_step(struct ref *r, int n, const char *step, double x) /* r sorted; returns the new n */
{
    int kept = 0;
    ref_softmax(r, n);
    if (!strcmp(step, "top_k")) return n < (int)x ? n : (int)x;
    if (!strcmp(step, "temperature")) {
        for (int i = 0; i < n; i++) r[i].logit /= x;
        return n;
    }
    if (!strcmp(step, "min_p")) {
        while (kept < n && r[kept].p >= x * r[0].p) kept++;
        return kept;
    }
    double running = 0;
    while (kept < n && running < x) running += r[kept++].p;
    return kept;
}

/* Logits on a grid of 1/8, so that many are equal; p and m are chosen off the grid of sums. */
static void check_order(struct rng *rng, int32_t n_vocab, const char *const step[4], const double x[4])
{
    float *logits = malloc((size_t)n_vocab * sizeof *logits), *probs = malloc((size_t)n_vocab * sizeof *probs);
    struct ref *ref = malloc((size_t)n_vocab * sizeof *ref);
    hearth_sampling *s = settings_new();
    char order[100] = "";
    for (int i = 0; i < 4; i++) {
        snprintf(order + strlen(order), sizeof order - strlen(order), "%s%s", i ? "," : "", step[i]);
        set(s, step[i], x[i]);
    }
    assert_ok(hearth_sampling_order(s, order, &err), &err);
    for (int32_t i = 0; i < n_vocab; i++) {
        logits[i] = floorf(8 * random_logit(rng)) / 8;
        ref[i] = (struct ref){ i, (double)logits[i], 0 };
    }
    qsort(ref, (size_t)n_vocab, sizeof *ref, ref_before);
    int n = n_vocab;
    for (int i = 0; i < 4; i++) n = ref_step(ref, n, step[i], x[i]);
    ref_softmax(ref, n);
    struct sample_chain *chain = chain_new(s, n_vocab);
    probs_of(chain, logits, probs);
    for (int i = 0; i < n; i++) {
        const double got = (double)probs[ref[i].id];
        if (fabs(got - ref[i].p) > 1e-5 * ref[i].p) fail_msg("%s: token %d has %g, not %g", order, ref[i].id, got, ref[i].p);
        probs[ref[i].id] = 0;
    }
    for (int32_t i = 0; i < n_vocab; i++) {
        if (probs[i] != 0) fail_msg("%s: token %d of probability %g should be gone", order, i, (double)probs[i]);
    }
    sample_chain_free(chain);
    hearth_sampling_free(s);
    free(ref);
    free(probs);
    free(logits);
}

static void test_orders(void **state)
{
    (void)state;
    static const char *const step[4] = { "temperature", "top_k", "top_p", "min_p" };
    static const double x[3][4] = {
        { 0.7123, 40, 0.9031, 0.0213 }, { 1.9117, 300, 0.4567, 0.0057 }, { 0.9071, 5000, 0.99713, 0.00011 }
    };
    static const int32_t size[] = { 1, 7, 100, 3001, 50000 };
    struct rng rng;
    rng_seed(&rng, 1);
    for (int code = 0; code < 256; code++) { /* all permutations: the codes whose four digits differ */
        const int at[4] = { code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 };
        if ((1 << at[0] | 1 << at[1] | 1 << at[2] | 1 << at[3]) != 15) continue;
        for (size_t i = 0; i < COUNT(size); i++) {
            const double *v = x[(i + (size_t)code) % 3];
            check_order(&rng, size[i], (const char *const[]){ step[at[0]], step[at[1]], step[at[2]], step[at[3]] },
                        (const double[]){ v[at[0]], v[at[1]], v[at[2]], v[at[3]] });
        }
    }
}

/* ---- greedy, ties, edges */

static void test_greedy(void **state)
{
    (void)state;
    const float logits[6] = { -1, 3, -INFINITY, 3, 2, 3 };
    hearth_sampling *s = settings_new();
    set(s, "temperature", 0);
    set(s, "top_k", 40);
    struct sample_chain *chains[3] = { chain_new(NULL, 6), chain_new(s, 6), NULL };
    assert_true(chains[0]->greedy && chains[1]->greedy && !chains[1]->items);
    assert_ok(hearth_sampling_order(s, "top_k,temperature", &err), &err); /* temperature 0 later in the chain */
    chains[2] = chain_new(s, 6);
    assert_false(chains[2]->greedy);
    for (int i = 0; i < 3; i++) {
        float probs[6];
        assert_int_equal(pick(chains[i], logits), 1);
        probs_of(chains[i], logits, probs);
        for (int k = 0; k < 6; k++) assert_true(probs[k] == (k == 1));
        sample_chain_free(chains[i]);
    }
    /* penalties still act before temperature 0, and on the sign of the model's own logit */
    assert_ok(hearth_sampling_order(s, hearth_sampling_order_default(), &err), &err);
    set(s, "repetition_penalty", 1.6);
    struct sample_chain *chain = chain_new(s, 6);
    sample_chain_accept(chain, 1);
    assert_int_equal(pick(chain, logits), 3);
    sample_chain_accept(chain, 3);
    sample_chain_accept(chain, 5);
    assert_int_equal(pick(chain, logits), 4);
    sample_chain_reset(chain);
    assert_int_equal(pick(chain, logits), 1);
    sample_chain_free(chain);
    hearth_sampling_free(s);
}

static void test_ties(void **state)
{
    (void)state;
    const float equal[8] = { 1, 1, 1, 1, 1, 1, 1, 1 }, zeros[4] = { -0.0f, 0.0f, -0.0f, 0.0f };
    static const struct {
        const char *name;
        double      value;
        int         kept; /* of 8 equal ones */
    } cases[] = {
        { "top_k", 3, 3 }, { "top_k", 100, 8 }, { "top_p", 0.5, 4 }, { "top_p", 0.51, 5 }, { "top_p", 0, 1 }, { "min_p", 1, 8 },
        { "typical_p", 0.25, 2 }, { "top_a", 1, 8 }, { "epsilon_cutoff", 0.9, 8 }, { "top_n_sigma", 1, 8 }, { "tfs", 0.1, 8 },
        { "top_h", 0.25, 2 }, { "top_h", 1e-9, 1 },
    };
    float probs[8];
    for (size_t i = 0; i < COUNT(cases); i++) {
        hearth_sampling *s = settings_new();
        set(s, cases[i].name, cases[i].value);
        struct sample_chain *chain = chain_new(s, 8);
        probs_of(chain, equal, probs);
        for (int k = 0; k < 8; k++) {
            if ((probs[k] > 0) != (k < cases[i].kept)) fail_msg("%s %g: token %d", cases[i].name, cases[i].value, k);
        }
        sample_chain_free(chain);
        hearth_sampling_free(s);
    }
    hearth_sampling *s = settings_new();
    set(s, "top_k", 2);
    struct sample_chain *chain = chain_new(s, 4);
    probs_of(chain, zeros, probs);
    assert_true(probs[0] == 0.5f && probs[1] == 0.5f);
    sample_chain_free(chain);
    hearth_sampling_free(s);
}

/* top_k where every token beats all before it, and where most are equal. */
static void test_top_k_big(void **state)
{
    (void)state;
    enum { VOCAB = 20000, K = 10 };
    static float logits[VOCAB], probs[VOCAB];
    hearth_sampling *s = settings_new();
    set(s, "top_k", K);
    struct sample_chain *chain = chain_new(s, VOCAB);
    for (int i = 0; i < VOCAB; i++) logits[i] = (float)i * 0.001f;
    probs_of(chain, logits, probs);
    for (int i = 0; i < VOCAB; i++) assert_true((probs[i] > 0) == (i >= VOCAB - K));
    for (int i = 0; i < VOCAB; i++) logits[i] = i == 15000 ? 2 : 1;
    probs_of(chain, logits, probs);
    for (int i = 0; i < VOCAB; i++) assert_true((probs[i] > 0) == (i < K - 1 || i == 15000));
    sample_chain_free(chain);
    hearth_sampling_free(s);
}

/* A sorted list that a step turns over again must fall back to ties by id. */
static void test_ties_after_sorting(void **state)
{
    (void)state;
    const float logits[4] = { 1, 2, 2, 1.5f };
    float probs[4];
    hearth_sampling *s = settings_new();
    set(s, "top_h", 1);
    set(s, "presence_penalty", 1);
    set(s, "top_k", 1);
    assert_ok(hearth_sampling_order(s, "top_h,penalties,top_k", &err), &err);
    struct sample_chain *chain = chain_new(s, 4);
    sample_chain_accept(chain, 1);
    sample_chain_accept(chain, 2);
    sample_chain_accept(chain, 3); /* logits are now 1, 1, 1, 0.5 */
    probs_of(chain, logits, probs);
    assert_true(probs[0] == 1);
    sample_chain_free(chain);
    hearth_sampling_free(s);
}

static void test_odd_logits(void **state)
{
    (void)state;
    hearth_sampling *s = settings_new();
    set(s, "temperature", 0.8);
    set(s, "top_p", 0.9);
    struct sample_chain *chains[2] = { chain_new(NULL, 5), chain_new(s, 5) };
    for (int i = 0; i < 2; i++) {
        int32_t token;
        float probs[5];
        const float nan[5] = { 0, 1, -INFINITY, NAN, 9 }, none[5] = { -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY };
        const float sure[5] = { 3, -INFINITY, 0, INFINITY, 88 }, one[5] = { -INFINITY, -INFINITY, -3e38f, -INFINITY, -INFINITY };
        assert_fails(sample_chain_pick(chains[i], nan, &token, &err), HEARTH_E_FORMAT, &err);
        assert_non_null(strstr(err.text, "token 3"));
        assert_fails(sample_chain_probs(chains[i], nan, probs, &err), HEARTH_E_FORMAT, &err);
        assert_fails(sample_chain_pick(chains[i], none, &token, &err), HEARTH_E_FORMAT, &err);
        assert_non_null(strstr(err.text, "-infinity"));
        assert_int_equal(pick(chains[i], sure), 3);
        assert_int_equal(pick(chains[i], one), 2);
        sample_chain_free(chains[i]);
    }
    hearth_sampling_free(s);
    assert_fails(sample_chain_new(&chains[0], NULL, 0, &err), HEARTH_E_ARG, &err);
    sample_chain_free(NULL);
}

static void test_bias(void **state)
{
    (void)state;
    const float logits[4] = { 0, 1, 2, 3 };
    float probs[4];
    hearth_sampling *s = settings_new();
    assert_fails(hearth_sampling_bias(s, -1, 1, &err), HEARTH_E_ARG, &err);
    assert_fails(hearth_sampling_bias(s, 0, NAN, &err), HEARTH_E_ARG, &err);
    assert_fails(hearth_sampling_bias(s, 0, INFINITY, &err), HEARTH_E_ARG, &err);
    assert_ok(hearth_sampling_bias(s, 3, 50, &err), &err);
    assert_ok(hearth_sampling_bias(s, 3, -INFINITY, &err), &err); /* the later one counts */
    assert_ok(hearth_sampling_bias(s, 0, 2, &err), &err);
    struct sample_chain *chain = chain_new(s, 4);
    probs_of(chain, logits, probs);
    assert_true(probs[3] == 0 && probs[0] == probs[2] && probs[1] < probs[2] && probs[1] > 0);
    sample_chain_free(chain);
    set(s, "temperature", 0); /* a bias acts before temperature 0 */
    chain = chain_new(s, 4);
    assert_int_equal(pick(chain, logits), 0);
    sample_chain_free(chain);
    for (int32_t i = 0; i < 40; i++) assert_ok(hearth_sampling_bias(s, i % 4, -INFINITY, &err), &err);
    chain = chain_new(s, 4);
    int32_t token;
    assert_fails(sample_chain_pick(chain, logits, &token, &err), HEARTH_E_ARG, &err);
    assert_non_null(strstr(err.text, "bias"));
    sample_chain_free(chain);
    assert_ok(hearth_sampling_bias(s, 4, 1, &err), &err);
    assert_fails(sample_chain_new(&chain, s, 4, &err), HEARTH_E_ARG, &err);
    assert_non_null(strstr(err.text, "token 4"));
    hearth_sampling_free(s);
}

/* The ring of the window against a count over the last n tokens. */
static void test_window(void **state)
{
    (void)state;
    enum { VOCAB = 10, LAST = 7 };
    hearth_sampling *s = settings_new();
    set(s, "frequency_penalty", 0.5);
    set(s, "penalty_last_n", LAST);
    struct sample_chain *chain = chain_new(s, VOCAB);
    struct rng rng;
    rng_seed(&rng, 3);
    int32_t text[200];
    for (int n = 0; n < 200; n++) {
        text[n] = (int32_t)(rng_u32(&rng) % (VOCAB + 4)) - 2; /* some are no tokens of the vocabulary: they fill a place */
        sample_chain_accept(chain, text[n]);
        float logits[VOCAB] = { 0 }, probs[VOCAB];
        probs_of(chain, logits, probs);
        int count[VOCAB] = { 0 };
        double sum = 0;
        for (int i = n < LAST ? 0 : n - LAST + 1; i <= n; i++) {
            if (text[i] >= 0 && text[i] < VOCAB) count[text[i]]++;
        }
        for (int i = 0; i < VOCAB; i++) sum += exp(-0.5 * count[i]);
        for (int i = 0; i < VOCAB; i++) assert_true(fabs((double)probs[i] - exp(-0.5 * count[i]) / sum) < 1e-6);
    }
    sample_chain_free(chain);
    hearth_sampling_free(s);
}

/* Penalties after a step that bends the logits see the sign of the bent logit, as in programs that let temperature come first. */
static void test_penalty_after_bending(void **state)
{
    (void)state;
    static const struct {
        const char *order;
        double      expected[3]; /* logits after both steps */
    } cases[] = {
        { "temperature,penalties", { 4, 1, -8 } },     /* 8, 2, -4 penalised */
        { "quadratic,penalties", { 2, 1.55, 0.2 } },   /* 4, 3.1, 0.4 penalised */
        { "penalties,temperature", { 4, 1, -8 } },
        { "penalties", { 2, 0.5, -4 } },
    };
    const float logits[3] = { 4, 1, -2 };
    float probs[3];
    hearth_sampling *s = settings_new();
    set(s, "temperature", 0.5);
    set(s, "smoothing_factor", 0.1);
    set(s, "repetition_penalty", 2);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_ok(hearth_sampling_order(s, cases[i].order, &err), &err);
        struct sample_chain *chain = chain_new(s, 3);
        for (int32_t k = 0; k < 3; k++) sample_chain_accept(chain, k);
        probs_of(chain, logits, probs);
        for (int k = 1; k < 3; k++) {
            const double got = log((double)probs[k] / (double)probs[0]), wanted = cases[i].expected[k] - cases[i].expected[0];
            if (fabs(got - wanted) > 1e-5) fail_msg("%s: logit %d is %g from the best, not %g", cases[i].order, k, got, wanted);
        }
        sample_chain_free(chain);
    }
    hearth_sampling_free(s);
}

/* ---- chance */

static void test_seeds(void **state)
{
    (void)state;
    enum { VOCAB = 1000, N = 64 };
    float logits[VOCAB], probs[VOCAB];
    int32_t first[N], again[N];
    struct rng rng;
    rng_seed(&rng, 4);
    for (int i = 0; i < VOCAB; i++) logits[i] = random_logit(&rng);
    hearth_sampling *s = settings_new();
    set(s, "xtc_probability", 0.5);
    struct sample_chain *chain = chain_new(s, VOCAB);
    hearth_sampling_free(s); /* the chain has its own copy */
    sample_chain_seed(chain, 42);
    for (int i = 0; i < N; i++) first[i] = pick(chain, logits);
    sample_chain_seed(chain, 42);
    for (int i = 0; i < N; i++) {
        probs_of(chain, logits, probs); /* looking draws nothing, and shows what the pick will see */
        again[i] = pick(chain, logits);
        assert_true(probs[again[i]] > 0);
    }
    assert_memory_equal(first, again, sizeof first);
    sample_chain_seed(chain, 43);
    for (int i = 0; i < N; i++) again[i] = pick(chain, logits);
    assert_memory_not_equal(first, again, sizeof first);
    sample_chain_free(chain);
}

/* Chi-square over 100,000 draws: with 20 to 200 cells, 5 standard deviations above its mean. The seed is fixed. */
static void check_draws(struct sample_chain *chain, const float *logits, int32_t n_vocab)
{
    enum { N = 100000 };
    float *probs = malloc((size_t)n_vocab * sizeof *probs);
    int *seen = calloc((size_t)n_vocab, sizeof *seen);
    probs_of(chain, logits, probs);
    for (int i = 0; i < N; i++) seen[pick(chain, logits)]++;
    double chi = 0, rest = N, rest_seen = N;
    int cells = 0;
    for (int32_t i = 0; i < n_vocab; i++) {
        const double expected = (double)probs[i] * N;
        if (probs[i] == 0) assert_int_equal(seen[i], 0);
        if (expected < 20) continue;
        chi += (seen[i] - expected) * (seen[i] - expected) / expected;
        rest -= expected;
        rest_seen -= seen[i];
        cells++;
    }
    if (rest > 20) {
        chi += (rest_seen - rest) * (rest_seen - rest) / rest;
        cells++;
    }
    assert_in_range(cells, 10, 500);
    const double freedom = cells - 1, most = freedom + 5 * sqrt(2 * freedom);
    if (chi > most) fail_msg("chi-square %g over %d cells, at most %g", chi, cells, most);
    free(seen);
    free(probs);
}

static void test_distribution(void **state)
{
    (void)state;
    enum { VOCAB = 300 };
    float logits[VOCAB];
    struct rng rng;
    rng_seed(&rng, 5);
    for (int i = 0; i < VOCAB; i++) logits[i] = random_logit(&rng);
    hearth_sampling *s = settings_new();
    struct sample_chain *chain = chain_new(s, VOCAB);
    check_draws(chain, logits, VOCAB);
    sample_chain_free(chain);
    set(s, "temperature", 1.5);
    set(s, "top_k", 60);
    set(s, "top_p", 0.95);
    set(s, "typical_p", 0.97);
    chain = chain_new(s, VOCAB);
    check_draws(chain, logits, VOCAB);
    sample_chain_free(chain);
    hearth_sampling_free(s);
}

/* xtc acts as often as it is told to. */
static void test_xtc_rate(void **state)
{
    (void)state;
    enum { N = 20000 };
    const float logits[3] = { 2, 1, 0.5f };
    hearth_sampling *s = settings_new();
    set(s, "xtc_probability", 0.3);
    set(s, "top_k", 2);
    assert_ok(hearth_sampling_order(s, "xtc,top_k", &err), &err);
    struct sample_chain *chain = chain_new(s, 3);
    int acted = 0;
    for (int i = 0; i < N; i++) acted += pick(chain, logits) == 2; /* only when 0 and 1 were excluded */
    assert_true(fabs(acted / (double)N - 0.3) < 0.02);
    sample_chain_free(chain);
    hearth_sampling_free(s);
}

/* The memory of adaptive-p: a decayed mean of the probabilities, before the step, of the tokens it drew. */
static void test_adaptive(void **state)
{
    (void)state;
    enum { VOCAB = 50, TURNS = 200 };
    const double wanted = 0.1, decay = 0.8;
    float logits[VOCAB], probs[VOCAB];
    double prior[VOCAB], all = 0, sum = wanted / (1 - decay), weight = 1 / (1 - decay);
    for (int i = 0; i < VOCAB; i++) {
        logits[i] = -0.25f * (float)i; /* probabilities 0.22, 0.17, 0.13 ... */
        all += prior[i] = exp((double)logits[i]);
    }
    hearth_sampling *s = settings_new();
    set(s, "adaptive_target", wanted);
    set(s, "adaptive_decay", decay);
    struct sample_chain *chain = chain_new(s, VOCAB);
    for (int turn = 0; turn < TURNS; turn++) {
        const double target = fmin(fmax(2 * wanted - sum / weight, 0), 1);
        double expected[VOCAB], total = 0;
        for (int i = 0; i < VOCAB; i++) {
            const double d = fabs(prior[i] / all - target) / 0.3;
            total += expected[i] = exp(5 - 10 * d * d / (1 + d));
        }
        probs_of(chain, logits, probs);
        for (int i = 0; i < VOCAB; i++) assert_true(fabs((double)probs[i] - expected[i] / total) < 1e-6);
        sum = prior[pick(chain, logits)] / all + decay * sum;
        weight = 1 + decay * weight;
    }
    sample_chain_free(chain);
    hearth_sampling_free(s);
}

/* ---- memory */

static hearth_sampling *everything_on(void)
{
    hearth_sampling *s = settings_new();
    static const struct {
        const char *name;
        double      value;
    } on[] = {
        { "temperature", 0.9 }, { "top_k", 500 }, { "top_p", 0.98 }, { "min_p", 0.001 }, { "typical_p", 0.99 },
        { "repetition_penalty", 1.1 }, { "presence_penalty", 0.1 }, { "frequency_penalty", 0.1 }, { "penalty_last_n", 50 },
        { "dynatemp_range", 0.3 }, { "smoothing_factor", 0.01 }, { "top_n_sigma", 4 }, { "top_h", 0.9 },
        { "epsilon_cutoff", 1e-6 }, { "eta_cutoff", 1e-6 }, { "tfs", 0.999 }, { "top_a", 0.001 },
        { "xtc_probability", 0.2 }, { "mirostat", 2 }, { "adaptive_target", 0.3 },
    };
    for (size_t i = 0; i < COUNT(on); i++) set(s, on[i].name, on[i].value);
    assert_ok(hearth_sampling_bias(s, 5, -1, &err), &err);
    for (int i = 0; i < STEP_COUNT; i++) assert_true(sampling_step_on(s, (enum sample_step_id)i));
    return s;
}

static void test_no_allocation(void **state)
{
    (void)state;
    enum { VOCAB = 5000 };
    static float logits[VOCAB], probs[VOCAB];
    struct rng rng;
    rng_seed(&rng, 6);
    for (int i = 0; i < VOCAB; i++) logits[i] = random_logit(&rng);
    hearth_sampling *s = everything_on();
    struct sample_chain *chains[2] = { chain_new(s, VOCAB), chain_new(NULL, VOCAB) };
    const uint64_t before = mem_count();
    for (int i = 0; i < 2; i++) {
        for (int n = 0; n < 100; n++) {
            sample_chain_accept(chains[i], pick(chains[i], logits));
            probs_of(chains[i], logits, probs);
        }
        sample_chain_seed(chains[i], 1);
        sample_chain_reset(chains[i]);
    }
    assert_int_equal(mem_count(), before);
    for (int i = 0; i < 2; i++) sample_chain_free(chains[i]);
    hearth_sampling_free(s);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    hearth_sampling *s = everything_on();
    struct sample_chain *chain = NULL;
    int status = HEARTH_E_MEMORY;
    for (uint64_t nth = 1; status; nth++) {
        mem_fail_at(nth);
        status = sample_chain_new(&chain, s, 5000, &err);
        mem_fail_at(0);
        if (status) assert_fails(status, HEARTH_E_MEMORY, &err);
        if (status) assert_null(chain);
        assert_in_range(nth, 1, 50);
    }
    sample_chain_free(chain);
    hearth_sampling_free(s);
    mem_fail_at(1);
    assert_fails(hearth_sampling_new(&s, &err), HEARTH_E_MEMORY, &err);
    s = settings_new();
    mem_fail_at(1);
    assert_fails(hearth_sampling_bias(s, 0, 1, &err), HEARTH_E_MEMORY, &err);
    mem_fail_at(0);
    hearth_sampling_free(s);
}

/* ---- anything goes: random settings, orders and hostile logits give a distribution all the same */

static float hostile_logit(struct rng *r, int kind)
{
    static const float odd[] = { FLT_MAX, -FLT_MAX, 0, -0.0f, 1e-45f, -1e30f, 1, -INFINITY, 65504, -1e9f };
    return kind == 0 ? random_logit(r) : kind == 1 ? odd[rng_u32(r) % COUNT(odd)] : (float)(rng_u32(r) % 3);
}

static double random_value(struct rng *r, const hearth_sampling_param *p)
{
    const double u = rng_unit(r), between = p->min + (p->max - p->min) * pow(rng_unit(r), 4);
    const double v = u < 0.4 ? p->initial : u < 0.5 ? p->min : u < 0.6 ? p->max : between;
    return p->is_int ? floor(v > 1e6 ? 1e6 : v) : u > 0.95 && p->min == 0 ? 1e-300 : v;
}

static void random_order(struct rng *r, hearth_sampling *s)
{
    char order[600] = "";
    int step[STEP_COUNT] = { 0 };
    for (int i = 0; i < STEP_COUNT; i++) {
        const int at = (int)(rng_u32(r) % (uint32_t)(i + 1));
        step[i] = step[at];
        step[at] = i;
    }
    for (int i = 0; i < STEP_COUNT; i++) {
        snprintf(order + strlen(order), sizeof order - strlen(order), "%s%s", i ? "," : "", sample_steps[step[i]].name);
    }
    assert_ok(hearth_sampling_order(s, order, &err), &err);
}

static void test_anything(void **state)
{
    (void)state;
    enum { VOCAB = 150 };
    struct rng rng;
    rng_seed(&rng, 7);
    size_t n_params;
    const hearth_sampling_param *param = hearth_sampling_params(&n_params);
    for (int round = 0; round < 4000; round++) {
        hearth_sampling *s = settings_new();
        for (size_t i = 0; i < n_params; i++) set(s, param[i].name, random_value(&rng, &param[i]));
        assert_ok(hearth_sampling_bias(s, 3, round & 1 ? FLT_MAX : -100, &err), &err);
        random_order(&rng, s);
        const int32_t n_vocab = 1 + (int32_t)(rng_u32(&rng) % VOCAB);
        struct sample_chain *chain;
        const int status = sample_chain_new(&chain, s, n_vocab, &err);
        hearth_sampling_free(s);
        if (status) { /* the bias names token 3 */
            assert_true(status == HEARTH_E_ARG && n_vocab <= 3);
            continue;
        }
        for (int turn = 0; turn < 4; turn++) {
            float logits[VOCAB], probs[VOCAB];
            double sum = 0;
            for (int32_t i = 0; i < n_vocab; i++) logits[i] = hostile_logit(&rng, round % 3);
            logits[0] = 0;
            probs_of(chain, logits, probs);
            for (int32_t i = 0; i < n_vocab; i++) {
                assert_true(probs[i] >= 0 && probs[i] <= 1);
                sum += (double)probs[i];
            }
            if (fabs(sum - 1) > 1e-5) fail_msg("round %d: probabilities sum to %g", round, sum);
            const int32_t token = pick(chain, logits);
            assert_true(token >= 0 && token < n_vocab && probs[token] > 0);
            sample_chain_accept(chain, token);
        }
        sample_chain_free(chain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_top_k_big),
        cmocka_unit_test(test_ties_after_sorting),
        cmocka_unit_test(test_odd_logits),
        cmocka_unit_test(test_bias),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_penalty_after_bending),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_xtc_rate),
        cmocka_unit_test(test_adaptive),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
