/* The thread pool: every index once, cuts where they may be, no two ranges at a time under one thread number. */
#include "test.h"

#include <stdatomic.h>
#include <time.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "base/threads.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { N_MAX = 5000, THREADS_TESTED = 8 };

struct job {
    int64_t    n, grain;
    int        threads;
    int        hits[N_MAX]; /* each index is written by whoever got its range: a race detector sees double work */
    atomic_int busy[THREADS_TESTED];
    atomic_int wrong;
};

static void job_range(void *arg, int64_t begin, int64_t end, int thread)
{
    struct job *job = arg;
    const int inside = thread >= 0 && thread < job->threads;
    if (!inside || begin >= end || begin < 0 || end > job->n || begin % job->grain || (end % job->grain && end != job->n)) {
        atomic_fetch_add(&job->wrong, 1);
        return;
    }
    if (atomic_exchange(&job->busy[thread], 1)) atomic_fetch_add(&job->wrong, 1);
    for (int64_t i = begin; i < end; i++) job->hits[i]++;
    atomic_store(&job->busy[thread], 0);
}

static struct threads *pool(int n)
{
    struct hearth_error err = { 0 };
    struct threads *t = NULL;
    assert_ok(threads_new(&t, n, &err), &err);
    return t;
}

static void job_check(struct threads *t, struct job *job, int64_t n, int64_t grain)
{
    memset(job, 0, sizeof *job);
    job->n = n;
    job->grain = grain;
    job->threads = threads_count(t);
    threads_run(t, n, grain, job_range, job);
    assert_int_equal(atomic_load(&job->wrong), 0);
    for (int64_t i = 0; i < N_MAX; i++) {
        if (job->hits[i] != (i < n)) fail_msg("n %d, grain %d: index %d ran %d times", (int)n, (int)grain, (int)i, job->hits[i]);
    }
}

static void test_every_index_once(void **state)
{
    (void)state;
    static const int64_t sizes[] = { 0, 1, 2, 3, 16, 17, 63, 64, 65, 1000, 4999, N_MAX };
    static const int64_t grains[] = { 1, 2, 3, 16, 64, 999, 10000 };
    static struct job job;
    for (int n = 1; n <= THREADS_TESTED; n++) {
        struct threads *t = pool(n);
        assert_int_equal(threads_count(t), n);
        for (size_t s = 0; s < COUNT(sizes); s++) {
            for (size_t g = 0; g < COUNT(grains); g++) job_check(t, &job, sizes[s], grains[g]);
        }
        threads_free(t);
    }
}

/* Jobs in close order, and after pauses in which workers fall asleep. */
static void test_many_jobs(void **state)
{
    (void)state;
    static struct job job;
    const struct timespec pause = { 0, 300000 };
    struct threads *t = pool(4);
    for (int i = 0; i < 3000; i++) {
        job_check(t, &job, 1 + i % 100, 1);
        if (i % 50 == 0) nanosleep(&pause, NULL);
    }
    threads_free(t);
}

static void add_range(void *arg, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    int64_t *values = arg;
    for (int64_t i = begin; i < end; i++) values[i]++;
}

/* What one job wrote, the next one reads, whichever thread has the index; the caller reads it after the last. */
static void test_results_visible(void **state)
{
    (void)state;
    static int64_t values[N_MAX];
    struct threads *t = pool(3);
    for (int i = 0; i < 2000; i++) threads_run(t, N_MAX, 7, add_range, values);
    for (int i = 0; i < N_MAX; i++) assert_int_equal(values[i], 2000);
    threads_free(t);
}

static void outer_range(void *arg, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    struct threads *inner = ((struct threads **)arg)[0];
    int64_t *values = ((void **)arg)[1];
    (void)end;
    if (begin == 0) threads_run(inner, 400, 1, add_range, values);
}

/* A range may use another pool. */
static void test_two_pools(void **state)
{
    (void)state;
    int64_t values[400] = { 0 };
    struct threads *outer = pool(2), *inner = pool(2);
    void *both[] = { inner, values };
    threads_run(outer, 4, 1, outer_range, both); /* whoever gets index 0 */
    for (int i = 0; i < 400; i++) assert_int_equal(values[i], 1);
    threads_free(outer);
    threads_free(inner);
}

static void test_start_and_stop(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) threads_free(pool(1 + i % THREADS_TESTED));
    threads_free(NULL);
    struct threads *t = pool(0);
    assert_int_equal(threads_count(t), cpu_physical_cores());
    threads_free(t);
}

static void test_refusals(void **state)
{
    (void)state;
    struct threads *t = NULL;
    struct hearth_error err = { 0 };
    assert_fails(threads_new(&t, -1, &err), HEARTH_E_ARG, &err);
    err.text[0] = 0;
    assert_fails(threads_new(&t, 1000000, &err), HEARTH_E_ARG, &err);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        err.text[0] = 0;
        mem_fail_at(nth);
        const int status = threads_new(&t, 2, &err);
        mem_fail_at(0);
        assert_fails(status, HEARTH_E_MEMORY, &err);
        assert_null(t);
    }
}

static void test_cpu(void **state)
{
    (void)state;
    const int cores = cpu_physical_cores();
    assert_true(cores >= 1 && cores <= sysconf(_SC_NPROCESSORS_CONF));
    const uint64_t begin = clock_ns();
    const struct timespec pause = { 0, 2000000 };
    nanosleep(&pause, NULL);
    assert_true(clock_ns() - begin >= 2000000);
    if (getenv("HEARTH_EMULATED")) SKIP("the peak of an emulator is not that of the program in it");
    const uint64_t peak = process_peak_bytes();
    const size_t bytes = 64 << 20;
    char *p = malloc(bytes);
    assert_non_null(p);
    memset(p, 1, bytes);
    assert_true(p[bytes / 2] == 1 && process_peak_bytes() >= peak + bytes / 2);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_index_once),
        cmocka_unit_test(test_many_jobs),
        cmocka_unit_test(test_results_visible),
        cmocka_unit_test(test_two_pools),
        cmocka_unit_test(test_start_and_stop),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_cpu),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
