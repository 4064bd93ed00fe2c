/* Element types of tensors, one row each in types.def: how a block is laid out and how it is unpacked and packed. */
#ifndef QUANT_TYPES_H
#define QUANT_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum dtype {
#define TYPE(id, ...) DTYPE_##id,
#include "quant/types.def"
#undef TYPE
    DTYPE_COUNT,
};

struct type_info {
    const char *name;        /* as users write it: "Q4_K" */
    int         block;       /* values in a block */
    int         block_bytes; /* bytes of a block; a row of n values takes n / block blocks */
    int         gguf_id;     /* number in GGUF files; -1: not used there */
    const char *safetensors; /* name in safetensors files; NULL: not used there */
    int         act_block;   /* arithmetic int8: activations share one scale per this many values; 0: no int8 arithmetic */
    /* Reference, plain C, bit-exact by definition. n is a multiple of block. Weights have both; other types neither, but for
     * F64, whose vectors can be read. */
    void (*unpack)(float *dst, const void *src, int64_t n); /* dst [n] */
    void (*pack)(void *dst, const float *src, int64_t n);   /* src [n] */
};

extern const struct type_info type_table[DTYPE_COUNT];

static inline const struct type_info *type_of(enum dtype t) { return &type_table[t]; }

/* Whether products with this type exist. */
static inline bool type_is_weight(enum dtype t) { return type_table[t].pack != NULL; }

/* Bytes of a row of n values; false when n is not a multiple of the block or the size overflows. */
bool type_row_bytes(enum dtype t, uint64_t n, uint64_t *bytes);

/* -1 when there is no such type. */
int type_from_name(struct str name);
int type_from_gguf(uint32_t id);
int type_from_safetensors(struct str name);

#endif
