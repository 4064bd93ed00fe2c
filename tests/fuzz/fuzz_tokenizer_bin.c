/* tokenizer.bin of llama2.c. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    fuzz_tokenizer(fuzz_file("tokenizer.bin", p, n));
    fuzz_files_drop();
    return 0;
}
