/* The thread pool. One word, `state`, says which job is open and how many workers are inside it. A worker enters by adding
 * itself to that word while the job is open; the caller takes its share, closes the job, and waits only for those inside. So a
 * worker that sleeps, or that the system has put aside for another program, never delays a job: the others do its share. */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"

enum {
    THREADS_MAX       = 1024,
    CHUNKS_PER_THREAD = 16, /* small enough to even out unequal cores */
    LINE              = 64,
};

#define SPIN_NS   30000u /* how long an idle worker looks for the next job before it sleeps ... */
#define POLITE_NS 8000u  /* ... and from when on it offers its core to others while looking */

/* state = job number << 32 | open << 31 | workers inside */
#define JOB_ONE  (UINT64_C(1) << 32)
#define JOB_OPEN (UINT64_C(1) << 31)
#define INSIDE   (JOB_OPEN - 1)

/* Indices that one thread begins with, in a cache line of their own. Neighbouring pieces stay with one thread, so that memory
 * fetched ahead is its own; who has finished takes pieces from the others. */
struct share {
    _Atomic int64_t next; /* nobody has claimed it yet */
    int64_t         end;
    char            gap[LINE - 2 * sizeof(int64_t)];
};

struct worker {
    struct threads *pool;
    pthread_t       id;
    int             index;
};

struct threads {
    int             n;       /* with the caller */
    int             started; /* workers to join */
    struct worker  *worker;  /* [n], the first unused */
    pthread_mutex_t lock;    /* for sleepers alone */
    pthread_cond_t  wake;
    atomic_int      sleepers;
    atomic_bool     stop;
    /* The job: written by the caller while nobody is inside, read by those who entered. */
    threads_fn     *fn;
    void           *arg;
    int64_t         chunk;
    struct share   *share; /* [n] */
    /* In a cache line of its own. */
    char            gap_0[LINE];
    _Atomic uint64_t state;
    char            gap_1[LINE];
};

static inline void cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void job_share(struct threads *t, int thread)
{
    for (int i = 0; i < t->n; i++) {
        struct share *s = &t->share[thread + i < t->n ? thread + i : thread + i - t->n];
        while (atomic_load_explicit(&s->next, memory_order_relaxed) < s->end) {
            const int64_t begin = atomic_fetch_add_explicit(&s->next, t->chunk, memory_order_relaxed);
            if (begin >= s->end) break;
            t->fn(t->arg, begin, s->end - begin > t->chunk ? begin + t->chunk : s->end, thread);
        }
    }
}

/* Cuts [0, n) into shares of whole pieces. */
static void job_cut(struct threads *t, int64_t n, int64_t grain)
{
    const int64_t grains = (n - 1) / grain + 1, wanted = (int64_t)t->n * CHUNKS_PER_THREAD;
    t->chunk = ((grains - 1) / wanted + 1) * grain;
    const int64_t chunks = (n - 1) / t->chunk + 1, each = chunks / t->n, more = chunks % t->n;
    int64_t at = 0;
    for (int i = 0; i < t->n; i++) {
        atomic_store_explicit(&t->share[i].next, at, memory_order_relaxed);
        const int64_t left = n - at, size = (each + (i < more)) * t->chunk;
        at = size < left ? at + size : n;
        t->share[i].end = at;
    }
}

static bool job_enter(struct threads *t, uint64_t state)
{
    while (state & JOB_OPEN) {
        if (atomic_compare_exchange_weak(&t->state, &state, state + 1)) return true;
    }
    return false;
}

/* Returns the state once its job number differs from `seen`, or once the pool stops. */
static uint64_t job_wait(struct threads *t, uint64_t seen)
{
    const uint64_t begin = clock_ns();
    for (uint64_t waited = 0; waited < SPIN_NS; waited = clock_ns() - begin) {
        for (int i = 0; i < 16; i++) {
            const uint64_t state = atomic_load_explicit(&t->state, memory_order_acquire);
            if (state / JOB_ONE != seen) return state;
            cpu_pause();
        }
        if (waited > POLITE_NS) sched_yield();
    }
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->sleepers, 1); /* before the last look: the caller publishes first and then counts sleepers */
    uint64_t state;
    while ((state = atomic_load(&t->state)) / JOB_ONE == seen) pthread_cond_wait(&t->wake, &t->lock);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->lock);
    return state;
}

static void *worker_main(void *arg)
{
    const struct worker *w = arg;
    struct threads *t = w->pool;
    uint64_t seen = 0;
    for (;;) {
        const uint64_t state = job_wait(t, seen);
        if (atomic_load(&t->stop)) return NULL;
        seen = state / JOB_ONE;
        if (!job_enter(t, state)) continue;
        job_share(t, w->index);
        atomic_fetch_sub_explicit(&t->state, 1, memory_order_release);
    }
}

/* Publishes a new job number; wakes those who sleep. */
static void job_publish(struct threads *t, uint64_t open)
{
    const uint64_t number = (atomic_load(&t->state) / JOB_ONE + 1) & UINT32_MAX;
    atomic_store(&t->state, number * JOB_ONE | open);
    if (atomic_load(&t->sleepers) == 0) return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

static void job_close(struct threads *t)
{
    atomic_fetch_and_explicit(&t->state, ~JOB_OPEN, memory_order_relaxed);
    for (int spins = 0; atomic_load_explicit(&t->state, memory_order_acquire) & INSIDE; spins++) {
        cpu_pause();
        if (spins > 500) sched_yield();
    }
}

void threads_run(struct threads *t, int64_t n, int64_t grain, threads_fn *fn, void *arg)
{
    if (n <= 0) return;
    if (grain < 1) grain = 1;
    if (n <= grain || t->n == 1) {
        fn(arg, 0, n, 0);
        return;
    }
    t->fn = fn;
    t->arg = arg;
    job_cut(t, n, grain);
    job_publish(t, JOB_OPEN);
    job_share(t, 0);
    job_close(t);
}

int threads_count(const struct threads *t)
{
    return t->n;
}

/* Signals belong to the program's own threads, so workers are born with all of them blocked. */
static int workers_start(struct threads *t)
{
    sigset_t all, old;
    int status = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 1; i < t->n && status == 0; i++) {
        t->worker[i] = (struct worker){ .pool = t, .index = i };
        status = pthread_create(&t->worker[i].id, NULL, worker_main, &t->worker[i]);
        t->started += status == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return status;
}

int threads_new(struct threads **out, int n, struct hearth_error *err)
{
    *out = NULL;
    if (n < 0 || n > THREADS_MAX) {
        return fail(err, HEARTH_E_ARG, "%d threads: give 1 to %d, or 0 for one per core", n, THREADS_MAX);
    }
    if (n == 0) n = cpu_physical_cores();
    if (n > THREADS_MAX) n = THREADS_MAX;

    struct threads *t = mem_array(1, sizeof *t);
    struct worker *worker = mem_array((uint64_t)n, sizeof *worker);
    struct share *share = mem_array((uint64_t)n, sizeof *share);
    if (!t || !worker || !share) {
        mem_free(t);
        mem_free(worker);
        mem_free(share);
        return fail_memory(err, sizeof *t + (uint64_t)n * (sizeof *worker + sizeof *share), "threads");
    }
    t->n = n;
    t->share = share;
    t->worker = worker;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    const int status = workers_start(t);
    if (status != 0) {
        const int made = t->started;
        threads_free(t);
        return fail(err, HEARTH_E_MEMORY, "the system gave %d of %d threads (%s): ask for fewer", made + 1, n, strerror(status));
    }
    *out = t;
    return 0;
}

void threads_free(struct threads *t)
{
    if (!t) return;
    atomic_store(&t->stop, true);
    job_publish(t, 0);
    for (int i = 1; i <= t->started; i++) pthread_join(t->worker[i].id, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    mem_free(t->worker);
    mem_free(t->share);
    mem_free(t);
}
