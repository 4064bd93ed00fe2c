/* Facts about this machine, read from the kernel. */
#include "base/cpu.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

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
