/* The ragged batch: which rows of a step belong to which sequence, at which position, with which memory. Only the attention,
 * state and convolution-state ops look at it; every other op sees [n_tokens, width]. */
#ifndef TENSOR_RAGGED_H
#define TENSOR_RAGGED_H

#include <stdint.h>

#include "quant/types.h"

#define CACHE_PAGE   32 /* tokens in a page */
#define CACHE_GROUPS 4  /* cache groups a model may have */

enum cache_kind {
    CACHE_FULL,   /* every past token */
    CACHE_WINDOW, /* pages behind the window are freed */
    CACHE_CROSS,  /* keys and values of the source, written once */
    CACHE_STATE,  /* one slot of f32 a sequence: recurrent and convolution states */
};

/* Layout and memory of one group; made and grown by model/cache.c.
 * Paged kinds: page p, layer l (counted within the group), keys [n_kv, CACHE_PAGE, key_width] then values
 * [n_kv, CACHE_PAGE, value_width], so that the 32 keys of a head lie together. State: slot s, layer l: state_width f32. */
struct cache_group {
    enum cache_kind kind;
    enum dtype      type;        /* of keys and values */
    int             n_layer;
    int             n_kv, key_width, value_width;
    int64_t         state_width; /* floats a layer and slot */
    int             window;      /* tokens a query sees, itself included; 0: all */
    int64_t         key_bytes, value_bytes; /* of one head's row */
    int64_t         layer_bytes, page_bytes;
    char           *pool;        /* backend memory */
};

static inline char *cache_keys(const struct cache_group *g, int32_t page, int layer, int head)
{
    return g->pool + page * g->page_bytes + layer * g->layer_bytes + (int64_t)head * CACHE_PAGE * g->key_bytes;
}

static inline char *cache_values(const struct cache_group *g, int32_t page, int layer, int head)
{
    return g->pool + page * g->page_bytes + layer * g->layer_bytes +
           CACHE_PAGE * (g->n_kv * g->key_bytes + (int64_t)head * g->value_bytes);
}

static inline float *cache_state(const struct cache_group *g, int32_t slot, int layer)
{
    return (float *)(g->pool + slot * g->page_bytes + layer * g->layer_bytes);
}

/* One sequence's part of the step: rows first .. first + rows - 1 at positions position .. */
struct ragged_seq {
    int32_t        first, rows;
    int32_t        position;
    int32_t        slot;                /* of state groups */
    int32_t        source;              /* tokens in the cross group; 0: none */
    const int32_t *pages[CACHE_GROUPS]; /* page of tokens 32 i .. 32 i + 31; -1: not held */
};

struct ragged {
    int32_t                   n_seq, n_rows;
    const struct ragged_seq  *seq;      /* [n_seq], rows in order */
    const int32_t            *row_seq;  /* [n_rows]: index into seq */
    const struct cache_group *group;    /* [n_group] */
    int                       n_group;
};

/* Position of row r in its sequence. */
static inline int32_t ragged_position(const struct ragged *g, int64_t r)
{
    const struct ragged_seq *s = &g->seq[g->row_seq[r]];
    return s->position + (int32_t)r - s->first;
}

#endif
