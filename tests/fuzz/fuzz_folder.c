/* A whole model from a Hugging Face folder: config.json, and behind a byte 0xff model.safetensors. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct fuzz_pair f = fuzz_split(p, n);
    fuzz_file("config.json", f.first, f.n_first);
    fuzz_file("model.safetensors", f.second, f.n_second);
    fuzz_model(FUZZ_FOLDER);
    fuzz_files_drop();
    return 0;
}
