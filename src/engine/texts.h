/* Whole texts through a model: tokenized, cut to length, run side by side in ragged steps. */
#ifndef ENGINE_TEXTS_H
#define ENGINE_TEXTS_H

#include "engine/session.h"

struct texts {
    hearth_session *session;
    struct ids     *ids, *types; /* [n] */
    size_t         *cut;         /* [n] tokens that did not fit */
    size_t          n;
    int32_t         most;        /* tokens of a text; 0: no end */
};

/* prefix: goes before each text (n 0: nothing). most: tokens of a text, 0: as the model's folder says. */
int  texts_open(struct texts *t, hearth_model *m, const hearth_text *texts, size_t n, struct str prefix, int32_t most, struct hearth_error *err);
void texts_free(struct texts *t);

/* What a step gives for one text: rows [n_rows, columns] of states or of logits. */
typedef int texts_take(void *user, size_t text, const float *rows, int64_t n_rows, int64_t columns, struct hearth_error *err);

/* Runs all texts. states: the last states of all rows; else logits of the rows `pick` names (NULL: of all, or one for heads over
 * whole texts). pick returns how many rows of the text it wrote into rows [ids->n]. */
typedef int32_t texts_pick(void *user, const struct ids *ids, int32_t *rows);
int texts_run(struct texts *t, bool states, texts_pick *pick, texts_take *take, void *user, const volatile int *cancel, struct hearth_error *err);

#endif
