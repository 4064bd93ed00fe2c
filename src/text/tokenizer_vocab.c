/* Reads vocab.json + merges.txt, the form GPT-2's tokenizer had before tokenizer.json. */
#include "text/tokenizer_int.h"

int vocab_json_read(struct vocab *v, const char *path, struct hearth_error *err)
{
    struct file_map m;
    struct json j;
    int status = file_map(&m, path, err);
    if (status) return status;
    json_init(&j, (struct str){ (const char *)m.p, m.n }, err);
    status = vocab_map_read(v, &m, &j);
    file_unmap(&m);
    return status ? status : vocab_index(v, err);
}

/* Lines "a b"; a first line may name the version. */
static int merges_txt_read(struct tokenizer *t, struct str text, struct hearth_error *err)
{
    int status = 0;
    for (size_t at = 0; at < text.n && !status;) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        struct str left, right, line = str_sub(text, at, end ? (size_t)(end - text.p) : text.n);
        at += line.n + 1;
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n == 0 || str_starts(line, STR("#version"))) continue;
        if (!merge_split(line, &left, &right))
            return fail(err, HEARTH_E_FORMAT, "merge %u (\"%.*s\") has no two parts", t->merges.n, STR_ARG(line));
        status = merges_add(&t->merges, &t->vocab, left, right, 0, err);
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
