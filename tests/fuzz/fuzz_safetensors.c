/* A safetensors file by itself. The length of its header is set to what there is, or mutations would only rarely get behind it;
 * the first byte of the input says how many bytes of data follow the header, 255: the length stays as the input has it. */
#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct hearth_error err = { 0 };
    struct container *c = NULL;
    if (n < 10) return 0;
    const size_t data = p[0];
    uint8_t *file = malloc(n - 1);
    if (!file) return 0;
    memcpy(file, p + 1, n - 1);
    if (data < 255 && n - 9 >= data) {
        const uint64_t header = n - 9 - data;
        memcpy(file, &header, sizeof header);
    }
    const int status = container_open(&c, fuzz_file("model.safetensors", file, n - 1), &err);
    if (status) fuzz_check_refusal(status, &err);
    else fuzz_walk(c);
    container_close(c);
    fuzz_files_drop();
    free(file);
    return 0;
}
