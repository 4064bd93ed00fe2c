/* Shared by the CPU backend's files. */
#ifndef BACKENDS_CPU_CPU_INT_H
#define BACKENDS_CPU_CPU_INT_H

#include "backends/cpu/cpu_backend.h"
#include "ops/ops.h"

struct cpu_backend {
    struct backend     api; /* first: a struct backend * is a struct cpu_backend * */
    struct threads    *pool;
    struct kernels     kernels;
    enum hearth_arith  arith;
    bool               reference;
    const volatile int *cancel;  /* of the run in progress: long ops look at it between their pieces */
    char              *scratch; /* shared bytes first, then thread_bytes for each thread */
    int64_t            shared_bytes, thread_bytes, scratch_bytes;
};

/* A driver runs one record on the pool. scratch tells how much memory it will want: shared by all threads, and for each. */
struct cpu_driver {
    void (*run)(struct cpu_backend *b, const struct op_record *r, const struct ragged *g);
    void (*scratch)(const struct cpu_backend *b, const struct op_record *r, const struct ragged *g, int64_t *shared, int64_t *each);
};

/* Records without an entry run their reference, cut over threads. */
extern const struct cpu_driver cpu_drivers[OP_COUNT];

static inline void *cpu_shared(const struct cpu_backend *b) { return b->scratch; }
static inline void *cpu_own(const struct cpu_backend *b, int thread) { return b->scratch + b->shared_bytes + thread * b->thread_bytes; }

static inline bool cpu_cancelled(const struct cpu_backend *b) { return b->cancel && *b->cancel; }

/* Work below this many multiply-adds (about 10 us) stays on the calling thread: waking another costs as much. */
#define CPU_SMALL 32768

/* drivers */
void cpu_activate_run(struct cpu_backend *b, const struct op_record *r, const struct ragged *g);
void cpu_linear_run(struct cpu_backend *b, const struct op_record *r, const struct ragged *g);
void cpu_linear_scratch(const struct cpu_backend *b, const struct op_record *r, const struct ragged *g, int64_t *shared, int64_t *each);
void cpu_experts_run(struct cpu_backend *b, const struct op_record *r, const struct ragged *g);
void cpu_experts_scratch(const struct cpu_backend *b, const struct op_record *r, const struct ragged *g, int64_t *shared, int64_t *each);
void cpu_attention_run(struct cpu_backend *b, const struct op_record *r, const struct ragged *g);
void cpu_attention_scratch(const struct cpu_backend *b, const struct op_record *r, const struct ragged *g, int64_t *shared, int64_t *each);

#endif
