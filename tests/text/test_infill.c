/* Prompts for infilling: each layout against the ids that its parts give alone. */
#include "test.h"

#include <sys/stat.h>

#include "base/mem.h"
#include "text/infill.h"

static struct tokenizer *open_file(const char *path)
{
    struct hearth_error err = { 0 };
    struct tokenizer *t;
    assert_ok(tokenizer_open_file(&t, path, &err), &err);
    return t;
}

static void expect(const struct tokenizer *t, struct ids *want, const char *text)
{
    struct hearth_error err = { 0 };
    assert_ok(tokenizer_encode(t, str_from(text), false, want, &err), &err);
}

static void check(const struct tokenizer *t, const char *prefix, const char *suffix, const struct ids *want, const char *end)
{
    struct hearth_error err = { 0 };
    struct infill got;
    assert_ok(tokenizer_infill(t, str_from(prefix), str_from(suffix), &got, &err), &err);
    assert_int_equal(got.ids.n, want->n);
    assert_memory_equal(got.ids.id, want->id, want->n * sizeof *want->id);
    assert_true(got.n_ends > 0);
    assert_int_equal(got.ends[0], tokenizer_find(t, str_from(end)));
    ids_free(&got.ids);
}

/* StarCoder's tokens, written out in a text, are what the layout puts together. */
static void test_starcoder(void **state)
{
    (void)state;
    struct tokenizer *t = open_file(hearth_golden("text/starcoder2/tokenizer.json"));
    struct ids want = { 0 };
    expect(t, &want, "<fim_prefix>def add(a, b):\n    <fim_suffix>\nprint(add(1, 2))<fim_middle>");
    check(t, "def add(a, b):\n    ", "\nprint(add(1, 2))", &want, "<|endoftext|>");
    ids_free(&want);
    expect(t, &want, "<fim_prefix><fim_suffix><fim_middle>");
    check(t, "", "", &want, "<|endoftext|>");
    ids_free(&want);
    tokenizer_close(t);
}

/* The same vocabulary with the names of Codestral's tokens: the suffix comes first and nothing stands behind the prefix. */
static void test_suffix_first(void **state)
{
    (void)state;
    static const struct { const char *from, *to; } names[] = { { "<fim_prefix>", "[PREFIX]" }, { "<fim_suffix>", "[SUFFIX]" } };
    size_t n;
    char *json = read_file(hearth_golden("text/starcoder2/tokenizer.json"), &n);
    struct buf b;
    buf_init(&b, 1 << 24);
    for (size_t at = 0; at < n;) {
        size_t i = 0;
        while (i < 2 && strncmp(json + at, names[i].from, strlen(names[i].from))) i++;
        if (i < 2) buf_puts(&b, names[i].to);
        else buf_char(&b, json[at]);
        at += i < 2 ? strlen(names[i].from) : 1;
    }
    const char *path = test_scratch("tokenizer.json");
    write_file(path, b.p, b.n);
    buf_free(&b);
    free(json);
    struct tokenizer *t = open_file(path);
    struct ids want = { 0 };
    expect(t, &want, "[SUFFIX] b[PREFIX]a ");
    check(t, "a ", " b", &want, "[SUFFIX]");
    ids_free(&want);
    tokenizer_close(t);
}

/* T5's source ends with the end token; a sentinel stands for what is missing. The suffix has no space of its own put before it. */
static void test_sentinel(void **state)
{
    (void)state;
    const char *path = hearth_shared("data/tokenizers/t5-small.tokenizer.json");
    if (!path) SKIP("the shared data are not here");
    struct hearth_error err = { 0 };
    struct tokenizer *t = open_file(path);
    struct tokenizer_info info;
    struct infill got;
    tokenizer_info(t, &info);
    assert_ok(tokenizer_infill(t, STR("The capital of France is"), STR(" and it is large."), &got, &err), &err);
    struct ids want = { 0 };
    expect(t, &want, "The capital of France is");
    assert_memory_equal(got.ids.id, want.id, want.n * sizeof *want.id);
    assert_int_equal(got.ids.id[want.n], tokenizer_find(t, STR("<extra_id_0>")));
    assert_int_equal(got.ends[0], tokenizer_find(t, STR("<extra_id_1>")));
    struct buf text;
    buf_init(&text, 1 << 16);
    assert_ok(tokenizer_decode(t, got.ids.id + want.n + 1, got.ids.n - want.n - 1, true, &text, &err), &err);
    assert_true(str_is((struct str){ text.p + (text.n && text.p[0] == ' '), text.n - (text.n && text.p[0] == ' ') }, "and it is large."));
    if (info.add_eos) assert_int_equal(got.ids.id[got.ids.n - 1], info.eos);
    buf_free(&text);
    ids_free(&want);
    ids_free(&got.ids);
    tokenizer_close(t);
}

/* Code Llama's own program: [bos, PRE] prefix [SUF] suffix [MID], the suffix without a space of its own. */
static void test_code_llama(void **state)
{
    (void)state;
    static const char added[] = "{\"\xE2\x96\x81<PRE>\": 32000, \"\xE2\x96\x81<SUF>\": 32001, \"\xE2\x96\x81<MID>\": 32002, \"\xE2\x96\x81<EOT>\": 32003}";
    const char *model = hearth_shared("data/tokenizers/llama2.tokenizer.model");
    if (!model) SKIP("the shared data are not here");
    const char *folder = test_scratch("code-llama");
    assert_int_equal(mkdir(folder, 0755), 0);
    assert_true(symlink(model, test_path(folder, "tokenizer.model")) == 0);
    write_file(test_path(folder, "added_tokens.json"), added, sizeof added - 1);
    struct tokenizer *t = open_file(folder);
    struct ids want = { 0 };
    struct ids word = { 0 };
    expect(t, &word, "\n    return result");
    expect(t, &want, "def f(x):");
    struct infill got;
    struct hearth_error err = { 0 };
    assert_ok(tokenizer_infill(t, STR("def f(x):"), STR("\n    return result"), &got, &err), &err);
    assert_int_equal(got.ids.id[0], 1);
    assert_int_equal(got.ids.id[1], 32000);
    assert_memory_equal(got.ids.id + 2, want.id, want.n * sizeof *want.id);
    assert_int_equal(got.ids.id[2 + want.n], 32001);
    assert_int_equal(got.ids.n, 2 + want.n + 1 + (word.n - 1) + 1); /* without the lone space piece of a text's beginning */
    assert_memory_equal(got.ids.id + 3 + want.n, word.id + 1, (word.n - 1) * sizeof *word.id);
    assert_int_equal(got.ids.id[got.ids.n - 1], 32002);
    assert_int_equal(got.ends[0], 32003);
    ids_free(&got.ids);
    ids_free(&want);
    ids_free(&word);
    tokenizer_close(t);
}

static void test_none(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    struct infill got;
    struct tokenizer *t = open_file(hearth_golden("text/gpt2/tokenizer.json"));
    assert_fails(tokenizer_infill(t, STR("a"), STR("b"), &got, &err), HEARTH_E_UNSUPPORTED, &err);
    tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starcoder), cmocka_unit_test(test_suffix_first), cmocka_unit_test(test_sentinel),
        cmocka_unit_test(test_code_llama), cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
