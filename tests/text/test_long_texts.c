/* Long texts: work grows with their length and no faster, whatever they are made of, and can be cancelled at any time. Work is
 * counted in steps (struct text_watch), so nothing here is timed but the answer to a cancelling. */
#include <pthread.h>

#include "base/cpu.h"
#include "text/tokenizer_int.h"
#include "text_data.h"

enum { SHORT_BYTES = 256 << 10, LONG_BYTES = 16 << 20 };

#define WORDS_MODEL "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"ab\":2,\"b\":3}}"
#define WHOLE_MODEL \
    "{\"type\":\"BPE\",\"unk_token\":\"?\",\"fuse_unk\":true,\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"\xe2\x96\x81\":3,\"aa\":4," \
    "\"ab\":5,\"aaaa\":6,\"\xe2\x96\x81\xe2\x96\x81\":7,\"aaaaaaaa\":8,\"0\":9},\"merges\":[\"a a\",\"a b\",\"aa aa\"," \
    "\"\xe2\x96\x81 \xe2\x96\x81\",\"aaaa aaaa\"]}"
#define SPACES "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}"

/* One of each kind. */
static const struct {
    const char *name, *golden, *json; /* a golden, or a tokenizer.json */
} kinds[] = {
    { "byte-level BPE", "text/bart", NULL },
    { "another pattern", "text/deepseek_v2", NULL },
    { "SentencePiece BPE", "text/llama", NULL },
    { "unigram", "text/t5", NULL },
    { "SentencePiece unigram", "tokenizers/sentencepiece/plain.model", NULL },
    { "unused pieces", "tokenizers/sentencepiece/bpe-unused.model", NULL },
    { "SentencePiece words", "tokenizers/sentencepiece/word-unused.model", NULL },
    { "WordPiece", "text/bert", NULL },
    { "BPE by rank", "tokenizers/tekken/tekken.json", NULL },
    { "tiktoken", "tokenizers/qwen/qwen.tiktoken", NULL },
    { "longest match", "tokenizers/rwkv", NULL },
    { "bytes", "tokenizers/byt5", NULL },
    { "words", NULL,
      "{\"pre_tokenizer\":{\"type\":\"Whitespace\"},\"normalizer\":{\"type\":\"NFC\"},\"model\":" WORDS_MODEL "}" },
    { "BPE without words", NULL, "{\"normalizer\":" SPACES ",\"model\":" WHOLE_MODEL "}" },
};
#define N_KINDS (sizeof kinds / sizeof *kinds)

static const char *const units[] = {
    "a",    " ",  "\n", "0",    "\xc3\xa9", "\xcc\x81",      "\xf0\x9f\x98\x80", "\xe6\x97\xa5",
    "\xff", "ab", "a ", " a\n", "A0",       "\xe6\x97\xa5 ", ".",
};
#define N_UNITS (sizeof units / sizeof *units)

static struct tokenizer *kind_open(size_t i)
{
    if (kinds[i].golden) return text_open(hearth_golden(kinds[i].golden));
    const char *path = test_scratch("tokenizer.json");
    write_file(path, kinds[i].json, strlen(kinds[i].json));
    struct tokenizer *t = text_open(path);
    unlink(path);
    return t;
}

static struct str repeat(const char *unit, size_t bytes)
{
    const size_t n = strlen(unit);
    char *p = mem_array(bytes, 1);
    assert_non_null(p);
    for (size_t i = 0; i < bytes; i++) p[i] = unit[i % n];
    return (struct str){ p, bytes };
}

static void text_free(struct str s)
{
    mem_free((char *)(uintptr_t)s.p);
}

/* Steps, or -1 where the tokenizer cannot encode such a text. */
static double work(const struct tokenizer *t, const char *unit, size_t bytes)
{
    struct hearth_error err = { 0 };
    struct text_watch watch = { 0 };
    struct ids ids = { 0 };
    const struct str text = repeat(unit, bytes);
    const int status = tokenizer_encode_watched(t, text, true, &watch, &ids, &err);
    text_free(text);
    ids_free(&ids);
    if (status == HEARTH_E_UNSUPPORTED) return -1;
    assert_ok(status, &err);
    return (double)watch.steps;
}

static void work_is_linear(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KINDS; i++) {
        struct tokenizer *t = kind_open(i);
        for (size_t k = 0; k < N_UNITS; k++) {
            const double once = work(t, units[k], SHORT_BYTES), twice = work(t, units[k], 2 * SHORT_BYTES);
            if (once < 0 && twice < 0) continue;
            if (once < SHORT_BYTES) fail_msg("%s, \"%s\": %.0f steps for %d bytes", kinds[i].name, units[k], once, SHORT_BYTES);
            if (twice > 2.2 * once) fail_msg("%s, \"%s\": %.0f steps, twice the text %.0f", kinds[i].name, units[k], once, twice);
        }
        tokenizer_close(t);
    }
}

/* A time-out of the test is what fails here. */
static void sixteen_megabytes_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KINDS; i++) {
        struct tokenizer *t = kind_open(i);
        work(t, i % 2 ? "\xe6\x97\xa5" : "a", LONG_BYTES);
        tokenizer_close(t);
    }
}

/* ---- the patterns that GGUF files name */

static const char *const patterns[] = {
    "gpt-2", "starcoder", "falcon", "bloom", "viking", "llama-bpe", "qwen2", "qwen35", "jais-2", "minicpm5", "ufakzeka",
    "laguna", "seed-coder", "bailingmoe", "exaone-moe", "superbpe", "chameleon", "deepseek-llm", "afmoe", "spark2_5",
    "deepseek-v3", "tekken", "gpt-4o", "tiny_aya", "youtu", "kimi-k2", "deepseek-coder",
};

static struct tokenizer *pattern_open(const char *name)
{
    struct hearth_error err = { 0 };
    struct tokenizer *t = mem_array(1, sizeof *t);
    bool add_bos, add_eos;
    assert_non_null(t);
    arena_init(&t->arena, 1 << 24);
    for (int i = 0; i < 3; i++) {
        struct steps *const steps[] = { &t->normalize, &t->pre, &t->decode };
        steps[i]->step = arena_array(&t->arena, STEPS_MAX, sizeof *steps[i]->step);
        assert_non_null(steps[i]->step);
    }
    assert_ok(gguf_pre_setup(t, str_from(name), STR(""), &add_bos, &add_eos, &err), &err);
    t->model = &model_wordlevel; /* without words: each counts as unknown */
    t->unknown = 0;
    assert_ok(tokenizer_finish(t, &err), &err);
    return t;
}

static void patterns_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct tokenizer *t = pattern_open(patterns[i]);
        for (size_t k = 0; k < N_UNITS; k++) {
            if (work(t, units[k], SHORT_BYTES) < 0) fail_msg("%s cannot cut \"%s\" again and again", patterns[i], units[k]);
        }
        tokenizer_close(t);
    }
}

/* Numbers cut without the regular expression are cut as it would. */
static void digit_groups_are_the_patterns(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "(?=(\\\\d{3})+(?!\\\\d))",
        "\\\\d{1,3}(?=(?:\\\\d{3})*(?!\\\\d))",
        "\\\\d{1,3}(?=(?:\\\\d{3})*\\\\b)",
    };
    static const char *const parts[] = {
        "1", "22", "333", "4444", "a", " ", ".", "_", "\xc2\xb2", "\xd9\xa1", "\xe0\xa5\xa7", "\xc3\xa9", "\xe2\x80\x8d",
    };
    static const char *const behaviors[] = { "Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous" };
    uint64_t random = 1;
    for (size_t i = 0; i < 3 * 5 * 2; i++) {
        struct tokenizer *t[2];
        for (int k = 0; k < 2; k++) { /* an empty group behind it: the same pattern, but not by name */
            struct buf b;
            const char *path = test_scratch("tokenizer.json");
            buf_init(&b, 4096);
            buf_printf(&b,
                       "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"%s%s\"},\"behavior\":\"%s\","
                       "\"invert\":%s},"
                       "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"1\":1,\"11\":2,\"111\":3,"
                       "\"22\":4,\"122\":5,\"221\":6,\"333\":7,\"33\":8,\"3\":9,\"444\":10,\"4\":11,\"44\":12,\"a\":13}}}",
                       steps[i % 3], k ? "(?:)" : "", behaviors[i / 3 % 5], i >= 15 ? "true" : "false");
            write_file(path, b.p, b.n);
            t[k] = text_open(path);
            unlink(path);
            buf_free(&b);
        }
        for (int round = 0; round < 3000; round++) {
            struct buf text;
            buf_init(&text, 1024);
            for (unsigned n = 0; n < 1 + (unsigned)round % 12; n++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                buf_puts(&text, parts[(random >> 33) % (sizeof parts / sizeof *parts)]);
            }
            struct ids a = text_encode(t[0], buf_str(&text), false), b = text_encode(t[1], buf_str(&text), false);
            text_assert_ids(steps[i % 3], buf_str(&text), &a, &b);
            ids_free(&a);
            ids_free(&b);
            buf_free(&text);
        }
        tokenizer_close(t[0]);
        tokenizer_close(t[1]);
    }
}

/* ---- cancelling */

struct later {
    volatile int cancel;
    uint64_t     at; /* clock_ns when it was set */
};

static void *set_later(void *p)
{
    struct later *l = p;
    nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
    l->at = clock_ns();
    l->cancel = 1;
    return NULL;
}

/* Another thread cancels; a second is ten times what is promised, since the machine may be busy. */
static void check_cancelled(const char *name, const char *unit, int status, const struct later *l)
{
    const uint64_t now = clock_ns();
    if (status != HEARTH_E_CANCELLED) fail_msg("%s, \"%s\": status %d where it should be cancelled", name, unit, status);
    if (now - l->at > 1000000000u) fail_msg("%s, \"%s\": cancelled after %.0f ms", name, unit, (double)(now - l->at) * 1e-6);
}

static void encoding_is_cancelled(void **state)
{
    (void)state;
    static const char *const long_units[] = { "a", "Once upon a time ", "\xc3\xa9", "\xe6\x97\xa5" };
    for (size_t k = 0; k < sizeof long_units / sizeof *long_units; k++) {
        const struct str text = repeat(long_units[k], 4 * LONG_BYTES);
        for (size_t i = 0; i < N_KINDS; i++) {
            struct tokenizer *t = kind_open(i);
            struct hearth_error err = { 0 };
            struct ids ids = { 0 };
            struct later l = { 0 };
            struct text_watch watch = { .cancel = &l.cancel };
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, set_later, &l), 0);
            const int status = tokenizer_encode_watched(t, text, true, &watch, &ids, &err);
            if (status == HEARTH_E_CANCELLED) check_cancelled(kinds[i].name, long_units[k], status, &l);
            pthread_join(thread, NULL);
            if (status != HEARTH_E_UNSUPPORTED) check_cancelled(kinds[i].name, long_units[k], status, &l);
            assert_int_equal(ids.n, 0);
            assert_true(err.text[0]);
            ids_free(&ids);
            tokenizer_close(t);
        }
        text_free(text);
    }
}

static void decoding_is_cancelled(void **state)
{
    (void)state;
    enum { N = 32 << 20 };
    struct hearth_error err = { 0 };
    struct tokenizer *t = kind_open(0);
    int32_t *ids = mem_array(N, sizeof *ids);
    struct later l = { 0 };
    char *text = NULL;
    size_t n;
    pthread_t thread;
    assert_non_null(ids);
    for (size_t i = 0; i < N; i++) ids[i] = 100 + (int32_t)(i % 100);
    assert_int_equal(pthread_create(&thread, NULL, set_later, &l), 0);
    const int status = hearth_decode_long((const hearth_tokenizer *)(const void *)t, ids, N, &l.cancel, &text, &n, &err);
    check_cancelled("decoding", "", status, &l);
    pthread_join(thread, NULL);
    assert_null(text);
    mem_free(ids);
    tokenizer_close(t);
}

static void public_encoding_is_cancelled(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    struct tokenizer *t = kind_open(0);
    const struct str text = repeat("Once upon a time ", SHORT_BYTES);
    int32_t *ids = NULL;
    size_t n = 0;
    int cancel = 1;
    const hearth_tokenizer *public = (const hearth_tokenizer *)(const void *)t;
    assert_int_equal(hearth_encode_long(public, text.p, text.n, 1, &cancel, &ids, &n, &err), HEARTH_E_CANCELLED);
    assert_null(ids);
    cancel = 0;
    assert_ok(hearth_encode_long(public, text.p, text.n, 1, &cancel, &ids, &n, &err), &err);
    assert_true(n > SHORT_BYTES / 20);
    hearth_free(ids);
    text_free(text);
    tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_linear),
        cmocka_unit_test(sixteen_megabytes_are_read),
        cmocka_unit_test(patterns_end),
        cmocka_unit_test(digit_groups_are_the_patterns),
        cmocka_unit_test(encoding_is_cancelled),
        cmocka_unit_test(decoding_is_cancelled),
        cmocka_unit_test(public_encoding_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
