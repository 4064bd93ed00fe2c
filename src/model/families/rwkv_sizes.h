/* Sizes of RWKV models from the shapes of their tensors: native files state none at all, the others leave some out. */
#ifndef MODEL_FAMILIES_RWKV_SIZES_H
#define MODEL_FAMILIES_RWKV_SIZES_H

#include "model/family.h"

/* Dimension `axis` of the first of these tensors that there is (alternatives separated by '|'); 0: no such tensor or dimension. */
int64_t rwkv_dim(const struct container *c, const char *names, int axis);

/* Fills vocabulary, width, layers, recurrent and feed-forward width where the configuration did not, the heads from the key
 * wkv.head_size or the rows of tensor `heads`, and whether low-rank matrices are stored [in, out]. heads NULL: no heads. */
int rwkv_sizes(struct arch *a, const struct config *c, const char *heads, struct hearth_error *err);

/* The rank of a pair of low-rank matrices, from the first of them, `parts` of which may lie together. */
int rwkv_rank(const struct arch *a, const struct config *c, const char *names, int parts, int32_t *out, struct hearth_error *err);

/* Of the two words for native names: the files of rwkv.cpp, which hold some values precomputed. */
bool rwkv_is_cpp(const struct config *c);
/* Whether a file with native names has this tensor; other containers say their version themselves. */
bool rwkv_claims(const struct container *c, const char *name);

#endif
