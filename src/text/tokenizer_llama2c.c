/* Reads tokenizer.bin of llama2.c (github.com/karpathy/llama2.c): the longest token's length, then per token score, length and
 * bytes. Ids 0, 1, 2 are unknown, BOS and EOS; spaces are plain spaces; the rest is SentencePiece BPE. */
#include "text/tokenizer_int.h"

enum { HEADER_BYTES = 4, ENTRY_BYTES = 8, TOKEN_BYTES_MAX = 4096 };

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool is_byte_token(struct str s)
{
    return s.n == 6 && str_starts(s, STR("<0x")) && s.p[5] == '>';
}

static enum token_type token_type(uint32_t id, struct str text)
{
    if (id == 0) return TOKEN_UNKNOWN;
    if (id <= 2) return TOKEN_CONTROL;
    return is_byte_token(text) ? TOKEN_BYTE : text.n ? TOKEN_NORMAL : TOKEN_UNUSED;
}

/* n_vocab: tokens to read; -1: all there are. */
int tokenizer_llama2c_read(struct tokenizer *t, const char *path, int64_t n_vocab, struct hearth_error *err)
{
    int status = file_map(&t->map, path, err);
    if (status) return status;
    const uint8_t *p = t->map.p;
    const uint32_t longest = t->map.n >= HEADER_BYTES ? load_u32(p) : 0;
    if (longest == 0 || longest > TOKEN_BYTES_MAX) return fail(err, HEARTH_E_FORMAT, "this is no tokenizer.bin of llama2.c");
    for (uint64_t at = HEADER_BYTES; !status && at < t->map.n && (n_vocab < 0 || t->vocab.n < n_vocab);) {
        if (t->map.n - at < ENTRY_BYTES) return fail(err, HEARTH_E_FORMAT, "token %u is cut off", t->vocab.n);
        const uint32_t bits = load_u32(p + at), bytes = load_u32(p + at + 4);
        float score;
        memcpy(&score, &bits, sizeof score);
        at += ENTRY_BYTES;
        if (bytes > longest || bytes > t->map.n - at)
            return fail(err, HEARTH_E_FORMAT, "token %u claims %u bytes, which it cannot have", t->vocab.n, bytes);
        struct token token = { .id = t->vocab.n, .text = { (const char *)p + at, bytes }, .score = score, .scored = true };
        token.type = token_type(token.id, token.text);
        t->byte_fallback |= token.type == TOKEN_BYTE;
        status = vocab_add(&t->vocab, &token, err);
        at += bytes;
    }
    if (status) return status;
    if (t->vocab.n < 3 || (n_vocab >= 0 && t->vocab.n != n_vocab))
        return fail(err, HEARTH_E_FORMAT, "it has %u tokens where the model has %lld", t->vocab.n, (long long)n_vocab);
    t->model = &model_spm_bpe;
    t->bos = 1;
    t->eos = 2;
    status = vocab_index(&t->vocab, err);
    if (!status) status = tokenizer_add_template(t, false, t->bos, err);
    return status ? status : spm_setup(t, &(struct spm_options){ .dummy_prefix = true }, err);
}
