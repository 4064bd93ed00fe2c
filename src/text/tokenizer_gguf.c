/* Reads the tokenizer.ggml.* keys of a GGUF file. Token texts stay in the mapped file. */
#include <stdio.h>

#include "text/tokenizer_int.h"

#define KEY "tokenizer.ggml."

static struct str kv_string(const struct container *c, const char *key)
{
    const struct kv *kv = container_kv(c, key);
    return kv && kv->type == KV_STRING ? kv->s : (struct str){ "", 0 };
}

static bool kv_flag(const struct container *c, const char *key, bool absent)
{
    const struct kv *kv = container_kv(c, key);
    return kv && kv->type == KV_BOOL ? kv->b : absent;
}

/* An id that the vocabulary has; `absent` when the key is missing. */
static int32_t kv_id(const struct tokenizer *t, const struct container *c, const char *key, int32_t absent)
{
    const struct kv *kv = container_kv(c, key);
    const int64_t id = kv && kv->type == KV_INT ? kv->i : absent;
    return id >= 0 && id < t->vocab.n ? (int32_t)id : -1;
}

/* Starts walking an array that has to be there (with n elements, when n is not 0). */
static int array_walk(const struct container *c, const char *key, uint64_t n, struct kv_iter *it, struct hearth_error *err)
{
    const struct kv *kv = container_kv(c, key);
    if (!kv || kv->type != KV_ARRAY) return fail(err, HEARTH_E_FORMAT, "%s is missing or no array", key);
    if (n && kv->array.n != n)
        return fail(err, HEARTH_E_FORMAT, "%s has %llu entries where there are %llu tokens", key, (unsigned long long)kv->array.n,
                    (unsigned long long)n);
    kv_iterate(it, c, kv);
    return 0;
}

static bool is_byte_token(struct str s)
{
    return s.n == 6 && str_starts(s, STR("<0x")) && s.p[5] == '>';
}

static int tokens_read(struct tokenizer *t, const struct container *c, bool scored, struct hearth_error *err)
{
    struct kv_iter texts, scores, types;
    struct kv text, score = { 0 }, type = { 0 };
    const struct kv *all = container_kv(c, KEY "tokens");
    const bool typed = container_kv(c, KEY "token_type") != NULL;
    const uint64_t n = all && all->type == KV_ARRAY ? all->array.n : 0;
    int status = array_walk(c, KEY "tokens", 0, &texts, err);
    if (!status && n == 0) status = fail(err, HEARTH_E_FORMAT, KEY "tokens is empty");
    if (!status && scored) status = array_walk(c, KEY "scores", n, &scores, err);
    if (!status && typed) status = array_walk(c, KEY "token_type", n, &types, err);
    while (!status && kv_next(&texts, &text)) {
        struct token token = { .id = t->vocab.n, .type = TOKEN_NORMAL, .scored = scored };
        if (text.type != KV_STRING || (scored && !kv_next(&scores, &score)) || (typed && !kv_next(&types, &type)))
            return fail(err, HEARTH_E_FORMAT, KEY "tokens: token %u is no string", t->vocab.n);
        token.text = text.s;
        token.score = score.f;
        if (typed) token.type = type.i >= TOKEN_NORMAL && type.i <= TOKEN_BYTE ? (enum token_type)type.i : TOKEN_NORMAL;
        else if (is_byte_token(text.s)) token.type = TOKEN_BYTE;
        t->byte_fallback |= scored && token.type == TOKEN_BYTE;
        status = vocab_add(&t->vocab, &token, err);
    }
    return status ? status : vocab_index(&t->vocab, err);
}

/* Control tokens written in a text are recognised, as where they are added tokens of a tokenizer.json. With `user`, so are
 * user-defined ones (SentencePiece treats those itself). */
static int special_add(struct tokenizer *t, bool user, struct hearth_error *err)
{
    int status = 0;
    for (uint32_t id = 0; id < t->vocab.n && !status; id++) {
        const enum token_type type = t->vocab.type[id];
        const bool special = type == TOKEN_CONTROL || type == TOKEN_UNKNOWN;
        struct added a = { .content = vocab_text(&t->vocab, id), .id = id, .special = special };
        if (a.content.n && (special || (user && type == TOKEN_USER))) status = tokenizer_add_token(t, &a, err);
    }
    return status;
}

static int merges_read(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    struct kv_iter it;
    struct kv rule;
    int status = array_walk(c, KEY "merges", 0, &it, err);
    while (!status && kv_next(&it, &rule)) {
        struct str left, right;
        if (rule.type != KV_STRING || !merge_split(rule.s, &left, &right))
            return fail(err, HEARTH_E_FORMAT, KEY "merges: rule %u has no two parts", t->merges.n);
        status = merges_add(&t->merges, &t->vocab, left, right, 0, err);
    }
    return status ? status : merges_index(&t->merges, err);
}

struct defaults { /* what a missing key means */
    int32_t bos, eos, unk, pad;
    bool    add_bos, add_eos;
};

static int roles_read(struct tokenizer *t, const struct container *c, const struct defaults *d, struct hearth_error *err)
{
    t->bos = kv_id(t, c, KEY "bos_token_id", d->bos);
    t->eos = kv_id(t, c, KEY "eos_token_id", d->eos);
    t->unk = kv_id(t, c, KEY "unknown_token_id", d->unk);
    t->pad = kv_id(t, c, KEY "padding_token_id", d->pad);
    int status = 0;
    if (kv_flag(c, KEY "add_bos_token", d->add_bos) && t->bos >= 0) status = tokenizer_add_template(t, false, t->bos, err);
    if (!status && kv_flag(c, KEY "add_eos_token", d->add_eos) && t->eos >= 0)
        status = tokenizer_add_template(t, true, t->eos, err);
    return status;
}

static int gpt2_read(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    struct defaults d = { -1, -1, -1, -1, false, false };
    const struct str model = kv_string(c, KEY "model");
    const struct str pre = str_is(model, "gemma4") ? model : kv_string(c, KEY "pre");
    t->model = &model_byte_bpe;
    int status = gguf_pre_setup(t, pre, kv_string(c, "general.architecture"), &d.add_bos, &d.add_eos, err);
    if (!status) status = tokens_read(t, c, false, err);
    if (!status) status = merges_read(t, c, err);
    if (!status) status = roles_read(t, c, &d, err);
    if (t->model == &model_bpe) t->unknown = t->unk;
    return status ? status : special_add(t, true, err);
}

static int spm_read(struct tokenizer *t, const struct container *c, const struct defaults *d, struct hearth_error *err)
{
    struct spm_options o = { .escape = kv_flag(c, KEY "escape_whitespaces", true) };
    int status = tokens_read(t, c, true, err);
    o.dummy_prefix = kv_flag(c, KEY "add_space_prefix", true);
    o.remove_extra = kv_flag(c, KEY "remove_extra_whitespaces", false);
    const struct kv *map = container_kv(c, KEY "precompiled_charsmap");
    if (!status && map && map->type == KV_ARRAY && map->array.n) {
        if (map->array.n > t->vocab.longest + (64u << 20))
            return fail(err, HEARTH_E_FORMAT, KEY "precompiled_charsmap is too large");
        char *copy = arena_array(&t->arena, map->array.n, 1);
        struct kv_iter it;
        struct kv byte;
        if (!copy) return fail_memory(err, map->array.n, "normalisation rules");
        kv_iterate(&it, c, map);
        while (kv_next(&it, &byte)) copy[o.charsmap.n++] = (char)byte.i;
        o.charsmap.p = copy;
    }
    if (!status) status = roles_read(t, c, d, err);
    t->unknown = t->unk;
    if (!status) status = spm_setup(t, &o, err);
    return status ? status : special_add(t, false, err);
}

static int llama_read(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    t->model = &model_spm_bpe;
    return spm_read(t, c, &(struct defaults){ 1, 2, 0, -1, true, false }, err);
}

static int t5_read(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    t->model = &model_unigram;
    return spm_read(t, c, &(struct defaults){ -1, 1, 2, 0, false, true }, err);
}

/* RWKV writes its tokens with backslashes: \t \n \r, \xHH for a byte, and any other character for itself. */
static bool rwkv_unescape(struct str s, struct buf *out)
{
    static const char letters[] = "tnr", meant[] = "\t\n\r";
    buf_clear(out);
    for (size_t i = 0; i < s.n; i++) {
        const char *at = NULL;
        unsigned byte;
        char hex[3] = "";
        if (s.p[i] != '\\' || ++i == s.n) {
            buf_char(out, s.p[i - (i == s.n)]);
        } else if (s.p[i] == 'x') {
            if (s.n - i < 3) return false;
            memcpy(hex, s.p + i + 1, 2);
            if (sscanf(hex, "%2x", &byte) != 1) return false;
            buf_char(out, (char)byte);
            i += 2;
        } else {
            at = strchr(letters, s.p[i]);
            buf_char(out, at && *at ? meant[at - letters] : s.p[i]);
        }
    }
    return !out->failed;
}

static int rwkv_read(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    struct kv_iter texts;
    struct kv text;
    struct buf bytes;
    int status = array_walk(c, KEY "tokens", 0, &texts, err);
    buf_init(&bytes, UINT16_MAX);
    while (!status && kv_next(&texts, &text)) {
        struct token token = { .id = t->vocab.n, .type = t->vocab.n ? TOKEN_NORMAL : TOKEN_CONTROL, .copy = true };
        if (text.type != KV_STRING || !rwkv_unescape(text.s, &bytes))
            status = fail(err, HEARTH_E_FORMAT, KEY "tokens: token %u is no escaped string", t->vocab.n);
        token.text = (struct str){ bytes.p ? bytes.p : "", bytes.n };
        if (!status) status = vocab_add(&t->vocab, &token, err);
    }
    buf_free(&bytes);
    if (!status) status = greedy_setup(t, err);
    if (!status) status = roles_read(t, c, &(struct defaults){ -1, 0, -1, -1, false, false }, err);
    t->unknown = t->unk;
    return status ? status : special_add(t, false, err);
}

/* GGUF marks the beginning of a word with U+2581 where BERT marks what continues one with "##". */
static int bert_tokens_read(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    struct kv_iter texts, types;
    struct kv text, type = { 0 };
    struct buf continued;
    const struct kv *all = container_kv(c, KEY "tokens");
    const bool typed = container_kv(c, KEY "token_type") != NULL;
    int status = array_walk(c, KEY "tokens", 0, &texts, err);
    if (!status && typed) status = array_walk(c, KEY "token_type", all->array.n, &types, err);
    buf_init(&continued, UINT16_MAX);
    while (!status && kv_next(&texts, &text)) {
        struct token token = { .id = t->vocab.n, .text = text.s, .type = TOKEN_NORMAL, .copy = true };
        if (text.type != KV_STRING || (typed && !kv_next(&types, &type)))
            status = fail(err, HEARTH_E_FORMAT, KEY "tokens: token %u is no string", t->vocab.n);
        else if (typed && type.i > TOKEN_NORMAL && type.i <= TOKEN_BYTE) token.type = (enum token_type)type.i;
        if (!status && token.type == TOKEN_NORMAL && str_starts(text.s, STR(SPM_SPACE))) {
            token.text = str_sub(text.s, strlen(SPM_SPACE), text.s.n);
        } else if (!status && token.type == TOKEN_NORMAL) {
            buf_clear(&continued);
            buf_puts(&continued, "##");
            buf_put(&continued, text.s.p, text.s.n);
            token.text = buf_str(&continued);
        }
        if (!status && continued.failed) status = fail(err, HEARTH_E_FORMAT, "token %u is too long", t->vocab.n);
        if (!status) status = vocab_add(&t->vocab, &token, err);
    }
    buf_free(&continued);
    return status ? status : vocab_index(&t->vocab, err);
}

static bool filter_named(const struct vocab *v, uint32_t id)
{
    return v->offset[id] != NO_ID;
}

static int bert_steps_add(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    struct step_args a;
    step_args_defaults(&a);
    a.type = STR("BertNormalizer");
    a.lowercase = kv_flag(c, KEY "normalizer.lowercase", true);
    a.strip_accents = kv_flag(c, KEY "normalizer.strip_accents", a.lowercase);
    int status = normalize_add(t, &a, err);
    a.type = STR("BertPreTokenizer");
    if (!status) status = pre_add(t, &a, err);
    a.type = STR("WordPiece");
    a.prefix = STR("##");
    return status ? status : decode_add(t, &a, err);
}

static int bert_read(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    t->model = &model_wordpiece;
    t->prefix = STR("##");
    t->word_chars_max = 100;
    int status = bert_tokens_read(t, c, err);
    if (!status) status = bert_steps_add(t, c, err);
    if (!status) status = matcher_build(&t->pieces, &t->vocab, filter_named, err);
    if (status) return status;
    t->bos = kv_id(t, c, KEY "bos_token_id", kv_id(t, c, KEY "cls_token_id", 101));
    t->eos = kv_id(t, c, KEY "seperator_token_id", kv_id(t, c, KEY "separator_token_id", kv_id(t, c, KEY "eos_token_id", 102)));
    t->unk = t->unknown = kv_id(t, c, KEY "unknown_token_id", 100);
    t->pad = kv_id(t, c, KEY "padding_token_id", 0);
    if (kv_flag(c, KEY "add_bos_token", true) && t->bos >= 0) status = tokenizer_add_template(t, false, t->bos, err);
    if (!status && kv_flag(c, KEY "add_sep_token", true) && t->eos >= 0) status = tokenizer_add_template(t, true, t->eos, err);
    return status ? status : special_add(t, true, err);
}

static int none_read(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    (void)t, (void)c;
    return fail(err, HEARTH_E_NOT_FOUND,
                "the file says that it has no tokenizer (tokenizer.ggml.model is \"none\"): give token ids");
}

static const struct {
    const char *name;
    int (*read)(struct tokenizer *t, const struct container *c, struct hearth_error *err);
} models[] = {
    { "gpt2", gpt2_read },
    { "llama", llama_read },
    { "t5", t5_read },
    { "bert", bert_read },
    { "rwkv", rwkv_read },
    { "gemma4", gpt2_read },
    { "none", none_read },
    { "no_vocab", none_read },
};

int tokenizer_gguf_read(struct tokenizer *t, const struct container *c, struct hearth_error *err)
{
    const struct str name = kv_string(c, KEY "model");
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (str_is(name, models[i].name)) return models[i].read(t, c, err);
    return fail(err, HEARTH_E_UNSUPPORTED, "tokenizers of kind \"%.*s\" in GGUF files are not known to hearth", STR_ARG(name));
}
