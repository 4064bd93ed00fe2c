/* What the machine could do at most: reading memory, multiplying and adding. A speed of hearth is told as a share of these. */
#ifndef ENGINE_PROBE_H
#define ENGINE_PROBE_H

#include "base/threads.h"

/* Bytes a second that all threads of the pool read from a block, `total` bytes in all; the best of some runs. Every page of
 * the block must have been written. */
double probe_read(struct threads *pool, const void *block, uint64_t bytes, uint64_t total);

/* Multiplications with an addition a second that all threads do at most with the instructions of a kernel set (its name in
 * kernel_sets), in f32 and in bytes; the best of some runs. */
void probe_products(struct threads *pool, const char *set, double *f32, double *i8);

#endif
