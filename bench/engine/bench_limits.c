/* What this machine could do at most, for one thread and for all: reading memory and a cache-sized block again and again, and
 * multiplying and adding f32. A speed of hearth is told as a share of these, measured in the same hour.
 * usage: bench_limits [MB...]; MB: sizes of blocks to read (default 10, the story model, and 256, more than caches hold) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/threads.h"

enum { RUNS = 9, STEPS = 2000000, SUMS = 12 };

/* ---- multiplications and additions: independent sums in registers, of 4, 8 and 16 lanes */

typedef float v4f __attribute__((vector_size(16)));

/* Makes the compiler believe that somebody looks at these values here. */
#if defined(__x86_64__)
#define KEEP(a, b, c, d, e, f) __asm__ volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f))
#else
#define KEEP(a, b, c, d, e, f) __asm__ volatile("" : "+w"(a), "+w"(b), "+w"(c), "+w"(d), "+w"(e), "+w"(f))
#endif

/* ADD_PRODUCT(sum, factor) twelve times a step; no sum ever comes near the slow, very small numbers. */
#define SUMS_OF(name, type, target)                                                   \
    target static void name(void)                                                     \
    {                                                                                 \
        type one = { 0 };                                                             \
        one += 1.0f;                                                                  \
        type a = one, b = one, c = one, d = one, e = one, f = one;                    \
        type g = one, h = one, i = one, j = one, k = one, l = one;                    \
        for (int step = 0; step < STEPS; step++) {                                    \
            name##_1(a, one), name##_2(b, one), name##_1(c, one), name##_2(d, one);   \
            name##_1(e, one), name##_2(f, one), name##_1(g, one), name##_2(h, one);   \
            name##_1(i, one), name##_2(j, one), name##_1(k, one), name##_2(l, one);   \
            KEEP(a, b, c, d, e, f);                                                   \
            KEEP(g, h, i, j, k, l);                                                   \
        }                                                                             \
    }

/* The plain set has no fused instruction: half of the sums are multiplied, half are added to. */
#define sums_4_1(sum, one) sum *= one
#define sums_4_2(sum, one) sum += one
SUMS_OF(sums_4, v4f, )

#if defined(__x86_64__)
#include <immintrin.h>
#define sums_8_1(sum, one) sum = _mm256_fmadd_ps(sum, one, one)
#define sums_8_2 sums_8_1
#define sums_16_1(sum, one) sum = _mm512_fmadd_ps(sum, one, one)
#define sums_16_2 sums_16_1
SUMS_OF(sums_8, __m256, __attribute__((target("avx2,fma"))))
SUMS_OF(sums_16, __m512, __attribute__((target("avx512f"))))
#endif

static const struct arithmetic {
    const char *name;
    const char *feature; /* NULL: always there */
    int         flops;   /* of one instruction */
    void (*run)(void);
} arithmetics[] = {
    { "4 lanes, multiply or add", NULL, 4, sums_4 },
#if defined(__x86_64__)
    { "8 lanes, fused", "fma", 16, sums_8 },
    { "16 lanes, fused", "avx512f", 32, sums_16 },
#endif
};

static int has_feature(const char *name)
{
#if defined(__x86_64__)
    if (name && strcmp(name, "fma") == 0) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (name && strcmp(name, "avx512f") == 0) return __builtin_cpu_supports("avx512f");
#endif
    return name == NULL;
}

/* ---- reading */

typedef uint64_t v2u __attribute__((vector_size(16)));

struct job {
    const struct arithmetic *arithmetic; /* or else reading */
    const char              *block;
    uint64_t                 bytes; /* of the block */
    int                      times, threads;
};

static void read_block(const char *block, uint64_t bytes)
{
    v2u a = { 0 }, b = a, c = a, d = a, e = a, f = a;
    for (const v2u *p = (const v2u *)(const void *)block, *end = p + bytes / sizeof *p; end - p >= 8; p += 8) {
        a |= p[0], b |= p[1], c |= p[2], d |= p[3];
        a |= p[4], b |= p[5], e |= p[6], f |= p[7];
    }
    KEEP(a, b, c, d, e, f);
}

/* One part a thread: its share of the block, as often as asked, or the whole arithmetic. */
static void work(void *arg, int64_t begin, int64_t end, int thread)
{
    const struct job *j = arg;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const uint64_t share = j->bytes / (uint64_t)j->threads / 128 * 128;
        if (j->arithmetic) j->arithmetic->run();
        for (int t = 0; t < j->times; t++) read_block(j->block + (uint64_t)i * share, share);
    }
}

static double best_seconds(struct threads *pool, struct job *j)
{
    double best = 1e30;
    j->threads = threads_count(pool);
    for (int run = 0; run < RUNS; run++) {
        const uint64_t begin = clock_ns();
        threads_run(pool, j->threads, 1, work, j);
        const double seconds = (double)(clock_ns() - begin) * 1e-9;
        best = seconds < best ? seconds : best;
    }
    return best;
}

static void measure(struct threads *pool, const char *block, const int *mb, int n)
{
    const int threads = threads_count(pool);
    for (int i = 0; i < n; i++) {
        struct job j = { .block = block, .bytes = (uint64_t)mb[i] << 20, .times = mb[i] > 512 ? 1 : 512 / mb[i] };
        printf("%3d threads  read %5d MiB               %9.1f GB/s\n", threads, mb[i],
               (double)j.bytes * j.times / best_seconds(pool, &j) * 1e-9);
    }
    for (size_t i = 0; i < sizeof arithmetics / sizeof *arithmetics; i++) {
        struct job j = { .arithmetic = &arithmetics[i] };
        if (!has_feature(arithmetics[i].feature)) continue;
        printf("%3d threads  %-26s %9.1f GFLOP/s\n", threads, arithmetics[i].name,
               (double)arithmetics[i].flops * SUMS * STEPS * threads / best_seconds(pool, &j) * 1e-9);
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
