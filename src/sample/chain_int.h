/* Shared by the files of sampling: the tables, the settings, the state of a chain and what steps are made of. */
#ifndef SAMPLE_CHAIN_INT_H
#define SAMPLE_CHAIN_INT_H

#include <stdbool.h>

#include "base/mem.h"
#include "sample/chain.h"

enum sample_step_id {
#define STEP(id, name, run, chosen, help) id,
#include "sample/steps.def"
#undef STEP
    STEP_COUNT
};

enum sample_param_id {
#define PARAM(id, name, initial, min, max, is_int, step, on, help) id,
#include "sample/params.def"
#undef PARAM
    PARAM_COUNT
};

typedef void sample_step_fn(struct sample_chain *s, struct candidates *c);
typedef void sample_chosen_fn(struct sample_chain *s, int32_t token, double p); /* p: probability it was drawn with */

struct sample_step {
    const char       *name;
    sample_step_fn   *run;
    sample_chosen_fn *chosen;
    const char       *help;
};

extern const struct sample_step sample_steps[STEP_COUNT];

#define STEP(id, name, run, chosen, help) sample_step_fn run;
#include "sample/steps.def"
#undef STEP
sample_chosen_fn chosen_mirostat, chosen_adaptive_p;

struct logit_bias {
    int32_t token;
    float   bias;
};

struct hearth_sampling {
    double              value[PARAM_COUNT];
    enum sample_step_id order[STEP_COUNT];
    int                 n_order;
    struct logit_bias  *bias; /* [n_bias], as given: a later one of the same token counts */
    uint32_t            n_bias, room_bias;
};

/* True when the step would change anything with these settings. */
bool sampling_step_on(const struct hearth_sampling *settings, enum sample_step_id step);

struct sample_chain {
    double                    value[PARAM_COUNT];
    const struct sample_step *plan[STEP_COUNT]; /* [n_plan] steps that are on, in order */
    int                       n_plan;
    bool                      greedy; /* temperature 0 comes first: the best logit wins, none of the buffers exists */
    int32_t                   n_vocab;
    struct rng                rng;

    struct candidate *items;  /* [n_vocab] */
    struct candidate *spare;  /* [n_vocab] for sorting */
    uint32_t         *key;    /* [n_vocab] for selecting, in the memory of spare */
    float            *weight; /* [n_vocab] exp(logit - best) of each candidate */
    float            *bias;   /* [n_vocab] or NULL */

    int32_t *count;    /* [n_vocab] how often each token occurs in the window; NULL without penalties */
    int32_t *recent;   /* [n_recent] ring of the window's tokens, -1 none; NULL when the window is the whole text */
    int32_t  n_recent, at_recent;

    double mirostat_mu;                   /* bits */
    double adaptive_sum, adaptive_weight; /* decayed sums: probabilities drawn, and 1 for each */
    float *adaptive_prior;                /* [n_vocab] probabilities before adaptive-p; NULL without it */

    struct arena arena; /* holds all the arrays */
};

/* Softmax over the candidates without the division: weights in s->weight, their sum, the best logit. */
struct softmax {
    float  max;
    double sum;
};

float          candidates_max(const struct candidates *c);
struct softmax candidates_softmax(struct sample_chain *s, const struct candidates *c);
/* Entropy in nats of what candidates_softmax just computed. */
double         candidates_entropy(const struct sample_chain *s, const struct candidates *c, struct softmax m);
/* Keeps candidates with logit - max >= cut; the best always stays. */
void           candidates_keep_above(struct candidates *c, float max, double cut);
void           candidates_keep_best(struct candidates *c); /* one */

/* Orders floats as unsigned integers; -0 equals 0. */
uint32_t float_key(float x);
void     candidates_key(struct sample_chain *s, const struct candidates *c); /* s->key from the logits */
/* Keeps the fewest candidates of largest s->key whose weights [n] (NULL: 1 each) reach target, at least one; equal keys by
 * smaller id. Time linear in n for any input. */
void     candidates_keep_reaching(struct sample_chain *s, struct candidates *c, const float *weight, double target);
void     candidates_sort(struct sample_chain *s, struct candidates *c);    /* by logit */
void     candidates_unsort(struct sample_chain *s, struct candidates *c);  /* by id, for steps that change the order */
/* The first candidate at which the running probability exceeds u in [0, 1); *p its probability. */
int32_t  candidates_draw(struct sample_chain *s, const struct candidates *c, double u, double *p);

/* The nearest finite float, so that no step makes infinities (-inf, "cannot be drawn", stays). */
float float_clamp(double x);

#endif
