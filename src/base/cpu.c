/* Facts about this machine, read from the kernel and the processor. */
#include "base/cpu.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/str.h"

/* First CPU of the core that `cpu` belongs to: hyper-threads of one core share it. */
static int core_of(int cpu)
{
    char path[96];
    int first = cpu;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *f = fopen(path, "r");
    if (!f) return cpu;
    if (fscanf(f, "%d", &first) != 1 || first < 0 || first >= CPU_SETSIZE) first = cpu;
    fclose(f);
    return first;
}

int cpu_physical_cores(void)
{
    cpu_set_t usable;
    bool seen[CPU_SETSIZE] = { false };
    int n = 0;

    if (sched_getaffinity(0, sizeof usable, &usable) != 0) {
        const long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 && online < CPU_SETSIZE ? (int)online : 1;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &usable)) continue;
        const int core = core_of(cpu);
        n += !seen[core];
        seen[core] = true;
    }
    return n > 0 ? n : 1;
}

uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* VmHWM counts this program alone; ru_maxrss may still hold the peak of the program that started it. */
uint64_t process_peak_bytes(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && kib == 0 && fgets(line, sizeof line, f)) {
        if (sscanf(line, "VmHWM: %llu kB", &kib) != 1) kib = 0;
    }
    if (f) fclose(f);

    struct rusage usage;
    if (kib == 0 && getrusage(RUSAGE_SELF, &usage) == 0) kib = (unsigned long long)usage.ru_maxrss;
    return (uint64_t)kib * 1024;
}

void process_peak_reset(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return;
    fputs("5", f);
    fclose(f);
}

/* ---- features */

enum { CPU_STATE_YMM = 0x06, CPU_STATE_ZMM = 0xe6 }; /* bits of XCR0: what the system saves of a program's registers */

static const struct {
    const char *name;
    uint32_t    leaf, subleaf, at, bit, state;
} features[] = {
#define FEATURE(id, ...) [CPU_##id] = { __VA_ARGS__ },
#include "base/features.def"
#undef FEATURE
};

const char *cpu_feature_name(enum cpu_feature f)
{
    return features[f].name;
}

#if defined(__x86_64__)

static uint32_t saved_states(void)
{
    uint32_t r[4], low, high;
    if (!__get_cpuid(1, &r[0], &r[1], &r[2], &r[3]) || !(r[2] & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

uint64_t cpu_features(void)
{
    const uint32_t states = saved_states();
    uint64_t found = 0;
    for (int i = 0; i < CPU_FEATURE_COUNT; i++) {
        uint32_t r[4] = { 0 }, most[4] = { 0 };
        if (features[i].subleaf > 0) __get_cpuid_count(features[i].leaf, 0, &most[0], &most[1], &most[2], &most[3]);
        if (features[i].subleaf > most[0]) continue; /* a leaf says in eax how many subleaves it has */
        if (!__get_cpuid_count(features[i].leaf, features[i].subleaf, &r[0], &r[1], &r[2], &r[3])) continue;
        const bool there = r[features[i].at] >> features[i].bit & 1, kept = (states & features[i].state) == features[i].state;
        if (there && kept) found |= CPU_BIT(i);
    }
    return found;
}

#else

uint64_t cpu_features(void)
{
    return 0;
}

#endif

static int mask_name(uint64_t *mask, struct str name, struct hearth_error *err)
{
    for (int i = 0; i < CPU_FEATURE_COUNT; i++) {
        if (!str_is(name, features[i].name)) continue;
        *mask |= CPU_BIT(i);
        return 0;
    }
    return fail(err, HEARTH_E_ARG, "%.*s is no processor feature that hearth knows: `hearth cpu` lists them", (int)(name.n < 40 ? name.n : 40), name.p);
}

int cpu_mask_read(uint64_t *mask, const char *text, struct hearth_error *err)
{
    if (!text) text = getenv("HEARTH_CPU_MASK");
    *mask = text ? 0 : ~UINT64_C(0);
    if (!text || strcmp(text, "none") == 0) return 0;
    if (strcmp(text, "all") == 0) {
        *mask = ~UINT64_C(0);
        return 0;
    }
    if (text[0] == '0' && text[1] == 'x') {
        char *end;
        *mask = strtoull(text + 2, &end, 16);
        return *end || end == text + 2 ? fail(err, HEARTH_E_ARG, "%.40s is no hexadecimal number of processor features", text) : 0;
    }
    for (;;) {
        const size_t n = strcspn(text, ",");
        int status = mask_name(mask, (struct str){ text, n }, err);
        if (status || !text[n]) return status;
        text += n + 1;
    }
}
