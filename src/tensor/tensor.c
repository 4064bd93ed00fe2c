/* Shapes and addresses of tensors. */
#include "tensor/tensor.h"

#include <stdio.h>

void tensor_shape(struct tensor *t, enum dtype type, int rank, const int64_t *dim)
{
    const struct type_info *info = type_of(type);
    t->type = type;
    t->rank = rank;
    for (int i = TENSOR_RANK - 1; i >= 0; i--) {
        t->dim[i] = i < rank ? dim[i] : 1;
        if (i >= rank - 1)
            t->stride[i] = info->block_bytes;
        else if (i == rank - 2)
            t->stride[i] = t->dim[i + 1] / info->block * info->block_bytes;
        else
            t->stride[i] = t->stride[i + 1] * t->dim[i + 1];
    }
}

int64_t tensor_count(const struct tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

int64_t tensor_bytes(const struct tensor *t)
{
    const struct type_info *info = type_of(t->type);
    return tensor_count(t) / info->block * info->block_bytes;
}

int64_t tensor_rows(const struct tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank - 1; i++) n *= t->dim[i];
    return n;
}

bool tensor_contiguous(const struct tensor *t)
{
    struct tensor c;
    if (t->slab) return false;
    tensor_shape(&c, t->type, t->rank, t->dim);
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] > 1 && c.stride[i] != t->stride[i]) return false;
    return true;
}

bool tensor_same_shape(const struct tensor *a, const struct tensor *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

void *tensor_row(const struct tensor *t, int64_t r)
{
    int64_t at = 0;
    for (int i = t->rank - 2; i > 0; i--) {
        at += r % t->dim[i] * t->stride[i];
        r /= t->dim[i];
    }
    if (t->rank < 2) return (char *)t->data;
    if (t->slab) return (char *)t->slab[r] + at;
    return (char *)t->data + at + r * t->stride[0];
}

const char *tensor_describe(const struct tensor *t, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "%s [", type_of(t->type)->name);
    for (int i = 0; i < t->rank && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    if (n < size) snprintf(text + n, size - n, "]");
    return text;
}
