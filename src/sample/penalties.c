/* Steps that change logits token by token: biases, and penalties for what the text already holds. */
#include "sample/chain_int.h"

#include <math.h>

void step_bias(struct sample_chain *s, struct candidates *c)
{
    candidates_unsort(s, c);
    int32_t kept = 0;
    for (int32_t i = 0; i < c->n; i++) {
        const struct candidate one = c->c[i];
        const float bias = s->bias[one.id];
        if (bias == -INFINITY) continue;
        c->c[kept++] = (struct candidate){ one.id, bias == 0 ? one.logit : float_clamp((double)one.logit + (double)bias) };
    }
    c->n = kept;
}

/* Repetition as in CTRL (arXiv 1909.05858) with the sign fix everyone has, presence and frequency as in the OpenAI API. */
void step_penalties(struct sample_chain *s, struct candidates *c)
{
    const double repetition = s->value[PARAM_REPETITION_PENALTY], presence = s->value[PARAM_PRESENCE_PENALTY];
    const double frequency = s->value[PARAM_FREQUENCY_PENALTY];
    candidates_unsort(s, c);
    for (int32_t i = 0; i < c->n; i++) {
        const int32_t times = s->count[c->c[i].id];
        if (times == 0) continue;
        double l = (double)c->c[i].logit + c->shift; /* the sign that counts is that of the model's logit */
        l = l > 0 ? l / repetition : l * repetition;
        l -= presence + frequency * times;
        c->c[i].logit = float_clamp(l - c->shift);
    }
}
