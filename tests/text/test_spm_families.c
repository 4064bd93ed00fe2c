/* Folders of the families that add something to a vocabulary: other ids, languages, tokens around a text or two. families.json has
 * the files, texts and ids (written by make_families.py with the classes of transformers that run SentencePiece itself). */
#include "text_data.h"

#include <sys/stat.h>

enum { FAMILIES = 21, CASES = 856, PAIRS = 18 };

/* The string at the reader; free with buf_free. */
static struct str string_read(struct json *j, struct buf *b)
{
    buf_init(b, 1 << 24);
    assert_int_equal(json_next(j), JSON_STRING);
    json_text(j, b);
    return (struct str){ b->p ? b->p : "", b->n };
}

/* Stands before "key", which comes next in its object. */
static void key_expect(struct json *j, const char *key)
{
    assert_int_equal(json_next(j), JSON_KEY);
    if (!json_is(j, key)) fail_msg("no %s where it should be", key);
}

/* {"name": "source or content", ...}: copies, writes, or removes (source: NULL) the files of a folder. */
static void files_put(struct json *j, const char *folder, bool copied, bool put)
{
    assert_int_equal(json_next(j), JSON_OBJECT);
    while (json_next(j) == JSON_KEY) {
        struct buf name, content;
        char path[4096];
        buf_init(&name, 1000);
        json_text(j, &name);
        snprintf(path, sizeof path, "%s/%s", folder, name.p);
        struct str s = string_read(j, &content);
        if (!put) {
            unlink(path);
        } else if (copied) {
            char below[300];
            snprintf(below, sizeof below, "tokenizers/%s", s.p);
            size_t n;
            char *p = read_file(hearth_golden(below), &n);
            write_file(path, p, n);
            free(p);
        } else {
            write_file(path, s.p, s.n);
        }
        buf_free(&name);
        buf_free(&content);
    }
}

static void ids_check(const char *name, struct str text, struct json *j, struct ids *v)
{
    assert_int_equal(json_next(j), JSON_ARRAY);
    struct ids expected = text_read_ids(j);
    text_assert_ids(name, text, v, &expected);
    ids_free(&expected);
    ids_free(v);
}

/* [[text, [ids]], ...] */
static int singles_check(const struct tokenizer *t, const char *name, struct json *j)
{
    int n = 0;
    assert_int_equal(json_next(j), JSON_ARRAY);
    for (; json_next(j) == JSON_ARRAY; n++) {
        struct buf b;
        const struct str text = string_read(j, &b);
        struct ids v = text_encode(t, text, true);
        ids_check(name, text, j, &v);
        assert_int_equal(json_next(j), JSON_ARRAY_END);
        buf_free(&b);
    }
    return n;
}

/* [[text, text, [ids]], ...] */
static int pairs_check(const struct tokenizer *t, const char *name, struct json *j)
{
    int n = 0;
    assert_int_equal(json_next(j), JSON_ARRAY);
    for (; json_next(j) == JSON_ARRAY; n++) {
        struct hearth_error err = { 0 };
        struct ids v = { 0 }, types = { 0 };
        struct buf a, b;
        const struct str first = string_read(j, &a), second = string_read(j, &b);
        const int status = tokenizer_encode_types(t, first, &second, true, &v, &types, &err);
        assert_ok(status, &err);
        ids_check(name, second, j, &v);
        assert_int_equal(json_next(j), JSON_ARRAY_END);
        ids_free(&types);
        buf_free(&a);
        buf_free(&b);
    }
    return n;
}

static void families(void **state)
{
    (void)state;
    size_t n;
    int done = 0, cases = 0, pairs = 0;
    char folder[4096], *text = read_file(hearth_golden("tokenizers/families.json"), &n);
    struct json j;
    snprintf(folder, sizeof folder, "%s", test_scratch("family"));
    assert_int_equal(mkdir(folder, 0700), 0);
    json_init(&j, (struct str){ text, n }, NULL);
    assert_int_equal(json_next(&j), JSON_ARRAY);
    for (; json_next(&j) == JSON_OBJECT; done++) {
        struct buf name;
        key_expect(&j, "name");
        string_read(&j, &name);
        key_expect(&j, "files");
        struct json files = j;
        files_put(&j, folder, true, true);
        key_expect(&j, "written");
        struct json written = j;
        files_put(&j, folder, false, true);
        struct tokenizer *t = text_open(folder);
        key_expect(&j, "cases");
        cases += singles_check(t, name.p, &j);
        key_expect(&j, "pairs");
        pairs += pairs_check(t, name.p, &j);
        assert_int_equal(json_next(&j), JSON_OBJECT_END);
        tokenizer_close(t);
        files_put(&files, folder, true, false);
        files_put(&written, folder, false, false);
        buf_free(&name);
    }
    assert_int_equal(done, FAMILIES);
    assert_int_equal(cases, CASES);
    assert_int_equal(pairs, PAIRS);
    rmdir(folder);
    free(text);
}

/* What a folder asks for and hearth does not know is refused with a sentence that names it. */
static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *file, *source, *config, *says;
        int         status;
    } cases[] = {
        { "source.spm", "m2m/sentencepiece.bpe.model", "{\"tokenizer_class\": \"MarianTokenizer\"}", "vocab.json",
          HEARTH_E_NOT_FOUND },
        { "spiece.model", "t5-sentinels/spiece.model", "{\"tokenizer_class\": \"PegasusTokenizer\", \"offset\": 7}", "offset",
          HEARTH_E_UNSUPPORTED },
        { "spiece.model", "t5-sentinels/spiece.model", "{\"tokenizer_class\": \"XLNetTokenizer\"}", "XLNetTokenizer",
          HEARTH_E_UNSUPPORTED },
    };
    char folder[4096], below[300];
    snprintf(folder, sizeof folder, "%s", test_scratch("refused"));
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer *t;
        struct hearth_error err = { 0 };
        size_t n;
        snprintf(below, sizeof below, "tokenizers/%s", cases[i].source);
        char *p = read_file(hearth_golden(below), &n);
        write_file(test_path(folder, cases[i].file), p, n);
        write_file(test_path(folder, "tokenizer_config.json"), cases[i].config, strlen(cases[i].config));
        const int status = tokenizer_open_file(&t, folder, &err);
        assert_fails(status, cases[i].status, &err);
        if (!strstr(err.text, cases[i].says)) fail_msg("\"%s\" does not say %s", err.text, cases[i].says);
        unlink(test_path(folder, cases[i].file));
        unlink(test_path(folder, "tokenizer_config.json"));
        free(p);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
