/* The small files that Hugging Face folders have beside a tokenizer: which tokens play which role, what is added by default,
 * and tokens that came after training. */
#include <stddef.h>

#include "text/tokenizer_int.h"

enum { CONFIG_BYTES_MAX = 64 << 20, PATH_BYTES_MAX = 1 << 16 };

/* A string, or an object with "content"; anything else is skipped. */
static int content_read(struct tokenizer *t, struct json *j, struct str *out)
{
    enum json_kind kind = json_next(j);
    if (kind == JSON_STRING) return json_keep(t, j, out);
    if (kind != JSON_OBJECT) return json_skip(j, kind);
    while ((kind = json_next(j)) == JSON_KEY) {
        const bool content = json_is(j, "content");
        kind = json_next(j);
        const int status = content && kind == JSON_STRING ? json_keep(t, j, out) : json_skip(j, kind);
        if (status) return status;
    }
    return kind == JSON_OBJECT_END ? 0 : HEARTH_E_FORMAT;
}

static int flag_read(struct json *j, int *out)
{
    const enum json_kind kind = json_next(j);
    if (kind == JSON_TRUE || kind == JSON_FALSE) *out = kind == JSON_TRUE;
    return json_skip(j, kind);
}

/* {"32000": {"content": ...}, ...} */
static int added_decoder_read(struct tokenizer *t, struct json *j, struct hf_config *h)
{
    enum json_kind kind = json_next(j);
    if (kind != JSON_OBJECT || !h->want_added) return json_skip(j, kind);
    while ((kind = json_next(j)) == JSON_KEY) {
        int64_t id = 0;
        for (size_t i = 0; i < j->text.n && i < 10; i++) {
            if (j->text.p[i] < '0' || j->text.p[i] > '9') return json_fail(j, "an id was expected as the key of an added token");
            id = id * 10 + (j->text.p[i] - '0');
        }
        if (json_next(j) != JSON_OBJECT) return json_fail(j, "an added token was expected");
        const int status = json_read_added(t, j, id);
        if (status) return status;
    }
    return kind == JSON_OBJECT_END ? 0 : HEARTH_E_FORMAT;
}

/* ["<a>", {"content": "<b>"}]; another shape is skipped. */
static int special_read(struct tokenizer *t, struct json *j, struct hf_config *h)
{
    enum json_kind kind = json_next(j);
    if (kind != JSON_ARRAY) return json_skip(j, kind);
    for (struct json at = *j; (kind = json_next(&at)) != JSON_ARRAY_END; at = *j) {
        struct str text = { 0 };
        if (kind == JSON_ERROR) return HEARTH_E_FORMAT;
        const int status = content_read(t, j, &text);
        if (status) return status;
        if (text.n == 0) continue;
        if (h->n_special == SPECIAL_MAX) return json_fail(j, "fewer special tokens were expected");
        h->special[h->n_special++] = text;
    }
    json_next(j);
    return 0;
}

static int kind_read(struct tokenizer *t, struct json *j, struct hf_config *h)
{
    const int status = content_read(t, j, &h->kind);
    if (str_ends(h->kind, STR("Fast"))) h->kind.n -= strlen("Fast");
    return status;
}

static int count_read(struct json *j, int64_t *out)
{
    const enum json_kind kind = json_next(j);
    if (kind == JSON_NUMBER && j->is_int) *out = j->integer;
    return json_skip(j, kind);
}

/* config.json, of the model: only what tells the kind of tokenizer. */
static int model_config_read(struct tokenizer *t, struct json *j, struct hf_config *h)
{
    enum json_kind kind;
    if (json_next(j) != JSON_OBJECT) return json_fail(j, "an object was expected");
    while ((kind = json_next(j)) == JSON_KEY) {
        int status;
        if (json_is(j, "model_type")) status = content_read(t, j, &h->model_type);
        else if (json_is(j, "tokenizer_class")) status = kind_read(t, j, h);
        else status = json_skip(j, JSON_KEY);
        if (status) return status;
    }
    return kind == JSON_OBJECT_END ? 0 : HEARTH_E_FORMAT;
}

static const struct config_entry {
    const char *key;
    bool        flag; /* else a token or name */
    size_t      offset;
} entries[] = {
    { "add_bos_token", true, offsetof(struct hf_config, add_bos) },
    { "add_eos_token", true, offsetof(struct hf_config, add_eos) },
    { "legacy", true, offsetof(struct hf_config, legacy) },
    { "legacy_behaviour", true, offsetof(struct hf_config, legacy_behaviour) },
    { "do_lower_case", true, offsetof(struct hf_config, lower_case) },
    { "strip_accents", true, offsetof(struct hf_config, strip_accents) },
    { "tokenize_chinese_chars", true, offsetof(struct hf_config, chinese_chars) },
    { "add_prefix_space", true, offsetof(struct hf_config, prefix_space) },
    { "keep_accents", true, offsetof(struct hf_config, keep_accents) },
    { "separate_vocabs", true, offsetof(struct hf_config, separate_vocabs) },
    { "predict_timestamps", true, offsetof(struct hf_config, timestamps) },
    { "bos_token", false, offsetof(struct hf_config, bos) },
    { "eos_token", false, offsetof(struct hf_config, eos) },
    { "unk_token", false, offsetof(struct hf_config, unk) },
    { "pad_token", false, offsetof(struct hf_config, pad) },
    { "cls_token", false, offsetof(struct hf_config, cls) },
    { "sep_token", false, offsetof(struct hf_config, sep) },
    { "mask_token", false, offsetof(struct hf_config, mask) },
    { "src_lang", false, offsetof(struct hf_config, src_lang) },
    { "language_codes", false, offsetof(struct hf_config, language_codes) },
    { "language", false, offsetof(struct hf_config, language) },
    { "task", false, offsetof(struct hf_config, task) },
};

static const struct config_entry *entry_find(const struct json *j)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (json_is(j, entries[i].key)) return &entries[i];
    return NULL;
}

/* tokenizer_config.json and special_tokens_map.json share their keys. */
static int config_read(struct tokenizer *t, struct json *j, struct hf_config *h)
{
    enum json_kind kind;
    if (json_next(j) != JSON_OBJECT) return json_fail(j, "an object was expected");
    while ((kind = json_next(j)) == JSON_KEY) {
        int status;
        const struct config_entry *e = entry_find(j);
        char *const to = e ? (char *)h + e->offset : NULL;
        if (e) status = e->flag ? flag_read(j, (int *)(void *)to) : content_read(t, j, (struct str *)(void *)to);
        else if (json_is(j, "extra_ids")) status = count_read(j, &h->extra_ids);
        else if (json_is(j, "offset")) status = count_read(j, &h->offset);
        else if (json_is(j, "tokenizer_class")) status = kind_read(t, j, h);
        else if (json_is(j, "additional_special_tokens")) status = special_read(t, j, h);
        else if (json_is(j, "extra_special_tokens")) status = special_read(t, j, h);
        else if (json_is(j, "added_tokens_decoder")) status = added_decoder_read(t, j, h);
        else status = json_skip(j, JSON_KEY);
        if (status) return status;
    }
    return kind == JSON_OBJECT_END ? 0 : HEARTH_E_FORMAT;
}

static bool has_role(const struct hf_config *h, struct str content)
{
    const struct str names[] = { h->bos, h->eos, h->unk, h->pad, h->cls, h->sep, h->mask };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq(names[i], content)) return true;
    return false;
}

/* added_tokens.json: {"<pad>": 32000, ...}, the form of older folders. */
static int added_tokens_read(struct tokenizer *t, struct json *j, struct hf_config *h)
{
    enum json_kind kind;
    if (json_next(j) != JSON_OBJECT) return json_fail(j, "an object was expected");
    while (h->want_added && (kind = json_next(j)) != JSON_OBJECT_END) {
        struct added a = { 0 };
        if (kind != JSON_KEY) return HEARTH_E_FORMAT;
        int status = json_keep(t, j, &a.content);
        if (status) return status;
        if (json_next(j) != JSON_NUMBER || !j->is_int || j->integer < 0 || j->integer > INT32_MAX)
            return json_fail(j, "an id was expected");
        a.id = (uint32_t)j->integer;
        a.special = h->roles_special && has_role(h, a.content);
        a.normalized = h->roles_special && !a.special;
        status = a.content.n ? tokenizer_add_token(t, &a, j->err) : 0;
        if (status) return status;
    }
    return 0;
}

static const struct config_file {
    const char *name;
    int (*read)(struct tokenizer *t, struct json *j, struct hf_config *h);
} config_files[] = {
    { "config.json", model_config_read },
    { "special_tokens_map.json", config_read },
    { "tokenizer_config.json", config_read },
    { "added_tokens.json", added_tokens_read },
};

static int config_file_read(struct tokenizer *t, const struct config_file *f, const char *path, struct hf_config *h,
                            struct hearth_error *err)
{
    struct file_map m;
    struct json j;
    int status = file_map(&m, path, err);
    if (status) return status;
    json_init(&j, (struct str){ (const char *)m.p, m.n }, err);
    if (m.n > CONFIG_BYTES_MAX) status = fail(err, HEARTH_E_FORMAT, "larger than %d MiB", CONFIG_BYTES_MAX >> 20);
    else status = f->read(t, &j, h);
    file_unmap(&m);
    return status ? fail_in(err, "%s", path), status : 0;
}

int hf_config_read(struct tokenizer *t, const char *folder, struct hf_config *h, struct hearth_error *err)
{
    struct buf path;
    int status = 0;
    buf_init(&path, PATH_BYTES_MAX);
    h->add_bos = h->add_eos = h->legacy = h->legacy_behaviour = -1;
    h->lower_case = h->strip_accents = h->chinese_chars = h->prefix_space = -1;
    h->keep_accents = h->separate_vocabs = h->timestamps = -1;
    h->extra_ids = h->offset = -1;
    for (size_t i = 0; i < sizeof config_files / sizeof *config_files && !status; i++) {
        file_join(&path, folder, config_files[i].name);
        if (path.failed) status = fail_memory(err, PATH_BYTES_MAX, "a path");
        else if (file_kind(path.p) == FILE_REGULAR) status = config_file_read(t, &config_files[i], path.p, h, err);
    }
    buf_free(&path);
    return status;
}
