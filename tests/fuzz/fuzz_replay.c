/* Runs a fuzz target over every file of its corpus, a TAP case each, without a fuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"

enum { CASE_SECONDS = 60 };

static int is_case(const struct dirent *e) { return e->d_name[0] != '.'; }

int main(void)
{
    const char *source = getenv("HEARTH_SOURCE");
    char folder[4096], path[4400];
    struct dirent **entry;
    snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/" FUZZ_TARGET, source ? source : HEARTH_SOURCE_DIR);
    const int n = scandir(folder, &entry, is_case, alphasort);
    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        struct file_map m;
        struct hearth_error err = { 0 };
        snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        printf("# " FUZZ_TARGET " %s\n", entry[i]->d_name);
        fflush(stdout);
        const int status = file_map(&m, path, &err);
        if (!status) {
            alarm(CASE_SECONDS);
            LLVMFuzzerTestOneInput(m.p, m.n);
            alarm(0);
            file_unmap(&m);
        }
        printf("%sok %d - " FUZZ_TARGET " %s\n", status ? "not " : "", i + 1, entry[i]->d_name);
        free(entry[i]);
    }
    if (n >= 0) free(entry);
    return n > 0 ? 0 : 1;
}
