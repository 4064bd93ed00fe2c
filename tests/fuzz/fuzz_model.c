/* A whole model from a GGUF. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    fuzz_model(fuzz_file("model.gguf", p, n));
    fuzz_files_drop();
    return 0;
}
