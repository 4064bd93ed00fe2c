/* vocab.json, and behind a byte 0xff merges.txt, and behind another one tokenizer_config.json. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct fuzz_pair f = fuzz_split(p, n), rest = fuzz_split(f.second, f.n_second);
    fuzz_file("vocab.json", f.first, f.n_first);
    if (f.second) fuzz_file("merges.txt", rest.first, rest.n_first);
    if (rest.second) fuzz_file("tokenizer_config.json", rest.second, rest.n_second);
    fuzz_tokenizer(FUZZ_FOLDER);
    fuzz_files_drop();
    return 0;
}
