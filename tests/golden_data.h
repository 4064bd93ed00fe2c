/* Recorded tensors (safetensors) as arrays: every failure to find one as expected fails the test case. */
#ifndef TESTS_GOLDEN_DATA_H
#define TESTS_GOLDEN_DATA_H

#include "test.h"

#include "formats/container.h"

static inline struct container *golden_open(const char *path)
{
    struct container   *c = NULL;
    struct hearth_error err = { 0 };
    int                 status = container_open(&c, path, &err);
    assert_ok(status, &err);
    return c;
}

/* The data of a tensor of the given type; *n its number of values (n may be NULL). Lives as long as c. */
static inline const void *golden_data(const struct container *c, const char *name, enum dtype type, uint64_t *n)
{
    const struct file_tensor *t = container_tensor(c, name);
    uint64_t                  values = 1;
    if (!t) fail_msg("%s has no tensor %s", c->path, name);
    if (t->type != type) fail_msg("%s in %s is %s, expected %s", name, c->path, type_of(t->type)->name, type_of(type)->name);
    for (int i = 0; i < t->rank; i++) values *= t->dim[i];
    if (n) *n = values;
    return t->data;
}

static inline const float *golden_f32(const struct container *c, const char *name, uint64_t *n)
{
    return golden_data(c, name, DTYPE_F32, n);
}

static inline const int32_t *golden_i32(const struct container *c, const char *name, uint64_t *n)
{
    return golden_data(c, name, DTYPE_I32, n);
}

#endif
