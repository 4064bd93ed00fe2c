/* How fast the kernels of this machine are on one core, beside what the core could do at most: reading memory for one row of
 * activations, multiplying and adding for many. Best of several runs; other programs on the machine make all figures worse.
 *
 * bench_kernels [--mask NAMES]: without a mask every instruction set of this machine, one after another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/threads.h"
#include "engine/probe.h"
#include "kernels/kernels.h"

enum { WIDTH = 4096, SOURCE_ROWS = 16, MANY = 126, RUNS = 7 };

#define MEMORY_BYTES (UINT64_C(192) << 20) /* weights that no cache holds */
#define CACHE_BYTES  (UINT64_C(256) << 10) /* weights that the second cache holds */

/* ---- kernels */

struct setup {
    char         *w;       /* MEMORY_BYTES */
    float        *x, *y;   /* [MANY, WIDTH], [MANY, rows] */
    uint16_t     *xb;      /* [MANY, WIDTH] */
    char         *memory;
    float        *scratch; /* in memory, aligned: PRODUCT_SCRATCH */
    void         *rounded; /* behind it: act_i8_bytes */
    struct act_i8 act;
};

/* Rows of the type, drawn once and repeated until `bytes` are full. */
static void weights_fill(struct setup *s, enum dtype type, uint64_t row_bytes)
{
    struct rng rng;
    rng_seed(&rng, 1);
    for (int row = 0; row < SOURCE_ROWS; row++) {
        for (int c = 0; c < WIDTH; c++) s->scratch[c] = (float)(rng_unit(&rng) - 0.5) * 0.05f;
        type_of(type)->pack(s->w + row_bytes * (uint64_t)row, s->scratch, WIDTH);
    }
    const uint64_t whole = row_bytes * SOURCE_ROWS;
    for (uint64_t at = whole; at + whole <= MEMORY_BYTES; at += whole) memcpy(s->w + at, s->w, whole);
}

static double product_ns(product_fn *product, struct product *p, int times)
{
    double best = 1e30;
    for (int run = 0; run < RUNS; run++) {
        const uint64_t begin = clock_ns();
        for (int t = 0; t < times; t++) product(p);
        const double ns = (double)(clock_ns() - begin) / times;
        best = ns < best ? ns : best;
    }
    return best;
}

static void bench_type(struct setup *s, enum dtype type, const char *arith, product_fn *product, double memory, double peak)
{
    uint64_t row_bytes;
    if (!product || !type_row_bytes(type, WIDTH, &row_bytes)) return;
    weights_fill(s, type, row_bytes);

    const int64_t in_memory = (int64_t)(MEMORY_BYTES / row_bytes), in_cache = (int64_t)(CACHE_BYTES / row_bytes);
    struct product p = { .w = s->w, .w_stride = row_bytes, .n_w = in_memory, .n_x = 1, .k = WIDTH, .x = s->x, .xb = s->xb, .x_stride = WIDTH,
                         .xq = &s->act, .y = s->y, .y_stride = in_memory, .scratch = s->scratch };
    const double one = (double)row_bytes * (double)in_memory / product_ns(product, &p, 1);
    p.n_w = p.y_stride = in_cache;
    const double near = (double)row_bytes * (double)in_cache / product_ns(product, &p, 200);
    p.n_x = MANY;
    p.n_w = p.y_stride = 256;
    const double many = 2.0 * MANY * 256 * WIDTH / product_ns(product, &p, 1);
    printf("%-5s %-5s %10.2f %6.0f%% %12.2f %15.2f %6.0f%%\n", type_of(type)->name, arith, one, 100 * one / memory, near, many,
           100 * many / peak);
}

static int setup_make(struct setup *s)
{
    struct rng rng;
    rng_seed(&rng, 2);
    s->w = mem_array(MEMORY_BYTES, 1);
    s->x = mem_array(MANY * WIDTH, sizeof(float));
    s->y = mem_array(MEMORY_BYTES / WIDTH * 8, sizeof(float));
    s->xb = mem_array(MANY * WIDTH, sizeof(uint16_t));
    s->memory = mem_array(PRODUCT_SCRATCH + act_i8_bytes(MANY, WIDTH, 32) + 64, 1);
    if (!s->w || !s->x || !s->y || !s->xb || !s->memory) return -1;
    char *aligned = s->memory + 63 - ((uintptr_t)s->memory + 63) % 64;
    s->scratch = (float *)(void *)aligned;
    s->rounded = aligned + PRODUCT_SCRATCH;
    for (int i = 0; i < MANY * WIDTH; i++) s->x[i] = (float)(rng_unit(&rng) - 0.5);
    return 0;
}

static void bench_features(struct setup *s, struct threads *one, uint64_t features, double memory, double cache)
{
    struct kernels k;
    double f32, i8;
    kernels_fill(&k, features);
    probe_products(one, k.name, &f32, &i8);
    f32 *= 2e-9, i8 *= 2e-9; /* to billions of operations */
    printf("\n%s: one core reads %.1f GB/s from memory, %.1f from its cache; multiplies and adds %.0f Gop/s in f32, %.0f in bytes\n",
           k.name, memory, cache, f32, i8);
    printf("%-5s %-5s %10s %7s %12s %15s %7s\n", "type", "arith", "1 row GB/s", "of mem", "cached GB/s", "many rows Gop/s", "of peak");
    for (int row = 0; row < MANY; row++) k.round_bf16(s->xb + row * WIDTH, s->x + row * WIDTH, WIDTH);
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        bench_type(s, t, "f32", k.product_f32[t], memory, f32);
        bench_type(s, t, "bf16", k.product_bf16[t], memory, f32);
        if (!k.product_i8[t]) continue;
        act_i8_place(&s->act, s->rounded, MANY, WIDTH, type_of(t)->act_block);
        for (int row = 0; row < MANY; row++) k.round_i8(&s->act, row, s->x + row * WIDTH);
        bench_type(s, t, "int8", k.product_i8[t], memory, i8);
    }
}

int main(int argc, char **argv)
{
    struct setup s = { 0 };
    struct hearth_error err = { 0 };
    uint64_t mask;
    const bool masked = argc == 3 && strcmp(argv[1], "--mask") == 0;
    if ((argc != 1 && !masked) || cpu_mask_read(&mask, masked ? argv[2] : NULL, &err)) {
        fprintf(stderr, "bench_kernels: %s\n", err.text[0] ? err.text : "[--mask NAMES] is all it takes");
        return 1;
    }
    struct threads *one;
    if (setup_make(&s) != 0 || threads_new(&one, 1, &err)) {
        fprintf(stderr, "bench_kernels needs %d MB of memory\n", (int)(MEMORY_BYTES >> 20) + 16);
        return 1;
    }
    mem_large_pages(s.w, MEMORY_BYTES);
    memset(s.w, 1, MEMORY_BYTES);
    const double memory = probe_read(one, s.w, MEMORY_BYTES, MEMORY_BYTES) * 1e-9;
    const double cache = probe_read(one, s.w, CACHE_BYTES, MEMORY_BYTES) * 1e-9;
    for (int i = 0; i < kernel_set_count; i++) {
        const uint64_t features = cpu_features() & mask, needs = kernel_sets[i].needs;
        if ((needs & features) == needs) bench_features(&s, one, masked ? features : needs, memory, cache);
        if (masked) break;
    }
    threads_free(one);
    mem_free(s.w);
    mem_free(s.x);
    mem_free(s.y);
    mem_free(s.xb);
    mem_free(s.memory);
    return 0;
}
