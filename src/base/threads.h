/* A pool of threads that cut one job into ranges. Results never depend on the number of threads: a range computes only its
 * own outputs. */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

#include "base/status.h"

struct threads;

/* n = 0: one per physical core. The calling thread counts as one of the n. */
int  threads_new(struct threads **out, int n, struct hearth_error *err);
void threads_free(struct threads *t);
int  threads_count(const struct threads *t);

/* Runs fn(arg, begin, end, thread) over [0, n) cut at multiples of `grain`, on all threads including the caller; returns when
 * all are done. thread is 0 .. count-1, for scratch memory. With n <= grain it runs on the caller at once. Workers spin for
 * a short while between jobs, then sleep. */
typedef void threads_fn(void *arg, int64_t begin, int64_t end, int thread);
void threads_run(struct threads *t, int64_t n, int64_t grain, threads_fn *fn, void *arg);

#endif
