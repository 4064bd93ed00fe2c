/* A folder's config.json, and behind a byte 0xff its generation_config.json: nested objects become keys with dots. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const uint8_t weights[] = "\x02\0\0\0\0\0\0\0{}"; /* a safetensors file without tensors */
    const struct fuzz_pair f = fuzz_split(p, n);
    struct hearth_error err = { 0 };
    struct container *c = NULL;
    fuzz_file("model.safetensors", weights, sizeof weights - 1);
    fuzz_file("config.json", f.first, f.n_first);
    if (f.second) fuzz_file("generation_config.json", f.second, f.n_second);
    const int status = container_open(&c, FUZZ_FOLDER, &err);
    if (status) fuzz_check_refusal(status, &err);
    else fuzz_walk(c);
    container_close(c);
    fuzz_files_drop();
    return 0;
}
