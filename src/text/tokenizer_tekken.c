/* Reads tekken.json of Mistral (github.com/mistralai/mistral-common): tokens as base64 text with ranks, the pattern that cuts
 * texts, and special tokens, which have the first ids. */
#include <stdio.h>

#include "text/tokenizer_int.h"

enum { SPECIALS_MAX = 65536, TOKENS_MAX = 1 << 24, NAME_BYTES = 32 };

/* Files up to version 7 may leave their special tokens out. */
static const char *const old_specials[] = {
    "<unk>",       "<s>",        "</s>",      "[INST]",     "[/INST]",          "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>",      "[IMG_BREAK]",       "[IMG_END]",
    "[PREFIX]",    "[MIDDLE]",   "[SUFFIX]",  "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
};

struct tekken {
    struct json config, vocab, special; /* readers that stand before each value; src.p NULL: absent */
    struct str  pattern;
    int64_t     n_vocab, n_special; /* all ids; the special ones of them */
};

static int parts_find(struct json *j, struct tekken *k)
{
    enum json_kind kind;
    if (json_next(j) != JSON_OBJECT) return json_fail(j, "this is no tekken.json");
    while ((kind = json_next(j)) == JSON_KEY) {
        struct json *part = json_is(j, "config")           ? &k->config
                            : json_is(j, "vocab")          ? &k->vocab
                            : json_is(j, "special_tokens") ? &k->special
                                                           : NULL;
        if (part) *part = *j;
        const int status = json_skip(j, JSON_KEY);
        if (status) return status;
    }
    if (kind != JSON_OBJECT_END) return HEARTH_E_FORMAT;
    return k->config.src.p && k->vocab.src.p ? 0 : json_fail(j, "\"config\" and \"vocab\" were expected");
}

static int number_read(struct json *j, int64_t *out, int64_t most)
{
    if (json_next(j) != JSON_NUMBER || !j->is_int || j->integer < 0 || j->integer > most)
        return json_fail(j, "a small number was expected");
    *out = j->integer;
    return 0;
}

static int config_read(struct tokenizer *t, struct tekken *k)
{
    struct json *j = &k->config;
    enum json_kind kind;
    if (json_next(j) != JSON_OBJECT) return json_fail(j, "a configuration was expected");
    while ((kind = json_next(j)) == JSON_KEY) {
        int status = 0;
        if (json_is(j, "pattern"))
            status = json_next(j) == JSON_STRING ? json_keep(t, j, &k->pattern) : json_fail(j, "a pattern was expected");
        else if (json_is(j, "default_vocab_size")) status = number_read(j, &k->n_vocab, TOKENS_MAX);
        else if (json_is(j, "default_num_special_tokens")) status = number_read(j, &k->n_special, SPECIALS_MAX);
        else status = json_skip(j, JSON_KEY);
        if (status) return status;
    }
    if (kind != JSON_OBJECT_END) return HEARTH_E_FORMAT;
    return k->pattern.n && k->n_vocab > k->n_special ? 0 : json_fail(j, "a pattern and a number of tokens were expected");
}

/* One {"rank": 0, "token_bytes": "AA==", "token_str": "..."}; *text is what `key` holds. */
static int entry_read(struct json *j, const char *key, struct buf *text, int64_t *rank)
{
    enum json_kind kind;
    *rank = -1;
    buf_clear(text);
    while ((kind = json_next(j)) == JSON_KEY) {
        int status = 0;
        if (json_is(j, "rank")) {
            status = number_read(j, rank, TOKENS_MAX);
        } else if (json_is(j, key)) {
            if (json_next(j) != JSON_STRING) return json_fail(j, "a token was expected");
            json_text(j, text);
        } else {
            status = json_skip(j, JSON_KEY);
        }
        if (status) return status;
    }
    return kind == JSON_OBJECT_END && *rank >= 0 && text->n && !text->failed
               ? 0
               : json_fail(j, "a token with its rank was expected");
}

static int vocab_read(struct tokenizer *t, struct tekken *k)
{
    struct json *j = &k->vocab;
    struct buf base64, bytes;
    int64_t rank;
    int status = 0;
    buf_init(&base64, 4 * UINT16_MAX);
    buf_init(&bytes, UINT16_MAX);
    if (json_next(j) != JSON_ARRAY) status = json_fail(j, "a list of tokens was expected");
    for (enum json_kind kind; !status && (kind = json_next(j)) != JSON_ARRAY_END;) {
        buf_clear(&bytes);
        status = kind == JSON_OBJECT ? entry_read(j, "token_bytes", &base64, &rank) : json_fail(j, "a token was expected");
        if (!status && (!base64_read(buf_str(&base64), &bytes) || !bytes.n)) status = json_fail(j, "base64 text was expected");
        if (status || rank >= k->n_vocab - k->n_special) continue; /* more are listed than are used */
        status = vocab_add(&t->vocab,
                           &(struct token){ .id = (uint32_t)(rank + k->n_special), .text = buf_str(&bytes), .type = TOKEN_NORMAL,
                                            .copy = true }, j->err);
    }
    buf_free(&base64);
    buf_free(&bytes);
    return status ? status : vocab_index(&t->vocab, j->err);
}

static int special_add(struct tokenizer *t, uint32_t id, struct str name, struct hearth_error *err)
{
    return tokenizer_add_token(t, &(struct added){ .content = name, .id = id, .special = true }, err);
}

static int special_listed(struct tokenizer *t, struct tekken *k, bool *known)
{
    struct json *j = &k->special;
    struct buf name;
    int64_t rank;
    int status = json_next(j) == JSON_ARRAY ? 0 : json_fail(j, "a list of special tokens was expected");
    buf_init(&name, ADDED_BYTES_MAX + 1);
    for (enum json_kind kind; !status && (kind = json_next(j)) != JSON_ARRAY_END;) {
        status = kind == JSON_OBJECT ? entry_read(j, "token_str", &name, &rank) : json_fail(j, "a token was expected");
        if (!status && (rank >= k->n_special || known[rank]))
            status = json_fail(j, "a special token with a rank of its own was expected");
        if (status) continue;
        known[rank] = true;
        status = special_add(t, (uint32_t)rank, buf_str(&name), j->err);
    }
    buf_free(&name);
    return status;
}

/* All ids before the tokens: the listed ones, and names made up for the others. */
static int specials_read(struct tokenizer *t, struct tekken *k, struct hearth_error *err)
{
    struct json listed = k->special;
    const bool none = !listed.src.p || json_next(&listed) == JSON_NULL;
    bool *known = mem_array((size_t)k->n_special + 1, sizeof *known);
    int status = known ? 0 : fail_memory(err, (uint64_t)k->n_special, "special tokens");
    if (!status && !none) status = special_listed(t, k, known);
    for (int64_t id = 0; id < k->n_special && !status; id++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "<SPECIAL_%lld>", (long long)id);
        const bool old = none && id < (int64_t)(sizeof old_specials / sizeof *old_specials);
        if (!known[id]) status = special_add(t, (uint32_t)id, str_from(old ? old_specials[id] : name), err);
    }
    mem_free(known);
    return status;
}

bool tokenizer_tekken_fits(struct file_map m)
{
    struct json j;
    json_init(&j, (struct str){ (const char *)m.p, m.n }, NULL);
    return json_next(&j) == JSON_OBJECT && json_next(&j) == JSON_KEY && json_is(&j, "config");
}

int tokenizer_tekken_read(struct tokenizer *t, const char *path, struct hearth_error *err)
{
    struct tekken k = { 0 };
    struct json j;
    int status = file_map(&t->map, path, err);
    if (status) return status;
    json_init(&j, (struct str){ (const char *)t->map.p, t->map.n }, err);
    status = parts_find(&j, &k);
    if (!status) status = config_read(t, &k);
    if (!status) status = vocab_read(t, &k);
    if (!status) status = specials_read(t, &k, err);
    if (!status) status = tiktoken_split(t, k.pattern, false, err);
    file_unmap(&t->map);
    if (status) return status;
    t->model = &model_rank_bpe;
    t->bos = tokenizer_find(t, STR("<s>"));
    t->eos = tokenizer_find(t, STR("</s>"));
    t->unk = tokenizer_find(t, STR("<unk>"));
    t->pad = tokenizer_find(t, STR("<pad>"));
    return t->bos < 0 ? 0 : tokenizer_add_template(t, false, t->bos, err);
}
