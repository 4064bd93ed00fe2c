/* Finds the tokenizer of a model or of a path, and has the reader of its format fill the pipeline. */
#include <dirent.h>
#include <stdio.h>

#include "text/tokenizer_int.h"

enum { PATH_BYTES_MAX = 1 << 16, ARENA_BYTES_MAX = 1 << 30 };

static struct tokenizer *tokenizer_new(struct hearth_error *err)
{
    struct tokenizer *t = mem_array(1, sizeof *t);
    if (!t) {
        fail_memory(err, sizeof *t, "a tokenizer");
        return NULL;
    }
    arena_init(&t->arena, ARENA_BYTES_MAX);
    t->bos = t->eos = t->unk = t->pad = t->unknown = -1;
    t->decode_growth = 1;
    t->prefix = t->suffix = STR("");
    t->normalize.step = arena_array(&t->arena, STEPS_MAX, sizeof(struct step));
    t->pre.step = arena_array(&t->arena, STEPS_MAX, sizeof(struct step));
    t->decode.step = arena_array(&t->arena, STEPS_MAX, sizeof(struct step));
    if (t->normalize.step && t->pre.step && t->decode.step) return t;
    tokenizer_close(t);
    fail_memory(err, 3 * STEPS_MAX * sizeof(struct step), "a tokenizer");
    return NULL;
}

/* Last step of every open: names the file in an error, or hands the tokenizer out. */
static int tokenizer_done(struct tokenizer *t, int status, const char *source, struct tokenizer **out, struct hearth_error *err)
{
    const char *slash = strrchr(source, '/');
    if (!status) status = tokenizer_finish(t, err);
    if (status) {
        fail_in(err, "%s", source);
        tokenizer_close(t);
        return status;
    }
    t->source = arena_strndup(&t->arena, slash ? slash + 1 : source, strlen(slash ? slash + 1 : source));
    if (!t->source) {
        tokenizer_close(t);
        return fail_memory(err, strlen(source), "a tokenizer");
    }
    *out = t;
    return 0;
}

/* ---- roles and additions that a Hugging Face folder tells */

static void role_find(const struct tokenizer *t, struct str name, int32_t *id)
{
    const int32_t found = name.n ? tokenizer_find(t, name) : -1;
    if (found >= 0) *id = found;
}

void tokenizer_roles(struct tokenizer *t, const struct hf_config *h)
{
    role_find(t, h->bos, &t->bos);
    role_find(t, h->eos, &t->eos);
    role_find(t, h->unk, &t->unk);
    role_find(t, h->pad, &t->pad);
}

/* BOS and EOS, as the folder says or else as the family's reference does. */
static int template_add(struct tokenizer *t, const struct hf_config *h, bool bos, bool eos, struct hearth_error *err)
{
    int status = 0;
    if (h->add_bos >= 0) bos = h->add_bos;
    if (h->add_eos >= 0) eos = h->add_eos;
    if (bos && t->bos >= 0) status = tokenizer_add_template(t, false, t->bos, err);
    if (!status && eos && t->eos >= 0) status = tokenizer_add_template(t, true, t->eos, err);
    return status;
}

int tokenizer_recognise(struct tokenizer *t, struct hearth_error *err)
{
    bool *known = mem_array(t->vocab.n, sizeof *known);
    int status = known ? 0 : fail_memory(err, t->vocab.n, "added tokens");
    for (uint32_t i = 0; i < t->n_added && !status; i++)
        if (t->added[i].id < t->vocab.n) known[t->added[i].id] = true;
    for (uint32_t id = 0; id < t->vocab.n && !status; id++) {
        const int32_t i = (int32_t)id;
        const bool role = i == t->bos || i == t->eos || i == t->unk || i == t->pad;
        const struct added a = { .content = vocab_text(&t->vocab, id), .id = id, .special = true };
        if (known[id] || a.content.n == 0 || (!role && t->vocab.type[id] != TOKEN_CONTROL)) continue;
        status = tokenizer_add_token(t, &a, err);
    }
    mem_free(known);
    return status;
}

/* ---- one file */

struct place {
    const char             *path;   /* of the file */
    const char             *folder; /* when it stands for a whole folder: NULL otherwise */
    const struct container *model;  /* whose tokenizer it is, or NULL */
};

static int json_open(struct tokenizer *t, const struct place *p, struct hearth_error *err)
{
    struct hf_config h = { 0 };
    int status = tokenizer_json_read(t, p->path, err);
    if (status || !p->folder) return status;
    status = hf_config_read(t, p->folder, &h, err);
    if (!status) tokenizer_roles(t, &h);
    return status;
}

static bool path_ends(const char *path, const char *end)
{
    return str_ends(str_from(path), str_from(end));
}

static int tiktoken_open(struct tokenizer *t, const struct place *p, struct hearth_error *err)
{
    return tokenizer_tiktoken_read(t, p->path, p->folder, err);
}

static int tekken_open(struct tokenizer *t, const struct place *p, struct hearth_error *err)
{
    return tokenizer_tekken_read(t, p->path, err);
}

static int rwkv_open(struct tokenizer *t, const struct place *p, struct hearth_error *err)
{
    return tokenizer_rwkv_read(t, p->path, err);
}

/* tokenizer.model is SentencePiece's as a rule, but Llama 3 has ranks in a file of that name. */
static int spm_open(struct tokenizer *t, const struct place *p, struct hearth_error *err)
{
    struct file_map m;
    const int status = file_map(&m, p->path, err);
    if (status) return status;
    const bool ranks = tokenizer_tiktoken_fits(m);
    file_unmap(&m);
    if (ranks) return tiktoken_open(t, p, err);
    return spm_family_read(t, p->path, p->folder, err);
}

/* ---- vocab.json + merges.txt: what the families put round a text, and which words they make */

static int vocab_plain(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err)
{
    int status = byte_level_setup(t, err);
    if (!status && h->prefix_space == 1) t->pre.step[0].flag = true;
    if (!status) tokenizer_roles(t, h);
    return status ? status : template_add(t, h, false, false, err);
}

/* <s> text </s> and <s> text </s></s> text </s>; <mask> takes the space before it along. */
static int vocab_roberta(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err)
{
    const int32_t mask = tokenizer_find(t, STR("<mask>"));
    const struct added a = { .content = STR("<mask>"), .id = (uint32_t)mask, .special = true, .lstrip = true };
    int status = byte_level_setup(t, err);
    if (!status && h->prefix_space == 1) t->pre.step[0].flag = true;
    if (!status && mask >= 0) status = tokenizer_add_token(t, &a, err);
    if (!status) tokenizer_roles(t, h);
    if (h->add_bos >= 0 || h->add_eos >= 0) return status ? status : template_add(t, h, true, true, err);
    if (!status && t->bos >= 0 && t->eos >= 0) status = post_cls_sep(t, t->bos, t->eos, true, err);
    return status;
}

static int vocab_clip(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err)
{
    const int status = clip_setup(t, err);
    tokenizer_roles(t, h);
    tokenizer_find_unknown(t, h->unk);
    if (t->bos < 0 || t->eos < 0) return fail(err, HEARTH_E_FORMAT, "a CLIP vocabulary without its start and end tokens");
    return status ? status : post_cls_sep(t, t->bos, t->eos, true, err);
}

/* By model_type of config.json or the beginning of tokenizer_class; the first row is for all others. */
static const struct vocab_family {
    const char *model_type, *class;
    struct str  bos, eos, unk, pad;
    int (*setup)(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err);
} vocab_families[] = {
#define END_OF_TEXT STR("<|endoftext|>")
#define ROBERTA     STR("<s>"), STR("</s>"), STR("<unk>"), STR("<pad>"), vocab_roberta
    { "gpt2", "GPT2Tokenizer", END_OF_TEXT, END_OF_TEXT, END_OF_TEXT, { 0 }, vocab_plain },
    { "roberta", "RobertaTokenizer", ROBERTA },
    { "bart", "BartTokenizer", ROBERTA },
    { "longformer", "LongformerTokenizer", ROBERTA },
    { "led", "LEDTokenizer", ROBERTA },
    { "blenderbot", "BlenderbotTokenizer", ROBERTA },
    { "clip", "CLIPTokenizer", STR("<|startoftext|>"), END_OF_TEXT, END_OF_TEXT, END_OF_TEXT, vocab_clip },
    { "clip_text_model", "CLIPTokenizer", STR("<|startoftext|>"), END_OF_TEXT, END_OF_TEXT, END_OF_TEXT, vocab_clip },
    { "whisper", "WhisperTokenizer", END_OF_TEXT, END_OF_TEXT, END_OF_TEXT, { 0 }, whisper_setup },
};

static const struct vocab_family *vocab_family_find(const struct hf_config *h)
{
    for (size_t i = 1; i < sizeof vocab_families / sizeof *vocab_families; i++) {
        const struct vocab_family *f = &vocab_families[i];
        if (str_is(h->model_type, f->model_type) || (h->kind.n && str_starts(h->kind, str_from(f->class)))) return f;
    }
    return &vocab_families[0];
}

static int vocab_open(struct tokenizer *t, const struct place *p, struct hearth_error *err)
{
    struct hf_config h = { .add_bos = -1, .add_eos = -1, .want_added = true };
    const size_t stem = strlen(p->path) - strlen("vocab.json"); /* "merges.txt" is as long */
    struct buf vocab, merges;
    buf_init(&vocab, PATH_BYTES_MAX);
    buf_init(&merges, PATH_BYTES_MAX);
    buf_put(&vocab, p->path, stem);
    buf_puts(&vocab, "vocab.json");
    buf_put(&merges, p->path, stem);
    buf_puts(&merges, "merges.txt");
    int status = vocab.failed || merges.failed ? fail_memory(err, PATH_BYTES_MAX, "a path")
                                               : tokenizer_vocab_read(t, vocab.p, merges.p, err);
    buf_free(&vocab);
    buf_free(&merges);
    if (status) return status;
    if (!p->folder) return byte_level_setup(t, err);
    status = hf_config_read(t, p->folder, &h, err);
    if (status) return status;
    const struct vocab_family *f = vocab_family_find(&h);
    if (!h.bos.p) h.bos = f->bos;
    if (!h.eos.p) h.eos = f->eos;
    if (!h.unk.p) h.unk = f->unk;
    if (!h.pad.p) h.pad = f->pad;
    status = f->setup(t, &h, err);
    return status ? status : tokenizer_recognise(t, err);
}

static int llama2c_open(struct tokenizer *t, const struct place *p, struct hearth_error *err)
{
    const struct kv *n = p->model ? container_kv(p->model, "llama2c.vocab_size") : NULL;
    return tokenizer_llama2c_read(t, p->path, n && n->type == KV_INT ? n->i : -1, err);
}

/* Classes whose vocab.txt is read as BERT's is. */
static int words_class_check(struct str class, struct hearth_error *err)
{
    static const char *const known[] = { "Bert", "DistilBert", "Electra", "NomicBert", "MobileBert", "ConvBert", "SqueezeBert",
                                         "LayoutLM", "Lxmert", "RetriBert", "Realm", "DPRContextEncoder",
                                         "DPRQuestionEncoder", "DPRReader", "PreTrained" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct str rest = class;
        if (!str_starts(class, str_from(known[i]))) continue;
        rest = str_sub(class, strlen(known[i]), class.n);
        if (str_is(rest, "Tokenizer") || str_is(rest, "TokenizerFast")) return 0;
    }
    return class.n == 0 ? 0
                        : fail(err, HEARTH_E_UNSUPPORTED, "a vocab.txt of the tokenizer class %.*s is not known to hearth",
                               STR_ARG(class));
}

static int words_open(struct tokenizer *t, const struct place *p, struct hearth_error *err)
{
    struct hf_config h = { .unk = STR("[UNK]"), .cls = STR("[CLS]"), .sep = STR("[SEP]"), .pad = STR("[PAD]"),
                           .mask = STR("[MASK]"), .want_added = true, .roles_special = true,
                           .lower_case = -1, .strip_accents = -1, .chinese_chars = -1 };
    int status = p->folder ? hf_config_read(t, p->folder, &h, err) : 0;
    if (!status) status = words_class_check(h.kind, err);
    return status ? status : tokenizer_words_read(t, p->path, &h, err);
}

typedef int place_open(struct tokenizer *t, const struct place *p, struct hearth_error *err);

static int place_read(struct tokenizer **out, const struct place *p, place_open *open, struct hearth_error *err)
{
    struct tokenizer *t = tokenizer_new(err);
    return t ? tokenizer_done(t, open(t, p, err), p->path, out, err) : HEARTH_E_MEMORY;
}

/* ---- a folder */

static const struct {
    const char *name;
    place_open *open;
} folder_files[] = {
    { "tokenizer.json", json_open },
    { "tokenizer.model", spm_open },
    { "spiece.model", spm_open },
    { "sentencepiece.bpe.model", spm_open },
    { "source.spm", spm_open },
    { "tekken.json", tekken_open },
    { "tiktoken.model", tiktoken_open },
    { "vocab.json", vocab_open },
    { "vocab.txt", words_open },
};

/* Else files whose names begin and end so. */
static const struct {
    const char *begin, *end;
    place_open *open;
} folder_patterns[] = {
    { "", ".tiktoken", tiktoken_open },
    { "rwkv_vocab", ".txt", rwkv_open },
    { "", "vocab.json", vocab_open },
};

/* The only file of a folder with such a name: 1, and its path in out; 0: none or several. */
static int pattern_find(const char *folder, const char *begin, const char *end, struct buf *out)
{
    DIR *dir = opendir(folder);
    int n = 0;
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        const struct str name = str_from(entry->d_name);
        if (!str_starts(name, str_from(begin)) || !str_ends(name, str_from(end))) continue;
        n++;
        file_join(out, folder, entry->d_name);
    }
    if (dir) closedir(dir);
    return n == 1;
}

/* A tokenizer without a file. */
static int bytes_open(struct tokenizer **out, const char *folder, struct hearth_error *err)
{
    struct tokenizer *t = tokenizer_new(err);
    if (!t) return HEARTH_E_MEMORY;
    const int status = bytes_family_read(t, folder, err);
    if (status != 1) return tokenizer_done(t, status, folder, out, err);
    tokenizer_close(t);
    return 1;
}

/* 1: the folder has no tokenizer file. */
static int folder_open(struct tokenizer **out, const char *folder, const struct container *model, struct hearth_error *err)
{
    struct buf path;
    int status = 1;
    buf_init(&path, PATH_BYTES_MAX);
    for (size_t i = 0; i < sizeof folder_files / sizeof *folder_files && status == 1; i++) {
        file_join(&path, folder, folder_files[i].name);
        if (path.failed) status = fail_memory(err, PATH_BYTES_MAX, "a path");
        else if (file_kind(path.p) == FILE_REGULAR)
            status = place_read(out, &(struct place){ path.p, folder, model }, folder_files[i].open, err);
    }
    if (status == 1) status = bytes_open(out, folder, err);
    for (size_t i = 0; i < sizeof folder_patterns / sizeof *folder_patterns && status == 1; i++)
        if (pattern_find(folder, folder_patterns[i].begin, folder_patterns[i].end, &path))
            status = place_read(out, &(struct place){ path.p, folder, model }, folder_patterns[i].open, err);
    buf_free(&path);
    return status;
}

/* llama2.c: tokN.bin (N tokens), tokenizer.bin, or any tok*.bin beside the model with the right number of tokens. */
static int beside_llama2c(struct tokenizer **out, const struct container *c, int64_t n_vocab, struct hearth_error *err)
{
    char own[40];
    struct buf path;
    struct hearth_error why = { 0 };
    int status = HEARTH_E_NOT_FOUND;
    snprintf(own, sizeof own, "tok%lld.bin", (long long)n_vocab);
    const char *const names[] = { own, "tokenizer.bin" };
    buf_init(&path, PATH_BYTES_MAX);
    for (int i = 0; i < 2 && status; i++) {
        file_join(&path, c->folder, names[i]);
        if (!path.failed && file_kind(path.p) == FILE_REGULAR)
            status = place_read(out, &(struct place){ path.p, NULL, c }, llama2c_open, &why);
    }
    DIR *dir = status ? opendir(c->folder) : NULL;
    for (struct dirent *entry; dir && status && (entry = readdir(dir));) {
        if (!str_starts(str_from(entry->d_name), STR("tok")) || !path_ends(entry->d_name, ".bin")) continue;
        file_join(&path, c->folder, entry->d_name);
        if (!path.failed && file_kind(path.p) == FILE_REGULAR)
            status = place_read(out, &(struct place){ path.p, NULL, c }, llama2c_open, &why);
    }
    if (dir) closedir(dir);
    buf_free(&path);
    if (!status) return 0;
    if (status != HEARTH_E_NOT_FOUND) return fail(err, status, "%s", why.text);
    return fail(err, HEARTH_E_NOT_FOUND, "the model has no tokenizer: put %s or tokenizer.bin (%lld tokens) beside it in %s", own,
                (long long)n_vocab, c->folder);
}

/* ---- a model */

/* Roles that the tokenizer's own files leave open are told by the configuration of the model. */
static int32_t config_id(const struct tokenizer *t, const struct container *c, const char *key)
{
    const struct kv *kv = container_kv(c, key);
    struct kv first;
    if (kv && kv->type == KV_ARRAY) {
        struct kv_iter it;
        kv_iterate(&it, c, kv);
        kv = kv_next(&it, &first) ? &first : NULL;
    }
    const int64_t id = kv && kv->type == KV_INT ? kv->i : -1;
    return id >= 0 && id <= INT32_MAX && tokenizer_content(t, (int32_t)id).n ? (int32_t)id : -1;
}

int tokenizer_open_model(struct tokenizer **out, const struct container *c, struct hearth_error *err)
{
    *out = NULL;
    if (container_kv(c, "tokenizer.ggml.model")) {
        struct tokenizer *t = tokenizer_new(err);
        if (!t) return HEARTH_E_MEMORY;
        t->in_container = true;
        const int status = tokenizer_done(t, tokenizer_gguf_read(t, c, err), c->path, out, err);
        if (!status) t->source = "gguf";
        return status;
    }
    const struct kv *n = container_kv(c, "llama2c.vocab_size");
    if (n && n->type == KV_INT) return beside_llama2c(out, c, n->i, err);
    const int status = folder_open(out, c->folder, c, err);
    if (status == 1)
        return fail(
            err, HEARTH_E_NOT_FOUND,
            "the model has no tokenizer: put tokenizer.json, tokenizer.model, spiece.model, vocab.txt or vocab.json and "
            "merges.txt into %s",
            c->folder);
    if (status) return status;
    if ((*out)->bos < 0) (*out)->bos = config_id(*out, c, "bos_token_id");
    if ((*out)->eos < 0) (*out)->eos = config_id(*out, c, "eos_token_id");
    if ((*out)->pad < 0) (*out)->pad = config_id(*out, c, "pad_token_id");
    return 0;
}

/* ---- any path */

/* The tokenizer of a container that nobody else holds; it stays open where token texts lie in it. */
static int container_take(struct tokenizer **out, struct container *c, struct hearth_error *err)
{
    const int status = tokenizer_open_model(out, c, err);
    if (!status && (*out)->in_container) (*out)->owned = c;
    else container_close(c);
    return status;
}

static bool is_json(struct file_map m)
{
    struct json j;
    json_init(&j, (struct str){ (const char *)m.p, m.n }, NULL);
    return json_next(&j) == JSON_OBJECT;
}

/* A protocol buffer whose first field is a short message with a string in front: the first piece. */
static bool is_sentencepiece(struct file_map m)
{
    return m.n > 3 && m.p[0] == 0x0a && m.p[1] < 0x80 && m.p[2] == 0x0a;
}

/* The reader for a file by its name and bytes; NULL: it must be a model. */
static int file_sniff(const char *path, place_open **open, struct hearth_error *err)
{
    struct file_map m;
    const int status = file_map(&m, path, err);
    if (status) return status;
    if (path_ends(path, "vocab.json") || path_ends(path, "merges.txt")) *open = vocab_open;
    else if (path_ends(path, "vocab.txt")) *open = words_open;
    else if (is_json(m)) *open = tokenizer_tekken_fits(m) ? tekken_open : json_open;
    else if (is_sentencepiece(m)) *open = spm_open;
    else if (tokenizer_tiktoken_fits(m)) *open = tiktoken_open;
    else if (tokenizer_rwkv_fits(m)) *open = rwkv_open;
    else if (tokenizer_llama2c_fits(m)) *open = llama2c_open;
    file_unmap(&m);
    return 0;
}

int tokenizer_open_file(struct tokenizer **out, const char *path, struct hearth_error *err)
{
    struct container *c = NULL;
    place_open *open = NULL;
    int status;
    *out = NULL;
    if (file_kind(path) == FILE_FOLDER) { /* the configuration of a model helps, but a tokenizer does without */
        if (!container_open(&c, path, NULL)) return container_take(out, c, err);
        status = folder_open(out, path, NULL, err);
        return status == 1
                   ? fail(err, HEARTH_E_NOT_FOUND,
                          "%s has no tokenizer.json, tokenizer.model, spiece.model, vocab.json nor vocab.txt",
                          path)
                   : status;
    }
    status = file_sniff(path, &open, err);
    if (status) return status;
    if (open) return place_read(out, &(struct place){ .path = path }, open, err);
    status = container_open(&c, path, err);
    return status ? status : container_take(out, c, err);
}
