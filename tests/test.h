/* What every C test begins with: cmocka's headers in their order, where the test data lie, and reading them. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* a macro of cmocka's; ours, in base/status.h, is a function */
#undef fail_msg
#define fail_msg(...)                                                                                                            \
    do {                                                                                                                         \
        print_error(__VA_ARGS__);                                                                                                \
        print_error("\n");                                                                                                       \
        _fail(__FILE__, __LINE__);                                                                                               \
    } while (0)

#include "hearth.h"

#ifndef HEARTH_SOURCE_DIR
#define HEARTH_SOURCE_DIR "."
#endif

/* Ends the test case as skipped; the runner shows the reason. */
#define SKIP(...)                                                                                                                \
    do {                                                                                                                         \
        printf("# SKIP " __VA_ARGS__);                                                                                           \
        printf("\n");                                                                                                            \
        fflush(stdout);                                                                                                          \
        skip();                                                                                                                  \
    } while (0)

/* Fails the test case with the sentence of an error when status is not 0. */
#define assert_ok(status, err)                                                                                                   \
    do {                                                                                                                         \
        int status_ = (status);                                                                                                  \
        if (status_ < 0) fail_msg("%s: %s", hearth_status_name(status_), (err)->text);                                           \
    } while (0)

/* Fails unless status is `expected` and the error carries a sentence. */
#define assert_fails(status, expected, err)                                                                                      \
    do {                                                                                                                         \
        int status_ = (status);                                                                                                  \
        if (status_ != (expected)) fail_msg("got %s, expected %s", hearth_status_name(status_), hearth_status_name(expected));   \
        if (!(err)->text[0]) fail_msg("%s without a sentence", hearth_status_name(status_));                                     \
    } while (0)

/* folder/name in one of eight static buffers, so that a few paths can be in use together. */
static inline const char *test_path(const char *folder, const char *name)
{
    static char     path[8][4096];
    static unsigned at;
    char           *p = path[at++ % 8];
    const size_t    n = strlen(folder), m = strlen(name);
    if (n + m + 2 > sizeof path[0]) fail_msg("the path of %s is too long", name);
    memmove(p, folder, n); /* folder may itself be one of the eight */
    p[n] = '/';
    memcpy(p + n + 1, name, m + 1);
    return p;
}

/* Below the source tree: hearth_source("models/tale"). */
static inline const char *hearth_source(const char *name)
{
    const char *source = getenv("HEARTH_SOURCE");
    return test_path(source ? source : HEARTH_SOURCE_DIR, name);
}

/* Recorded expectations in the tree: hearth_golden("text/llama"). */
static inline const char *hearth_golden(const char *name)
{
    return test_path(hearth_source("tests/golden"), name);
}

/* Large data beside the tree: hearth_shared("golden/text/phi3"). NULL when this machine does not have it. */
static inline const char *hearth_shared(const char *name)
{
    const char *shared = getenv("HEARTH_SHARED");
    const char *path = test_path(shared ? shared : HEARTH_SOURCE_DIR "/../shared", name);
    return access(path, R_OK) == 0 ? path : NULL;
}

/* A path for a file that the test writes; the runner removes the folder. */
static inline const char *test_scratch(const char *name)
{
    static char folder[4096];
    const char *tmp = getenv("TMPDIR");
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%s/test-XXXXXX", tmp ? tmp : "/tmp");
        if (!mkdtemp(folder)) fail_msg("cannot make a folder in %s", tmp ? tmp : "/tmp");
    }
    return test_path(folder, name);
}

/* A whole file, NUL-terminated, free() it; fails the test case when it cannot be read. n may be NULL. */
static inline char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *p = NULL;
    long  size = 0;
    if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET)) fail_msg("cannot open %s", path);
    p = malloc((size_t)size + 1);
    if (!p || fread(p, 1, (size_t)size, f) != (size_t)size) fail_msg("cannot read %s", path);
    fclose(f);
    p[size] = 0;
    if (n) *n = (size_t)size;
    return p;
}

static inline void write_file(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f)) fail_msg("cannot write %s", path);
}

#endif
