/* The tape: what a model computes, as a list of records in the order it shall be done. Model code calls op_*(tape, ...); each
 * call checks shapes and appends one record. Recorded tapes are planned (memory re-used by last use) and run whole; a run-now
 * tape executes every op as it is called, for debugging and verify. A failed call leaves the sentence in the tape, returns a
 * harmless tensor and makes later calls do nothing, so that model code needs one check at the end. */
#ifndef TENSOR_TAPE_H
#define TENSOR_TAPE_H

#include "base/mem.h"
#include "base/status.h"
#include "tensor/ragged.h"
#include "tensor/tensor.h"

#define TAPE_INPUTS 6

/* Parameters of an op; which members it reads is said in its declaration in ops/ops.h. */
struct op_params {
    float   f[4];
    int32_t i[8];
};

struct op_record {
    int               op; /* enum op_id of ops/ops.h */
    struct tensor    *in[TAPE_INPUTS], *out[2];
    struct op_params  p;
    int               layer; /* -1: none */
    const char       *file;  /* the model's line that asked for it */
    int               line;
};

struct backend;

struct tape {
    struct tensor    *tensor; /* [n_tensor] activations and views, in a fixed array */
    struct op_record *record; /* [n_record] */
    int               n_tensor, n_record, max_tensor, max_record;
    const struct ragged *ragged;
    struct backend   *backend;
    bool              run_now;
    int               layer;         /* stamped on records */
    const char       *file;
    int               line;
    int64_t           planned_bytes; /* of the buffer the plan needs */
    int64_t           scratch_bytes;
    char             *memory;        /* planned buffer (backend memory), grown by tape_plan */
    int64_t           memory_bytes;
    void            **kept;          /* run-now: one allocation a tensor */
    int64_t          *hole;          /* planner's work space, [2 * max_tensor] */
    int               status;
    struct hearth_error err;
};

/* What computes: memory and a runner. backends/cpu implements it. */
struct backend {
    const char *name;
    void *(*alloc)(struct backend *b, uint64_t bytes); /* zeroed on first touch; NULL: none left */
    void  (*release)(struct backend *b, void *p, uint64_t bytes);
    void  (*write)(struct backend *b, void *dst, const void *src, uint64_t bytes); /* host to tensor memory */
    void  (*read)(struct backend *b, void *dst, const void *src, uint64_t bytes);  /* tensor memory to host */
    /* Makes room for running these records; the only place where run-time memory grows. */
    int   (*reserve)(struct backend *b, const struct op_record *r, int n, const struct ragged *g, struct hearth_error *err);
    /* Runs records r[0 .. n). *cancel (may be NULL) is polled between them. */
    int   (*run)(struct backend *b, const struct op_record *r, int n, const struct ragged *g, const volatile int *cancel,
                 struct hearth_error *err);
};

int  tape_new(struct tape **out, struct backend *b, bool run_now, struct hearth_error *err);
void tape_free(struct tape *t);

/* Empties the tape for the next step; memory stays. ragged must outlive the run. */
void tape_begin(struct tape *t, const struct ragged *ragged);

/* Places every activation in one buffer, re-using memory by last use, and reserves run-time memory. keep: tensors that must
 * survive to the end (up to n_keep; NULLs are skipped). */
int tape_plan(struct tape *t, struct tensor *const *keep, int n_keep, struct hearth_error *err);
int tape_run(struct tape *t, const volatile int *cancel, struct hearth_error *err);

/* For ops: a new activation, a new record, and the sticky failure. tape_fail returns a harmless tensor. */
struct tensor    *tape_tensor(struct tape *t, const char *name, enum dtype type, int rank, const int64_t *dim);
struct op_record *tape_append(struct tape *t, int op);
int               tape_done(struct tape *t, struct op_record *r); /* run-now: executes it */
struct tensor    *tape_fail(struct tape *t, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Views of activations or weights: no record, no copy. */
struct tensor *tape_view(struct tape *t, struct tensor *x, int64_t offset, int rank, const int64_t *dim, const int64_t *stride);
struct tensor *tape_columns(struct tape *t, struct tensor *x, int64_t first, int64_t count); /* x[..., first .. first + count) */
struct tensor *tape_reshape(struct tape *t, struct tensor *x, int rank, const int64_t *dim); /* contiguous x */

/* Gives x the name that verify, explain and error sentences use; index -1: none. Returns x. (After a failure x is the harmless
 * tensor: naming it is harmless too.) */
struct tensor *tape_name(struct tensor *x, const char *name, int index);

/* Remembers the caller's line: op macros pass TAPE_HERE(tape). */
static inline struct tape *tape_here(struct tape *t, const char *file, int line)
{
    t->file = file;
    t->line = line;
    return t;
}
#define TAPE_HERE(t) tape_here((t), __FILE__, __LINE__)

#endif
