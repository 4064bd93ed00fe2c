/* The JSON reader: what Python writes is read, what is no JSON is refused, depth is bounded, nothing is allocated. */
#include "test.h"

#include <math.h>

#include "base/json.h"
#include "base/mem.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* The kinds of all tokens of a text, one letter each; '!' for an error, then the text ends. */
static void tokens(struct str text, char *out, size_t room)
{
    static const char letter[] = ".{}[]ksntfz"; /* JSON_END, JSON_OBJECT, ... JSON_NULL */
    struct hearth_error err = { 0 };
    struct json j;
    json_init(&j, text, &err);
    size_t n = 0;
    for (enum json_kind kind = JSON_NULL; kind != JSON_END && kind != JSON_ERROR && n + 1 < room;) {
        kind = json_next(&j);
        out[n++] = kind == JSON_ERROR ? '!' : letter[kind];
        if (kind == JSON_ERROR) {
            assert_int_equal(err.status, HEARTH_E_FORMAT);
            assert_true(strlen(err.text) > 0);
            assert_int_equal(json_next(&j), JSON_ERROR); /* and stays so */
        }
    }
    out[n] = 0;
}

static void test_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *text, *kinds;
    } cases[] = {
        { "{}", "{}." },
        { " [ ] ", "[]." },
        { "\xef\xbb\xbf[1]", "[n]." },
        { "{\"a\":[1,2.5,-3e2,\"x\",true,false,null],\"b\":{\"c\":{}}}", "{k[nnnstfz]k{k{}}}." },
        { "[NaN, Infinity, -Infinity, 1e400]", "[nnnn]." },
        { "\"s\"", "s." },
        { "-0", "n." },
        { "", "!" },
        { " ", "!" },
        { "{", "{!" },
        { "[1", "[n!" },
        { "[1,", "[n!" },
        { "[1,]", "[n!" },
        { "[,1]", "[!" },
        { "[1 2]", "[n!" },
        { "{\"a\"}", "{!" },
        { "{\"a\":}", "{k!" },
        { "{\"a\":1,}", "{kn!" },
        { "{a:1}", "{!" },
        { "{\"a\":1 \"b\":2}", "{kn!" },
        { "[}", "[!" },
        { "{]", "{!" },
        { "1 1", "n!" },
        { "[] x", "[]!" },
        { "01", "!" },
        { "-", "!" },
        { "1.", "!" },
        { ".5", "!" },
        { "1e", "!" },
        { "1e+", "!" },
        { "+1", "!" },
        { "nul", "!" },
        { "\"a", "!" },
        { "\"a\\\"", "!" },
        { "\"\\x\"", "!" },
        { "\"\\u12\"", "!" },
        { "\"\\u12g4\"", "!" },
        { "\"\n\"", "!" },
        { "'a'", "!" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char kinds[64];
        tokens(str_from(cases[i].text), kinds, sizeof kinds);
        assert_string_equal(kinds, cases[i].kinds);
        /* Cut anywhere it must neither crash nor read past the end. */
        const size_t n = strlen(cases[i].text);
        for (size_t cut = 0; cut < n; cut++) {
            char *copy = malloc(cut ? cut : 1);
            memcpy(copy, cases[i].text, cut);
            tokens((struct str){ copy, cut }, kinds, sizeof kinds);
            free(copy);
        }
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double      number;
        bool        is_int;
        int64_t     integer;
    } cases[] = {
        { "0", 0, true, 0 },
        { "-0", -0.0, true, 0 },
        { "32", 32, true, 32 },
        { "9223372036854775807", 9223372036854775807.0, true, INT64_MAX },
        { "-9223372036854775808", -9223372036854775808.0, true, INT64_MIN },
        { "9223372036854775808", 9223372036854775808.0, false, 0 },
        { "-9223372036854775809", -9223372036854775808.0, false, 0 },
        { "1000000000000000019884624838656", 1e30, false, 0 }, /* model_max_length as transformers writes it */
        { "1e-05", 1e-05, false, 0 },
        { "1E3", 1000, false, 0 },
        { "10000.0", 10000, false, 0 },
        { "0.1", 0.1, false, 0 },
        { "-2.2204460492503131e-16", -2.2204460492503131e-16, false, 0 },
        { "1e400", INFINITY, false, 0 },
        { "-1e400", -INFINITY, false, 0 },
        { "1e-400", 0, false, 0 },
        { "0e99999999999999999999999", 0, false, 0 },
        { "1e99999999999999999999999", INFINITY, false, 0 },
        { "1e-99999999999999999999999", 0, false, 0 },
        { "5e-324", 5e-324, false, 0 },
        { "2.4703282292062327e-324", 0, false, 0 },
        { "2.4703282292062329e-324", 5e-324, false, 0 },
        { "1.7976931348623157e308", 1.7976931348623157e308, false, 0 },
        { "9007199254740993", 9007199254740992.0, true, 9007199254740993 }, /* 2^53 + 1: a tie */
        { "9007199254740993.0000000000000000000000000001", 9007199254740994.0, false, 0 },
        { "123456789012345678901234567890e-10", 12345678901234567890.1234567890, false, 0 },
        { "0.000000000000000000000000000000000000000000000000001", 1e-51, false, 0 },
        { "3.14159265358979323846264338327950288", 3.14159265358979323846, false, 0 },
        { "Infinity", INFINITY, false, 0 },
        { "-Infinity", -INFINITY, false, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json j;
        json_init(&j, str_from(cases[i].text), NULL);
        assert_int_equal(json_next(&j), JSON_NUMBER);
        assert_true(memcmp(&j.number, &cases[i].number, sizeof j.number) == 0);
        assert_int_equal(j.is_int, cases[i].is_int);
        assert_int_equal(j.integer, cases[i].integer);
        assert_true(str_is(j.text, cases[i].text));
        assert_int_equal(json_next(&j), JSON_END);
    }
    struct json j;
    json_init(&j, STR("NaN"), NULL);
    assert_int_equal(json_next(&j), JSON_NUMBER);
    assert_true(isnan(j.number));
}

/* Long numbers: 10^5 digits, and a tie that only the last of 2,000 digits breaks. */
static void test_long_numbers(void **state)
{
    (void)state;
    enum { N = 100000 };
    char *text = malloc(N + 32);
    memset(text, '0', N);
    memcpy(text, "0.", 2);
    memcpy(text + N, "25e99990", 9);
    struct json j;
    json_init(&j, str_from(text), NULL);
    assert_int_equal(json_next(&j), JSON_NUMBER);
    assert_true(j.number == 0.25e-8);
    memset(text, '7', N);
    text[N] = 0;
    json_init(&j, str_from(text), NULL);
    assert_int_equal(json_next(&j), JSON_NUMBER);
    assert_true(isinf(j.number) && !j.is_int);

    memset(text, '0', 2000);
    memcpy(text, "9007199254740993.0", 18);
    text[2000] = 0;
    json_init(&j, str_from(text), NULL);
    assert_int_equal(json_next(&j), JSON_NUMBER);
    assert_true(j.number == 9007199254740992.0);
    text[1999] = '1';
    json_init(&j, str_from(text), NULL);
    assert_int_equal(json_next(&j), JSON_NUMBER);
    assert_true(j.number == 9007199254740994.0);
    free(text);
}

/* Against strtod of the C locale, on what Python prints and on random texts. */
static void test_numbers_random(void **state)
{
    (void)state;
    uint64_t r = 12345;
    for (int i = 0; i < 200000; i++) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        double d;
        memcpy(&d, &r, sizeof d);
        if (!isfinite(d)) continue;
        char text[64];
        snprintf(text, sizeof text, i % 3 == 0 ? "%.17g" : i % 3 == 1 ? "%.6e" : "%.9g",
                 i % 2 ? d : ldexp(d, -(int)(r >> 52 & 0x7ff) / 2));
        if (strspn(text, "0123456789.-+e") != strlen(text)) continue;
        struct json j;
        json_init(&j, str_from(text), NULL);
        assert_int_equal(json_next(&j), JSON_NUMBER);
        const double expected = strtod(text, NULL);
        assert_true(memcmp(&j.number, &expected, sizeof expected) == 0);
    }
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct str  decoded;
    } cases[] = {
        { "\"plain\"", { "plain", 5 } },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", { "\"\\/\b\f\n\r\t", 8 } },
        { "\"a\\u0000b\"", { "a\0b", 3 } },
        { "\"\\u0120the\"", { "\xc4\xa0the", 5 } },
        { "\"\\u2581\"", { "\xe2\x96\x81", 3 } },
        { "\"\\ud83d\\udd25\"", { "\xf0\x9f\x94\xa5", 4 } },
        { "\"\\uD83D\\uDD25!\"", { "\xf0\x9f\x94\xa5!", 5 } },
        { "\"\\ud83d\"", { "\xed\xa0\xbd", 3 } },
        { "\"\\udd25\"", { "\xed\xb4\xa5", 3 } },
        { "\"\\ud83dx\"", { "\xed\xa0\xbdx", 4 } },
        { "\"\\ud83d\\ud83d\\udd25\"", { "\xed\xa0\xbd\xf0\x9f\x94\xa5", 7 } },
        { "\"\\ud83d\\n\"", { "\xed\xa0\xbd\n", 4 } },
    };
    struct buf b;
    buf_init(&b, 100);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct json j;
        json_init(&j, str_from(cases[i].text), NULL);
        assert_int_equal(json_next(&j), JSON_STRING);
        buf_clear(&b);
        json_text(&j, &b);
        assert_int_equal(b.n, cases[i].decoded.n);
        assert_memory_equal(b.p, cases[i].decoded.p, b.n);
        if (!memchr(b.p, 0, b.n)) assert_true(json_is(&j, b.p));
        buf_char(&b, '.');
        assert_false(json_is(&j, b.p));
    }
    buf_free(&b);
}

static void test_skip(void **state)
{
    (void)state;
    struct json j;
    json_init(&j, STR("{\"a\":{\"x\":[1,{\"y\":[]}]},\"b\":[[]],\"c\":1,\"d\":\"s\"}"), NULL);
    assert_int_equal(json_next(&j), JSON_OBJECT);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(json_next(&j), JSON_KEY);
        assert_int_equal(json_skip(&j, i % 2 ? JSON_KEY : json_next(&j)), 0); /* the value, by its key or itself */
    }
    assert_int_equal(json_next(&j), JSON_OBJECT_END);
    assert_int_equal(json_next(&j), JSON_END);

    json_init(&j, STR("[[1,[2,"), NULL);
    assert_int_equal(json_skip(&j, json_next(&j)), HEARTH_E_FORMAT);
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH + 2], kinds[4 * JSON_DEPTH];
    for (int depth = JSON_DEPTH - 2; depth <= JSON_DEPTH; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        tokens((struct str){ text, 2 * (size_t)depth }, kinds, sizeof kinds);
        assert_int_equal(kinds[strlen(kinds) - 1], depth < JSON_DEPTH ? '.' : '!');
    }
}

static void test_allocates_nothing(void **state)
{
    (void)state;
    const uint64_t before = mem_count();
    char kinds[64];
    tokens(STR("{\"a\":[1,2.5,-3e200,\"\\u00e9\",true]}"), kinds, sizeof kinds);
    assert_string_equal(kinds, "{k[nnnst]}.");
    assert_int_equal(mem_count(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),         cmocka_unit_test(test_numbers), cmocka_unit_test(test_long_numbers),
        cmocka_unit_test(test_numbers_random), cmocka_unit_test(test_text),    cmocka_unit_test(test_skip),
        cmocka_unit_test(test_depth),          cmocka_unit_test(test_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
