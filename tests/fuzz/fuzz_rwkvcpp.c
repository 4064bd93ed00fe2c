/* Files of rwkv.cpp. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct hearth_error err = { 0 };
    struct container *c = NULL;
    const int status = container_open(&c, fuzz_file("rwkv.bin", p, n), &err);
    if (status) fuzz_check_refusal(status, &err);
    else fuzz_walk(c);
    container_close(c);
    fuzz_files_drop();
    return 0;
}
