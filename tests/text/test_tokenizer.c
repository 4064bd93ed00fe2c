/* Tokenizers against recorded references: real tokenizers (tokenizers and sentencepiece libraries), GGUF vocabularies (ids of
 * the original tokenizers as llama.cpp ships them), the golden models, llama2.c. */
#include "text_data.h"

#include <dirent.h>
#include <time.h>

#include "golden_data.h"

/* ---- real tokenizers, 311 texts each */

static const struct real {
    const char *name, *file;
    bool        special;
} reals[] = {
    { "gpt2", "gpt2.vocab.json", false },
    { "bert-base-uncased", "bert-base-uncased.tokenizer.json", true },
    { "roberta-base", "roberta-base.tokenizer.json", true },
    { "whisper.tiny", "whisper.tiny.tokenizer.json", true },
    { "clip", "clip.tokenizer.json", true },
    { "t5-small", "t5-small.tokenizer.json", true },
    { "llama2.tokenizer.model", "llama2.tokenizer.model", false },
    { "test_model.model", "test_model.model", false },
    { "test_ja_model.model", "test_ja_model.model", false },
    { "rwkv_vocab_v20230424", "rwkv_vocab_v20230424.txt", false },
};

/* Moves j behind "key": inside the object whose brace was read. */
static void json_find(struct json *j, const char *key)
{
    while (json_next(j) == JSON_KEY) {
        if (json_is(j, key)) return;
        assert_int_equal(json_skip(j, JSON_KEY), 0);
    }
    fail_msg("no member %s", key);
}

static void real_check(const struct real *r, struct json texts, struct json ids)
{
    const char *path = hearth_shared("data/tokenizers");
    struct tokenizer *t = text_open(test_path(path, r->file));
    struct buf text;
    size_t n = 0;
    buf_init(&text, 1 << 20);
    assert_int_equal(json_next(&texts), JSON_ARRAY);
    assert_int_equal(json_next(&ids), JSON_ARRAY);
    for (; json_next(&texts) == JSON_STRING; n++) {
        buf_clear(&text);
        json_text(&texts, &text);
        assert_int_equal(json_next(&ids), JSON_ARRAY);
        struct ids expected = text_read_ids(&ids), v = text_encode(t, buf_str(&text), r->special);
        text_assert_ids(r->name, buf_str(&text), &v, &expected);
        ids_free(&v);
        ids_free(&expected);
    }
    assert_int_equal(n, 311);
    buf_free(&text);
    tokenizer_close(t);
}

static void real_tokenizers(void **state)
{
    (void)state;
    const char *cases = hearth_shared("golden/tokenizers/cases.json.xz");
    char command[4200];
    size_t n = 0;
    if (!cases) SKIP("no shared/golden/tokenizers");
    snprintf(command, sizeof command, "xz -dc '%s'", cases);
    char *text = text_command(command, &n);
    if (!text) SKIP("xz cannot unpack the cases");
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        struct json j, texts;
        json_init(&j, (struct str){ text, n }, NULL);
        assert_int_equal(json_next(&j), JSON_OBJECT);
        json_find(&j, "texts");
        texts = j;
        assert_int_equal(json_skip(&j, JSON_KEY), 0);
        json_find(&j, "ids");
        assert_int_equal(json_next(&j), JSON_OBJECT);
        json_find(&j, reals[i].name);
        real_check(&reals[i], texts, j);
    }
    free(text);
}

/* ---- GGUF vocabularies with .inp and .out beside them: texts between separators, one line of ids each */

static void gguf_check(const char *file)
{
    static const char separator[] = "\n__ggml_vocab_test__\n";
    const char *folder = hearth_shared("data/tokenizers");
    char inp[200], out[200];
    snprintf(inp, sizeof inp, "%s.inp", file);
    snprintf(out, sizeof out, "%s.out", file);
    struct tokenizer *t = text_open(test_path(folder, file));
    char *texts = read_file(test_path(folder, inp), NULL), *lines = read_file(test_path(folder, out), NULL);
    int n = 0;
    for (char *text = texts, *line = lines; text; n++) {
        char *end = strstr(text, separator), *newline = strchr(line, '\n');
        const struct str s = { text, end ? (size_t)(end - text) : strlen(text) };
        struct ids expected = { 0 }, v = text_encode(t, s, false);
        for (char *next; line < newline; line = next) {
            const long id = strtol(line, &next, 10);
            if (next == line || next > newline) break;
            expected.id = mem_resize(expected.id, expected.n + 1, sizeof *expected.id);
            expected.id[expected.n++] = (int32_t)id;
        }
        text_assert_ids(file, s, &v, &expected);
        ids_free(&v);
        ids_free(&expected);
        line = newline + 1;
        text = end ? end + sizeof separator - 1 : NULL;
    }
    assert_int_equal(n, 47);
    free(texts);
    free(lines);
    tokenizer_close(t);
}

static void gguf_vocabularies(void **state)
{
    (void)state;
    static const char *const files[] = { "ggml-vocab-gpt-2.gguf", "ggml-vocab-llama-spm.gguf", "ggml-vocab-falcon.gguf",
                                         "ggml-vocab-starcoder.gguf", "ggml-vocab-mpt.gguf",
                                         "ggml-vocab-bert-bge.gguf" };
    if (!hearth_shared("data/tokenizers")) SKIP("no shared/data/tokenizers");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) gguf_check(files[i]);
}

/* A GGUF from before tokenizer.ggml.pre: the architecture (gptneox) tells. MPT has the same vocabulary, with the key. */
static void gguf_without_pre(void **state)
{
    (void)state;
    const char *folder = hearth_shared("data/tokenizers");
    if (!folder) SKIP("no shared/data/tokenizers");
    struct tokenizer *neox = text_open(test_path(folder, "ggml-vocab-gpt-neox.gguf")),
                     *mpt = text_open(test_path(folder, "ggml-vocab-mpt.gguf"));
    char *text = read_file(test_path(folder, "ggml-vocab-mpt.gguf.inp"), NULL);
    struct ids a = text_encode(neox, str_from(text), false), b = text_encode(mpt, str_from(text), false);
    text_assert_ids("gpt-neox", str_from("all texts"), &a, &b);
    assert_true(a.n > 500);
    ids_free(&a);
    ids_free(&b);
    free(text);
    tokenizer_close(neox);
    tokenizer_close(mpt);
}

/* ---- every pre-tokenizer that a GGUF may name */

static void gguf_put_u64(struct buf *b, uint64_t v)
{
    buf_put(b, &v, sizeof v);
}

static void gguf_put_u32(struct buf *b, uint32_t v)
{
    buf_put(b, &v, sizeof v);
}

static void gguf_put_string(struct buf *b, const char *s)
{
    gguf_put_u64(b, strlen(s));
    buf_puts(b, s);
}

enum { GGUF_STRING = 8, GGUF_ARRAY = 9 };

static void gguf_put_key(struct buf *b, const char *key, const char *value)
{
    gguf_put_string(b, key);
    gguf_put_u32(b, GGUF_STRING);
    gguf_put_string(b, value);
}

static void gguf_put_strings(struct buf *b, const char *key, const char *const *s, size_t n)
{
    gguf_put_string(b, key);
    gguf_put_u32(b, GGUF_ARRAY);
    gguf_put_u32(b, GGUF_STRING);
    gguf_put_u64(b, n);
    for (size_t i = 0; i < n; i++) gguf_put_string(b, s[i]);
}

/* A byte-level vocabulary of six tokens, with the pre-tokenizer `pre`. */
static int gguf_with_pre(const char *pre, struct tokenizer **t, struct hearth_error *err)
{
    static const char *const tokens[] = { "a", "b", "1", "\xc4\xa0", "ab", "11" }, *const merges[] = { "a b", "1 1" };
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_puts(&b, "GGUF");
    gguf_put_u32(&b, 3);
    gguf_put_u64(&b, 0);
    gguf_put_u64(&b, 5);
    gguf_put_key(&b, "general.architecture", "gpt2");
    gguf_put_key(&b, "tokenizer.ggml.model", "gpt2");
    gguf_put_key(&b, "tokenizer.ggml.pre", pre);
    gguf_put_strings(&b, "tokenizer.ggml.tokens", tokens, 6);
    gguf_put_strings(&b, "tokenizer.ggml.merges", merges, 2);
    while (b.n % 32) buf_char(&b, 0);
    write_file(test_scratch("pre.gguf"), b.p, b.n);
    buf_free(&b);
    return tokenizer_open_file(t, test_scratch("pre.gguf"), err);
}

static void gguf_pre_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool        digits_apart;
    } names[] = {
{ "default", false }, { "gpt-2", false }, { "gpt2", false }, { "phi-2", false }, { "jina-es", false },
        { "jina-de", false }, { "jina-v2-es", false }, { "jina-v2-de", false }, { "gigachat", false }, { "a.x-4.0", false },
        { "mellum", false }, { "exaone4", false }, { "jais", false }, { "trillion", false }, { "granite-docling", false },
        { "mpt", false }, { "olmo", false }, { "modern-bert", false }, { "jina-v1-en", false }, { "jina-v2-code", false },
        { "roberta-bpe", false }, { "starcoder", true }, { "refact", true }, { "smollm", true }, { "codeshell", true },
        { "exaone", true }, { "minerva-7b", true }, { "mellum2", true }, { "command-r", true }, { "falcon", false },
        { "bloom", false }, { "poro-chat", false }, { "gpt3-finnish", false }, { "viking", true }, { "llama-bpe", false },
        { "llama3", false }, { "llama-v3", false }, { "falcon3", false }, { "falcon-h1", false }, { "pixtral", false },
        { "midm-2.0", false }, { "lfm2", false }, { "jina-v5-nano", false }, { "smaug-bpe", false }, { "dbrx", false },
        { "chatglm-bpe", false }, { "glm4", false }, { "glm5", false }, { "jais-2", false }, { "minicpm5", false },
        { "qwen2", true }, { "deepseek-r1-qwen", true }, { "megrez", true }, { "f2llmv2", true }, { "stablelm2", true },
        { "kormo", true }, { "hunyuan", true }, { "solar-open", true }, { "grok-2", true }, { "qwen35", true },
        { "ufakzeka", true }, { "laguna", true }, { "seed-coder", true }, { "bailingmoe", true }, { "bailingmoe2", true },
        { "llada-moe", true }, { "exaone-moe", true }, { "superbpe", false }, { "chameleon", true }, { "deepseek-llm", true },
        { "deepseek-coder", true }, { "deepseek-v3", false }, { "hunyuan-dense", false }, { "joyai-llm", false },
        { "hy_v4", false }, { "spark2_5", true }, { "afmoe", false }, { "tekken", true }, { "gpt-4o", false },
        { "llama4", false }, { "kanana2", false }, { "talkie", false }, { "minimax-m2", false },
        { "granite-embed-multi-97m", false }, { "tiny_aya", false }, { "cohere2moe", false }, { "youtu", true },
        { "kimi-k2", false },
    };
    struct hearth_error err = { 0 };
    struct tokenizer *t;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const int status = gguf_with_pre(names[i].name, &t, &err);
        assert_ok(status, &err);
        struct ids v = text_encode(t, STR("ab 11"), false);
        const struct ids together = { (int32_t[]){ 4, 3, 5 }, 3, 3 }, apart = { (int32_t[]){ 4, 3, 2, 2 }, 4, 4 };
        text_assert_ids(names[i].name, STR("ab 11"), &v, names[i].digits_apart ? &apart : &together);
        ids_free(&v);
        tokenizer_close(t);
    }
    const int status = gguf_with_pre("somebody-new", &t, &err);
    assert_fails(status, HEARTH_E_UNSUPPORTED, &err);
    assert_non_null(strstr(err.text, "somebody-new"));
    unlink(test_scratch("pre.gguf"));
}

/* ---- golden models: the text of expected.json gives input_ids, from every folder and every GGUF in it */

enum {
    GOLDEN_IDS   = 64,     /* as many were recorded */
    GOLDEN_BARE  = 1 << 0, /* recorded without the tokens that the tokenizer adds */
    GOLDEN_BEGUN = 1 << 1, /* recorded with a first token of the recording's own */
    GOLDEN_ENDED = 1 << 2, /* recorded with a last token behind a text that was cut */
    GOLDEN_LOSSY = 1 << 3, /* decoding does not bring the text back */
    GOLDEN_NONE  = 1 << 4, /* there is no tokenizer: the ids were those of the folder rwkv4, or no text's */
    GOLDEN_OTHER = 1 << 5, /* has another vocabulary than the folder that the ids were made with */
};

/* What is not as in all other folders. */
static const struct golden {
    const char *name, *file; /* file: NULL for the folder itself */
    int         flags;
} goldens[] = {
    { "bert", NULL, GOLDEN_LOSSY }, /* small letters, no accents */
    { "bert", "model.gguf", GOLDEN_LOSSY },
    { "bert-classifier", NULL, GOLDEN_LOSSY },
    { "distilbert", NULL, GOLDEN_LOSSY },
    { "distilbert-classifier", NULL, GOLDEN_LOSSY },
    { "electra", NULL, GOLDEN_LOSSY },
    { "nomic_bert", NULL, GOLDEN_LOSSY },
    { "byt5", NULL, GOLDEN_ENDED },
    { "mpnet", NULL, GOLDEN_NONE }, /* random ids */
    /* the converter of this architecture wants SentencePiece; the folder has GPT-2's form */
    { "nemotron", "model.gguf", GOLDEN_OTHER },
    /* llama.cpp adds BOS to a "llama-bpe" file that does not say; the recorded ids, from tokenizer.json, have none */
    { "llama3", "model.gguf", GOLDEN_BARE },
    /* the recording put </s> before the pieces; the reference puts <s> before them and </s> behind */
    { "xlm-roberta", NULL, GOLDEN_BARE | GOLDEN_BEGUN },
    { "rwkv5-cpp", NULL, GOLDEN_NONE },
    { "rwkv5-cpp", "cpp.gguf", GOLDEN_NONE },
    { "rwkv5.0", NULL, GOLDEN_NONE },
    { "rwkv5.0", "native.gguf", GOLDEN_NONE },
    { "rwkv5.1", NULL, GOLDEN_NONE },
    { "rwkv5.1", "native.gguf", GOLDEN_NONE },
    { "rwkv5.1-cpp", NULL, GOLDEN_NONE },
    { "rwkv5.1-cpp", "cpp.gguf", GOLDEN_NONE },
    { "rwkv6", "model.gguf", GOLDEN_OTHER },
    { "rwkv7-native", NULL, GOLDEN_NONE },
    { "rwkv7-native", "cpp.gguf", GOLDEN_NONE },
    { "rwkv7-native", "native.gguf", GOLDEN_NONE },
    { "rwkv7-native", "model.gguf", GOLDEN_OTHER },
};

static const char *golden_folder(const char *name)
{
    char below[200];
    snprintf(below, sizeof below, "text/%s", name);
    return hearth_golden(below);
}

static void golden_ids(const char *path, int flags, struct str text, struct ids expected)
{
    struct tokenizer *t = text_open(path);
    struct ids v = text_encode(t, text, !(flags & GOLDEN_BARE));
    struct buf back;
    text_decode(t, &v, &back);
    if (!(flags & GOLDEN_LOSSY) && !str_eq(buf_str(&back), text))
        fail_msg("%s: decoded to \"%.*s\"", path, STR_ARG(buf_str(&back)));
    if (flags & GOLDEN_BEGUN) expected.id++, expected.n--;
    if (flags & GOLDEN_ENDED) expected.n--;
    if (flags & (GOLDEN_BEGUN | GOLDEN_ENDED) || v.n > GOLDEN_IDS) v.n = v.n < expected.n ? v.n : expected.n;
    if (!(flags & GOLDEN_OTHER)) text_assert_ids(path, text, &v, &expected);
    buf_free(&back);
    ids_free(&v);
    tokenizer_close(t);
}

static void golden_none(const char *path)
{
    struct tokenizer *t = NULL;
    struct hearth_error err = { 0 };
    const int status = tokenizer_open_file(&t, path, &err);
    if (!status) fail_msg("%s: has a tokenizer", path);
    assert_fails(status, HEARTH_E_NOT_FOUND, &err);
}

/* The text of a folder and its ids in the folder, or in a file of it. */
static void golden_check(const char *folder, const char *path, int flags)
{
    if (flags & GOLDEN_NONE) {
        golden_none(path);
        return;
    }
    char *json = read_file(test_path(folder, "expected.json"), NULL);
    struct container *c = golden_open(test_path(folder, "expected.safetensors"));
    struct ids expected = { 0 };
    struct buf text;
    struct json j;
    uint64_t n;
    json_init(&j, str_from(json), NULL);
    assert_int_equal(json_next(&j), JSON_OBJECT);
    json_find(&j, "text");
    assert_int_equal(json_next(&j), JSON_STRING);
    buf_init(&text, 1 << 20);
    json_text(&j, &text);
    expected.id = (int32_t *)(uintptr_t)golden_i32(c, "input_ids", &n);
    expected.n = n;
    golden_ids(path, flags, buf_str(&text), expected);
    buf_free(&text);
    container_close(c);
    free(json);
}

/* Flags of a row, which is then struck off. */
static int golden_flags(const char *name, const char *file, bool *used)
{
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        const struct golden *g = &goldens[i];
        if (strcmp(g->name, name) || !g->file != !file || (file && strcmp(g->file, file))) continue;
        used[i] = true;
        return g->flags;
    }
    return 0;
}

static void golden_models(void **state)
{
    (void)state;
    bool used[sizeof goldens / sizeof *goldens] = { 0 };
    int folders = 0, files = 0;
    char all[4096], folder[8192];
    snprintf(all, sizeof all, "%s", hearth_golden("text"));
    DIR *dir = opendir(all);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(folder, sizeof folder, "%s/%s", all, entry->d_name);
        if (entry->d_name[0] == '.' || access(test_path(folder, "expected.safetensors"), R_OK)) continue;
        golden_check(folder, folder, golden_flags(entry->d_name, NULL, used));
        folders++;
        DIR *in = opendir(folder);
        for (struct dirent *file; (file = readdir(in));) {
            char path[9000];
            if (!str_ends(str_from(file->d_name), STR(".gguf"))) continue;
            snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
            golden_check(folder, path, golden_flags(entry->d_name, file->d_name, used));
            files++;
        }
        closedir(in);
    }
    closedir(dir);
    printf("# %d golden folders, %d GGUF files\n", folders, files);
    for (size_t i = 0; i < sizeof used; i++)
        if (!used[i]) fail_msg("%s %s is not there", goldens[i].name, goldens[i].file ? goldens[i].file : "");
    assert_true(folders >= 92 && files >= 60);
}

/* ---- llama2.c */


static void llama2c_check(const char *model, const char *tokenizer, const char *greedy, int n_vocab)
{
    char *text = read_file(greedy, NULL);
    const size_t length = strlen(text);
    if (length && text[length - 1] == '\n') text[length - 1] = 0; /* of the terminal, not of the model */
    struct tokenizer *t = text_open(tokenizer), *beside = text_open(model);
    struct tokenizer_info info;
    tokenizer_info(beside, &info);
    assert_int_equal(info.n_vocab, n_vocab);
    assert_true(info.bos == 1 && info.eos == 2 && info.add_bos && !info.add_eos);
    struct ids v = text_encode(t, str_from(text), true), w = text_encode(beside, str_from(text), true);
    text_assert_ids(model, str_from(text), &w, &v);
    assert_int_equal(v.id[0], 1);
    struct buf back;
    text_decode(t, &v, &back);
    if (strcmp(back.p, text)) fail_msg("%s: decoded to \"%.*s\"", model, STR_ARG(buf_str(&back)));
    buf_free(&back);
    ids_free(&v);
    ids_free(&w);
    free(text);
    tokenizer_close(t);
    tokenizer_close(beside);
}

static void llama2c_tokenizers(void **state)
{
    (void)state;
    const char *baby = hearth_shared("data/models/babyllama"), *stories = hearth_shared("data/models/stories260K");
    if (!baby || !stories) SKIP("no shared/data/models");
    llama2c_check(test_path(baby, "babyllama-tok105.bin"), test_path(baby, "tok105.bin"), test_path(baby, "greedy256-tok105.txt"),
                  105);
    size_t n;
    char *tok512 = read_file(test_path(stories, "tok512.bin"), &n);
    const bool sound = n == 6227;
    free(tok512);
    if (!sound) SKIP("shared tok512.bin is not the file its SOURCE.txt describes");
    llama2c_check(test_path(stories, "stories260K.bin"), test_path(stories, "tok512.bin"), test_path(stories, "greedy200.txt"),
                  512);
    struct tokenizer *t = text_open(test_path(stories, "tok512.bin"));
    struct ids v = text_encode(t, STR("Once upon a t"), true);
    const struct ids expected = { (int32_t[]){ 1, 403, 407, 261, 259 }, 5, 5 };
    text_assert_ids("tok512", STR("Once upon a t"), &v, &expected);
    ids_free(&v);
    tokenizer_close(t);
}

/* In tok105 (no byte pieces) an unknown character is id 0; in a folder without the file, a sentence says what is missing. */
static void llama2c_edges(void **state)
{
    (void)state;
    const char *baby = hearth_shared("data/models/babyllama"), *xs = hearth_shared("data/models/llama2xs");
    if (!baby || !xs) SKIP("no shared/data/models");
    struct tokenizer *t = text_open(test_path(baby, "tok105.bin")), *spm = text_open(test_path(baby, "tok105.model"));
    struct ids v = text_encode(t, STR("a#z"), false), w = text_encode(spm, STR("a#z"), false);
    assert_int_equal(v.n, 4);
    assert_int_equal(v.id[2], 0);
    text_assert_ids("tok105.bin and .model", STR("a#z"), &v, &w);
    ids_free(&v);
    ids_free(&w);
    tokenizer_close(t);
    tokenizer_close(spm);
    struct hearth_error err = { 0 };
    const int status = tokenizer_open_file(&t, test_path(xs, "llama2xs-280K.bin"), &err);
    assert_fails(status, HEARTH_E_NOT_FOUND, &err);
    assert_non_null(strstr(err.text, "tok512.bin"));
}

/* ---- questions, folders, streaming */

static void questions(void **state)
{
    (void)state;
    struct tokenizer *t = text_open(golden_folder("llama"));
    struct tokenizer_info info;
    tokenizer_info(t, &info);
    assert_string_equal(info.kind, "SentencePiece BPE");
    assert_string_equal(info.source, "tokenizer.model");
    assert_int_equal(info.n_vocab, 512);
    assert_true(info.bos == 1 && info.eos == 2 && info.unk == 0 && info.pad == -1 && info.add_bos && !info.add_eos);
    assert_int_equal(tokenizer_find(t, STR("</s>")), 2);
    assert_int_equal(tokenizer_find(t, STR("no such token")), -1);
    assert_true(str_is(tokenizer_content(t, 1), "<s>"));
    assert_int_equal(tokenizer_content(t, 512).n, 0);
    assert_int_equal(tokenizer_content(t, -1).n, 0);
    tokenizer_close(t);
    tokenizer_close(NULL);
}

/* A control token written in a text is one in a folder (as transformers has it), but not for a bare file (sentencepiece). */
static void control_tokens_in_text(void **state)
{
    (void)state;
    const char *folder = golden_folder("llama");
    struct tokenizer *in_folder = text_open(folder), *bare = text_open(test_path(folder, "tokenizer.model"));
    struct ids v = text_encode(in_folder, STR("a</s>b"), false), w = text_encode(bare, STR("a</s>b"), false);
    int seen = 0;
    for (size_t i = 0; i < v.n; i++) seen += v.id[i] == 2;
    assert_int_equal(seen, 1);
    for (size_t i = 0; i < w.n; i++) assert_int_not_equal(w.id[i], 2);
    ids_free(&v);
    ids_free(&w);
    tokenizer_close(in_folder);
    tokenizer_close(bare);
}

/* tokenizer_config.json decides about BOS and EOS; added_tokens.json adds tokens behind the vocabulary. */
static void folder_configuration(void **state)
{
    (void)state;
    size_t n;
    char *model = read_file(test_path(golden_folder("llama"), "tokenizer.model"), &n);
    const char *config = "{\"add_bos_token\": false, \"add_eos_token\": true, \"pad_token\": {\"content\": \"<pad>\"}}";
    write_file(test_scratch("tokenizer.model"), model, n);
    write_file(test_scratch("tokenizer_config.json"), config, strlen(config));
    write_file(test_scratch("added_tokens.json"), "{\"<pad>\": 512}", 14);
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", test_scratch(""));
    struct tokenizer *t = text_open(folder);
    struct tokenizer_info info;
    tokenizer_info(t, &info);
    assert_true(!info.add_bos && info.add_eos && info.pad == 512 && info.n_vocab == 513);
    struct ids v = text_encode(t, STR("a<pad>"), true);
    assert_true(v.n >= 3 && v.id[0] != 1 && v.id[v.n - 2] == 512 && v.id[v.n - 1] == 2);
    ids_free(&v);
    tokenizer_close(t);
    unlink(test_scratch("tokenizer.model"));
    unlink(test_scratch("tokenizer_config.json"));
    unlink(test_scratch("added_tokens.json"));
    free(model);
}

static void malformed_utf8(void **state)
{
    (void)state;
    struct tokenizer *t = text_open(golden_folder("gpt2"));
    static const struct {
        struct str in, same_as;
    } cases[] = {
        { STR("a\xff\xfe"
              "b"),
          STR("a\xef\xbf\xbd\xef\xbf\xbd"
              "b") },
        { STR("\xe2\x82"), STR("\xef\xbf\xbd") },             /* the beginning of a character is one */
        { STR("\xe2\x82x"), STR("\xef\xbf\xbdx") },
        { STR("\xed\xa0\x80"), STR("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd") }, /* a surrogate is three */
        { STR("\xf0\x9f\x99\x82\xf0\x9f"), STR("\xf0\x9f\x99\x82\xef\xbf\xbd") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ids v = text_encode(t, cases[i].in, false), w = text_encode(t, cases[i].same_as, false);
        text_assert_ids("malformed", cases[i].in, &v, &w);
        ids_free(&v);
        ids_free(&w);
    }
    tokenizer_close(t);
}

/* detok: characters only when they are whole; malformed bytes as U+FFFD at the end; the first space is text after a prompt. */
static void streaming(void **state)
{
    (void)state;
    struct tokenizer *t = text_open(golden_folder("llama"));
    struct hearth_error err = { 0 };
    struct detok d;
    const int32_t e2 = tokenizer_find(t, STR("<0xE2>")), b82 = tokenizer_find(t, STR("<0x82>")),
                  ac = tokenizer_find(t, STR("<0xAC>"));
    assert_int_equal(detok_init(&d, t, true, false, &err), 0);
    assert_int_equal(detok_push(&d, e2).n, 0);
    assert_int_equal(detok_push(&d, b82).n, 0);
    assert_true(str_is(detok_push(&d, ac), "€"));
    assert_int_equal(detok_push(&d, 2).n, 0); /* control */
    assert_int_equal(detok_push(&d, -5).n, 0);
    assert_int_equal(detok_push(&d, 100000).n, 0);
    detok_push(&d, e2);
    assert_true(str_is(detok_push(&d, e2), "\xef\xbf\xbd"));
    assert_true(str_is(detok_finish(&d), "\xef\xbf\xbd"));
    assert_int_equal(detok_finish(&d).n, 0);
    detok_free(&d);

    /* a maximal part is one U+FFFD where tokens are bytes of BPE, and one a byte where SentencePiece decodes */
    struct tokenizer *gpt2 = text_open(golden_folder("gpt2"));
    struct ids cut = text_encode(gpt2, STR("\xf0\x9f\x99\x82"), false);
    struct buf b;
    cut.n--;
    text_decode(gpt2, &cut, &b);
    assert_true(str_is(buf_str(&b), "\xef\xbf\xbd"));
    buf_free(&b);
    text_decode(t, &(struct ids){ (int32_t[]){ e2, b82, e2 }, 3, 3 }, &b);
    assert_true(str_is(buf_str(&b), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
    buf_free(&b);
    ids_free(&cut);
    tokenizer_close(gpt2);

    const int32_t space = tokenizer_find(t, STR("\xe2\x96\x81"));
    for (int after_prompt = 0; after_prompt < 2; after_prompt++) {
        assert_int_equal(detok_init(&d, t, after_prompt, true, &err), 0);
        assert_true(str_is(detok_push(&d, space), after_prompt ? " " : ""));
        assert_true(str_is(detok_push(&d, space), " "));
        assert_true(str_is(detok_push(&d, 2), "</s>"));
        detok_free(&d);
    }
    tokenizer_close(t);
}

/* ---- time: merging must not be quadratic, whatever the text */

static double seconds(const struct tokenizer *t, const char *p, size_t n)
{
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    struct ids v = text_encode(t, (struct str){ p, n }, false);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    assert_true(v.n > 0);
    ids_free(&v);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
}

static void long_texts(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    static const char *const names[] = { "gpt2", "llama", "t5", "llama3" };
    char *p = malloc(4 * N);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tokenizer *t = text_open(golden_folder(names[i]));
        for (int kind = 0; kind < 3; kind++) {
            uint32_t random = 1;
            for (size_t k = 0; k < 4 * N; k++)
                p[k] = kind == 0   ? 'a'
                       : kind == 1 ? "a "[k & 1]
                                   : (char)('a' + ((random = random * 1664525 + 1013904223) >> 24) % 26);
            const double one = seconds(t, p, N), four = seconds(t, p, 4 * N);
            if (four > 8 * one + 0.2) fail_msg("%s, text %d: %.2f s for 1 MiB, %.2f s for 4 MiB", names[i], kind, one, four);
        }
        tokenizer_close(t);
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_tokenizers),
        cmocka_unit_test(gguf_vocabularies),
        cmocka_unit_test(gguf_without_pre),
        cmocka_unit_test(gguf_pre_names),
        cmocka_unit_test(golden_models),
        cmocka_unit_test(llama2c_tokenizers),
        cmocka_unit_test(llama2c_edges),
        cmocka_unit_test(questions),
        cmocka_unit_test(control_tokens_in_text),
        cmocka_unit_test(folder_configuration),
        cmocka_unit_test(malformed_utf8),
        cmocka_unit_test(streaming),
        cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
