/* Damaged tokenizer files: truncated, bytes changed, lengths that lie, memory running out. Whatever comes, opening ends in a
 * tokenizer that works or in a sentence. */
#include "text_data.h"

static const char *golden_folder(const char *name)
{
    char below[200];
    snprintf(below, sizeof below, "text/%s", name);
    return hearth_golden(below);
}

/* Opens the file; when that works, encodes and decodes. */
static void try_open(const char *path)
{
    static const char text[] = "Hello world, it's 42!\n  \xe6\x97\xa5\xe6\x9c\xac <s></s> \xc3\xa9 "
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct tokenizer *t = NULL;
    struct hearth_error err = { 0 };
    const int           status = tokenizer_open_file(&t, path, &err);
    if (status) {
        assert_true(status < 0 && err.text[0]);
        assert_null(t);
        return;
    }
    struct ids v = { 0 };
    struct tokenizer_info info;
    tokenizer_info(t, &info);
    assert_true(info.n_vocab > 0);
    if (!tokenizer_encode(t, STR(text), true, &v, &err)) {
        struct buf back;
        for (size_t i = 0; i < v.n; i++) assert_true(v.id[i] >= 0);
        text_decode(t, &v, &back);
        buf_free(&back);
    } else {
        assert_true(err.text[0]);
    }
    ids_free(&v);
    tokenizer_close(t);
}

static uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* The parts of each file that matter are at its beginning as a rule: half of the damage goes there. */
static void damage(const char *source, const char *name, int rounds, uint32_t seed)
{
    static const uint8_t evil[] = { 0, 1, 0x7f, 0x80, 0xff, '"', '[', '{', '}', '9', '-' };
    size_t n;
    char *file = read_file(source, &n), *copy = malloc(n);
    const char *path = test_scratch(name);
    for (int round = 0; round < rounds; round++) {
        const size_t reach = random_next(&seed) % 2 && n > 3000 ? 3000 : n;
        size_t m = n;
        memcpy(copy, file, n);
        switch (random_next(&seed) % 4) {
        case 0:
            m = random_next(&seed) % reach;
            break;
        case 1:
            for (uint32_t i = 0, flips = 1 + random_next(&seed) % 8; i < flips; i++)
                copy[random_next(&seed) % reach] = (char)evil[random_next(&seed) % sizeof evil];
            break;
        case 2: {
            const uint32_t lies[] = { 0, 0xffffffff, 0x7fffffff, 0x80000000, 1 << 20 }, lie = lies[random_next(&seed) % 5];
            memcpy(copy + random_next(&seed) % (reach - 4), &lie, 4);
            break;
        }
        default: {
            const size_t length = 1 + random_next(&seed) % 60;
            if (reach > length)
                memmove(copy + random_next(&seed) % (reach - length), copy + random_next(&seed) % (reach - length), length);
        }
        }
        write_file(path, copy, m);
        try_open(path);
    }
    unlink(path);
    free(copy);
    free(file);
}

static void damaged_files(void **state)
{
    (void)state;
    damage(test_path(golden_folder("llama3"), "tokenizer.json"), "tokenizer.json", 400, 1);
    damage(test_path(golden_folder("gpt2"), "tokenizer.json"), "tokenizer.json", 200, 2);
    damage(test_path(golden_folder("llama"), "tokenizer.model"), "tokenizer.model", 400, 3);
    damage(test_path(golden_folder("t5"), "spiece.model"), "spiece.model", 300, 4);
    damage(test_path(golden_folder("llama"), "model.gguf"), "model.gguf", 150, 5);
    damage(test_path(golden_folder("t5"), "model.gguf"), "model.gguf", 150, 6);
    damage(test_path(golden_folder("gpt2"), "model.gguf"), "model.gguf", 150, 7);
}

/* Every length up to the whole file, for the small ones made here. */
static void cut_everywhere(const char *name, const void *p, size_t n)
{
    const char *path = test_scratch(name);
    for (size_t m = 0; m <= n; m++) {
        write_file(path, p, m);
        try_open(path);
    }
}

static size_t llama2c_make(uint8_t *p)
{
    static const char *const texts[] = { "<unk>", "\n<s>\n", "\n</s>\n", " ", "a", "b", " a", "ab" };
    size_t n = 4;
    const uint32_t longest = 7;
    memcpy(p, &longest, 4);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const float score = -(float)i;
        const uint32_t bytes = (uint32_t)strlen(texts[i]);
        memcpy(p + n, &score, 4);
        memcpy(p + n + 4, &bytes, 4);
        memcpy(p + n + 8, texts[i], bytes);
        n += 8 + bytes;
    }
    return n;
}

static void small_files(void **state)
{
    (void)state;
    static const char json[] = "{\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true}],\"pre_tokenizer\":{\"type\":"
                               "\"Sequence\",\"pretokenizers\":["
                               "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a-z]+\"},\"behavior\":\"Isolated\"},{\"type\":"
                               "\"ByteLevel\"}]},\"decoder\":{\"type\":\"ByteLevel\"},"
                               "\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}}";
    static const char vocab[] = "{\"a\": 0, \"b\": 1, \"ab\": 2}", merges[] = "#version: 0.2\na b\n";
    uint8_t p[400];
    const size_t n = llama2c_make(p);
    cut_everywhere("tokenizer.bin", p, n);
    for (size_t at = 0; at < n; at++) {
        const uint8_t kept = p[at];
        p[at] = 0xff;
        write_file(test_scratch("tokenizer.bin"), p, n);
        try_open(test_scratch("tokenizer.bin"));
        p[at] = kept;
    }
    cut_everywhere("tokenizer.json", json, sizeof json - 1);
    write_file(test_scratch("merges.txt"), merges, sizeof merges - 1);
    cut_everywhere("vocab.json", vocab, sizeof vocab - 1);
    for (size_t m = 0; m < sizeof merges; m++) {
        write_file(test_scratch("merges.txt"), merges, m);
        try_open(test_scratch("vocab.json"));
    }
    unlink(test_scratch("tokenizer.bin"));
    unlink(test_scratch("tokenizer.json"));
    unlink(test_scratch("vocab.json"));
    unlink(test_scratch("merges.txt"));
}

/* A missing file, a folder with nothing, a file of nothing. */
static void nothing_there(void **state)
{
    (void)state;
    struct tokenizer *t = NULL;
    struct hearth_error err = { 0 };
    int status = tokenizer_open_file(&t, test_scratch("absent"), &err);
    assert_fails(status, HEARTH_E_NOT_FOUND, &err);
    status = tokenizer_open_file(&t, test_scratch(""), &err);
    assert_fails(status, HEARTH_E_NOT_FOUND, &err);
    write_file(test_scratch("empty"), "", 0);
    status = tokenizer_open_file(&t, test_scratch("empty"), &err);
    assert_fails(status, HEARTH_E_FORMAT, &err);
    unlink(test_scratch("empty"));
}

/* Every allocation fails in turn: an error each time, nothing leaked (the sanitized run looks). */
static void memory_runs_out(void **state)
{
    (void)state;
    static const char *const files[] = { "llama3/tokenizer.json", "llama/tokenizer.model", "t5/spiece.model",
                                         "llama/model.gguf" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = golden_folder(files[i]);
        int status = HEARTH_E_MEMORY;
        for (uint64_t nth = 1; status; nth++) {
            struct tokenizer *t = NULL;
            struct hearth_error err = { 0 };
            struct ids v = { 0 };
            struct detok d = { 0 };
            mem_fail_at(nth);
            status = tokenizer_open_file(&t, path, &err);
            if (!status)
                status = tokenizer_encode(
                    t,
                    STR("Hello world, \xff it's 42! "
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                    true, &v, &err);
            if (!status) status = detok_init(&d, t, false, false, &err);
            mem_fail_at(0);
            if (status) assert_true(err.text[0]);
            detok_free(&d);
            ids_free(&v);
            tokenizer_close(t);
            assert_true(nth < 100000);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(small_files),
        cmocka_unit_test(nothing_there),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
