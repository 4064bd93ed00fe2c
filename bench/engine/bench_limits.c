/* What this machine could do at most, for one thread and for all: reading memory and a cache-sized block again and again, and
 * multiplying and adding. A speed of hearth is told as a share of these, measured in the same hour.
 * usage: bench_limits [MB...]; MB: sizes of blocks to read (default 10, the story model, and 256, more than caches hold) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/threads.h"
#include "engine/probe.h"
#include "kernels/kernels.h"

static void measure(struct threads *pool, const char *block, const int *mb, int n)
{
    const int threads = threads_count(pool);
    for (int i = 0; i < n; i++) {
        const uint64_t bytes = (uint64_t)mb[i] << 20, total = mb[i] > 512 ? bytes : UINT64_C(512) << 20;
        printf("%3d threads  read %5d MiB        %9.1f GB/s\n", threads, mb[i], probe_read(pool, block, bytes, total) * 1e-9);
    }
    for (int i = 0; i < kernel_set_count; i++) {
        double f32, i8;
        if (kernel_sets[i].needs & ~cpu_features()) continue;
        probe_products(pool, kernel_sets[i].name, &f32, &i8);
        printf("%3d threads  multiply and add %-8s %8.1f GFLOP/s in f32, %8.1f Gop/s in bytes\n", threads, kernel_sets[i].name, 2e-9 * f32,
               2e-9 * i8);
    }
}

int main(int argc, char **argv)
{
    int mb[16] = { 10, 256 }, n = argc > 1 ? argc - 1 : 2, most = 0;
    struct hearth_error err;
    for (int i = 0; i < n && i < 16; i++) {
        if (argc > 1) mb[i] = atoi(argv[i + 1]);
        if (mb[i] < 1 || mb[i] > 1 << 16) {
            fprintf(stderr, "bench_limits: blocks of 1 to 65536 MB\n");
            return 1;
        }
        most = mb[i] > most ? mb[i] : most;
    }
    char *block = mem_array((uint64_t)most << 20, 1);
    if (!block) return 1;
    mem_large_pages(block, (uint64_t)most << 20);
    memset(block, 1, (size_t)most << 20); /* so that every page is there */
    const int cores = cpu_physical_cores();
    for (int threads = 1; threads <= cores; threads += threads < cores ? cores - 1 : 1) {
        struct threads *pool;
        if (threads_new(&pool, threads, &err)) {
            fprintf(stderr, "bench_limits: %s\n", err.text);
            return 1;
        }
        measure(pool, block, mb, n < 16 ? n : 16);
        threads_free(pool);
    }
    mem_free(block);
    return 0;
}
