/* Element types: the table, unpack against gguf-py's values bit for bit, pack against ggml's bytes or its error. */
#include "test.h"

#include <math.h>

#include "base/half.h"
#include "base/rng.h"
#include "quant/mxfp4/mxfp4.h"
#include "quant/k_scales.h"
#include "quant/types.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { ROWS = 8, WIDTH = 512, VALUES = ROWS * WIDTH, ROW_BYTES_MAX = WIDTH * 8 };

/* blocks.gguf also holds types we do not know, so it is read here without container_open. */
static char *blocks, *expected;
static size_t blocks_size;

static int files_open(void **state)
{
    (void)state;
    blocks = read_file(hearth_golden("quants/blocks.gguf"), &blocks_size);
    expected = read_file(hearth_golden("quants/expected.safetensors"), NULL);
    return 0;
}

static int files_close(void **state)
{
    (void)state;
    free(blocks);
    free(expected);
    return 0;
}

static uint64_t u64_at(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t u32_at(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The packed 8 x 512 matrix `name`, as GGUF v3 has it: header, one key with a string value, then the list of tensors. */
static const void *packed(const char *name)
{
    const uint64_t n_tensors = u64_at(blocks + 8);
    const char *p = blocks + 24, *found = NULL;
    uint64_t offset = 0;
    assert_int_equal(u64_at(blocks + 16), 1);
    p += 8 + u64_at(p) + 4;
    p += 8 + u64_at(p);
    for (uint64_t i = 0; i < n_tensors; i++) {
        const uint64_t n_name = u64_at(p);
        const char *at = p + 8;
        p += 8 + n_name;
        p += 4 + 8 * u32_at(p);
        if (n_name == strlen(name) && memcmp(at, name, n_name) == 0) {
            found = at;
            assert_int_equal(u32_at(p), type_of((enum dtype)type_from_name(str_from(name)))->gguf_id);
            offset = u64_at(p + 4);
        }
        p += 12;
    }
    if (!found) fail_msg("blocks.gguf has no tensor %s", name);
    return blocks + ((size_t)(p - blocks) + 31) / 32 * 32 + offset;
}

/* [8, 512] as f32 */
static const float *unpacked(const char *name)
{
    char key[64];
    unsigned long begin = 0;
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(expected + 8, key);
    if (!at || !(at = strstr(at, "data_offsets"))) fail_msg("expected.safetensors has no tensor %s", name);
    assert_int_equal(sscanf(at, "data_offsets\":[%lu", &begin), 1);
    return (const float *)(expected + 8 + u64_at(expected) + begin);
}

static void assert_same_bits(const char *what, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (f32_bits(got[i]) != f32_bits(want[i])) fail_msg("%s: value %zu is %a, expected %a", what, i, got[i], want[i]);
    }
}

/* ---- the table */

static void test_table(void **state)
{
    (void)state;
    assert_int_equal(DTYPE_F32, 0);
    for (int t = 0; t < DTYPE_COUNT; t++) {
        const struct type_info *info = type_of((enum dtype)t);
        assert_int_equal(type_from_name(str_from(info->name)), t);
        if (info->gguf_id >= 0) assert_int_equal(type_from_gguf((uint32_t)info->gguf_id), t);
        if (info->safetensors) assert_int_equal(type_from_safetensors(str_from(info->safetensors)), t);
        assert_true(info->block > 0 && info->block_bytes > 0);
        if (info->act_block) assert_int_equal(info->act_block % info->block, 0);
        if (info->pack) assert_non_null(info->unpack);
    }
    assert_int_equal(type_from_name(STR("Q4_k")), -1);
    assert_int_equal(type_from_name(STR("")), -1);
    assert_int_equal(type_from_gguf(UINT32_MAX), -1);
    assert_int_equal(type_from_gguf(4), -1);
    assert_int_equal(type_from_safetensors(STR("Q8_0")), -1);
}

static void test_row_bytes(void **state)
{
    (void)state;
    uint64_t bytes;
    assert_true(type_row_bytes(DTYPE_Q4_K, 512, &bytes));
    assert_int_equal(bytes, 288);
    assert_true(type_row_bytes(DTYPE_F64, 3, &bytes));
    assert_int_equal(bytes, 24);
    assert_true(type_row_bytes(DTYPE_Q8_0, 0, &bytes));
    assert_int_equal(bytes, 0);
    assert_false(type_row_bytes(DTYPE_Q8_0, 33, &bytes));
    assert_false(type_row_bytes(DTYPE_F32, UINT64_MAX / 2, &bytes));
    assert_false(type_row_bytes(DTYPE_Q8_0, UINT64_MAX & ~UINT64_C(31), &bytes));
}

/* ---- unpack */

static const char *const weight_types[] = { "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "MXFP4" };

static void test_unpack(void **state)
{
    (void)state;
    float got[VALUES];
    for (size_t i = 0; i < COUNT(weight_types); i++) {
        const struct type_info *info = type_of((enum dtype)type_from_name(str_from(weight_types[i])));
        info->unpack(got, packed(info->name), VALUES);
        assert_same_bits(info->name, got, unpacked(info->name), VALUES);
    }
}

/* Files may place a tensor at any byte. */
static void test_unpack_unaligned(void **state)
{
    (void)state;
    char copy[ROW_BYTES_MAX + 1];
    float got[WIDTH];
    for (size_t i = 0; i < COUNT(weight_types); i++) {
        uint64_t bytes;
        const enum dtype type = (enum dtype)type_from_name(str_from(weight_types[i]));
        assert_true(type_row_bytes(type, WIDTH, &bytes));
        memcpy(copy + 1, packed(weight_types[i]), bytes);
        type_of(type)->unpack(got, copy + 1, WIDTH);
        assert_same_bits(weight_types[i], got, unpacked(weight_types[i]), WIDTH);
    }
}

/* gpt-oss keeps its values two by two. */
static void test_mxfp4_pairs(void **state)
{
    (void)state;
    struct mxfp4 b;
    uint8_t pairs[MXFP4_BLOCK / 2];
    float got[MXFP4_BLOCK];
    static const float values[] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6 };
    for (int i = 0; i < MXFP4_BLOCK / 2; i++) pairs[i] = (uint8_t)(i | (15 - i) << 4);
    mxfp4_from_pairs(&b, pairs, 128);
    mxfp4_unpack(got, &b, MXFP4_BLOCK);
    for (int i = 0; i < MXFP4_BLOCK; i++) {
        const int code = i % 2 ? 15 - i / 2 : i / 2;
        assert_true(got[i] == 2 * (code & 8 ? -values[code & 7] : values[code & 7]));
    }
}

static void test_f64(void **state)
{
    (void)state;
    const double in[] = { 0.1, -1e300, 1e-300, 16777217.0 };
    float out[COUNT(in)];
    type_of(DTYPE_F64)->unpack(out, in, COUNT(in));
    assert_true(out[0] == 0.1f && out[1] == -INFINITY && out[2] == 0 && out[3] == 16777216.0f);
}

/* ---- pack */

/* The same bytes as ggml wrote. */
static void test_pack_bytes(void **state)
{
    (void)state;
    static const enum dtype types[] = { DTYPE_F32, DTYPE_F16, DTYPE_BF16, DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1 };
    char got[VALUES * 4];
    for (size_t i = 0; i < COUNT(types); i++) {
        const struct type_info *info = type_of(types[i]);
        uint64_t bytes;
        assert_true(type_row_bytes(types[i], VALUES, &bytes));
        info->pack(got, unpacked("x"), VALUES);
        if (memcmp(got, packed(info->name), bytes) != 0) fail_msg("%s differs from ggml's bytes", info->name);
    }
}

static double relative_error(const float *got, const float *want, size_t n)
{
    double off = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        off += pow((double)got[i] - want[i], 2);
        all += (double)want[i] * want[i];
    }
    return sqrt(off / all);
}

/* No more than 1.03 times the error of ggml's packing of the same values. */
static void test_pack_error(void **state)
{
    (void)state;
    static const enum dtype types[] = { DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_MXFP4 };
    char bytes[VALUES];
    float got[VALUES];
    for (size_t i = 0; i < COUNT(types); i++) {
        const struct type_info *info = type_of(types[i]);
        info->pack(bytes, unpacked("x"), VALUES);
        info->unpack(got, bytes, VALUES);
        const double ours = relative_error(got, unpacked("x"), VALUES);
        const double theirs = relative_error(unpacked(info->name), unpacked("x"), VALUES);
        printf("# %s: relative error %.5f, ggml %.5f\n", info->name, ours, theirs);
        if (!(ours <= 1.03 * theirs)) fail_msg("%s: error %.5f, ggml has %.5f", info->name, ours, theirs);
    }
}

/* Inputs that leave a search nothing to hold on to: constants, zeros, one value, steep ranges. Each block type must keep them
 * within a step of its grid. */
static void test_pack_edges(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        float first, rest;
    } cases[] = { { "zeros", 0, 0 }, { "constant", 0.5f, 0.5f }, { "negative constant", -3, -3 }, { "one value", 1, 0 },
                  { "one negative value", -1, 0 }, { "large", 30000, -30000 } };
    float x[256], got[256];
    char bytes[1024];
    for (size_t c = 0; c < COUNT(cases); c++) {
        for (int i = 0; i < 256; i++) x[i] = i == 0 ? cases[c].first : cases[c].rest;
        const float largest = fmaxf(fabsf(cases[c].first), fabsf(cases[c].rest));
        for (enum dtype t = DTYPE_F32; t <= DTYPE_Q6_K; t++) {
            type_of(t)->pack(bytes, x, 256);
            type_of(t)->unpack(got, bytes, 256);
            for (int i = 0; i < 256; i++) {
                /* Q4_0 has 8 steps on one side and 7 on the other: the far end of the short side is one step off. Q5_0 has 16 and 15. */
                const float limit = largest * (t == DTYPE_Q4_0 ? 0.1251f : t == DTYPE_Q5_0 ? 0.0626f : 0.04f);
                if (!(fabsf(got[i] - x[i]) <= limit)) {
                    fail_msg("%s, %s: value %d is %g, expected %g", type_of(t)->name, cases[c].name, i, got[i], x[i]);
                }
            }
        }
    }
}

/* Anything a file may hold packs without undefined behaviour, and other blocks keep their values. */
static void test_pack_not_finite(void **state)
{
    (void)state;
    const float odd[] = { NAN, INFINITY, -INFINITY, 3.4e38f, 1e-45f };
    float x[512], got[512], alone[256];
    char bytes[2048];
    for (size_t o = 0; o < COUNT(odd); o++) {
        for (int i = 0; i < 512; i++) x[i] = sinf((float)i);
        x[7] = odd[o];
        for (enum dtype t = DTYPE_F32; t <= DTYPE_Q6_K; t++) {
            type_of(t)->pack(bytes, x, 512);
            type_of(t)->unpack(got, bytes, 512);
            type_of(t)->pack(bytes, x + 256, 256);
            type_of(t)->unpack(alone, bytes, 256);
            assert_same_bits(type_of(t)->name, got + 256, alone, 256);
        }
    }
}

static void test_k_scales(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 1);
    for (int round = 0; round < 1000; round++) {
        uint8_t scale[8], min[8], got_scale[8], got_min[8], bytes[12];
        for (int i = 0; i < 8; i++) {
            scale[i] = rng_u32(&rng) & 63;
            min[i] = rng_u32(&rng) & 63;
        }
        k_scales_put(bytes, scale, min);
        k_scales_get(got_scale, got_min, bytes);
        assert_memory_equal(got_scale, scale, 8);
        assert_memory_equal(got_min, min, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_row_bytes),
        cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_unpack_unaligned),
        cmocka_unit_test(test_mxfp4_pairs), cmocka_unit_test(test_f64),
        cmocka_unit_test(test_pack_bytes),
        cmocka_unit_test(test_pack_error),
        cmocka_unit_test(test_pack_edges),
        cmocka_unit_test(test_pack_not_finite),
        cmocka_unit_test(test_k_scales),
    };
    return cmocka_run_group_tests_name("quant", tests, files_open, files_close);
}
