/* The CPU backend: runs tape records with a pool of threads and the kernel table. */
#ifndef BACKENDS_CPU_CPU_BACKEND_H
#define BACKENDS_CPU_CPU_BACKEND_H

#include "base/threads.h"
#include "hearth.h"
#include "kernels/kernels.h"
#include "tensor/tape.h"

/* reference: every op by its plain reference, one thread's worth of cleverness: the judge in tests. */
struct cpu_options {
    int               threads; /* 0: one per physical core */
    enum hearth_arith arith;
    bool              reference;
    const char       *cpu_mask; /* processor features that may be used (base/cpu.h:cpu_mask_read); NULL: the environment's or all */
};

int  cpu_backend_new(struct backend **out, const struct cpu_options *options, struct hearth_error *err);
void cpu_backend_free(struct backend *b);
int  cpu_backend_threads(const struct backend *b);
struct threads *cpu_backend_pool(struct backend *b);
const struct kernels *cpu_backend_kernels(const struct backend *b);
/* Whether products with this weight round activations to int8. */
bool cpu_backend_rounds(const struct backend *b, const struct tensor *w);

#endif
