/* The CPU backend itself: memory, scratch, and running records one after another. */
#include <sys/mman.h>

#include "backends/cpu/cpu_int.h"
#include "base/cpu.h"

const struct cpu_driver cpu_drivers[OP_COUNT] = {
    [OP_ACTIVATE]  = { cpu_activate_run, NULL },
    [OP_LINEAR]    = { cpu_linear_run, cpu_linear_scratch },
    [OP_EXPERTS]   = { cpu_experts_run, cpu_experts_scratch },
    [OP_ATTENTION] = { cpu_attention_run, cpu_attention_scratch },
};

/* ---- memory: mapped and not reserved, so that a cache for a long context costs what it has touched */

static void *cpu_alloc(struct backend *b, uint64_t bytes)
{
    (void)b;
    void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void cpu_release(struct backend *b, void *p, uint64_t bytes)
{
    (void)b;
    munmap(p, bytes ? bytes : 1);
}

static void cpu_write(struct backend *b, void *dst, const void *src, uint64_t bytes)
{
    (void)b;
    memcpy(dst, src, bytes);
}

static void cpu_read(struct backend *b, void *dst, const void *src, uint64_t bytes)
{
    (void)b;
    memcpy(dst, src, bytes);
}

/* ---- running */

static int64_t round_up(int64_t n) { return (n + 63) / 64 * 64; }

static int cpu_reserve(struct backend *api, const struct op_record *r, int n, const struct ragged *g, struct hearth_error *err)
{
    struct cpu_backend *b = (struct cpu_backend *)api;
    int64_t shared = b->shared_bytes, each = b->thread_bytes;
    for (int i = 0; i < n && !b->reference; i++) {
        int64_t s = 0, e = 0;
        if (!cpu_drivers[r[i].op].scratch) continue;
        cpu_drivers[r[i].op].scratch(b, &r[i], g, &s, &e);
        if (round_up(s) > shared) shared = round_up(s);
        if (round_up(e) > each) each = round_up(e);
    }
    const int64_t bytes = shared + each * threads_count(b->pool);
    if (bytes > b->scratch_bytes) {
        if (b->scratch) cpu_release(api, b->scratch, (uint64_t)b->scratch_bytes);
        b->scratch_bytes = 0;
        b->scratch = cpu_alloc(api, (uint64_t)bytes);
        if (!b->scratch) return fail_memory(err, (uint64_t)bytes, "the work space of the kernels");
        b->scratch_bytes = bytes;
    }
    b->shared_bytes = shared;
    b->thread_bytes = each;
    return 0;
}

struct reference_job {
    const struct op_record *r;
    const struct ragged    *g;
};

static void reference_part(void *arg, int64_t begin, int64_t end, int thread)
{
    const struct reference_job *j = arg;
    (void)thread;
    op_table[j->r->op].run(j->r, j->g, begin, end);
}

/* Cuts the reference's units over threads when there is enough to do. */
static void run_reference(struct cpu_backend *b, const struct op_record *r, const struct ragged *g)
{
    const int64_t units = op_table[r->op].units(r, g);
    const struct tensor *size = r->out[0] ? r->out[0] : r->in[0];
    const int64_t each = units > 0 ? tensor_count(size) / units + 1 : 1;
    threads_run(b->pool, units, CPU_SMALL / 8 / each + 1, reference_part, &(struct reference_job){ r, g });
}

static int cpu_run(struct backend *api, const struct op_record *r, int n, const struct ragged *g, const volatile int *cancel,
                   struct hearth_error *err)
{
    struct cpu_backend *b = (struct cpu_backend *)api;
    b->cancel = cancel;
    for (int i = 0; i < n && !cpu_cancelled(b); i++) {
        if (!b->reference && cpu_drivers[r[i].op].run)
            cpu_drivers[r[i].op].run(b, &r[i], g);
        else
            run_reference(b, &r[i], g);
    }
    return cpu_cancelled(b) ? fail(err, HEARTH_E_CANCELLED, "stopped by the caller") : 0;
}

int cpu_backend_new(struct backend **out, const struct cpu_options *options, struct hearth_error *err)
{
    uint64_t mask;
    int status = cpu_mask_read(&mask, options->cpu_mask, err);
    if (status) return status;
    struct cpu_backend *b = mem_array(1, sizeof *b);
    if (!b) return fail_memory(err, sizeof *b, "the CPU backend");
    b->api = (struct backend){ "cpu", cpu_alloc, cpu_release, cpu_write, cpu_read, cpu_reserve, cpu_run };
    b->arith = options->arith;
    b->reference = options->reference;
    kernels_fill(&b->kernels, cpu_features() & mask);
    status = threads_new(&b->pool, options->threads, err);
    if (status) {
        mem_free(b);
        return status;
    }
    *out = &b->api;
    return 0;
}

void cpu_backend_free(struct backend *api)
{
    struct cpu_backend *b = (struct cpu_backend *)api;
    if (!b) return;
    if (b->scratch) cpu_release(api, b->scratch, (uint64_t)b->scratch_bytes);
    threads_free(b->pool);
    mem_free(b);
}

int cpu_backend_threads(const struct backend *api) { return threads_count(((const struct cpu_backend *)api)->pool); }
struct threads *cpu_backend_pool(struct backend *api) { return ((struct cpu_backend *)api)->pool; }
const struct kernels *cpu_backend_kernels(const struct backend *api) { return &((const struct cpu_backend *)api)->kernels; }
