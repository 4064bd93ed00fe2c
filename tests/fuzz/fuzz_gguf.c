/* GGUF: keys, tensors, and the tokenizer that lies in them. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct hearth_error err = { 0 };
    struct container *c = NULL;
    const char *path = fuzz_file("model.gguf", p, n);
    const int status = container_open(&c, path, &err);
    if (status) fuzz_check_refusal(status, &err);
    else fuzz_walk(c);
    container_close(c);
    if (!status) fuzz_tokenizer(path);
    fuzz_files_drop();
    return 0;
}
