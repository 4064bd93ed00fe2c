/* Choice of kernels, and memory for rounded activations. */
#include "kernels/kernels.h"

#include <string.h>

#include "base/cpu.h"

enum { PART_ALIGN = 64 };

static size_t part_bytes(int64_t n, size_t size)
{
    return ((size_t)n * size + PART_ALIGN - 1) / PART_ALIGN * PART_ALIGN;
}

static int64_t packed_rows(int64_t n)
{
    return n < ACT_PACK ? 0 : (n + ACT_PACK - 1) / ACT_PACK * ACT_PACK;
}

size_t act_i8_bytes(int64_t n, int64_t k, int block)
{
    return part_bytes(n * k, sizeof(int8_t)) + part_bytes(n * (k / block), sizeof(float)) + part_bytes(n * (k / 16), sizeof(int16_t)) +
           part_bytes(n * (k / 32), sizeof(int16_t)) + part_bytes(packed_rows(n) * k, sizeof(int8_t));
}

static void *part_take(char **p, int64_t n, size_t size)
{
    void *part = *p;
    *p += part_bytes(n, size);
    return part;
}

void act_i8_place(struct act_i8 *a, void *memory, int64_t n, int64_t k, int block)
{
    char *p = memory;
    a->q = part_take(&p, n * k, sizeof(int8_t));
    a->scale = part_take(&p, n * (k / block), sizeof(float));
    a->sum = part_take(&p, n * (k / 16), sizeof(int16_t));
    a->sum32 = part_take(&p, n * (k / 32), sizeof(int16_t));
    a->packed = packed_rows(n) ? part_take(&p, packed_rows(n) * k, sizeof(int8_t)) : NULL;
    a->n = n;
    a->k = k;
    a->block = block;
}

#define AVX2   (CPU_BIT(CPU_AVX2) | CPU_BIT(CPU_FMA) | CPU_BIT(CPU_F16C))
#define AVX512 (AVX2 | CPU_BIT(CPU_AVX512F) | CPU_BIT(CPU_AVX512BW) | CPU_BIT(CPU_AVX512VL) | CPU_BIT(CPU_AVX512DQ) | CPU_BIT(CPU_AVX512VNNI))

const struct kernel_set kernel_sets[] = {
    { "ref", 0, kernels_fill_ref },
#if defined(__x86_64__)
    { "avx2", AVX2, kernels_fill_avx2 },
    { "avxvnni", AVX2 | CPU_BIT(CPU_AVXVNNI), kernels_fill_avxvnni },
    { "avx512", AVX512, kernels_fill_avx512 },
    { "avx512bf16", AVX512 | CPU_BIT(CPU_AVX512BF16), kernels_fill_avx512bf16 },
#endif
};
const int kernel_set_count = sizeof kernel_sets / sizeof *kernel_sets;

/* Writes the set's name beside the entries that it has changed. */
static void note_set(const char **names, product_fn *const *now, product_fn *const *before, const char *name)
{
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (now[t] != before[t]) names[t] = name;
    }
}

void kernels_fill(struct kernels *k, uint64_t features)
{
    memset(k, 0, sizeof *k);
    for (int i = 0; i < kernel_set_count; i++) {
        const struct kernels before = *k;
        if ((kernel_sets[i].needs & features) != kernel_sets[i].needs) continue;
        kernel_sets[i].fill(k);
        k->name = kernel_sets[i].name;
        note_set(k->set_f32, k->product_f32, before.product_f32, k->name);
        note_set(k->set_i8, k->product_i8, before.product_i8, k->name);
        note_set(k->set_bf16, k->product_bf16, before.product_bf16, k->name);
        note_set(k->set_in_major, k->product_in_major, before.product_in_major, k->name);
    }
}
