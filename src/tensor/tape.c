/* Recording: appending records and tensors, the sticky failure, views, and running. */
#include "tensor/tape.h"

#include <stdarg.h>
#include <stdio.h>

/* Enough for the deepest models known (126 layers of 30 ops); the arrays are touched only as far as a model needs. */
#define MAX_RECORDS 16384
#define MAX_TENSORS 32768

int tape_new(struct tape **out, struct backend *b, bool run_now, struct hearth_error *err)
{
    struct tape *t = mem_array(1, sizeof *t);
    if (!t) goto fail;
    t->backend = b;
    t->run_now = run_now;
    t->max_record = MAX_RECORDS;
    t->max_tensor = MAX_TENSORS;
    t->record = mem_array(MAX_RECORDS, sizeof *t->record);
    t->tensor = mem_array(MAX_TENSORS, sizeof *t->tensor);
    t->hole = mem_array(2 * MAX_TENSORS, sizeof *t->hole);
    if (run_now) t->kept = mem_array(MAX_TENSORS, sizeof *t->kept);
    if (!t->record || !t->tensor || !t->hole || (run_now && !t->kept)) goto fail;
    *out = t;
    return 0;
fail:
    tape_free(t);
    return fail_memory(err, MAX_TENSORS * sizeof *t->tensor, "the tape");
}

static void release_kept(struct tape *t)
{
    for (int i = 0; t->kept && i < t->n_tensor; i++) {
        if (t->kept[i]) t->backend->release(t->backend, t->kept[i], (uint64_t)tensor_bytes(&t->tensor[i]));
        t->kept[i] = NULL;
    }
}

void tape_free(struct tape *t)
{
    if (!t) return;
    release_kept(t);
    if (t->memory) t->backend->release(t->backend, t->memory, (uint64_t)t->memory_bytes);
    mem_free(t->record);
    mem_free(t->tensor);
    mem_free(t->kept);
    mem_free(t->hole);
    mem_free(t);
}

void tape_begin(struct tape *t, const struct ragged *ragged)
{
    release_kept(t);
    t->n_record = t->n_tensor = 0;
    t->ragged = ragged;
    t->layer = -1;
    t->status = 0;
    t->err.text[0] = 0;
}

struct tensor *tape_fail(struct tape *t, int status, const char *format, ...)
{
    if (!t->status) {
        char text[300];
        va_list ap;
        va_start(ap, format);
        vsnprintf(text, sizeof text, format, ap);
        va_end(ap);
        const char *slash = strrchr(t->file ? t->file : "?", '/');
        t->status = fail(&t->err, status, "%s (%s:%d, layer %d)", text, slash ? slash + 1 : t->file, t->line, t->layer);
    }
    return &t->tensor[0];
}

struct tensor *tape_tensor(struct tape *t, const char *name, enum dtype type, int rank, const int64_t *dim)
{
    if (t->status) return &t->tensor[0];
    if (t->n_tensor == t->max_tensor) return tape_fail(t, HEARTH_E_UNSUPPORTED, "a step needs more than %d tensors", t->max_tensor);
    struct tensor *x = &t->tensor[t->n_tensor++];
    memset(x, 0, sizeof *x);
    tensor_shape(x, type, rank, dim);
    x->name = name;
    x->index = -1;
    x->producer = x->last_use = -1;
    return x;
}

struct op_record *tape_append(struct tape *t, int op)
{
    if (t->status) return NULL;
    if (t->n_record == t->max_record) {
        tape_fail(t, HEARTH_E_UNSUPPORTED, "a step needs more than %d ops", t->max_record);
        return NULL;
    }
    struct op_record *r = &t->record[t->n_record++];
    memset(r, 0, sizeof *r);
    r->op = op;
    r->layer = t->layer;
    r->file = t->file;
    r->line = t->line;
    return r;
}

static int run_record_now(struct tape *t, struct op_record *r)
{
    struct hearth_error err = { 0 };
    for (int i = 0; i < 2; i++) {
        struct tensor *x = r->out[i];
        if (!x || x->data) continue;
        void *p = t->backend->alloc(t->backend, (uint64_t)tensor_bytes(x));
        if (!p) return tape_fail(t, HEARTH_E_MEMORY, "no memory for %s", x->name), t->status;
        x->data = t->kept[x - t->tensor] = p;
    }
    int status = t->backend->reserve(t->backend, r, 1, t->ragged, &err);
    if (!status) status = t->backend->run(t->backend, r, 1, t->ragged, NULL, &err);
    if (status) tape_fail(t, status, "%s", err.text);
    return status;
}

int tape_done(struct tape *t, struct op_record *r)
{
    const int at = (int)(r - t->record);
    for (int i = 0; i < TAPE_INPUTS; i++) {
        struct tensor *x = r->in[i];
        if (!x) continue;
        x->last_use = at;
        if (x->base) x->base->last_use = at;
    }
    for (int i = 0; i < 2; i++)
        if (r->out[i]) r->out[i]->producer = r->out[i]->last_use = at;
    return t->run_now ? run_record_now(t, r) : 0;
}

struct tensor *tape_view(struct tape *t, struct tensor *x, int64_t offset, int rank, const int64_t *dim, const int64_t *stride)
{
    struct tensor *v = tape_tensor(t, x->name, x->type, rank, dim);
    if (t->status) return v;
    for (int i = 0; i < rank; i++) v->stride[i] = stride[i];
    v->base = x->base ? x->base : x;
    v->offset = x->offset + offset;
    v->data = x->data ? (char *)x->data + offset : NULL;
    v->index = x->index;
    v->producer = x->producer;
    return v;
}

struct tensor *tape_columns(struct tape *t, struct tensor *x, int64_t first, int64_t count)
{
    if (t->status) return x;
    if (type_of(x->type)->block != 1 || first < 0 || count < 1 || first + count > tensor_width(x))
        return tape_fail(t, HEARTH_E_INTERNAL, "columns %lld + %lld of %s", (long long)first, (long long)count, x->name);
    int64_t dim[TENSOR_RANK];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->rank - 1] = count;
    return tape_view(t, x, first * x->stride[x->rank - 1], x->rank, dim, x->stride);
}

struct tensor *tape_reshape(struct tape *t, struct tensor *x, int rank, const int64_t *dim)
{
    if (t->status) return x;
    struct tensor shape;
    tensor_shape(&shape, x->type, rank, dim);
    if (!tensor_contiguous(x) || tensor_count(&shape) != tensor_count(x))
        return tape_fail(t, HEARTH_E_INTERNAL, "%s cannot be reshaped", x->name);
    return tape_view(t, x, 0, rank, dim, shape.stride);
}

struct tensor *tape_name(struct tensor *x, const char *name, int index)
{
    x->name = name;
    x->index = index;
    return x;
}

int tape_run(struct tape *t, const volatile int *cancel, struct hearth_error *err)
{
    if (t->status) return fail(err, t->status, "%s", t->err.text);
    if (t->run_now) return 0; /* done already */
    return t->backend->run(t->backend, t->record, t->n_record, t->ragged, cancel, err);
}
