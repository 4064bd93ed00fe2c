/* Every kind of step, one small tokenizer each: steps.json holds what the tokenizers library makes of some texts (written by
 * make_steps.py). And what is refused, with which sentence. */
#include "text_data.h"

/* Moves j behind "key": inside the object whose brace was read. */
static void json_find(struct json *j, const char *key)
{
    while (json_next(j) == JSON_KEY) {
        if (json_is(j, key)) return;
        assert_int_equal(json_skip(j, JSON_KEY), 0);
    }
    fail_msg("no member %s", key);
}

static struct tokenizer *compose(struct str rest, struct str model)
{
    const char *path = test_scratch("tokenizer.json");
    struct buf b;
    buf_init(&b, 1 << 24);
    buf_put(&b, rest.p, rest.n - 1);
    buf_puts(&b, ",\"model\":");
    buf_put(&b, model.p, model.n);
    buf_puts(&b, "}");
    assert_false(b.failed);
    write_file(path, b.p, b.n);
    buf_free(&b);
    struct tokenizer *t = text_open(path);
    unlink(path);
    return t;
}

/* [text, [ids], decoded or null], ... */
static int cases_check(const struct tokenizer *t, const char *name, struct json *j)
{
    int n = 0;
    struct buf text, expected_text, back;
    buf_init(&text, 1 << 20);
    buf_init(&expected_text, 1 << 20);
    assert_int_equal(json_next(j), JSON_ARRAY);
    for (; json_next(j) == JSON_ARRAY; n++) {
        buf_clear(&text);
        buf_clear(&expected_text);
        assert_int_equal(json_next(j), JSON_STRING);
        json_text(j, &text);
        const struct str s = { text.p ? text.p : "", text.n };
        assert_int_equal(json_next(j), JSON_ARRAY);
        struct ids expected = text_read_ids(j), v = text_encode(t, s, true);
        text_assert_ids(name, s, &v, &expected);
        text_decode(t, &v, &back);
        if (json_next(j) == JSON_STRING) {
            json_text(j, &expected_text);
            if (!str_eq(buf_str(&back), buf_str(&expected_text)))
                fail_msg("%s: \"%.*s\" decoded to \"%.*s\", expected \"%.*s\"", name, STR_ARG(s), STR_ARG(buf_str(&back)),
                         STR_ARG(buf_str(&expected_text)));
        }
        assert_int_equal(json_next(j), JSON_ARRAY_END);
        ids_free(&v);
        ids_free(&expected);
        buf_free(&back);
    }
    buf_free(&text);
    buf_free(&expected_text);
    return n;
}

static void variant_check(struct json *j, struct json models)
{
    struct buf name;
    buf_init(&name, 1000);
    json_find(j, "name");
    json_next(j);
    json_text(j, &name);
    json_find(j, "model");
    json_next(j);
    char model[100];
    snprintf(model, sizeof model, "%.*s", STR_ARG(j->text));
    json_find(j, "rest");
    const struct str rest = text_raw(j);
    json_find(&models, model);
    struct tokenizer *t = compose(rest, text_raw(&models));
    json_find(j, "cases");
    assert_int_equal(cases_check(t, name.p, j), 28);
    assert_int_equal(json_next(j), JSON_OBJECT_END);
    tokenizer_close(t);
    buf_free(&name);
}

static void steps(void **state)
{
    (void)state;
    size_t n;
    int variants = 0;
    char *text = read_file(hearth_source("tests/text/steps.json"), &n);
    struct json j, models;
    json_init(&j, (struct str){ text, n }, NULL);
    assert_int_equal(json_next(&j), JSON_OBJECT);
    json_find(&j, "models");
    models = j;
    assert_int_equal(json_next(&models), JSON_OBJECT);
    assert_int_equal(json_skip(&j, JSON_KEY), 0);
    json_find(&j, "variants");
    assert_int_equal(json_next(&j), JSON_ARRAY);
    for (; json_next(&j) == JSON_OBJECT; variants++) variant_check(&j, models);
    assert_int_equal(variants, 38);
    free(text);
}

/* ---- refusals: what is not known is named, never guessed */

#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int         status;
        const char *says;
    } cases[] = {
        { "{\"normalizer\":{\"type\":\"Whatever\"}," MODEL "}", HEARTH_E_UNSUPPORTED, "Whatever" },
        { "{\"normalizer\":{\"type\":\"NFC\",\"zeal\":1}," MODEL "}", HEARTH_E_UNSUPPORTED, "zeal" },
        { "{\"normalizer\":{\"type\":\"Prepend\",\"prepend\":\"\xff\"}," MODEL "}", HEARTH_E_FORMAT, "malformed UTF-8" },
        { "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"\\ud800\"}," MODEL "}", HEARTH_E_FORMAT, "malformed UTF-8" },
        { "{\"pre_tokenizer\":{\"type\":\"Stanza\"}," MODEL "}", HEARTH_E_UNSUPPORTED, "Stanza" },
        { "{\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":0}," MODEL "}", HEARTH_E_FORMAT, "length 0" },
        { "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&[[[[[[[[[^b]]]]]]]]]]\"},\"behavior\":\"Isolated\","
          "\"invert\":false}," MODEL "}",
          HEARTH_E_UNSUPPORTED, "nested" },
        { "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\",\"invert\":false}"
          "," MODEL "}",
          HEARTH_E_UNSUPPORTED, "regular expression" },
        { "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Mixed\",\"invert\":false}," MODEL
          "}",
          HEARTH_E_UNSUPPORTED, "Mixed" },
        { "{\"decoder\":{\"type\":\"Whisper\"}," MODEL "}", HEARTH_E_UNSUPPORTED, "Whisper" },
        { "{\"post_processor\":{\"type\":\"Stamp\"}," MODEL "}", HEARTH_E_UNSUPPORTED, "Stamp" },
        { "{\"model\":{\"type\":\"CharLevel\",\"vocab\":{}}}", HEARTH_E_UNSUPPORTED, "CharLevel" },
        { "{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]}}", HEARTH_E_UNSUPPORTED, "dropout" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", HEARTH_E_FORMAT, "merge 0" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4000000000},\"merges\":[]}}", HEARTH_E_FORMAT, "id" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":2000000000},\"merges\":[]}}", HEARTH_E_FORMAT, "far beyond" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", HEARTH_E_FORMAT, "twice" },
        { "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",NaN]]}}", HEARTH_E_FORMAT, "score" },
        { "{\"version\":\"1.0\"}", HEARTH_E_FORMAT, "model" },
        { "{\"model\":{\"type\":\"BPE\"", HEARTH_E_FORMAT, "byte" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer *t = NULL;
        struct hearth_error err = { 0 };
        write_file(test_scratch("tokenizer.json"), cases[i].json, strlen(cases[i].json));
        const int status = tokenizer_open_file(&t, test_scratch("tokenizer.json"), &err);
        if (status != cases[i].status) fail_msg("case %zu: %s (%s)", i, hearth_status_name(status), err.text);
        if (!strstr(err.text, cases[i].says)) fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.text, cases[i].says);
        assert_null(t);
    }
    unlink(test_scratch("tokenizer.json"));
}

/* Patterns made to hang end soon: in an error where PCRE2 sees no way round. */
static void hostile_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        bool        fails;
    } cases[] = { { "(a|aa)+$", true }, { "(a+)+$", true }, { "(x+x+)+y|(a|aa|aaa)*c", true }, { "(a*)*b", false } };
    enum { N = 20000 };
    char text[N];
    memset(text, 'a', N);
    memcpy(text + N - 4, "!cy!", 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[1000];
        struct hearth_error err = { 0 };
        struct ids v = { 0 };
        snprintf(json, sizeof json,
                 "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"%s\"},\"behavior\":\"Isolated\",\"invert\":"
                 "false}," MODEL "}",
                 cases[i].pattern);
        write_file(test_scratch("tokenizer.json"), json, strlen(json));
        struct tokenizer *t = text_open(test_scratch("tokenizer.json"));
        const int status = tokenizer_encode(t, (struct str){ text, N }, false, &v, &err);
        if (cases[i].fails) assert_fails(status, HEARTH_E_UNSUPPORTED, &err);
        if (status) assert_int_equal(v.n, 0);
        ids_free(&v);
        tokenizer_close(t);
    }
    unlink(test_scratch("tokenizer.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),
        cmocka_unit_test(refusals),
        cmocka_unit_test(hostile_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
