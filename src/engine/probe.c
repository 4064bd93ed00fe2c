/* Probes of the machine's limits. They do nothing but what is counted, so that no program can be faster. */
#include "engine/probe.h"

#include <string.h>

#include "backends/cpu/cpu_backend.h"
#include "base/cpu.h"
#include "base/mem.h"
#include "engine/session.h"
#include "hearth_inspect.h"

/* Short runs again and again: some of them will not be interrupted by other programs. Pieces of a job are for each thread: one
 * that is late leaves some to the others. */
enum { RUNS = 7, STEPS = 20000, PIECES = 4 };

#define PROBE_SECONDS 0.08 /* at least, and at least RUNS */

#define PIECE_BYTES (UINT64_C(256) << 10)
#define BLOCK_BYTES (UINT64_C(192) << 20) /* more than caches hold */

static double best_seconds(struct threads *pool, int64_t pieces, threads_fn *fn, void *job)
{
    double best = 1e30;
    const uint64_t end = clock_ns() + (uint64_t)(PROBE_SECONDS * 1e9);
    for (int run = 0; run < RUNS || clock_ns() < end; run++) {
        const uint64_t begin = clock_ns();
        threads_run(pool, pieces, 1, fn, job);
        const double seconds = (double)(clock_ns() - begin) * 1e-9;
        best = seconds < best ? seconds : best;
    }
    return best;
}

/* ---- reading */

typedef uint64_t v2u __attribute__((vector_size(16)));

/* Makes the compiler believe that somebody looks at these values here. */
#if defined(__x86_64__)
#define KEEP6(a, b, c, d, e, f) __asm__ volatile("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d), "+x"(e), "+x"(f))
#else
#define KEEP6(a, b, c, d, e, f) __asm__ volatile("" : "+w"(a), "+w"(b), "+w"(c), "+w"(d), "+w"(e), "+w"(f))
#endif

struct read_job {
    const char *block;
    uint64_t    piece;
    int64_t     pieces; /* in the block */
};

static void read_part(void *arg, int64_t begin, int64_t end, int thread)
{
    const struct read_job *j = arg;
    v2u a = { 0 }, b = a, c = a, d = a, e = a, f = a;
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        const v2u *p = (const v2u *)(const void *)(j->block + (uint64_t)(i % j->pieces) * j->piece);
        for (const v2u *stop = p + j->piece / sizeof *p; stop - p >= 8; p += 8) {
            a |= p[0], b |= p[1], c |= p[2], d |= p[3];
            a |= p[4], b |= p[5], e |= p[6], f |= p[7];
        }
        KEEP6(a, b, c, d, e, f);
    }
}

double probe_read(struct threads *pool, const void *block, uint64_t bytes, uint64_t total)
{
    struct read_job j = { .block = block, .piece = (bytes < PIECE_BYTES ? bytes : PIECE_BYTES) / 128 * 128 };
    if (!j.piece) return 0;
    j.pieces = (int64_t)(bytes / j.piece);
    const int64_t pieces = (int64_t)(total / j.piece) + 1;
    return (double)j.piece * (double)pieces / best_seconds(pool, pieces, read_part, &j);
}

/* ---- multiplying and adding */

typedef void step_fn(int steps);
typedef float v4f __attribute__((vector_size(16)));

/* 6 multiplications and 6 additions of 4 floats a step, what every processor has. */
static void step_plain(int steps)
{
    const v4f f = { 0.999f, 0.999f, 0.999f, 0.999f };
    v4f a = f, b = f, c = f, d = f, e = f, g = f, p = f, q = f, r = f, s = f, t = f, u = f;
    for (int step = 0; step < steps; step++) {
        a *= f, b *= f, c *= f, d *= f, e *= f, g *= f;
        p += f, q += f, r += f, s += f, t += f, u += f;
        KEEP6(a, b, c, d, e, g);
        KEEP6(p, q, r, s, t, u);
    }
}

/* 12 independent ones a step in an instruction set's own registers; zeros, whose speed is that of any numbers. */
#if defined(__x86_64__)
#define CLOBBERS                                                                                                           \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm13", "xmm14", \
        "xmm15"
#define TWELVE(a, b, c)                                                                                        \
    a "0" b "0" c a "1" b "1" c a "2" b "2" c a "3" b "3" c a "4" b "4" c a "5" b "5" c a "6" b "6" c a "7" b \
    "7" c a "8" b "8" c a "9" b "9" c a "10" b "10" c a "11" b "11" c
#define STEP_FUNCTION(function, start, step)                                                       \
    static void function(int steps)                                                                \
    {                                                                                              \
        __asm__ volatile(start ::: CLOBBERS);                                                      \
        for (int i = 0; i < steps; i++) __asm__ volatile(step ::: CLOBBERS);                       \
    }
#define ZERO_YMM                                                                   \
    "vpxor %%ymm14, %%ymm14, %%ymm14\n vpxor %%ymm15, %%ymm15, %%ymm15\n" TWELVE( \
        "vpxor %%ymm15, %%ymm15, %%ymm", "\n #", "\n")
STEP_FUNCTION(step_fma_256, ZERO_YMM, TWELVE("vfmadd231ps %%ymm15, %%ymm14, %%ymm", "\n #", "\n"))
STEP_FUNCTION(step_fma_512, ZERO_YMM, TWELVE("vfmadd231ps %%zmm15, %%zmm14, %%zmm", "\n #", "\n"))
STEP_FUNCTION(step_bytes_256, ZERO_YMM,
              TWELVE("vpmaddubsw %%ymm15, %%ymm14, %%ymm13\n vpmaddwd %%ymm15, %%ymm13, %%ymm13\n vpaddd %%ymm13, %%ymm14, %%ymm",
                     "\n #", "\n"))
STEP_FUNCTION(step_vnni_256, ZERO_YMM, TWELVE("%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm", "\n #", "\n"))
STEP_FUNCTION(step_vnni_512, ZERO_YMM, TWELVE("vpdpbusd %%zmm15, %%zmm14, %%zmm", "\n #", "\n"))
#endif

/* Products with an addition in a step. The reference set: its compiler knows only what every processor of the kind has. */
static const struct set_peak {
    const char *set;
    step_fn    *f32, *i8;
    int         f32_step, i8_step;
} set_peaks[] = {
    { "ref", step_plain, step_plain, 6 * 4, 6 * 4 },
#if defined(__x86_64__)
    { "avx2", step_fma_256, step_bytes_256, 12 * 8, 12 * 32 },
    { "avxvnni", step_fma_256, step_vnni_256, 12 * 8, 12 * 32 },
    { "avx512", step_fma_512, step_vnni_512, 12 * 16, 12 * 64 },
    { "avx512bf16", step_fma_512, step_vnni_512, 12 * 16, 12 * 64 },
#endif
};

static void step_part(void *arg, int64_t begin, int64_t end, int thread)
{
    step_fn *const *step = arg;
    (void)thread;
    for (int64_t i = begin; i < end; i++) (*step)(STEPS);
}

static double products(struct threads *pool, step_fn *step, int each)
{
    const int64_t pieces = (int64_t)threads_count(pool) * PIECES;
    return (double)each * STEPS * (double)pieces / best_seconds(pool, pieces, step_part, &step);
}

void probe_products(struct threads *pool, const char *set, double *f32, double *i8)
{
    const struct set_peak *p = set_peaks;
    for (size_t i = 0; i < sizeof set_peaks / sizeof *set_peaks; i++) {
        if (strcmp(set, set_peaks[i].set) == 0) p = &set_peaks[i];
    }
    *f32 = products(pool, p->f32, p->f32_step);
    *i8 = p->i8 == p->f32 ? *f32 : products(pool, p->i8, p->i8_step);
}

/* ---- for a model */

int hearth_probe(hearth_model *m, uint64_t bytes, hearth_limits *limits, hearth_error *err)
{
    bytes = bytes && bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES;
    char *block = mem_array(bytes, 1);
    if (!block) return fail_memory(err, bytes, "a block to read");
    mem_large_pages(block, bytes);
    memset(block, 1, bytes); /* so that every page is there */
    struct threads *pool = cpu_backend_pool(m->backend);
    pthread_mutex_lock(&m->turn);
    limits->read_bytes = probe_read(pool, block, bytes, BLOCK_BYTES);
    probe_products(pool, cpu_backend_kernels(m->backend)->name, &limits->products_f32, &limits->products_i8);
    pthread_mutex_unlock(&m->turn);
    mem_free(block);
    return 0;
}
