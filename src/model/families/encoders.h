/* What families of encoders share. */
#ifndef MODEL_FAMILIES_ENCODERS_H
#define MODEL_FAMILIES_ENCODERS_H

#include "model/family.h"

/* Number of labels: rows of the classifier, in the first of the named tensors ("a|b") that the file has. Nothing for heads
 * without labels. */
int encoder_labels(struct arch *a, const struct config *c, const char *names, struct hearth_error *err);

/* Whether encoder and decoder have tables of embeddings of their own; files may also repeat one and the same. Alternatives
 * ("a|b"), best first. */
bool encoder_has_embed(const struct config *c, const char *encoder, const char *decoder);

#endif
