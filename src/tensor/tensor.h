/* Tensors: typed, strided views of backend memory, rank <= 4, row-major (dim[rank - 1] is innermost, as in PyTorch). */
#ifndef TENSOR_TENSOR_H
#define TENSOR_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "quant/types.h"

#define TENSOR_RANK 4

/* A tensor does not own memory: weights point into the mapped file, activations into the tape's planned buffer. Only ops
 * (through a backend) read or write what data points to. */
struct tensor {
    enum dtype      type;
    int             rank;
    int64_t         dim[TENSOR_RANK];
    int64_t         stride[TENSOR_RANK]; /* bytes from one index to the next; for block types the innermost is the block's */
    void           *data;                /* NULL until planned, for activations of a recorded tape */
    void *const    *slab;                /* weights in pieces (one expert each): slab[i] replaces data + i * stride[0]; else NULL */
    const char     *name;                /* "attn_q", "hidden"; never freed before the tensor */
    int             index;               /* number behind the name (layer, "hidden.3"); -1: none */
    /* Activations: */
    struct tensor  *base;                /* the tensor this one is a view of; NULL: itself */
    int64_t         offset;              /* of a view in its base, bytes */
    int             producer, last_use;  /* records that write it and read it last; -1: none */
};

/* Shape with contiguous strides. dims beyond rank are set to 1. */
void tensor_shape(struct tensor *t, enum dtype type, int rank, const int64_t *dim);

int64_t tensor_count(const struct tensor *t); /* values */
int64_t tensor_bytes(const struct tensor *t); /* of a contiguous tensor of this shape */
int64_t tensor_rows(const struct tensor *t);  /* product of all dims but the innermost */
bool    tensor_contiguous(const struct tensor *t);
bool    tensor_same_shape(const struct tensor *a, const struct tensor *b);

static inline int64_t tensor_width(const struct tensor *t) { return t->dim[t->rank - 1]; }

/* Start of row r, rows counted over all dims but the innermost; uniform strides are not needed. */
void *tensor_row(const struct tensor *t, int64_t r);

/* "f32 [3, 32]" into text; returns text. */
const char *tensor_describe(const struct tensor *t, char *text, size_t size);

#endif
