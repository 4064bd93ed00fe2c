/* What sequences remember: pages of keys and values, or state slots, in backend memory. One cache a session. The pools are
 * reserved address space; memory is taken as pages are written. */
#ifndef MODEL_CACHE_H
#define MODEL_CACHE_H

#include "model/model.h"

struct cache;

/* context: tokens (and source tokens) a sequence may hold; step_rows: most rows one step gives a sequence. */
int  cache_new(struct cache **out, const struct model *m, int n_seq, int32_t context, int32_t step_rows, enum dtype type, struct hearth_error *err);
void cache_free(struct cache *c);
const struct cache_group *cache_groups(const struct cache *c);

/* Makes room for positions 0 .. n - 1 and gives back pages that lie wholly behind every window of the rows from `from` on. */
int cache_extend(struct cache *c, int seq, int32_t from, int32_t n, struct hearth_error *err);
int cache_extend_source(struct cache *c, int seq, int32_t n, struct hearth_error *err);
/* Whether the sequence, which holds `held` tokens, can go on from its first n of them. */
bool cache_can_resume(const struct cache *c, int seq, int32_t held, int32_t n);
/* Forgets everything after the first n tokens (n = 0: also the source; states are zeroed). */
void cache_trim(struct cache *c, int seq, int32_t n);
/* Page tables and slot for a step. */
void cache_describe(const struct cache *c, int seq, struct ragged_seq *s);

#endif
