/* Reads vocabularies of tiktoken (github.com/openai/tiktoken): lines "BASE64 RANK". How texts are cut and which special tokens
 * there are is in no such file: the file's name tells. */
#include <stdio.h>

#include "text/tokenizer_int.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORD_TAIL    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define NO_HAN(c)    "(?:(?!\\p{Han})" c ")"
#define CASED(upper, lower) \
    "[^\\r\\n\\p{L}\\p{N}]?" upper "*" lower "+" CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?" upper "+" lower "*" CONTRACTIONS "?"

/* A run of special tokens with ids one after another; a name with %d counts from `first`. */
struct special_run {
    const char *name;
    uint32_t    id, count, first;
};

enum { AFTER_RANKS = 1u << 31 }; /* added to an id: it counts from the end of the ranks */

static const struct special_run specials_gpt2[] = { { "<|endoftext|>", 50256, 1, 0 }, { 0 } };
static const struct special_run specials_cl100k[] = {
    { "<|endoftext|>", 100257, 1, 0 },  { "<|fim_prefix|>", 100258, 1, 0 },  { "<|fim_middle|>", 100259, 1, 0 },
    { "<|fim_suffix|>", 100260, 1, 0 }, { "<|endofprompt|>", 100276, 1, 0 }, { 0 },
};
static const struct special_run specials_o200k[] = {
    { "<|endoftext|>", 199999, 1, 0 }, { "<|endofprompt|>", 200018, 1, 0 }, { 0 },
};
static const struct special_run specials_qwen[] = {
    { "<|endoftext|>", AFTER_RANKS, 1, 0 },
    { "<|im_start|>", AFTER_RANKS + 1, 1, 0 },
    { "<|im_end|>", AFTER_RANKS + 2, 1, 0 },
    { "<|extra_%d|>", AFTER_RANKS + 3, 205, 0 },
    { 0 },
};
static const struct special_run specials_llama3[] = {
    { "<|begin_of_text|>", AFTER_RANKS, 1, 0 },
    { "<|end_of_text|>", AFTER_RANKS + 1, 1, 0 },
    { "<|reserved_special_token_%d|>", AFTER_RANKS + 2, 2, 0 },
    { "<|finetune_right_pad_id|>", AFTER_RANKS + 4, 1, 0 },
    { "<|step_id|>", AFTER_RANKS + 5, 1, 0 },
    { "<|start_header_id|>", AFTER_RANKS + 6, 1, 0 },
    { "<|end_header_id|>", AFTER_RANKS + 7, 1, 0 },
    { "<|eom_id|>", AFTER_RANKS + 8, 1, 0 },
    { "<|eot_id|>", AFTER_RANKS + 9, 1, 0 },
    { "<|python_tag|>", AFTER_RANKS + 10, 1, 0 },
    { "<|reserved_special_token_%d|>", AFTER_RANKS + 11, 245, 2 },
    { 0 },
};
static const struct special_run specials_none[] = { { 0 } }; /* tokenizer_config.json names them */

static const struct tiktoken_kind {
    const char               *name, *pattern; /* how the file's name ends */
    const struct special_run *specials;
    const char               *bos, *eos;
    bool                      nfc, add_bos;
} kinds[] = {
    { "gpt2.tiktoken", "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", specials_gpt2, NULL,
      "<|endoftext|>", false, false },
    { "r50k_base.tiktoken", "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", specials_gpt2,
      NULL, "<|endoftext|>", false, false },
    { "p50k_base.tiktoken", "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", specials_gpt2,
      NULL, "<|endoftext|>", false, false },
    { "cl100k_base.tiktoken",
      "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s+\\z|\\s*[\\r\\n]|"
      "\\s+(?!\\S)|\\s", specials_cl100k, NULL, "<|endoftext|>", false, false },
    { "o200k_base.tiktoken", CASED(UPPER, LOWER) "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" WORD_TAIL, specials_o200k, NULL,
      "<|endoftext|>", false, false },
    { "qwen.tiktoken", CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" WORD_TAIL,
      specials_qwen, NULL, "<|endoftext|>", true, false },
    { "tokenizer.model", CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" WORD_TAIL,
      specials_llama3, "<|begin_of_text|>", "<|end_of_text|>", false, true },
    { "tiktoken.model", "\\p{Han}+|" CASED(NO_HAN(UPPER), NO_HAN(LOWER)) "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" WORD_TAIL,
      specials_none, "[BOS]", "[EOS]", false, false }, /* Kimi */
};

/* ---- lines */

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool base64_read(struct str in, struct buf *out)
{
    uint32_t bits = 0;
    while (in.n && in.p[in.n - 1] == '=') in.n--;
    if (in.n % 4 == 1) return false;
    for (size_t i = 0; i < in.n; i++) {
        const int digit = base64_digit(in.p[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4) buf_char(out, (char)(bits >> (6 - 2 * (i % 4))));
    }
    return !out->failed;
}

/* The line at *at, which moves behind it: 1; 0: the end; -1: it is no "BASE64 RANK". Empty lines are passed over. */
static int line_read(struct str text, size_t *at, struct buf *token, uint32_t *rank)
{
    while (*at < text.n && (text.p[*at] == '\n' || text.p[*at] == '\r')) ++*at;
    if (*at == text.n) return 0;
    const char *end = memchr(text.p + *at, '\n', text.n - *at);
    struct str line = str_sub(text, *at, end ? (size_t)(end - text.p) : text.n);
    *at += line.n;
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    const char *space = memchr(line.p, ' ', line.n);
    const struct str digits = space ? str_sub(line, (size_t)(space - line.p) + 1, line.n) : (struct str){ "", 0 };
    if (digits.n == 0 || digits.n > 8 || space == line.p) return -1;
    *rank = 0;
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] < '0' || digits.p[i] > '9') return -1;
        *rank = *rank * 10 + (uint32_t)(digits.p[i] - '0');
    }
    buf_clear(token);
    return base64_read(str_sub(line, 0, (size_t)(space - line.p)), token) && token->n ? 1 : -1;
}

bool tokenizer_tiktoken_fits(struct file_map m)
{
    struct buf token;
    uint32_t rank;
    size_t at = 0;
    buf_init(&token, UINT16_MAX);
    int n = 0;
    while (n < 3 && line_read((struct str){ (const char *)m.p, m.n }, &at, &token, &rank) > 0) n++;
    buf_free(&token);
    return n == 3;
}

static int ranks_read(struct tokenizer *t, struct str text, struct hearth_error *err)
{
    struct buf bytes;
    size_t at = 0;
    int more = 1, status = 0;
    buf_init(&bytes, UINT16_MAX);
    while (!status && more > 0) {
        struct token token = { .type = TOKEN_NORMAL, .copy = true };
        more = line_read(text, &at, &bytes, &token.id);
        token.text = buf_str(&bytes);
        if (more > 0) status = vocab_add(&t->vocab, &token, err);
    }
    if (bytes.failed) status = fail_memory(err, UINT16_MAX, "a vocabulary");
    else if (!status && (more < 0 || t->vocab.n == 0))
        status = fail(err, HEARTH_E_FORMAT, "byte %zu: a line of base64 text, a space and a number was expected", at);
    buf_free(&bytes);
    return status ? status : vocab_index(&t->vocab, err);
}

/* ---- what the name tells */

static int specials_add(struct tokenizer *t, const struct special_run *run, struct hearth_error *err)
{
    int status = 0;
    for (; run->name && !status; run++) {
        const uint32_t base = run->id & AFTER_RANKS ? t->vocab.n + (run->id & ~(uint32_t)AFTER_RANKS) : run->id;
        for (uint32_t i = 0; i < run->count && !status; i++) {
            char name[64];
            snprintf(name, sizeof name, run->name, run->first + i);
            const struct added a = { .content = str_from(name), .id = base + i, .special = true };
            const bool taken = a.id < t->vocab.n && t->vocab.offset[a.id] != NO_ID;
            if (!taken && tokenizer_find(t, a.content) < 0) status = tokenizer_add_token(t, &a, err);
        }
    }
    return status;
}

int tiktoken_split(struct tokenizer *t, struct str pattern, bool nfc, struct hearth_error *err)
{
    struct step_args a;
    int status = 0;
    step_args_defaults(&a);
    a.type = STR("NFC");
    if (nfc) status = normalize_add(t, &a, err);
    a.type = STR("Split");
    a.pattern = pattern;
    a.pattern_is_regex = true;
    return status ? status : pre_add(t, &a, err);
}

int tokenizer_tiktoken_read(struct tokenizer *t, const char *path, const char *folder, struct hearth_error *err)
{
    const struct tiktoken_kind *kind = NULL;
    struct hf_config h = { .add_bos = -1, .add_eos = -1, .want_added = true };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !kind; i++)
        if (str_ends(str_from(path), str_from(kinds[i].name))) kind = &kinds[i];
    if (!kind)
        return fail(err, HEARTH_E_UNSUPPORTED,
                    "a tiktoken file does not say how texts are cut; names that tell: qwen.tiktoken, cl100k_base.tiktoken, "
                    "o200k_base.tiktoken, p50k_base.tiktoken, r50k_base.tiktoken, tokenizer.model, tiktoken.model");
    int status = file_map(&t->map, path, err);
    if (status) return status;
    status = ranks_read(t, (struct str){ (const char *)t->map.p, t->map.n }, err);
    file_unmap(&t->map);
    h.bos = str_from(kind->bos);
    h.eos = str_from(kind->eos);
    if (!status && folder) status = hf_config_read(t, folder, &h, err);
    if (!status) status = specials_add(t, kind->specials, err);
    if (!status) status = tiktoken_split(t, str_from(kind->pattern), kind->nfc, err);
    if (status) return status;
    t->model = &model_rank_bpe;
    tokenizer_roles(t, &h);
    const bool bos = h.add_bos >= 0 ? h.add_bos : kind->add_bos, eos = h.add_eos > 0;
    if (bos && t->bos >= 0) status = tokenizer_add_template(t, false, t->bos, err);
    return status || !eos || t->eos < 0 ? status : tokenizer_add_template(t, true, t->eos, err);
}
