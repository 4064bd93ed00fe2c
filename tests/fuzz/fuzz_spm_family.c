/* tokenizer_config.json, and behind a byte 0xff vocab.json, and behind another one SentencePiece's .model: what the families do. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct fuzz_pair f = fuzz_split(p, n), rest = fuzz_split(f.second, f.n_second);
    fuzz_file("tokenizer_config.json", f.first, f.n_first);
    if (f.second && rest.n_first) fuzz_file("vocab.json", rest.first, rest.n_first);
    if (rest.second) fuzz_file("tokenizer.model", rest.second, rest.n_second);
    fuzz_tokenizer(FUZZ_FOLDER);
    fuzz_files_drop();
    return 0;
}
