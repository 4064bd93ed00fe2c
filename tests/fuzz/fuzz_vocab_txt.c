/* vocab.txt, and behind a byte 0xff tokenizer_config.json, and behind another one added_tokens.json. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct fuzz_pair f = fuzz_split(p, n), rest = fuzz_split(f.second, f.n_second);
    fuzz_file("vocab.txt", f.first, f.n_first);
    if (f.second) fuzz_file("tokenizer_config.json", rest.first, rest.n_first);
    if (rest.second) fuzz_file("added_tokens.json", rest.second, rest.n_second);
    fuzz_tokenizer(FUZZ_FOLDER);
    fuzz_files_drop();
    return 0;
}
