/* Files of PyTorch, both forms. Where the first byte is 'p', the rest is a pickle and stands in an old file that is otherwise
 * good, so that mutations need not keep an archive whole; storages "a", "b" and "c" of any type lie behind it. */
#include "fuzz.h"

#include <stdlib.h>

static const char head[] = "L119547037146038801333356L\n.I1001\n.(d.";

/* The keys of the storages, then 64 values of zero for each; *n_out bytes, for free(). */
static uint8_t *old_file(const uint8_t *p, size_t n, size_t *n_out)
{
    static const char keys[] = "(Va\nVb\nVc\nl.";
    const size_t before = sizeof head - 1, behind = sizeof keys - 1, values = 3 * (8 + 64 * 8);
    uint8_t *file = calloc(before + n + behind + values, 1);
    if (!file) return NULL;
    memcpy(file, head, before);
    memcpy(file + before, p, n);
    memcpy(file + before + n, keys, behind);
    file[before + n + behind] = 64;
    *n_out = before + n + behind + values;
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct hearth_error err = { 0 };
    struct container *c = NULL;
    uint8_t *file = NULL;
    size_t n_file = n;
    if (n && p[0] == 'p') {
        file = old_file(p + 1, n - 1, &n_file);
        if (!file) return 0;
    }
    const int status = container_open(&c, fuzz_file("model.pth", file ? file : p, n_file), &err);
    if (status) fuzz_check_refusal(status, &err);
    else fuzz_walk(c);
    container_close(c);
    fuzz_files_drop();
    free(file);
    return 0;
}
