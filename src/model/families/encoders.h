/* What families of encoders share. */
#ifndef MODEL_FAMILIES_ENCODERS_H
#define MODEL_FAMILIES_ENCODERS_H

#include "model/family.h"

/* Number of labels: rows of the classifier, in the first of the named tensors ("a|b") that the file has. Nothing for heads
 * without labels. */
int encoder_labels(struct arch *a, const struct config *c, const char *names, struct hearth_error *err);

#endif
