/* Choice of kernels, and memory for rounded activations. */
#include "kernels/kernels.h"

#include <string.h>

enum { PART_ALIGN = 64 };

static size_t part_bytes(int64_t n, size_t size)
{
    return ((size_t)n * size + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
}

size_t act_i8_bytes(int64_t n, int64_t k, int block)
{
    return part_bytes(n * k, sizeof(int8_t)) + part_bytes(n * (k / block), sizeof(float)) +
           part_bytes(n * (k / 16), sizeof(int16_t));
}

void act_i8_place(struct act_i8 *a, void *memory, int64_t n, int64_t k, int block)
{
    char *p = memory;
    a->q = (int8_t *)p;
    p += part_bytes(n * k, sizeof(int8_t));
    a->scale = (float *)(void *)p;
    p += part_bytes(n * (k / block), sizeof(float));
    a->sum = (int16_t *)(void *)p;
    a->k = k;
    a->block = block;
}

void kernels_fill(struct kernels *k, uint64_t mask)
{
    (void)mask; /* the reference needs no feature */
    memset(k, 0, sizeof *k);
    kernels_fill_ref(k);
}
