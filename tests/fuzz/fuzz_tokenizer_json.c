/* tokenizer.json, and behind a byte 0xff the tokenizer_config.json beside it. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct fuzz_pair f = fuzz_split(p, n);
    fuzz_file("tokenizer.json", f.first, f.n_first);
    if (f.second) fuzz_file("tokenizer_config.json", f.second, f.n_second);
    fuzz_tokenizer(FUZZ_FOLDER);
    fuzz_files_drop();
    return 0;
}
