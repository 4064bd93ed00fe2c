/* Sampling: a chain of steps over the candidate tokens. Each step is one row of steps.def and one function in one file. */
#ifndef SAMPLE_CHAIN_H
#define SAMPLE_CHAIN_H

#include "base/rng.h"
#include "base/status.h"
#include "hearth.h"

/* What is still in the race. Steps remove candidates by shrinking n and change logits in place; equal logits always stand by
 * smaller id, in both orders. Only biases may remove the last one, which is an error. */
struct candidate {
    int32_t id;
    float   logit;
};

struct candidates {
    struct candidate *c; /* [n] */
    int32_t           n;
    bool              sorted; /* by logit, largest first; otherwise by id */
    double            shift;  /* the model's logit = logit + shift: a temperature moves the best logit to 0 */
};

/* Settings: immutable while sampling. Values by row of the parameter table, in doubles. */
struct hearth_sampling;

/* State of one sequence: buffers for the vocabulary, random numbers, history counts. Made once, then allocates nothing. */
struct sample_chain;

/* settings are copied; NULL: greedy. */
int  sample_chain_new(struct sample_chain **out, const struct hearth_sampling *settings, int32_t n_vocab,
                      struct hearth_error *err);
void sample_chain_free(struct sample_chain *s);
void sample_chain_seed(struct sample_chain *s, uint64_t seed);

/* Tells the chain of a token that now stands in the text (prompt and generated ones), for penalties. */
void sample_chain_accept(struct sample_chain *s, int32_t token);
void sample_chain_reset(struct sample_chain *s); /* forgets the history */

/* Runs the steps over logits [n_vocab] and picks a token. NaN logits are an error (HEARTH_E_FORMAT names the token). */
int sample_chain_pick(struct sample_chain *s, const float *logits, int32_t *token, struct hearth_error *err);

/* The candidates and their probabilities after the steps, without picking: for tests and for listing alternatives.
 * probs [n_vocab], 0 for removed tokens. */
int sample_chain_probs(struct sample_chain *s, const float *logits, float *probs, struct hearth_error *err);

#endif
