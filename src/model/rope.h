/* Rotary frequencies by kind of scaling. */
#ifndef MODEL_ROPE_H
#define MODEL_ROPE_H

#include "model/arch.h"

int         rope_kind_from_name(struct str name); /* "linear", "yarn" ...; -1: unknown */
const char *rope_kind_name(enum rope_kind kind);

/* frequencies f32 [part / 2] for a text of `length` tokens (only dynamic and longrope depend on it). */
void rope_frequencies(const struct rope *r, const struct arch *a, int32_t length, float *frequencies);
/* Factor of cosines and sines. */
float rope_scale(const struct rope *r, const struct arch *a);
/* Lengths with the same class have the same frequencies; 0 for kinds that do not depend on length. */
int32_t rope_class(const struct rope *r, const struct arch *a, int32_t length);

#endif
