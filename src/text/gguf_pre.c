/* Pre-tokenizers that GGUF files name but do not describe: each name stands for the steps in the tokenizer.json of its model
 * family (names, and which families share steps: github.com/ggml-org/llama.cpp). A name that is not here is refused, since a
 * wrong cut gives wrong ids without any sign. */
#include "text/tokenizer_int.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORD_TAIL    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define NO_HAN(c)    "(?:(?!\\p{Han})" c ")"
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
static const struct part parts_jais2[PARTS_MAX] = {
    SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s{512}(?!\\S)|"
          "\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|"
          "\\s{1,2}(?!\\S)|\\s{1}"),
    BYTES_ONLY,
};
static const struct part parts_minicpm5[PARTS_MAX] = {
    SPLIT("\\p{N}{1,3}"),
    SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}+| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" WORD_TAIL), BYTES_ONLY,
};
static const struct part parts_ufakzeka[PARTS_MAX] = { /* no English contractions */
    SPLIT("[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" WORD_TAIL), BYTES_ONLY,
};
static const struct part parts_laguna[PARTS_MAX] = {
    SPLIT("[^\\n]+|[\\n]+"),
    SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" WORD_TAIL), BYTES_ONLY,
};
static const struct part parts_seed_coder[PARTS_MAX] = {
    SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" WORD_TAIL), BYTES_ONLY,
};
static const struct part parts_bailing[PARTS_MAX] = {
    SPLIT("'(?i:[sdmt]|ll|ve|re)|"
          "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"),
    BYTES_ONLY,
};
/* Possessive where nothing can come back, so that a long word needs no stack. */
static const struct part parts_exaone_moe[PARTS_MAX] = {
    SPLIT(CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*+(?: \\p{L}\\p{M}*+)*+)++|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|"
          "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"),
    BYTES_ONLY,
};
static const struct part parts_superbpe[PARTS_MAX] = { SPLIT("\\p{N}+"), SPLIT("(?=(\\d{3})+(?!\\d))"), BYTES_ONLY };
static const struct part parts_viking[PARTS_MAX] = {
    SPLIT(" ?[^(\\s|[.,!?…。，、।۔،])]+"), { .type = "Digits", .individual = true }, BYTES_ONLY,
};
static const struct part parts_chameleon[PARTS_MAX] = {
    SPLIT("<sentinel:[0-9]+>"), SPLIT("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"), SPLIT("([\\t\\n]|    |  )"),
    { .type = "Digits", .individual = true }, SPLIT("[\\p{P}!-/:-@\\[-`{-~]"), BYTE_WORDS,
};
/* The authors cut numbers into digits (DeepSeek LLM, arXiv 2401.02954, 2.1); llama.cpp keeps them whole, which comes to the same
 * with their merges. */
static const struct part parts_deepseek_llm[PARTS_MAX] = {
    SPLIT("[\\r\\n]"),
    SPLIT("\\s?[A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}\\x{1c4}-\\x{293}"
          "\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}\\x{37f}\\x{386}\\x{388}-\\x{38a}"
          "\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}\\x{3f7}-\\x{481}\\x{48a}-\\x{52f}\\x{531}-\\x{556}\\x{10a0}-"
          "\\x{10c5}\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{1cba}\\x{1cbd}-\\x{1cbf}\\x{1d00}-\\x{1d2b}"
          "\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}\\x{1e00}-\\x{1f15}\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}"
          "\\x{1f48}-\\x{1f4d}\\x{1f50}-\\x{1f57}\\x{1f59}\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}"
          "\\x{1fb6}-\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}\\x{1fd6}-\\x{1fdb}"
          "\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{2107}\\x{210a}-\\x{2113}\\x{2115}"
          "\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}\\x{212a}-\\x{212d}\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-"
          "\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{2184}\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-"
          "\\x{2cee}\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{a66d}\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}\\x{a771}-\\x{a787}"
          "\\x{a78b}-\\x{a78e}\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}"
          "\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}\\x{10c80}-\\x{10cb2}"
          "\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}]+"),
    SPLIT("\\s?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}\\x{3000}-\\x{3002}]+"),
    SPLIT("\\s+$"),
    SPLIT("[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+"),
    { .type = "Digits", .individual = true },
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

/* Marks go with letters; the groups of three digits count from the right. */
static const struct part parts_afmoe[PARTS_MAX] = {
    SPLIT("\\d{1,3}(?=(?:\\d{3})*(?!\\d))"),
    SPLIT("[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+"),
    SPLIT("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
          " ?[\\p{P}\\p{S}]+[\\r\\n]*|" WORD_TAIL),
    BYTES_ONLY,
};
static const struct part parts_aya[PARTS_MAX] = {
    SPLIT("\\d{1,3}(?=(?:\\d{3})*\\b)"),
    SPLIT(CASED(CONTRACTIONS "?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" WORD_TAIL), BYTES_ONLY,
};
static const struct part parts_youtu[PARTS_MAX] = {
    SPLIT("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+"),
    SPLIT(CASED(CONTRACTIONS "?") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" WORD_TAIL), BYTES_ONLY,
};
static const struct part parts_spark[PARTS_MAX] = {
    SPLIT("\\p{N}{1,3}"),
    SPLIT("[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"),
    SPLIT("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
          " ?[\\p{P}\\p{S}]+|[\\r\\n]|\\s+(?!\\S)|\\s+"),
    SPLIT("\\p{N}"),
    BYTES_ONLY,
};
static const struct part parts_kimi[PARTS_MAX] = {
    SPLIT("\\p{Han}+|[^\\r\\n\\p{L}\\p{N}]?" NO_HAN(UPPER) "*" NO_HAN(LOWER) "+" CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?"
          NO_HAN(UPPER) "+" NO_HAN(LOWER) "*" CONTRACTIONS "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" WORD_TAIL),
    BYTES_ONLY,
};
/* No byte alphabet: a space is written as U+2581, and bytes have tokens of their own, as in SentencePiece. */
static const struct part parts_spm[PARTS_MAX] = { { 0 } };

/* nfc: the tokenizer.json of the model normalises so, which llama.cpp leaves out. Where that is not known, no. */
static const struct pre_row {
    const char        *name;
    const struct part *parts;
    bool               nfc, add_bos, ignore_merges, add_eos;
} rows[] = {
    { "gpt-2", parts_gpt2, 0, 0, 0, 0 },
    { "gpt2", parts_gpt2, 0, 0, 0, 0 },
    { "phi-2", parts_gpt2, 0, 0, 0, 0 },
    { "jina-es", parts_gpt2, 0, 0, 0, 0 },
    { "jina-de", parts_gpt2, 0, 0, 0, 0 },
    { "jina-v2-es", parts_gpt2, 0, 0, 0, 0 },
    { "jina-v2-de", parts_gpt2, 0, 0, 0, 0 },
    { "gigachat", parts_gpt2, 0, 0, 0, 0 },
    { "a.x-4.0", parts_gpt2, 0, 0, 0, 0 },
    { "mellum", parts_gpt2, 0, 0, 0, 0 },
    { "exaone4", parts_gpt2, 0, 0, 0, 0 },
    { "jais", parts_gpt2, 0, 0, 0, 0 },
    { "trillion", parts_gpt2, 0, 0, 0, 0 },
    { "granite-docling", parts_gpt2, 0, 0, 0, 0 },
    { "mpt", parts_gpt2, 1, 0, 0, 0 },
    { "olmo", parts_gpt2, 1, 0, 0, 0 },
    { "modern-bert", parts_gpt2, 1, 0, 0, 0 },
    { "jina-v1-en", parts_gpt2, 0, 1, 0, 1 },
    { "jina-v2-code", parts_gpt2, 0, 1, 0, 1 },
    { "roberta-bpe", parts_gpt2, 0, 1, 0, 1 },
    { "starcoder", parts_digits, 0, 0, 0, 0 },
    { "refact", parts_digits, 0, 0, 0, 0 },
    { "smollm", parts_digits, 0, 0, 0, 0 },
    { "codeshell", parts_digits, 0, 0, 0, 0 },
    { "exaone", parts_digits, 0, 0, 0, 0 },
    { "minerva-7b", parts_digits, 0, 0, 0, 0 },
    { "mellum2", parts_digits, 0, 0, 0, 0 },
    { "command-r", parts_digits, 1, 0, 0, 0 },
    { "falcon", parts_falcon, 0, 0, 0, 0 },
    { "bloom", parts_bloom, 0, 0, 0, 0 },
    { "poro-chat", parts_bloom, 0, 0, 0, 0 },
    { "gpt3-finnish", parts_bloom, 0, 0, 0, 0 },
    { "viking", parts_viking, 0, 0, 0, 0 },
    { "llama-bpe", parts_llama3, 0, 1, 1, 0 },
    { "llama3", parts_llama3, 0, 1, 1, 0 },
    { "llama-v3", parts_llama3, 0, 1, 1, 0 },
    { "falcon3", parts_llama3, 0, 1, 1, 0 },
    { "falcon-h1", parts_llama3, 0, 1, 1, 0 },
    { "pixtral", parts_llama3, 0, 1, 1, 0 },
    { "midm-2.0", parts_llama3, 0, 1, 1, 0 },
    { "lfm2", parts_llama3, 0, 1, 1, 0 },
    { "jina-v5-nano", parts_llama3, 0, 1, 1, 0 },
    { "smaug-bpe", parts_llama3, 0, 0, 0, 0 },
    { "dbrx", parts_llama3, 0, 0, 0, 0 },
    { "chatglm-bpe", parts_llama3, 0, 0, 0, 0 },
    { "glm4", parts_llama3, 0, 0, 1, 0 },
    { "glm5", parts_llama3, 0, 0, 1, 0 },
    { "jais-2", parts_jais2, 0, 0, 0, 0 },
    { "minicpm5", parts_minicpm5, 0, 0, 1, 0 },
    { "qwen2", parts_qwen2, 1, 0, 0, 0 },
    { "deepseek-r1-qwen", parts_qwen2, 1, 0, 0, 0 },
    { "megrez", parts_qwen2, 0, 0, 0, 0 },
    { "f2llmv2", parts_qwen2, 1, 0, 0, 0 },
    { "stablelm2", parts_qwen2, 0, 0, 0, 0 },
    { "kormo", parts_qwen2, 0, 0, 0, 0 },
    { "hunyuan", parts_qwen2, 0, 0, 0, 0 },
    { "solar-open", parts_qwen2, 0, 0, 0, 0 },
    { "grok-2", parts_qwen2, 0, 0, 0, 0 },
    { "qwen35", parts_qwen35, 1, 0, 0, 0 },
    { "ufakzeka", parts_ufakzeka, 0, 0, 0, 0 },
    { "laguna", parts_laguna, 0, 0, 0, 0 },
    { "seed-coder", parts_seed_coder, 0, 0, 0, 0 },
    { "bailingmoe", parts_bailing, 0, 0, 0, 0 },
    { "bailingmoe2", parts_bailing, 0, 0, 0, 0 },
    { "llada-moe", parts_bailing, 0, 0, 0, 0 },
    { "exaone-moe", parts_exaone_moe, 0, 0, 0, 0 },
    { "superbpe", parts_superbpe, 0, 0, 0, 0 },
    { "chameleon", parts_chameleon, 0, 1, 0, 0 },
    { "deepseek-llm", parts_deepseek_llm, 0, 0, 0, 0 },
    { "deepseek-coder", parts_deepseek_coder, 0, 0, 0, 0 },
    { "deepseek-v3", parts_deepseek_v3, 0, 0, 0, 0 },
    { "hunyuan-dense", parts_deepseek_v3, 0, 0, 0, 0 },
    { "joyai-llm", parts_deepseek_v3, 0, 0, 0, 0 },
    { "hy_v4", parts_deepseek_v3, 0, 0, 0, 0 },
    { "spark2_5", parts_spark, 0, 0, 0, 0 },
    { "afmoe", parts_afmoe, 0, 0, 0, 0 },
    { "tekken", parts_tekken, 0, 1, 1, 0 },
    { "gpt-4o", parts_gpt4o, 0, 0, 0, 0 },
    { "llama4", parts_gpt4o, 0, 0, 0, 0 },
    { "kanana2", parts_gpt4o, 0, 0, 0, 0 },
    { "talkie", parts_gpt4o, 0, 0, 0, 0 },
    { "minimax-m2", parts_gpt4o, 0, 0, 0, 0 },
    { "granite-embed-multi-97m", parts_gpt4o, 0, 0, 1, 0 },
    { "tiny_aya", parts_aya, 0, 0, 0, 0 },
    { "cohere2moe", parts_aya, 0, 0, 0, 0 },
    { "youtu", parts_youtu, 0, 0, 1, 0 },
    { "kimi-k2", parts_kimi, 0, 0, 0, 0 },
    { "gemma4", parts_spm, 0, 1, 0, 0 },
    { "granite-embed-multi-311m", parts_spm, 0, 1, 0, 0 },
    { "sarvam-moe", parts_spm, 0, 0, 0, 0 },
};

/* Files from before the key existed (or with "default"): the architecture tells. Others had GPT-2's words. */
static const struct {
    const char *architecture, *name;
} by_architecture[] = {
    { "falcon", "falcon" }, { "starcoder", "starcoder" }, { "refact", "refact" },       { "codeshell", "codeshell" },
    { "bloom", "bloom" },   { "qwen2", "qwen2" },         { "command-r", "command-r" }, { "gptneox", "mpt" },
};

/* What Gemma's tokenizer.json does: spaces are written as U+2581, nothing is cut. */
static int spm_apply(struct tokenizer *t, struct hearth_error *err)
{
    struct step_args a;
    step_args_defaults(&a);
    a.type = STR("Replace");
    a.pattern = STR(" ");
    a.content = STR(SPM_SPACE);
    int status = normalize_add(t, &a, err);
    a.pattern = STR(SPM_SPACE);
    a.content = STR(" ");
    if (!status) status = decode_add(t, &a, err);
    a.type = STR("ByteFallback");
    if (!status) status = decode_add(t, &a, err);
    t->model = &model_bpe;
    t->byte_fallback = t->fuse_unk = true;
    return status;
}

static int row_apply(struct tokenizer *t, const struct pre_row *row, struct hearth_error *err)
{
    struct step_args a;
    int status = 0;
    if (row->parts == parts_spm) return spm_apply(t, err);
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

int gguf_pre_setup(struct tokenizer *t, struct str name, struct str architecture, bool *add_bos, bool *add_eos,
                   struct hearth_error *err)
{
    if (name.n == 0 || str_is(name, "default")) {
        name = STR("gpt-2");
        for (size_t i = 0; i < sizeof by_architecture / sizeof *by_architecture; i++)
            if (str_is(architecture, by_architecture[i].architecture)) name = str_from(by_architecture[i].name);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!str_is(name, rows[i].name)) continue;
        *add_bos = rows[i].add_bos;
        *add_eos = rows[i].add_eos;
        return row_apply(t, &rows[i], err);
    }
    return fail(err, HEARTH_E_UNSUPPORTED, "the pre-tokenizer \"%.*s\" that the file names is not known to hearth",
                STR_ARG(name));
}
