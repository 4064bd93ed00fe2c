/* Tokenizers of every kind of component, folders of every form and the golden models' own tokenizers against what the reference
 * libraries make of hard texts: ids with and without special tokens, texts decoded with and without them, pairs of texts.
 * Written by make_tokenizers.py; a folder "folders" names is in the shared data. */
#include "text_data.h"

#include <sys/stat.h>

enum { CASES = 2098, ENTRIES = 82, LOOKALIKES = 18, LOOKALIKE_CASES = 918 };

static void assert_text(const char *name, const char *what, struct str text, struct str got, struct str expected)
{
    if (str_eq(got, expected)) return;
    fail_msg("%s: \"%.*s\" %s to \"%.*s\", expected \"%.*s\"", name, STR_ARG(text), what, STR_ARG(got), STR_ARG(expected));
}

/* The next value: a string is appended to out; false: null. */
static bool next_text(struct json *j, struct buf *out)
{
    const enum json_kind kind = json_next(j);
    buf_clear(out);
    assert_true(kind == JSON_STRING || kind == JSON_NULL);
    if (kind == JSON_STRING) json_text(j, out);
    return kind == JSON_STRING;
}

static struct str text_of(const struct buf *b)
{
    return (struct str){ b->p ? b->p : "", b->n };
}

static void ids_check(const struct tokenizer *t, const char *name, struct str text, bool special, struct json *j, struct ids *v)
{
    assert_int_equal(json_next(j), JSON_ARRAY);
    struct ids expected = text_read_ids(j);
    *v = text_encode(t, text, special);
    text_assert_ids(name, text, v, &expected);
    ids_free(&expected);
}

/* As a stream and, where that is text, at once. */
static void decode_check(const struct tokenizer *t, const char *name, struct str text, const struct ids *v, bool keep, struct json *j)
{
    struct hearth_error err = { 0 };
    struct buf expected, back, whole;
    buf_init(&expected, 1 << 20);
    if (next_text(j, &expected)) {
        text_decode_as(t, v, keep, &back);
        assert_text(name, keep ? "decoded" : "decoded without special tokens", text, text_of(&back), text_of(&expected));
        buf_init(&whole, 1 << 20);
        const int status = tokenizer_decode(t, v->id, v->n, !keep, &whole, &err);
        assert_ok(status, &err);
        if (utf8_valid(text_of(&whole))) assert_text(name, "decoded at once", text, text_of(&whole), text_of(&expected));
        buf_free(&whole);
        buf_free(&back);
    }
    buf_free(&expected);
}

/* null, or [first text, [ids], [types]] */
static void pair_check(const struct tokenizer *t, const char *name, struct str text, struct json *j)
{
    struct hearth_error err = { 0 };
    struct ids v = { 0 }, types = { 0 };
    struct buf first;
    if (json_next(j) == JSON_NULL) return;
    buf_init(&first, 1 << 20);
    next_text(j, &first);
    const int status = tokenizer_encode_types(t, text_of(&first), &text, true, &v, &types, &err);
    assert_ok(status, &err);
    assert_int_equal(json_next(j), JSON_ARRAY);
    struct ids expected = text_read_ids(j);
    text_assert_ids(name, text, &v, &expected);
    ids_free(&expected);
    assert_int_equal(json_next(j), JSON_ARRAY);
    expected = text_read_ids(j);
    text_assert_ids(name, text, &types, &expected);
    assert_int_equal(json_next(j), JSON_ARRAY_END);
    ids_free(&expected);
    ids_free(&v);
    ids_free(&types);
    buf_free(&first);
}

static int cases_check(const char *path, const char *name, struct json j)
{
    struct tokenizer *t = text_open(path);
    struct buf buf;
    int n = 0;
    buf_init(&buf, 1 << 20);
    assert_int_equal(json_next(&j), JSON_ARRAY);
    for (; json_next(&j) == JSON_ARRAY; n++) {
        struct ids v, plain;
        assert_true(next_text(&j, &buf));
        const struct str text = text_of(&buf);
        ids_check(t, name, text, true, &j, &v);
        ids_check(t, name, text, false, &j, &plain);
        decode_check(t, name, text, &v, false, &j);
        decode_check(t, name, text, &v, true, &j);
        pair_check(t, name, text, &j);
        assert_int_equal(json_next(&j), JSON_ARRAY_END);
        ids_free(&v);
        ids_free(&plain);
    }
    buf_free(&buf);
    tokenizer_close(t);
    return n;
}

/* Writes {"name": "content", ...} into a folder, or removes them. */
static void files_put(const char *folder, struct json j, bool put)
{
    struct buf name, content;
    buf_init(&name, 1000);
    buf_init(&content, 1 << 24);
    assert_int_equal(json_next(&j), JSON_OBJECT);
    while (json_next(&j) == JSON_KEY) {
        buf_clear(&name);
        json_text(&j, &name);
        assert_true(next_text(&j, &content));
        if (put) write_file(test_path(folder, name.p), content.p ? content.p : "", content.n);
        else unlink(test_path(folder, name.p));
    }
    buf_free(&name);
    buf_free(&content);
}

static int folders_check(const char *name, struct json j, struct json cases)
{
    const char *text = hearth_shared("golden/text");
    int n = 0;
    assert_int_equal(json_next(&j), JSON_ARRAY);
    while (json_next(&j) == JSON_STRING) {
        char below[200], path[4096];
        snprintf(below, sizeof below, "%.*s", STR_ARG(j.text));
        if (!text || snprintf(path, sizeof path, "%s/%s/tokenizer.json", text, below) >= (int)sizeof path) continue;
        if (access(path, R_OK) != 0) continue;
        path[strlen(path) - strlen("/tokenizer.json")] = 0;
        n = cases_check(path, name, cases);
    }
    return n;
}

/* Behind the brace of an entry; its members stand in the order name, files or folders, cases. */
static int entry_check(struct json *j, const char *scratch)
{
    struct buf name;
    int n;
    buf_init(&name, 1000);
    assert_int_equal(json_next(j), JSON_KEY);
    assert_true(next_text(j, &name));
    assert_int_equal(json_next(j), JSON_KEY);
    const bool files = json_is(j, "files");
    const struct json what = *j;
    assert_int_equal(json_skip(j, JSON_KEY), 0);
    assert_int_equal(json_next(j), JSON_KEY);
    assert_true(json_is(j, "cases"));
    const struct json cases = *j;
    assert_int_equal(json_skip(j, JSON_KEY), 0);
    assert_int_equal(json_next(j), JSON_OBJECT_END);
    if (files) {
        files_put(scratch, what, true);
        n = cases_check(scratch, name.p, cases);
        files_put(scratch, what, false);
    } else {
        n = folders_check(name.p, what, cases);
    }
    buf_free(&name);
    return n;
}

/* The cases of a file, or -1 when it cannot be unpacked. */
static int file_check(const char *file, int expected_entries)
{
    char command[4200], scratch[4096];
    size_t n = 0;
    int entries = 0, cases = 0;
    snprintf(command, sizeof command, "xz -dc '%s'", hearth_golden(file));
    char *text = text_command(command, &n);
    if (!text) return -1;
    snprintf(scratch, sizeof scratch, "%s", test_scratch("folder"));
    assert_int_equal(mkdir(scratch, 0700), 0);
    struct json j;
    json_init(&j, (struct str){ text, n }, NULL);
    assert_int_equal(json_next(&j), JSON_ARRAY);
    for (; json_next(&j) == JSON_OBJECT; entries++) cases += entry_check(&j, scratch);
    assert_int_equal(entries, expected_entries);
    rmdir(scratch);
    free(text);
    return cases;
}

static void recorded_cases(void **state)
{
    (void)state;
    const int cases = file_check("tokenizers/cases.json.xz", ENTRIES);
    if (cases < 0) SKIP("xz cannot unpack the cases");
    if (hearth_shared("golden/text")) assert_int_equal(cases, CASES);
    else printf("# the golden models' tokenizers are not here: %d of %d cases\n", cases, CASES);
    assert_true(cases > CASES / 2);
}

/* The pipelines and added tokens of known models (make_lookalikes.py). */
static void lookalikes(void **state)
{
    (void)state;
    const int cases = file_check("tokenizers/lookalikes.json.xz", LOOKALIKES);
    if (cases < 0) SKIP("xz cannot unpack the cases");
    assert_int_equal(cases, LOOKALIKE_CASES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_cases),
        cmocka_unit_test(lookalikes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
