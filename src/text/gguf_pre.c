/* Pre-tokenizers that GGUF files name but do not describe: each name stands for the steps in the tokenizer.json of its model
 * family. A name that is not here is refused, since a wrong cut gives wrong ids without any sign. */
#include "text/tokenizer_int.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORD_TAIL    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(tail) \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" tail "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" tail

struct part {
    const char *type, *pattern;
    bool        individual, use_regex;
};

#define BYTES_ONLY { .type = "ByteLevel" }
#define BYTE_WORDS { .type = "ByteLevel", .use_regex = true }
#define SPLIT(p)   { .type = "Split", .pattern = p }

enum { PARTS_MAX = 8 };

static const struct part parts_gpt2[PARTS_MAX] = { BYTE_WORDS };
static const struct part parts_digits[PARTS_MAX] = { { .type = "Digits", .individual = true }, BYTE_WORDS };
static const struct part parts_falcon[PARTS_MAX] = {
    { .type = "Punctuation" }, BYTE_WORDS, { .type = "Digits" }, SPLIT("[0-9][0-9][0-9]"),
};
static const struct part parts_bloom[PARTS_MAX] = { SPLIT(" ?[^(\\s|[.,!?…。，、।۔،])]+"), BYTES_ONLY };
static const struct part parts_llama3[PARTS_MAX] = {
    SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" WORD_TAIL), BYTES_ONLY,
};
static const struct part parts_qwen2[PARTS_MAX] = {
    SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" WORD_TAIL), BYTES_ONLY,
};
static const struct part parts_qwen35[PARTS_MAX] = {
    SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" WORD_TAIL),
    BYTES_ONLY,
};
static const struct part parts_deepseek_coder[PARTS_MAX] = {
    SPLIT("[\\r\\n]"),
    SPLIT("\\s?\\p{L}+"),
    SPLIT("\\s?\\p{P}+"),
    SPLIT("[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"),
    { .type = "Digits", .individual = true },
    BYTES_ONLY,
};
static const struct part parts_deepseek_v3[PARTS_MAX] = {
    SPLIT("\\p{N}{1,3}"),
    SPLIT("[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"),
    SPLIT("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
          " ?[\\p{P}\\p{S}]+[\\r\\n]*|" WORD_TAIL),
    BYTES_ONLY,
};
static const struct part parts_tekken[PARTS_MAX] = {
    SPLIT(CASED("") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" WORD_TAIL), BYTES_ONLY,
};
static const struct part parts_gpt4o[PARTS_MAX] = {
    SPLIT(CASED(CONTRACTIONS "?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" WORD_TAIL), BYTES_ONLY,
};

static const struct pre_row {
    const char        *name;
    const struct part *parts;
    bool               nfc, add_bos, ignore_merges;
} rows[] = {
    { "gpt-2", parts_gpt2, 0, 0, 0 },
    { "gpt2", parts_gpt2, 0, 0, 0 },
    { "phi-2", parts_gpt2, 0, 0, 0 },
    { "mpt", parts_gpt2, 0, 0, 0 },
    { "olmo", parts_gpt2, 0, 0, 0 },
    { "jais", parts_gpt2, 0, 0, 0 },
    { "starcoder", parts_digits, 0, 0, 0 },
    { "refact", parts_digits, 0, 0, 0 },
    { "smollm", parts_digits, 0, 0, 0 },
    { "codeshell", parts_digits, 0, 0, 0 },
    { "command-r", parts_digits, 1, 0, 0 },
    { "falcon", parts_falcon, 0, 0, 0 },
    { "bloom", parts_bloom, 0, 0, 0 },
    { "poro-chat", parts_bloom, 0, 0, 0 },
    { "gpt3-finnish", parts_bloom, 0, 0, 0 },
    { "llama-bpe", parts_llama3, 0, 1, 1 },
    { "llama3", parts_llama3, 0, 1, 1 },
    { "llama-v3", parts_llama3, 0, 1, 1 },
    { "smaug-bpe", parts_llama3, 0, 0, 0 },
    { "dbrx", parts_llama3, 0, 0, 0 },
    { "qwen2", parts_qwen2, 1, 0, 0 },
    { "deepseek-r1-qwen", parts_qwen2, 1, 0, 0 },
    { "stablelm2", parts_qwen2, 0, 0, 0 },
    { "qwen35", parts_qwen35, 1, 0, 0 },
    { "deepseek-coder", parts_deepseek_coder, 0, 0, 0 },
    { "deepseek-v3", parts_deepseek_v3, 0, 0, 0 },
    { "tekken", parts_tekken, 0, 0, 1 },
    { "gpt-4o", parts_gpt4o, 0, 0, 0 },
};

/* Files from before the key existed (or with "default"): the architecture tells. Others had GPT-2's words. */
static const struct {
    const char *architecture, *name;
} by_architecture[] = {
    { "falcon", "falcon" }, { "starcoder", "starcoder" }, { "refact", "refact" },       { "codeshell", "codeshell" },
    { "bloom", "bloom" },   { "qwen2", "qwen2" },         { "command-r", "command-r" },
};

static int row_apply(struct tokenizer *t, const struct pre_row *row, struct hearth_error *err)
{
    struct step_args a;
    int status = 0;
    step_args_defaults(&a);
    a.type = STR("NFC");
    if (row->nfc) status = normalize_add(t, &a, err);
    for (const struct part *p = row->parts; p->type && !status; p++) {
        step_args_defaults(&a);
        a.type = str_from(p->type);
        a.pattern = str_from(p->pattern);
        a.pattern_is_regex = true;
        a.individual_digits = p->individual;
        a.use_regex = p->use_regex;
        a.add_prefix_space = false;
        if (str_is(a.type, "Punctuation")) a.behavior = STR("Contiguous");
        status = pre_add(t, &a, err);
    }
    a.type = STR("ByteLevel");
    t->ignore_merges = row->ignore_merges;
    return status ? status : decode_add(t, &a, err);
}

int gguf_pre_setup(struct tokenizer *t, struct str name, struct str architecture, bool *add_bos, struct hearth_error *err)
{
    if (name.n == 0 || str_is(name, "default")) {
        name = STR("gpt-2");
        for (size_t i = 0; i < sizeof by_architecture / sizeof *by_architecture; i++)
            if (str_is(architecture, by_architecture[i].architecture)) name = str_from(by_architecture[i].name);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_is(name, rows[i].name)) continue;
        *add_bos = rows[i].add_bos;
        return row_apply(t, &rows[i], err);
    }
    return fail(err, HEARTH_E_UNSUPPORTED, "the pre-tokenizer \"%.*s\" that the file names is not known to hearth",
                STR_ARG(name));
}
