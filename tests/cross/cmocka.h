/* As much of cmocka's interface as the tests of base, quant and kernels use, so that they build for machines that no cmocka is
 * installed for (`make cross`). Everywhere else the real one is used. */
#ifndef CROSS_CMOCKA_H
#define CROSS_CMOCKA_H

typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char        *name;
    CMUnitTestFunction test_func;
    CMFixtureFunction  setup_func, teardown_func;
    void              *initial_state;
};

enum { CROSS_FAILED = 1, CROSS_SKIPPED };

static jmp_buf cross_end;

__attribute__((noreturn, unused)) static void _fail(const char *file, int line)
{
    printf("# %s:%d\n", file, line);
    longjmp(cross_end, CROSS_FAILED);
}

#define print_error(...)          (printf("# "), printf(__VA_ARGS__))
#define skip()                    longjmp(cross_end, CROSS_SKIPPED)
#define assert_true(c)            ((c) ? (void)0 : (print_error("false: %s\n", #c), _fail(__FILE__, __LINE__)))
#define assert_false(c)           assert_true(!(c))
#define assert_null(p)            assert_true((p) == NULL)
#define assert_non_null(p)        assert_true((p) != NULL)
#define assert_int_equal(a, b)    assert_true((unsigned long long)(a) == (unsigned long long)(b))
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)
#define cmocka_unit_test(f)       { #f, f, NULL, NULL, NULL }
#define fail()                    _fail(__FILE__, __LINE__) /* test.h undefines them */
#define fail_msg(...)             fail()

static int cross_run(const struct CMUnitTest *t)
{
    void *state = t->initial_state;
    const int how = setjmp(cross_end);
    if (how) return how;
    if (t->setup_func) t->setup_func(&state);
    t->test_func(&state);
    if (t->teardown_func) t->teardown_func(&state);
    return 0;
}

__attribute__((unused)) static int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t n, CMFixtureFunction setup,
                                                           CMFixtureFunction teardown)
{
    int    failed = 0;
    void *state = NULL;
    printf("# %s\n1..%zu\n", name, n);
    if (setup && setup(&state)) return 1;
    for (size_t i = 0; i < n; i++) {
        const int how = cross_run(&tests[i]);
        printf("%sok %zu - %s%s\n", how == CROSS_FAILED ? "not " : "", i + 1, tests[i].name, how == CROSS_SKIPPED ? " # SKIP" : "");
        fflush(stdout);
        failed += how == CROSS_FAILED;
    }
    if (teardown) teardown(&state);
    return failed;
}

#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
    _cmocka_run_group_tests(name, tests, sizeof(tests) / sizeof *(tests), setup, teardown)
#define cmocka_run_group_tests(tests, setup, teardown) cmocka_run_group_tests_name(#tests, tests, setup, teardown)

#endif
