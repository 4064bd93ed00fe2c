/* Errors, memory, strings, files, random numbers, half floats. */
#include "test.h"

#include <math.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- errors */

static void test_status(void **state)
{
    (void)state;
    struct hearth_error err = { 0 };
    assert_int_equal(fail(&err, HEARTH_E_FORMAT, "bad count %d", 7), HEARTH_E_FORMAT);
    assert_int_equal(fail_in(&err, "tensor %s", "a"), HEARTH_E_FORMAT);
    assert_string_equal(err.text, "tensor a: bad count 7");
    assert_int_equal(err.status, HEARTH_E_FORMAT);
    assert_int_equal(fail(NULL, HEARTH_E_IO, "x"), HEARTH_E_IO);

    const struct str hostile = STR("a\033[2Jb\xff\xc3\xa9");
    fail(&err, HEARTH_E_FORMAT, "%.*s", STR_ARG(hostile));
    assert_string_equal(err.text, "a?[2Jb?\xc3\xa9");

    char much[2000];
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = 0;
    fail(&err, HEARTH_E_FORMAT, "%s", much);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);

    assert_string_equal(hearth_status_name(HEARTH_E_UNSUPPORTED), "HEARTH_E_UNSUPPORTED");
    assert_string_equal(hearth_status_name(-77), "HEARTH_E_?");
    assert_string_equal(hearth_version(), HEARTH_VERSION);
}

/* ---- memory */

static void test_mem(void **state)
{
    (void)state;
    uint64_t out;
    assert_false(size_mul(UINT64_MAX / 2, 3, &out));
    assert_int_equal(out, 0);
    assert_null(mem_array(UINT64_MAX / 2, 4));
    assert_null(mem_array(UINT64_MAX, 1));

    const uint64_t before = mem_count();
    char *p = mem_array(0, 8);
    assert_non_null(p);
    p = mem_resize(p, 3, 1);
    memcpy(p, "ab", 3);
    assert_null(mem_resize(p, UINT64_MAX, 16));
    assert_string_equal(p, "ab");
    assert_int_equal(mem_count(), before + 3);
    mem_free(p);

    mem_fail_at(2);
    void *first = mem_array(1, 1), *second = mem_array(1, 1), *third = mem_array(1, 1);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    mem_free(first);
    mem_free(third);
    mem_fail_at(0);
}

static void test_arena(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 100; i++) {
        uint8_t *p = arena_array(&a, (uint64_t)i * 37, 3);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (int k = 0; k < i * 37 * 3; k++) assert_int_equal(p[k], 0);
        memset(p, 0xff, (size_t)i * 37 * 3);
    }
    assert_null(arena_array(&a, 1 << 20, 1));
    assert_null(arena_array(&a, UINT64_MAX, 1));
    assert_null(arena_array(&a, UINT64_MAX, 16));
    assert_string_equal(arena_strndup(&a, "hearth", 3), "hea");
    arena_free(&a);
    assert_non_null(arena_array(&a, 1 << 20, 1));
    arena_free(&a);
}

/* ---- strings */

static void test_utf8(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char p[4];
        const struct str s = { p, utf8_put(p, c) };
        size_t at = 0;
        const bool surrogate = c >= 0xd800 && c <= 0xdfff;
        assert_int_equal(utf8_next(s, &at), surrogate ? -1 : (int32_t)c);
        assert_int_equal(at, surrogate ? 1 : s.n);
        for (size_t n = 1; n < s.n && !surrogate; n++) assert_int_equal(utf8_tail((struct str){ p, n }), n);
        assert_int_equal(utf8_tail(s), 0);
    }
    static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff" };
    for (size_t i = 0; i < COUNT(bad); i++) assert_false(utf8_valid(str_from(bad[i])));
    assert_true(utf8_valid(STR("a\0\xf0\x9f\x94\xa5")));
    assert_int_equal(utf8_tail(STR("a\xed\xa0")), 0); /* begins a surrogate: never becomes a character */
    assert_int_equal(utf8_tail(STR("\x80\x80\x80\x80")), 0);
}

static void test_str(void **state)
{
    (void)state;
    assert_true(str_starts(STR("blk.0.attn"), STR("blk.")));
    assert_true(str_ends(STR("a.weight"), STR(".weight")));
    assert_false(str_ends(STR("t"), STR(".weight")));
    /* Hashes of similar names spread: no chain of 64 among 20,000 names in 65,536 slots with linear probing. */
    enum { SLOTS = 1 << 16 };
    static uint8_t used[SLOTS];
    for (int i = 0; i < 20000; i++) {
        char name[64];
        const int n = snprintf(name, sizeof name, "model.layers.%d.mlp.experts.%d.weight", i / 100, i % 100);
        uint64_t at = str_hash((struct str){ name, (size_t)n }), probes = 0;
        while (used[at % SLOTS]) at++, probes++;
        assert_true(probes < 64);
        used[at % SLOTS] = 1;
    }
}

static void test_buf(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_puts(&b, "12345");
    buf_printf(&b, "%d", 67890);
    assert_false(b.failed);
    assert_string_equal(b.p, "1234567890");
    buf_char(&b, 'x');
    assert_true(b.failed);
    assert_string_equal(b.p, "1234567890");
    buf_clear(&b);
    buf_put(&b, "much too long for it", 20);
    assert_true(b.failed);
    buf_puts(&b, "a");
    assert_int_equal(b.n, 0);
    buf_free(&b);

    buf_init(&b, 1 << 20);
    for (int i = 0; i < 10000; i++) buf_printf(&b, "%04d", i);
    assert_int_equal(b.n, 40000);
    assert_memory_equal(b.p + 4 * 1234, "1234", 4);
    buf_clear(&b);
    buf_json_string(&b, STR("a\"\\\n\x01\xff\xc3\xa9\0"));
    assert_string_equal(b.p, "\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\\u0000\"");
    buf_clear(&b);
    mem_fail_at(1);
    for (int i = 0; i < 20000; i++) buf_puts(&b, "12345678");
    mem_fail_at(0);
    assert_true(b.failed);
    buf_free(&b);
}

/* ---- files */

static char folder[4096];

static int folder_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", test_scratch("base"));
    return mkdir(folder, 0777);
}

static int folder_remove(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left a file behind */
}

static void assert_content(const char *path, const char *p, size_t n)
{
    struct file_map m;
    assert_int_equal(file_map(&m, path, NULL), 0);
    assert_int_equal(m.n, n);
    assert_memory_equal(m.p, p, n);
    file_unmap(&m);
}

static void test_file(void **state)
{
    (void)state;
    struct hearth_error err;
    struct file_map m;
    struct file_write *w;
    struct buf path;
    buf_init(&path, 4096);
    file_join(&path, folder, "x.bin");
    assert_int_equal(file_map(&m, path.p, &err), HEARTH_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "x.bin"));
    assert_int_equal(file_map(&m, folder, &err), HEARTH_E_IO);
    assert_int_equal(file_kind(folder), FILE_FOLDER);
    assert_int_equal(file_kind(path.p), FILE_NONE);

    assert_int_equal(file_write_open(&w, path.p, &err), 0);
    assert_int_equal(file_write_commit(w, &err), 0);
    assert_content(path.p, "", 0);

    static char big[300000];
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 251);
    assert_int_equal(file_write_open(&w, path.p, &err), 0);
    for (size_t at = 0, n = 1; at < sizeof big; at += n, n = n * 3 + 1) {
        if (n > sizeof big - at) n = sizeof big - at;
        assert_int_equal(file_write_put(w, big + at, n, &err), 0);
    }
    assert_content(path.p, "", 0); /* not there before the commit */
    assert_int_equal(file_write_commit(w, &err), 0);
    assert_content(path.p, big, sizeof big);

    assert_int_equal(file_write_open(&w, path.p, &err), 0);
    assert_int_equal(file_write_put(w, "other", 5, &err), 0);
    file_write_cancel(w);
    file_write_cancel(NULL);
    assert_content(path.p, big, sizeof big);
    assert_int_equal(unlink(path.p), 0);

    /* A folder where the file should go: the rename fails, the temporary is removed (folder_remove checks). */
    assert_int_equal(mkdir(path.p, 0777), 0);
    assert_int_equal(file_write_open(&w, path.p, &err), 0);
    assert_true(file_write_commit(w, &err) < 0);
    assert_int_equal(rmdir(path.p), 0);

    file_join(&path, folder, "none/x.bin");
    assert_int_equal(file_write_open(&w, path.p, &err), HEARTH_E_NOT_FOUND);
    assert_null(w);
    buf_free(&path);
}

/* ---- random numbers */

static void test_rng(void **state)
{
    (void)state;
    /* pcg32-demo of pcg-random.org, round 1: seed 42, sequence 54. */
    static const uint32_t known[] = { 0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e };
    struct rng r = { 0, 54u << 1 | 1 };
    rng_u32(&r);
    r.state += 42;
    rng_u32(&r);
    for (size_t i = 0; i < COUNT(known); i++) assert_int_equal(rng_u32(&r), known[i]);

    struct rng a, b;
    rng_seed(&a, 1);
    rng_seed(&b, 1);
    double sum = 0;
    for (int i = 0; i < 100000; i++) {
        const double u = rng_unit(&a);
        assert_true(u >= 0 && u < 1 && u == rng_unit(&b));
        sum += u;
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
    rng_seed(&b, 2);
    assert_true(rng_u32(&a) != rng_u32(&b));
    assert_true(rng_entropy() != rng_entropy());
}

/* ---- half floats */

/* By definition, in double arithmetic. */
static double f16_value(uint16_t h)
{
    const int e = h >> 10 & 31, m = h & 1023;
    const double v = e == 0 ? ldexp(m, -24) : e < 31 ? ldexp(1024 + m, e - 25) : m ? NAN : INFINITY;
    return h & 0x8000 ? -v : v;
}

static void test_f16(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const float f = f16_to_f32((uint16_t)h);
        const double v = f16_value((uint16_t)h);
        if (isnan(v)) {
            assert_true(isnan(f));
            assert_int_equal(f32_to_f16(f), h | 0x200);
            continue;
        }
        assert_true(f == v && !signbit(f) == !signbit(v));
        assert_int_equal(f32_to_f16(f), h);
    }
    /* Between neighbours: below, at and above the middle; a tie goes to the even one. */
    for (uint32_t h = 0; h < 0x7c00; h++) {
        const float low = f16_to_f32((uint16_t)h), high = h + 1 == 0x7c00 ? 65536.0f : f16_to_f32((uint16_t)(h + 1));
        const float middle = (float)(((double)low + high) / 2);
        const uint16_t even = (uint16_t)(h & 1 ? h + 1 : h);
        assert_int_equal(f32_to_f16(middle), even);
        assert_int_equal(f32_to_f16(nextafterf(middle, 0)), h);
        assert_int_equal(f32_to_f16(nextafterf(middle, INFINITY)), h + 1);
        assert_int_equal(f32_to_f16(-nextafterf(middle, INFINITY)), 0x8000 | (h + 1));
    }
    assert_int_equal(f32_to_f16(1e30f), 0x7c00);
    assert_int_equal(f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(f32_to_f16(1e-40f), 0);
    assert_int_equal(f32_to_f16(-0.0f), 0x8000);
}

static void test_bf16(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const float f = bf16_to_f32((uint16_t)h);
        assert_int_equal(f32_bits(f), h << 16);
        assert_int_equal(f32_to_bf16(f), isnan(f) ? h | 0x40 : h);
        if (isnan(f) || isinf(f)) continue;
        assert_int_equal(f32_to_bf16(f32_from_bits(h << 16 | 0x8000)), h + (h & 1));
        assert_int_equal(f32_to_bf16(f32_from_bits(h << 16 | 0x7fff)), h);
        assert_int_equal(f32_to_bf16(f32_from_bits(h << 16 | 0x8001)), h + 1);
    }
    assert_true(isnan(bf16_to_f32(f32_to_bf16(f32_from_bits(0x7fffffff)))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status), cmocka_unit_test(test_mem), cmocka_unit_test(test_arena), cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_str),    cmocka_unit_test(test_buf), cmocka_unit_test(test_file),  cmocka_unit_test(test_rng),
        cmocka_unit_test(test_f16),    cmocka_unit_test(test_bf16),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
