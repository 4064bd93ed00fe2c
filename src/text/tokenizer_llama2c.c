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

/* The entry at *at, which moves behind it; false: it is cut off, or longer than the longest. */
static bool entry_read(struct file_map m, uint64_t *at, struct token *token)
{
    if (m.n - *at < ENTRY_BYTES) return false;
    const uint32_t bits = load_u32(m.p + *at), bytes = load_u32(m.p + *at + 4);
    float score;
    memcpy(&score, &bits, sizeof score);
    *at += ENTRY_BYTES;
    if (bytes > load_u32(m.p) || bytes > m.n - *at) return false;
    token->text = (struct str){ (const char *)m.p + *at, bytes };
    token->score = score;
    *at += bytes;
    return true;
}

static bool header_fits(struct file_map m)
{
    return m.n > HEADER_BYTES && load_u32(m.p) > 0 && load_u32(m.p) <= TOKEN_BYTES_MAX;
}

bool tokenizer_llama2c_fits(struct file_map m)
{
    struct token token;
    if (!header_fits(m)) return false;
    for (uint64_t at = HEADER_BYTES; at < m.n;)
        if (!entry_read(m, &at, &token)) return false;
    return true;
}

/* n_vocab: tokens to read; -1: all there are. */
int tokenizer_llama2c_read(struct tokenizer *t, const char *path, int64_t n_vocab, struct hearth_error *err)
{
    int status = file_map(&t->map, path, err);
    if (status) return status;
    if (!header_fits(t->map)) return fail(err, HEARTH_E_FORMAT, "this is no tokenizer.bin of llama2.c");
    for (uint64_t at = HEADER_BYTES; !status && at < t->map.n && (n_vocab < 0 || t->vocab.n < n_vocab);) {
        struct token token = { .id = t->vocab.n, .scored = true };
        if (!entry_read(t->map, &at, &token)) return fail(err, HEARTH_E_FORMAT, "token %u is cut off or too long", t->vocab.n);
        token.type = token_type(token.id, token.text);
        t->byte_fallback |= token.type == TOKEN_BYTE;
        status = vocab_add(&t->vocab, &token, err);
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
