/* Tokenizers that are no tokenizer.json: small vocabularies of every kind with the ids of the reference libraries (written by
 * make_vocabularies.py), what is refused, and decoding id by id. */
#include "text_data.h"

#include "text/tokenizer_int.h"

static const char *kind_path(const char *name)
{
    char below[400];
    snprintf(below, sizeof below, "tokenizers/%s", name);
    return hearth_golden(below);
}

static void json_find(struct json *j, const char *key)
{
    while (json_next(j) == JSON_KEY) {
        if (json_is(j, key)) return;
        assert_int_equal(json_skip(j, JSON_KEY), 0);
    }
    fail_msg("no member %s", key);
}

/* [[text, [ids]], ...] behind j. */
static int cases_check(const struct tokenizer *t, const char *name, bool special, struct json *j)
{
    int n = 0;
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_int_equal(json_next(j), JSON_ARRAY);
    for (; json_next(j) == JSON_ARRAY; n++) {
        buf_clear(&text);
        assert_int_equal(json_next(j), JSON_STRING);
        json_text(j, &text);
        const struct str s = { text.p ? text.p : "", text.n };
        assert_int_equal(json_next(j), JSON_ARRAY);
        struct ids expected = text_read_ids(j), v = text_encode(t, s, special);
        text_assert_ids(name, s, &v, &expected);
        assert_int_equal(json_next(j), JSON_ARRAY_END);
        ids_free(&v);
        ids_free(&expected);
    }
    buf_free(&text);
    return n;
}

/* ---- one folder, or one file, each */

static void folder_check(const char *name, const char *file, int least)
{
    char path[300];
    size_t n;
    snprintf(path, sizeof path, "%s%s%s", name, file ? "/" : "", file ? file : "");
    struct tokenizer *t = text_open(kind_path(path));
    snprintf(path, sizeof path, "%s/cases.json", name);
    char *text = read_file(kind_path(path), &n);
    struct json j;
    json_init(&j, (struct str){ text, n }, NULL);
    assert_int_equal(json_next(&j), JSON_OBJECT);
    json_find(&j, "special");
    const bool special = json_next(&j) == JSON_TRUE;
    json_find(&j, "cases");
    assert_true(cases_check(t, name, special, &j) >= least);
    tokenizer_close(t);
    free(text);
}

static void folders(void **state)
{
    (void)state;
    folder_check("xlm-roberta", NULL, 11);
    folder_check("m2m", NULL, 37);
    folder_check("llama-new", NULL, 25);
    folder_check("t5-sentinels", NULL, 12);
    folder_check("byt5", NULL, 39);
    folder_check("qwen", NULL, 37);
    folder_check("qwen", "qwen.tiktoken", 37);
    folder_check("llama3", NULL, 37);
    folder_check("llama3", "tokenizer.model", 37);
    folder_check("tekken", NULL, 15);
    folder_check("tekken", "tekken.json", 15);
    folder_check("rwkv", NULL, 37);
    folder_check("rwkv", "rwkv_vocab_v20230424.txt", 37);
}

/* [{"file": "bpe.model", "cases": ...}, ...] */
static void sentencepiece_kinds(void **state)
{
    (void)state;
    size_t n;
    int models = 0;
    char *text = read_file(kind_path("sentencepiece/cases.json"), &n), path[300];
    struct json j;
    json_init(&j, (struct str){ text, n }, NULL);
    assert_int_equal(json_next(&j), JSON_ARRAY);
    for (; json_next(&j) == JSON_OBJECT; models++) {
        json_find(&j, "file");
        assert_int_equal(json_next(&j), JSON_STRING);
        snprintf(path, sizeof path, "sentencepiece/%.*s", STR_ARG(j.text));
        struct tokenizer *t = text_open(kind_path(path));
        json_find(&j, "cases");
        assert_int_equal(cases_check(t, path, false, &j), 37);
        assert_int_equal(json_next(&j), JSON_OBJECT_END);
        tokenizer_close(t);
    }
    assert_int_equal(models, 8);
    free(text);
}

/* ---- whole vocabularies, where they are at hand */

static void real_vocabularies(void **state)
{
    (void)state;
    const char *folder = hearth_shared("data/tokenizers");
    if (!folder) SKIP("no shared/data/tokenizers");
    struct tokenizer *t = text_open(test_path(folder, "rwkv_vocab_v20230424.txt"));
    struct tokenizer_info info;
    tokenizer_info(t, &info);
    assert_int_equal(info.n_vocab, 65530);
    struct ids v = text_encode(t, STR("Hello world"), true);
    const struct ids expected = { (int32_t[]){ 33155, 40213 }, 2, 2 }; /* lines "33155 'Hello' 5", "40213 ' world' 6" */
    text_assert_ids("world", STR("Hello world"), &v, &expected);
    ids_free(&v);
    tokenizer_close(t);
}

/* HEARTH_TEKKEN names a tekken.json, such as the package mistral-common has. */
static void real_tekken(void **state)
{
    (void)state;
    const char *path = getenv("HEARTH_TEKKEN");
    if (!path) SKIP("HEARTH_TEKKEN does not name a tekken.json");
    struct tokenizer *t = text_open(path);
    struct tokenizer_info info;
    tokenizer_info(t, &info);
    assert_true(info.n_vocab == 131072 && info.bos == 1 && info.eos == 2 && info.add_bos);
    struct ids v = text_encode(t, STR("Hello, how are you?"), true);
    const struct ids expected = { (int32_t[]){ 1, 22177, 1044, 2606, 1584, 1636, 1063 }, 7, 7 };
    text_assert_ids("tekken", STR("Hello, how are you?"), &v, &expected);
    ids_free(&v);
    tokenizer_close(t);
}

/* ---- folders made here */

static void copy(const char *from, const char *to)
{
    size_t n;
    char *p = read_file(kind_path(from), &n);
    write_file(test_scratch(to), p, n);
    free(p);
}

/* gpt2.vocab.json and gpt2.merges.txt: names with something in front. */
static void names_with_a_stem(void **state)
{
    (void)state;
    static const char vocab[] = "{\"a\": 0, \"b\": 1, \"ab\": 2}", merges[] = "#version: 0.2\na b\n";
    write_file(test_scratch("tiny.vocab.json"), vocab, sizeof vocab - 1);
    write_file(test_scratch("tiny.merges.txt"), merges, sizeof merges - 1);
    const char *const paths[] = { test_scratch("tiny.vocab.json"), test_scratch("") };
    for (size_t i = 0; i < 2; i++) {
        struct tokenizer *t = text_open(paths[i]);
        struct ids v = text_encode(t, STR("aab"), false);
        const struct ids expected = { (int32_t[]){ 0, 2 }, 2, 2 };
        text_assert_ids(paths[i], STR("aab"), &v, &expected);
        ids_free(&v);
        tokenizer_close(t);
    }
    unlink(test_scratch("tiny.vocab.json"));
    unlink(test_scratch("tiny.merges.txt"));
}

/* What tokenizer_config.json says changes the tokens around a text. */
static void languages(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        int         first, before_last, last; /* -1: the number does not matter */
    } cases[] = {
        { "{\"tokenizer_class\": \"NllbTokenizer\"}", 367, -1, 2 }, /* eng_Latn is number 46, behind 321 ids */
        { "{\"tokenizer_class\": \"NllbTokenizerFast\", \"src_lang\": \"ace_Latn\"}", 322, -1, 2 },
        { "{\"tokenizer_class\": \"NllbTokenizer\", \"legacy_behaviour\": true}", -1, 2, 367 },
        { "{\"tokenizer_class\": \"MBartTokenizer\", \"src_lang\": \"cs_CZ\"}", -1, 2, 322 },
        { "{\"tokenizer_class\": \"MBart50Tokenizer\", \"src_lang\": \"sl_SI\"}", 372, -1, 2 },
        { "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}", 0, -1, 2 },
        { "{\"tokenizer_class\": \"XGLMTokenizer\"}", 2, -1, -1 },
    };
    copy("xlm-roberta/sentencepiece.bpe.model", "sentencepiece.bpe.model");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(test_scratch("tokenizer_config.json"), cases[i].config, strlen(cases[i].config));
        struct tokenizer *t = text_open(test_scratch(""));
        struct ids v = text_encode(t, STR("the rabbit"), true);
        assert_true(v.n > 3);
        if (cases[i].first >= 0) assert_int_equal(v.id[0], cases[i].first);
        if (cases[i].before_last >= 0) assert_int_equal(v.id[v.n - 2], cases[i].before_last);
        if (cases[i].last >= 0) assert_int_equal(v.id[v.n - 1], cases[i].last);
        ids_free(&v);
        tokenizer_close(t);
    }
    unlink(test_scratch("sentencepiece.bpe.model"));
    unlink(test_scratch("tokenizer_config.json"));
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *config;
        int         status;
        const char *says;
    } cases[] = {
        { "somebody.tiktoken", "YQ== 0\nYg== 1\nYWI= 2\n", NULL, HEARTH_E_UNSUPPORTED, "how texts are cut" },
        { "qwen.tiktoken", "YQ== 0\nYg== 1\nYWI= 2\nY 3\n", NULL, HEARTH_E_FORMAT, "base64" },
        { "qwen.tiktoken", "YQ== 0\nYg== 1\nYWI= 1\n", NULL, HEARTH_E_FORMAT, "twice" },
        { "rwkv_vocab_1.txt", "1 '\\x00' 1\n2 b'\\xff' 2\n", NULL, HEARTH_E_FORMAT, "line 2" },
        { "rwkv_vocab_1.txt", "1 '\\x00' 1\n2 'a\n", NULL, HEARTH_E_FORMAT, "line 2" },
        { "tekken.json", "{\"config\": {\"pattern\": \"a\"}, \"vocab\": []}", NULL, HEARTH_E_FORMAT, "number of tokens" },
        { "tekken.json", "{\"config\": {\"pattern\": \"a\", \"default_vocab_size\": 9, \"default_num_special_tokens\": 2}, \"vocab\": "
                         "[{\"rank\": 0, \"token_bytes\": \"!\"}]}", NULL, HEARTH_E_FORMAT, "base64" },
        { "tokenizer.model", NULL, "{\"tokenizer_class\": \"ReformerTokenizer\"}", HEARTH_E_UNSUPPORTED, "ReformerTokenizer" },
        { "sentencepiece.bpe.model", NULL, "{}", HEARTH_E_UNSUPPORTED, "numbered anew" },
        { "sentencepiece.bpe.model", NULL, "{\"tokenizer_class\": \"NllbTokenizer\", \"src_lang\": \"xx\"}", HEARTH_E_FORMAT, "xx" },
        { "spiece.model", NULL, "{\"tokenizer_class\": \"T5Tokenizer\", \"extra_ids\": 100000000}", HEARTH_E_UNSUPPORTED, "extra_ids" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer *t = NULL;
        struct hearth_error err = { 0 };
        if (cases[i].text) write_file(test_scratch(cases[i].file), cases[i].text, strlen(cases[i].text));
        else copy("xlm-roberta/sentencepiece.bpe.model", cases[i].file);
        if (cases[i].config) write_file(test_scratch("tokenizer_config.json"), cases[i].config, strlen(cases[i].config));
        const int status = tokenizer_open_file(&t, test_scratch(""), &err);
        if (status != cases[i].status) fail_msg("case %zu: %s (%s)", i, hearth_status_name(status), err.text);
        if (!strstr(err.text, cases[i].says)) fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.text, cases[i].says);
        assert_null(t);
        unlink(test_scratch(cases[i].file));
        unlink(test_scratch("tokenizer_config.json"));
    }
}

/* ---- decoding id by id */

static uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* The pieces of random ids are valid UTF-8 each (text_decode looks), and together what decoding all at once gives. */
static void stream_check(const char *path, uint32_t seed)
{
    enum { N = 1500 };
    struct tokenizer *t = text_open(path);
    struct hearth_error err = { 0 };
    struct tokenizer_info info;
    tokenizer_info(t, &info);
    struct ids v = { mem_array(N, sizeof *v.id), N, N };
    struct buf whole, clean, back;
    for (size_t i = 0; i < N; i++) v.id[i] = (int32_t)(random_next(&seed) % (uint32_t)info.n_vocab);
    buf_init(&whole, 1 << 24);
    buf_init(&clean, 1 << 24);
    const int status = tokenizer_decode(t, v.id, N, true, &whole, &err);
    assert_ok(status, &err);
    unicode_replace(&clean, buf_str(&whole), t->byte_fallback);
    text_decode(t, &v, &back);
    if (!str_eq(buf_str(&clean), buf_str(&back))) fail_msg("%s: pieces and the whole differ", path);
    assert_true(back.n > 100);
    buf_free(&whole);
    buf_free(&clean);
    buf_free(&back);
    ids_free(&v);
    tokenizer_close(t);
}

static void streams(void **state)
{
    (void)state;
    static const char *const kinds[] = {
        "xlm-roberta", "m2m", "llama-new", "t5-sentinels", "byt5", "qwen", "llama3", "tekken", "rwkv",
        "sentencepiece/bpe-unused.model", "sentencepiece/bpe-bytes-user.model", "sentencepiece/unigram-suffix.model",
        "sentencepiece/char-unused.model", "sentencepiece/word-unused.model", "sentencepiece/plain.model",
    }, *const goldens[] = { "gpt2", "llama", "llama3", "t5", "rwkv4", "mamba", "deepseek_v3", "flan-t5" },
      *const shared[] = { "bart", "bert", "bloom", "cohere", "falcon-40b", "gemma", "mt5", "opt", "persimmon", "phi3", "qwen2",
                          "roberta", "starcoder2", "xglm", "byt5", "m2m_100" };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) stream_check(kind_path(kinds[i]), (uint32_t)i);
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        char below[100];
        snprintf(below, sizeof below, "text/%s", goldens[i]);
        stream_check(hearth_golden(below), (uint32_t)i);
    }
    for (size_t i = 0; hearth_shared("golden/text") && i < sizeof shared / sizeof *shared; i++)
        stream_check(test_path(hearth_shared("golden/text"), shared[i]), (uint32_t)i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders),     cmocka_unit_test(sentencepiece_kinds), cmocka_unit_test(real_vocabularies),
        cmocka_unit_test(real_tekken), cmocka_unit_test(names_with_a_stem),   cmocka_unit_test(languages),
        cmocka_unit_test(refusals),    cmocka_unit_test(streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
