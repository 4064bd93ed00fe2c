/* Reads vocab.json + merges.txt, the form GPT-2's tokenizer had before tokenizer.json. */
#include "text/tokenizer_int.h"

static int vocab_text_read(struct vocab *v, struct str text, struct hearth_error *err)
{
    struct json j;
    struct buf scratch;
    enum json_kind kind;
    int status = 0;
    json_init(&j, text, err);
    buf_init(&scratch, TEXT_BYTES_MAX);
    if (json_next(&j) != JSON_OBJECT) status = json_fail(&j, "a vocabulary {text: id} was expected");
    while (!status && (kind = json_next(&j)) != JSON_OBJECT_END) {
        struct token token = { .type = TOKEN_NORMAL, .copy = true };
        buf_clear(&scratch);
        if (kind == JSON_KEY) json_text(&j, &scratch);
        token.text = (struct str){ scratch.p ? scratch.p : "", scratch.n };
        if (kind != JSON_KEY || json_next(&j) != JSON_NUMBER || !j.is_int || j.integer < 0 || j.integer > INT32_MAX)
            status = json_fail(&j, "a vocabulary {text: id} was expected");
        token.id = (uint32_t)j.integer;
        if (!status) status = vocab_add(v, &token, err);
    }
    if (scratch.failed) status = fail_memory(err, scratch.n, "a vocabulary");
    buf_free(&scratch);
    return status ? status : vocab_index(v, err);
}

int vocab_json_read(struct vocab *v, const char *path, struct hearth_error *err)
{
    struct file_map m;
    int status = file_map(&m, path, err);
    if (status) return status;
    status = vocab_text_read(v, (struct str){ (const char *)m.p, m.n }, err);
    file_unmap(&m);
    return status;
}

/* Lines "a b"; a first line may name the version. */
static int merges_txt_read(struct tokenizer *t, struct str text, struct hearth_error *err)
{
    int status = 0;
    for (size_t at = 0; at < text.n && !status;) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        struct str line = str_sub(text, at, end ? (size_t)(end - text.p) : text.n);
        at += line.n + 1;
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n == 0 || str_starts(line, STR("#version"))) continue;
        const char *space = memchr(line.p + 1, ' ', line.n - 1);
        if (!space) return fail(err, HEARTH_E_FORMAT, "merge %u (\"%.*s\") has no two parts", t->merges.n, STR_ARG(line));
        const size_t left = (size_t)(space - line.p);
        status = merges_add(&t->merges, &t->vocab, str_sub(line, 0, left), str_sub(line, left + 1, line.n), 0, err);
    }
    return status ? status : merges_index(&t->merges, err);
}

int byte_level_setup(struct tokenizer *t, struct hearth_error *err)
{
    struct step_args a;
    step_args_defaults(&a);
    a.type = STR("ByteLevel");
    a.add_prefix_space = false;
    t->model = &model_byte_bpe;
    const int status = pre_add(t, &a, err);
    return status ? status : decode_add(t, &a, err);
}

int tokenizer_vocab_read(struct tokenizer *t, const char *vocab, const char *merges, struct hearth_error *err)
{
    struct file_map m;
    int status = vocab_json_read(&t->vocab, vocab, err);
    if (!status) status = file_map(&m, merges, err);
    if (status) return status;
    status = merges_txt_read(t, (struct str){ (const char *)m.p, m.n }, err);
    file_unmap(&m);
    if (status) fail_in(err, "%s", merges);
    return status;
}

/* CLIP's: lower case, words without their spaces, the last character of a word with </w>. */
int clip_setup(struct tokenizer *t, struct hearth_error *err)
{
    struct step_args a;
    step_args_defaults(&a);
    a.pattern_is_regex = true;
    a.pattern = STR("\\s+");
    a.content = STR(" ");
    a.type = STR("NFC");
    int status = normalize_add(t, &a, err);
    a.type = STR("Replace");
    if (!status) status = normalize_add(t, &a, err);
    a.type = STR("Lowercase");
    if (!status) status = normalize_add(t, &a, err);
    a.pattern = STR("<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+");
    a.behavior = STR("Removed");
    a.invert = true;
    a.type = STR("Split");
    if (!status) status = pre_add(t, &a, err);
    if (!status) status = byte_level_setup(t, err);
    t->suffix = STR("</w>");
    t->decode_owes = t->suffix;
    return status;
}
