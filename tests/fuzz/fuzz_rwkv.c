/* RWKV's world vocabulary: lines with Python's strings. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const char *path = fuzz_file("rwkv_vocab_v20230424.txt", p, n);
    fuzz_tokenizer(path);
    fuzz_files_drop();
    return 0;
}
