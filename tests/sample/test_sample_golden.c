/* Sampling against recorded distributions of transformers and of formulas checked against llama.cpp: every case whose steps
 * we have, chains included. tests/golden/sampling has the logits, the steps and the probabilities after the last step. */
#include <math.h>

#include "base/json.h"
#include "sample/chain_int.h"

#include "test.h" /* after our headers: cmocka has a macro named fail */

#define VOCAB 512

/* ---- the recorded tensors: a safetensors file, f32 [VOCAB] each */

static char  *tensors;
static size_t n_tensors;

static const float *tensor(const char *name)
{
    uint64_t header;
    assert_true(n_tensors > 8);
    memcpy(&header, tensors, 8);
    assert_true(header < n_tensors - 8);
    struct json j;
    struct hearth_error err = { 0 };
    json_init(&j, (struct str){ tensors + 8, header }, &err);
    assert_int_equal(json_next(&j), JSON_OBJECT);
    while (json_next(&j) == JSON_KEY) {
        const bool found = json_is(&j, name);
        enum json_kind kind = json_next(&j);
        assert_int_equal(kind, JSON_OBJECT);
        if (!found) {
            assert_ok(json_skip(&j, kind), &err);
            continue;
        }
        while (json_next(&j) == JSON_KEY) {
            const bool offsets = json_is(&j, "data_offsets");
            kind = json_next(&j);
            if (!offsets) {
                assert_ok(json_skip(&j, kind), &err);
                continue;
            }
            assert_int_equal(json_next(&j), JSON_NUMBER);
            assert_true(j.integer >= 0 && 8 + header + (uint64_t)j.integer + VOCAB * 4 <= n_tensors);
            static float copies[4][VOCAB];
            static int at;
            return memcpy(copies[at++ % 4], tensors + 8 + header + j.integer, VOCAB * 4);
        }
    }
    fail_msg("no tensor %s", name);
    return NULL;
}

/* ---- the recorded cases */

struct setting {
    char   name[40];
    double value;
};

struct step {
    char           name[40];
    struct setting setting[8];
    int            n_settings;
};

struct sample_case {
    int         id;
    char        logits[40], expected[40];
    struct step step[12];
    int         n_steps;
    int32_t     history[128];
    int         n_history;
    double      turn, u, mu_before, mu_after;
    int32_t     chosen;
};

static void read_text(const struct json *j, char *out, size_t room)
{
    assert_true(!j->escaped && j->text.n < room);
    memcpy(out, j->text.p, j->text.n);
    out[j->text.n] = '\0';
}

static void read_step(struct json *j, struct step *s)
{
    memset(s, 0, sizeof *s);
    assert_int_equal(json_next(j), JSON_KEY);
    read_text(j, s->name, sizeof s->name);
    assert_int_equal(json_next(j), JSON_OBJECT);
    while (json_next(j) == JSON_KEY) {
        struct setting *x = &s->setting[s->n_settings];
        assert_true(s->n_settings < 8);
        read_text(j, x->name, sizeof x->name);
        const enum json_kind kind = json_next(j);
        if (kind != JSON_NUMBER) { /* lists of steps that we do not have */
            assert_int_equal(json_skip(j, kind), 0);
            continue;
        }
        x->value = j->number;
        s->n_settings++;
    }
    assert_int_equal(json_next(j), JSON_OBJECT_END);
}

static void read_case(struct json *j, struct sample_case *c)
{
    memset(c, 0, sizeof *c);
    while (json_next(j) == JSON_KEY) {
        char key[40];
        read_text(j, key, sizeof key);
        const enum json_kind kind = json_next(j);
        if (kind == JSON_STRING && !strcmp(key, "logits")) {
            read_text(j, c->logits, sizeof c->logits);
        } else if (kind == JSON_STRING && !strcmp(key, "expected")) {
            read_text(j, c->expected, sizeof c->expected);
        } else if (kind == JSON_ARRAY && !strcmp(key, "steps")) {
            while (json_next(j) == JSON_OBJECT) read_step(j, &c->step[c->n_steps++]);
        } else if (kind == JSON_ARRAY && !strcmp(key, "history")) {
            while (json_next(j) == JSON_NUMBER) c->history[c->n_history++] = (int32_t)j->integer;
        } else if (kind == JSON_NUMBER) {
            if (!strcmp(key, "id")) c->id = (int)j->integer;
            if (!strcmp(key, "step")) c->turn = j->number;
            if (!strcmp(key, "u")) c->u = j->number;
            if (!strcmp(key, "mu_before")) c->mu_before = j->number;
            if (!strcmp(key, "mu_after")) c->mu_after = j->number;
            if (!strcmp(key, "chosen")) c->chosen = (int32_t)j->integer;
        } else {
            assert_int_equal(json_skip(j, kind), 0);
        }
    }
}

/* ---- from recorded names to ours */

static const struct {
    const char *recorded, *ours;
} step_names[] = {
    { "temperature", "temperature" }, { "dynamic_temperature", "temperature" }, { "quadratic", "quadratic" },
    { "top_k", "top_k" }, { "top_p", "top_p" }, { "min_p", "min_p" }, { "typical_p", "typical_p" },
    { "epsilon_cutoff", "epsilon_cutoff" }, { "eta_cutoff", "eta_cutoff" }, { "top_h", "top_h" }, { "top_a", "top_a" },
    { "tfs", "tfs" }, { "top_n_sigma", "top_n_sigma" }, { "xtc", "xtc" }, { "adaptive_p", "adaptive_p" },
    { "repetition_penalty", "penalties" }, { "presence_frequency", "penalties" },
    { "mirostat1", "mirostat" }, { "mirostat2", "mirostat" },
};

static const struct {
    const char *recorded, *ours; /* NULL: not a setting of ours */
} setting_names[] = {
    { "last_n", "penalty_last_n" }, { "tau", "mirostat_tau" }, { "eta", "mirostat_eta" }, { "target", "adaptive_target" },
    { "m", NULL }, { "u", NULL }, { "weighted_sum", NULL }, { "total_weight", NULL },
};

static const char *our_step(const char *recorded)
{
    for (size_t i = 0; i < sizeof step_names / sizeof *step_names; i++) {
        if (!strcmp(step_names[i].recorded, recorded)) return step_names[i].ours;
    }
    return NULL;
}

static const char *our_setting(const char *recorded)
{
    for (size_t i = 0; i < sizeof setting_names / sizeof *setting_names; i++) {
        if (!strcmp(setting_names[i].recorded, recorded)) return setting_names[i].ours;
    }
    return recorded;
}

static bool case_is_ours(const struct sample_case *c)
{
    for (int i = 0; i < c->n_steps; i++) {
        if (!our_step(c->step[i].name)) return false;
    }
    return c->n_steps > 0;
}

static double step_value(const struct step *s, const char *name)
{
    for (int i = 0; i < s->n_settings; i++) {
        if (!strcmp(s->setting[i].name, name)) return s->setting[i].value;
    }
    fail_msg("step %s has no %s", s->name, name);
    return 0;
}

static bool starts(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

/* A chain with the steps of the case, in their order, that has seen its history. */
static struct sample_chain *chain_of(const struct sample_case *c)
{
    struct hearth_error err = { 0 };
    hearth_sampling *s;
    char order[400] = "";
    assert_ok(hearth_sampling_new(&s, &err), &err);
    for (int i = 0; i < c->n_steps; i++) {
        const struct step *step = &c->step[i];
        snprintf(order + strlen(order), sizeof order - strlen(order), "%s%s", i ? "," : "", our_step(step->name));
        if (starts(step->name, "mirostat")) assert_ok(hearth_sampling_set(s, "mirostat", step->name[8] - '0', &err), &err);
        for (int k = 0; k < step->n_settings; k++) {
            const char *name = our_setting(step->setting[k].name);
            if (name) assert_ok(hearth_sampling_set(s, name, step->setting[k].value, &err), &err);
        }
    }
    assert_ok(hearth_sampling_order(s, order, &err), &err);
    struct sample_chain *chain;
    assert_ok(sample_chain_new(&chain, s, VOCAB, &err), &err);
    hearth_sampling_free(s);
    for (int i = 0; i < c->n_history; i++) sample_chain_accept(chain, c->history[i]);
    for (int i = 0; i < c->n_steps; i++) {
        const struct step *step = &c->step[i];
        if (!strcmp(step->name, "adaptive_p")) {
            chain->adaptive_sum = step_value(step, "weighted_sum");
            chain->adaptive_weight = step_value(step, "total_weight");
        }
        if (!strcmp(step->name, "xtc")) { /* a seed whose first number decides as the recorded one did */
            const double most = step_value(step, "xtc_probability");
            for (uint64_t seed = 0;; seed++) {
                struct rng rng;
                rng_seed(&rng, seed);
                sample_chain_seed(chain, seed);
                if ((rng_unit(&rng) < most) == (step_value(step, "u") < most)) break;
            }
        }
    }
    return chain;
}

/* ---- comparing */

static double worst; /* largest relative difference of a probability above 1e-6 so far, for the record */

/* Removed tokens are exactly 0. A logit is a float between steps, so a logit d below the best is rounded by up to d * 2^-24 at
 * each, and that is the relative error of its probability: tight for likely tokens, looser for those at 1e-30. */
static void compare(const struct sample_case *c, const float *got, const float *expected)
{
    for (int i = 0; i < VOCAB; i++) {
        const double g = (double)got[i], e = (double)expected[i], difference = fabs(g - e);
        if ((e == 0 && g > 1e-37) || (e > 1e-37 && g == 0)) {
            fail_msg("case %d: token %d has probability %g, expected %g", c->id, i, g, e);
        }
        const double bound = e > 0 ? e * (1e-6 - 4 * 0x1p-24 * log(e)) : 0;
        if (difference > bound + 1e-37) fail_msg("case %d: token %d has probability %.9g, expected %.9g", c->id, i, g, e);
        if (e > 1e-6 && difference / e > worst) worst = difference / e;
    }
}

/* The running probability before and after a token, from the most likely down. */
static void interval(const float *p, int32_t token, double *low, double *high)
{
    *low = 0;
    for (int32_t i = 0; i < VOCAB; i++) *low += p[i] > p[token] || (p[i] == p[token] && i < token) ? (double)p[i] : 0;
    *high = *low + (double)p[token];
}

/* Draws with a random number that picks what the recorded number picked, and checks where mirostat goes from there. */
static void check_mirostat(struct sample_chain *chain, const struct sample_case *c, const float *logits, const float *expected)
{
    struct hearth_error err = { 0 };
    double low, high, u;
    interval(expected, c->chosen, &low, &high);
    assert_true(low <= c->u + 1e-6 && c->u - 1e-6 < high);
    uint64_t seed = 0;
    do {
        struct rng rng;
        rng_seed(&rng, ++seed);
        u = rng_unit(&rng);
    } while (u < low + 1e-6 || u > high - 1e-6);
    sample_chain_seed(chain, seed);
    int32_t token;
    assert_ok(sample_chain_pick(chain, logits, &token, &err), &err);
    assert_int_equal(token, c->chosen);
    const double mu = chain->mirostat_mu;
    if (fabs(mu - c->mu_after) > 1e-5) fail_msg("case %d: mu %g, expected %g", c->id, mu, c->mu_after);
}

static void test_recorded(void **state)
{
    (void)state;
    size_t n;
    char *text = read_file(hearth_source("tests/golden/sampling/sampling.json"), &n);
    tensors = read_file(hearth_source("tests/golden/sampling/sampling.safetensors"), &n_tensors);
    struct hearth_error err = { 0 };
    struct json j;
    json_init(&j, (struct str){ text, n }, &err);
    assert_int_equal(json_next(&j), JSON_ARRAY);
    static struct sample_case c;
    struct sample_chain *chain = NULL;
    int run = 0, left = 0;
    while (json_next(&j) == JSON_OBJECT) {
        read_case(&j, &c);
        if (!case_is_ours(&c)) {
            left++;
            continue;
        }
        const bool mirostat = starts(c.step[0].name, "mirostat");
        if (!mirostat || c.turn == 0) { /* mirostat's turns share one chain */
            sample_chain_free(chain);
            chain = chain_of(&c);
        }
        const float *logits = tensor(c.logits), *expected = tensor(c.expected);
        float probs[VOCAB];
        assert_ok(sample_chain_probs(chain, logits, probs, &err), &err);
        compare(&c, probs, expected);
        if (mirostat) check_mirostat(chain, &c, logits, expected);
        run++;
    }
    sample_chain_free(chain);
    free(text);
    free(tensors);
    print_message("# %d cases, largest relative difference %.2g\n", run, worst);
    assert_int_equal(run, 318);
    assert_int_equal(left, 109); /* dry, slopes of the repetition penalty, encoder penalty, n-grams: not in the table yet */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
