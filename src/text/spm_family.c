/* What families make of a SentencePiece file in their folders: other ids, tokens behind the pieces, tokens around a text. The
 * tokenizer's class tells the family, or else the model's type, or else the name of the file. Rules are those of the
 * tokenizer classes of transformers (huggingface/transformers). */
#include <stdio.h>

#include "text/spm_family.h"
#include "text/tokenizer_int.h"

enum { PATH_BYTES_MAX = 1 << 16, EXTRA_IDS = 100, EXTRA_IDS_MAX = 10000, BYT5_EXTRA_IDS = 125, PEGASUS_OFFSET = 103,
       NAME_BYTES = 64 };

/* ---- tokens behind the pieces */

struct tail {
    struct tokenizer       *t;
    const struct hf_config *h;
    uint32_t                next; /* the id of the next token */
};

/* A token that the folder's files have added already keeps the id that it has there. */
static int tail_put(struct tail *a, struct str name, bool lstrip, struct hearth_error *err)
{
    const struct added token = { .content = name, .id = a->next++, .special = true, .lstrip = lstrip };
    return tokenizer_find(a->t, name) >= 0 ? 0 : tokenizer_add_token(a->t, &token, err);
}

static int tail_mask(struct tail *a, struct hearth_error *err)
{
    return tail_put(a, STR("<mask>"), true, err);
}

/* XGLM's embedding has seven rows more than there are pieces. */
static int tail_madeup(struct tail *a, struct hearth_error *err)
{
    int status = 0;
    for (int i = 0; i < 7 && !status; i++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "<madeupword%d>", i);
        status = tail_put(a, str_from(name), false, err);
    }
    return status;
}

static int extra_ids_count(const struct hf_config *h, int64_t absent, int64_t *n, struct hearth_error *err)
{
    *n = h->extra_ids >= 0 ? h->extra_ids : absent;
    return *n <= EXTRA_IDS_MAX ? 0 : fail(err, HEARTH_E_UNSUPPORTED, "extra_ids is %lld", (long long)*n);
}

/* T5's sentinels, the first one last. */
static int tail_sentinels(struct tail *a, struct hearth_error *err)
{
    int64_t n;
    int status = extra_ids_count(a->h, EXTRA_IDS, &n, err);
    while (n-- > 0 && !status) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "<extra_id_%lld>", (long long)n);
        status = tail_put(a, str_from(name), false, err);
    }
    return status;
}

/* CamemBERT: fairseq's four tokens before those of the file. */
static int tail_camembert(struct tail *a, struct hearth_error *err)
{
    static const char *const first[] = { "<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED" };
    const uint32_t end = a->next;
    int status = 0;
    a->next = 0;
    for (size_t i = 0; i < sizeof first / sizeof *first && !status; i++) status = tail_put(a, str_from(first[i]), false, err);
    a->next = end;
    return status ? status : tail_mask(a, err);
}

/* PEGASUS: what only its training knew stands between the first two pieces and the others. */
static int tail_pegasus(struct tail *a, struct hearth_error *err)
{
    const uint32_t end = a->next;
    const int64_t offset = a->h->offset >= 0 ? a->h->offset : PEGASUS_OFFSET;
    int status = 0;
    if (offset == 0) return 0;
    a->next = 2;
    status = tail_put(a, STR("<mask_1>"), false, err);
    if (!status) status = tail_put(a, a->h->mask.n ? a->h->mask : STR("<mask_2>"), false, err);
    for (int64_t i = 2; i < offset && !status; i++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "<unk_%lld>", (long long)i);
        status = tail_put(a, str_from(name), false, err);
    }
    a->next = end;
    return status;
}

/* ALBERT's mask is a control token of the file. */
static int tail_albert(struct tail *a, struct hearth_error *err)
{
    const struct str name = a->h->mask.n ? a->h->mask : STR("[MASK]");
    const int32_t id = tokenizer_find(a->t, name);
    const struct added token = { .content = name, .id = (uint32_t)id, .special = true, .lstrip = true };
    return id < 0 ? tail_put(a, name, true, err) : tokenizer_add_token(a->t, &token, err);
}

/* OPUS-MT: ">>fra<<" before a text says into which language. */
static int tail_marian(struct tail *a, struct hearth_error *err)
{
    int status = 0;
    if (a->h->separate_vocabs == 1)
        return fail(err, HEARTH_E_UNSUPPORTED, "a Marian tokenizer with \"separate_vocabs\" is not known to hearth");
    const int32_t begin = tokenizer_find(a->t, STR("<s>")); /* of the file, but none of the model's */
    if (begin >= 0) a->t->vocab.type[begin] = TOKEN_NONE;
    a->t->bos = -1;
    for (uint32_t id = 0; id < a->next && !status; id++) {
        const struct added code = { .content = vocab_text(&a->t->vocab, id), .id = id };
        if (str_starts(code.content, STR(">>")) && str_ends(code.content, STR("<<")))
            status = tokenizer_add_token(a->t, &code, err);
    }
    return status;
}

/* ---- steps before SentencePiece's own */

static int first_albert(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err)
{
    struct step_args a;
    step_args_defaults(&a);
    a.type = STR("Strip");
    a.left = a.right = true;
    int status = normalize_add(t, &a, err);
    a.type = STR("Replace");
    a.content = STR(" ");
    a.pattern = STR("\\s+");
    a.pattern_is_regex = true;
    if (!status) status = normalize_add(t, &a, err);
    a.pattern_is_regex = false;
    a.content = STR("\"");
    a.pattern = STR("``");
    if (!status) status = normalize_add(t, &a, err);
    a.pattern = STR("''");
    if (!status) status = normalize_add(t, &a, err);
    a.type = STR("NFKD");
    if (!status && h->keep_accents != 1) status = normalize_add(t, &a, err);
    a.type = STR("StripAccents");
    if (!status && h->keep_accents != 1) status = normalize_add(t, &a, err);
    a.type = STR("Lowercase");
    return status || h->lower_case == 0 ? status : normalize_add(t, &a, err);
}

/* ---- families */

enum join { JOIN_NONE, JOIN_BERT, JOIN_ROBERTA }; /* cls A sep; two texts as BERT or as RoBERTa joins them */

struct spm_family {
    const char *const *classes, *const *types; /* tokenizer_class without "Fast", model_type; end in NULL */
    const char        *before, *after;         /* around a text: b = BOS, e = EOS, l = language */
    int (*tail)(struct tail *a, struct hearth_error *err);
    int (*first)(struct tokenizer *t, const struct hf_config *h, struct hearth_error *err);
    const char *const *languages;
    const char        *language, *around; /* the language when none is named; what stands around its name */
    struct str         bos, eos, unk, pad; /* where no file says them */
    const struct spm_numbers *numbers;
    bool               named;             /* ids are those of vocab.json */
    bool               pad_first;         /* id 1 is <pad>, which is in no file */
    enum join          join;
    bool               legacy;            /* "legacy": false asks for one dummy space a text, not one behind every added token */
    bool               prefix_once;       /* the same, always */
};

#define NAMES(...) (const char *const[]){ __VA_ARGS__, NULL }
#define ROLES(b, e, u, p) .bos = STR(b), .eos = STR(e), .unk = STR(u), .pad = STR(p)
#define FAIRSEQ .numbers = &fairseq, .pad_first = true, ROLES("<s>", "</s>", "<unk>", "<pad>")

/* fairseq put <s> <pad> </s> <unk> in front of pieces that began <unk> <s> </s>. */
static const struct spm_numbers fairseq = { (const uint8_t[]){ 3, 0, 2 }, 3, 1, true },
                                camembert = { (const uint8_t[]){ 3 }, 1, 4, true },
                                pegasus = { (const uint8_t[]){ 0, 1 }, 2, PEGASUS_OFFSET, false };

static const struct spm_family families[] = {
    { NAMES("LlamaTokenizer", "GemmaTokenizer"), NAMES("llama", "gemma"), .before = "b", .after = "", .legacy = true },
    { NAMES("CodeLlamaTokenizer"), NAMES("code_llama"), .before = "b", .after = "", .prefix_once = true },
    { NAMES("T5Tokenizer", "MT5Tokenizer"), NAMES("t5", "mt5", "umt5", "longt5", "switch_transformers", "pix2struct", "musicgen"),
      .before = "", .after = "e", .tail = tail_sentinels, .legacy = true },
    { NAMES("XLMRobertaTokenizer"), NAMES("xlm-roberta", "xlm-roberta-xl", "xmod", "gte", "jina_embeddings_v3"), .before = "b",
      .after = "e", .tail = tail_mask, FAIRSEQ, .join = JOIN_ROBERTA },
    { NAMES("CamembertTokenizer"), NAMES("camembert"), .before = "b", .after = "e", .tail = tail_camembert,
      .numbers = &camembert, ROLES("<s>", "</s>", "<unk>", "<pad>"), .join = JOIN_ROBERTA },
    { NAMES("XGLMTokenizer"), NAMES("xglm"), .before = "e", .after = "", .tail = tail_madeup, FAIRSEQ },
    { NAMES("MBartTokenizer"), NAMES("mbart"), .before = "", .after = "el", .tail = tail_mask, .languages = languages_mbart,
      .language = "en_XX", .around = "", FAIRSEQ },
    { NAMES("MBart50Tokenizer"), NAMES("mbart50"), .before = "l", .after = "e", .tail = tail_mask,
      .languages = languages_mbart50, .language = "en_XX", .around = "", FAIRSEQ },
    { NAMES("NllbTokenizer"), NAMES("nllb", "nllb-moe"), .before = "l", .after = "e", .tail = tail_mask,
      .languages = languages_nllb, .language = "eng_Latn", .around = "", FAIRSEQ },
    { NAMES("M2M100Tokenizer"), NAMES("m2m_100"), .before = "l", .after = "e", .languages = languages_m2m, .language = "en",
      .around = "__", .named = true, ROLES("<s>", "</s>", "<unk>", "<pad>") },
    { NAMES("MarianTokenizer"), NAMES("marian"), .before = "", .after = "e", .tail = tail_marian, .named = true,
      ROLES("", "</s>", "<unk>", "<pad>") },
    { NAMES("PegasusTokenizer"), NAMES("pegasus", "pegasus_x", "bigbird_pegasus"), .before = "", .after = "e",
      .tail = tail_pegasus, .numbers = &pegasus, ROLES("", "</s>", "<unk>", "<pad>") },
    { NAMES("AlbertTokenizer"), NAMES("albert"), .before = "b", .after = "e", .tail = tail_albert, .first = first_albert,
      ROLES("[CLS]", "[SEP]", "<unk>", "<pad>"), .join = JOIN_BERT },
};

/* Files whose folder says nothing more. */
static const struct spm_family any_model = { .before = "b", .after = "", .legacy = true },
                               any_spiece = { .before = "", .after = "e" };

/* Classes with rules of their own that are not written yet. */
static const char *const unknown_classes[] = {
    "BarthezTokenizer", "BartphoTokenizer", "BertGenerationTokenizer", "BigBirdTokenizer",
    "CpmTokenizer", "DebertaV2Tokenizer", "FNetTokenizer", "GPTSw3Tokenizer", "LayoutXLMTokenizer",
    "MLukeTokenizer", "PLBartTokenizer", "ReformerTokenizer", "RemBertTokenizer",
    "SeamlessM4TTokenizer", "SiglipTokenizer", "Speech2TextTokenizer", "SpeechT5Tokenizer", "UdopTokenizer", "XLNetTokenizer",
};

static bool is_among(struct str name, const char *const *names)
{
    for (; *names; names++)
        if (str_is(name, *names)) return true;
    return false;
}

static int family_find(const struct hf_config *h, const char *path, const struct spm_family **out, struct hearth_error *err)
{
    const size_t n = sizeof families / sizeof *families;
    *out = NULL;
    for (size_t i = 0; i < n && h->kind.n && !*out; i++)
        if (is_among(h->kind, families[i].classes)) *out = &families[i];
    for (size_t i = 0; i < sizeof unknown_classes / sizeof *unknown_classes && !*out; i++)
        if (str_is(h->kind, unknown_classes[i]))
            return fail(err, HEARTH_E_UNSUPPORTED, "the tokenizer class %s is not known to hearth; a tokenizer.json would do",
                        unknown_classes[i]);
    for (size_t i = 0; i < n && h->model_type.n && !*out; i++)
        if (is_among(h->model_type, families[i].types)) *out = &families[i];
    if (*out) return 0;
    if (str_ends(str_from(path), STR("sentencepiece.bpe.model")))
        return fail(err, HEARTH_E_UNSUPPORTED,
                    "sentencepiece.bpe.model is numbered anew by most families: open a folder that says which "
                    "(tokenizer_config.json, config.json)");
    *out = str_ends(str_from(path), STR("spiece.model")) ? &any_spiece : &any_model;
    return 0;
}

/* ---- putting it together */

/* The name of a language token in `name`. */
static struct str language_name(const struct spm_family *f, struct str code, char name[NAME_BYTES])
{
    const int n = snprintf(name, NAME_BYTES, "%s%.*s%s", f->around, (int)(code.n < 40 ? code.n : 40), code.p, f->around);
    return (struct str){ name, (size_t)n };
}

static int tail_languages(struct tail *a, const struct spm_family *f, struct hearth_error *err)
{
    const bool wmt21 = str_is(a->h->language_codes, "wmt21");
    int status = 0;
    for (const char *const *code = wmt21 ? languages_wmt21 : f->languages; *code && !status; code++) {
        char name[NAME_BYTES];
        status = tail_put(a, language_name(f, str_from(*code), name), false, err);
    }
    return status;
}

/* Tokens that are only named: those of the vocabulary count as special, new ones get ids at the end. */
static int tail_special(struct tail *a, struct hearth_error *err)
{
    int status = 0;
    for (uint32_t i = 0; i < a->t->n_added; i++)
        if (a->t->added[i].id >= a->next) a->next = a->t->added[i].id + 1;
    for (uint32_t i = 0; i < a->h->n_special && !status; i++) {
        const int32_t known = tokenizer_find(a->t, a->h->special[i]);
        if (known < 0) status = tail_put(a, a->h->special[i], false, err);
        else if ((uint32_t)known < a->t->vocab.n) a->t->vocab.type[known] = TOKEN_CONTROL;
    }
    return status;
}

static int template_ids(struct tokenizer *t, const char *roles, bool after, int32_t language, struct hearth_error *err)
{
    int status = 0;
    for (; *roles && !status; roles++) {
        const int32_t id = *roles == 'b' ? t->bos : *roles == 'e' ? t->eos : language;
        if (id >= 0) status = tokenizer_add_template(t, after, id, err);
    }
    return status;
}

static int template_put(struct tokenizer *t, const struct spm_family *f, const struct hf_config *h, struct hearth_error *err)
{
    const char *before = f->before, *after = f->after;
    int32_t language = -1;
    if (f->languages) {
        char name[NAME_BYTES];
        const struct str code = h->src_lang.n ? h->src_lang : str_from(f->language);
        language = tokenizer_find(t, language_name(f, code, name));
        if (language < 0) return fail(err, HEARTH_E_FORMAT, "the language \"%.*s\" has no token", STR_ARG(code));
        if (h->legacy_behaviour == 1) before = "", after = "el";
    } else if (h->add_bos >= 0 || h->add_eos >= 0) {
        if (h->add_bos >= 0) before = h->add_bos ? "b" : "";
        if (h->add_eos >= 0) after = h->add_eos ? "e" : "";
    }
    if (f->join && h->add_bos < 0 && h->add_eos < 0 && t->bos >= 0 && t->eos >= 0)
        return post_cls_sep(t, t->bos, t->eos, f->join == JOIN_ROBERTA, err);
    const int status = template_ids(t, before, false, language, err);
    return status ? status : template_ids(t, after, true, language, err);
}

/* The path of vocab.json in the folder; empty: there is none. */
static int named_path(const char *folder, struct buf *path, struct hearth_error *err)
{
    file_join(path, folder, "vocab.json");
    if (path->failed) return fail_memory(err, PATH_BYTES_MAX, "a path");
    if (file_kind(path->p) != FILE_REGULAR) buf_clear(path);
    return 0;
}

/* What vocab.json lacks becomes its token for that, whatever piece the file has for it. */
static int unknown_named(struct tokenizer *t, struct str unk, struct hearth_error *err)
{
    const int32_t id = tokenizer_find(t, unk);
    if (id < 0 || (uint32_t)id >= t->n_named)
        return fail(err, HEARTH_E_FORMAT, "vocab.json lacks pieces of the file and has no \"%.*s\" for them", STR_ARG(unk));
    t->unknown = t->unk = id;
    return 0;
}

static int family_read(struct tokenizer *t, const char *path, const char *folder, const struct hf_config *h, struct spm_family f,
                       struct hearth_error *err)
{
    struct tail tail = { .t = t, .h = h };
    struct buf vocab;
    int status = 0;
    buf_init(&vocab, PATH_BYTES_MAX);
    if (f.named) status = named_path(folder, &vocab, err);
    if (f.named && vocab.n == 0) f.languages = NULL, f.before = ""; /* the file numbers its pieces itself */
    if (!status && vocab.n == 0 && str_ends(str_from(path), STR("source.spm")))
        status = fail(err, HEARTH_E_NOT_FOUND, "source.spm needs the vocab.json that numbers its pieces");
    if (!status && f.first) status = f.first(t, h, err);
    if (!status) status = tokenizer_spm_read(t, path, f.numbers, vocab.n ? vocab.p : NULL, err);
    buf_free(&vocab);
    if (status) return status;
    if (t->n_named) status = unknown_named(t, h->unk, err);
    if (status) return status;
    tail.next = t->n_named ? t->n_named : t->vocab.n;
    if (f.pad_first && tokenizer_find(t, STR("<pad>")) < 0) /* fairseq's second token is in no file */
        status = tokenizer_add_token(t, &(struct added){ .content = STR("<pad>"), .id = 1, .special = true }, err);
    if (!status && f.languages) status = tail_languages(&tail, &f, err);
    if (!status && f.tail) status = f.tail(&tail, err);
    if (!status) status = tail_special(&tail, err);
    if (status) return status;
    tokenizer_roles(t, h);
    t->prefix_once = f.prefix_once || (f.legacy && h->legacy == 0);
    status = template_put(t, &f, h, err);
    return status ? status : tokenizer_recognise(t, err);
}

static int folder_read(struct tokenizer *t, const char *path, const char *folder, struct hf_config *h, struct spm_family f,
                       struct hearth_error *err)
{
    if (!h->bos.p) h->bos = f.bos;
    if (!h->eos.p) h->eos = f.eos;
    if (!h->unk.p) h->unk = f.unk;
    if (!h->pad.p) h->pad = f.pad;
    if (f.numbers == &pegasus && h->offset == 0) f.numbers = NULL;
    else if (f.numbers == &pegasus && h->offset > 0 && h->offset != PEGASUS_OFFSET)
        return fail(err, HEARTH_E_UNSUPPORTED, "a Pegasus tokenizer with \"offset\": %lld is not known to hearth",
                    (long long)h->offset);
    return family_read(t, path, folder, h, f, err);
}

int spm_family_read(struct tokenizer *t, const char *path, const char *folder, struct hearth_error *err)
{
    struct hf_config h = { .add_bos = -1, .add_eos = -1, .legacy = -1, .legacy_behaviour = -1, .extra_ids = -1,
                           .want_added = true };
    const struct spm_family *f = NULL;
    int status = folder ? hf_config_read(t, folder, &h, err) : 0;
    if (!status) status = family_find(&h, path, &f, err);
    if (status) return status;
    if (folder) return folder_read(t, path, folder, &h, *f, err);
    status = tokenizer_spm_read(t, path, NULL, NULL, err);
    return status ? status : template_put(t, f, &h, err);
}

/* ---- ByT5: bytes behind three special tokens */

static int bytes_vocab(struct tokenizer *t, struct hearth_error *err)
{
    static const char *const first[] = { "<pad>", "</s>", "<unk>" };
    int status = 0;
    for (uint32_t id = 0; id < 3 + 256 && !status; id++) {
        const char byte = (char)(id - 3);
        struct token token = { .id = id, .type = id < 3 ? TOKEN_CONTROL : TOKEN_NORMAL, .copy = true };
        token.text = id < 3 ? str_from(first[id]) : (struct str){ &byte, 1 };
        status = vocab_add(&t->vocab, &token, err);
        if (id >= 3 || status) continue;
        const struct added a = { .content = token.text, .id = id, .special = true, .lstrip = true, .rstrip = true };
        status = tokenizer_add_token(t, &a, err);
    }
    return status;
}

int bytes_family_read(struct tokenizer *t, const char *folder, struct hearth_error *err)
{
    struct hf_config h = { 0 };
    int64_t n;
    int status = hf_config_read(t, folder, &h, err);
    if (status) return status;
    if (!str_is(h.kind, "ByT5Tokenizer") && !str_is(h.model_type, "byt5")) return 1;
    t->pad = 0;
    t->eos = 1;
    t->unk = t->unknown = 2;
    t->eos_once = true;
    status = extra_ids_count(&h, BYT5_EXTRA_IDS, &n, err);
    if (!status) status = bytes_vocab(t, err);
    if (!status) status = greedy_setup(t, err);
    struct tail tail = { .t = t, .h = &h, .next = t->vocab.n };
    for (int64_t i = 0; i < n && !status; i++) { /* here the first one comes first */
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "<extra_id_%lld>", (long long)i);
        status = tail_put(&tail, str_from(name), false, err);
    }
    if (!status) tokenizer_roles(t, &h);
    return status ? status : tokenizer_add_template(t, true, t->eos, err);
}
