/* Any text through one tokenizer of each kind; the first byte chooses which. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *path;
    bool        exact; /* what it encodes comes back as it was, but for special tokens written out and malformed bytes */
} kinds[] = {
    { "llama3/tokenizer.json", true },     /* byte-level BPE, split by a regular expression, words kept whole */
    { "gpt2/tokenizer.json", true },       /* byte-level BPE */
    { "llama/tokenizer.model", true },     /* SentencePiece BPE with byte fallback */
    { "llama/model.gguf", true },          /* the same from GGUF keys */
    { "t5/spiece.model", false },          /* unigram with a table of normal forms */
    { "t5/model.gguf", false },
};
#define N_KINDS (sizeof kinds / sizeof *kinds)

static struct tokenizer *open_kind(size_t i)
{
    static struct tokenizer *opened[N_KINDS]; /* until the process ends */
    const char *source = getenv("HEARTH_SOURCE");
    struct hearth_error err = { 0 };
    char path[4096];
    if (opened[i]) return opened[i];
    snprintf(path, sizeof path, "%s/tests/golden/text/%s", source ? source : HEARTH_SOURCE_DIR, kinds[i].path);
    if (tokenizer_open_file(&opened[i], path, &err)) fuzz_fail("%s", err.text);
    return opened[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!n) return 0;
    const struct str text = { (const char *)p + 1, n - 1 };
    const size_t kind = p[0] % N_KINDS;
    const bool exact = kinds[kind].exact && utf8_valid(text) && !memchr(text.p, '<', text.n) && !memmem(text.p, text.n, "\xe2\x96\x81", 3);
    fuzz_text(open_kind(kind), text, p[0] & 0x80, exact);
    return 0;
}
