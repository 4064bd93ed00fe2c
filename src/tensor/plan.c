/* The planner: one buffer for all activations of a step, memory re-used by last use. First fit over the holes between the
 * tensors that live at the same time; a step has a few hundred records and a handful of live tensors, so this costs
 * microseconds and needs no cleverness. */
#include "tensor/tape.h"

#define ALIGN 64

struct block { /* in use */
    int64_t at, size;
};

/* Finds room among n blocks sorted by address; returns where, and the index to insert at. */
static int64_t find_hole(const struct block *b, int n, int64_t size, int *index)
{
    int64_t end = 0;
    for (*index = 0; *index < n; (*index)++) {
        if (b[*index].at - end >= size) return end;
        end = b[*index].at + b[*index].size;
    }
    return end;
}

static void insert_block(struct block *b, int *n, int index, struct block x)
{
    memmove(b + index + 1, b + index, (size_t)(*n - index) * sizeof *b);
    b[index] = x;
    (*n)++;
}

static void remove_block(struct block *b, int *n, int64_t at)
{
    for (int i = 0; i < *n; i++) {
        if (b[i].at != at) continue;
        memmove(b + i, b + i + 1, (size_t)(--*n - i) * sizeof *b);
        return;
    }
}

/* Places the outputs of record at, then frees what was used last by it: an output never lies on its op's inputs. */
static void place_record(struct tape *t, int at, struct block *live, int *n_live, int64_t *top)
{
    struct op_record *r = &t->record[at];
    for (int i = 0; i < 2; i++) {
        struct tensor *x = r->out[i];
        if (!x) continue;
        const int64_t size = (tensor_bytes(x) + ALIGN - 1) / ALIGN * ALIGN + ALIGN; /* never empty: addresses stay distinct */
        int index;
        x->offset = find_hole(live, *n_live, size, &index);
        insert_block(live, n_live, index, (struct block){ x->offset, size });
        if (x->offset + size > *top) *top = x->offset + size;
    }
    for (int i = 0; i < TAPE_INPUTS + 2; i++) {
        struct tensor *x = i < TAPE_INPUTS ? r->in[i] : r->out[i - TAPE_INPUTS];
        if (x && x->base) x = x->base;
        if (!x || x < t->tensor || x >= t->tensor + t->n_tensor || x->last_use != at) continue;
        remove_block(live, n_live, x->offset);
        x->last_use = -2; /* freed: an input named twice is freed once */
    }
}

static int grow_memory(struct tape *t, struct hearth_error *err)
{
    if (t->planned_bytes <= t->memory_bytes) return 0;
    if (t->memory) t->backend->release(t->backend, t->memory, (uint64_t)t->memory_bytes);
    t->memory_bytes = 0;
    t->memory = t->backend->alloc(t->backend, (uint64_t)t->planned_bytes);
    if (!t->memory) return fail_memory(err, (uint64_t)t->planned_bytes, "the activations of a step");
    t->memory_bytes = t->planned_bytes;
    return 0;
}

int tape_plan(struct tape *t, struct tensor *const *keep, int n_keep, struct hearth_error *err)
{
    if (t->status) return fail(err, t->status, "%s", t->err.text);
    if (t->run_now) return 0;
    for (int i = 0; i < n_keep; i++) {
        if (!keep[i]) continue;
        struct tensor *x = keep[i]->base ? keep[i]->base : keep[i];
        x->last_use = t->n_record;
    }
    struct block *live = (struct block *)t->hole;
    int n_live = 0;
    t->planned_bytes = ALIGN;
    for (int i = 0; i < t->n_record; i++) place_record(t, i, live, &n_live, &t->planned_bytes);
    int status = grow_memory(t, err);
    if (status) return status;
    for (int i = 0; i < t->n_tensor; i++) {
        struct tensor *x = &t->tensor[i];
        if (!x->base && x->producer >= 0) x->data = t->memory + x->offset;
    }
    for (int i = 0; i < t->n_tensor; i++) {
        struct tensor *x = &t->tensor[i];
        if (x->base && x->base->data) x->data = (char *)x->base->data + x->offset;
    }
    return t->backend->reserve(t->backend, t->record, t->n_record, t->ragged, err);
}
