/* SentencePiece's .model: a protocol buffer. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    fuzz_file("tokenizer.model", p, n);
    fuzz_tokenizer(FUZZ_FOLDER);
    fuzz_files_drop();
    return 0;
}
