/* Ranks of tiktoken under the name that Llama 3's file has. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const char *path = fuzz_file("tokenizer.model", p, n);
    fuzz_tokenizer(path);
    fuzz_files_drop();
    return 0;
}
