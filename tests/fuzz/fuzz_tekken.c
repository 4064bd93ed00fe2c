/* tekken.json of Mistral. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const char *path = fuzz_file("tekken.json", p, n);
    fuzz_tokenizer(path);
    fuzz_files_drop();
    return 0;
}
