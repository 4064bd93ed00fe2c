/* Damaged and hostile files: small good ones are cut, overwritten and made to lie in many thousand ways. Each must open (then
 * every key can be walked and every tensor read to its last byte) or be refused with a sentence. The bytes lie in heap blocks
 * of the exact size, so that under AddressSanitizer one byte read too far is found. */
#include "test.h"

#include <sys/stat.h>

#include "base/rng.h"
#include "formats/container.h"
#include "formats/reader.h"
#include "gguf_make.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum { TRY_SECONDS = 10, FLIPS = 2000, FIRST_BYTES = 4096 };

static uint64_t sink; /* what was read goes here, so that it is read */
static int      n_tried, n_opened;

/* ---- one try */

static void walk_array(const struct container *c, const struct kv *array)
{
    struct kv_iter it;
    struct kv v;
    for (kv_iterate(&it, c, array); kv_next(&it, &v);) {
        sink += v.type == KV_STRING ? str_hash(v.s) : (uint64_t)v.i;
        if (v.type == KV_ARRAY) walk_array(c, &v);
    }
    assert_int_equal(it.index, array->array.n);
}

static void walk(const struct container *c)
{
    char name[300];
    for (uint64_t i = 0; i < c->n_kv; i++) {
        const struct kv *kv = &c->kv[i];
        sink += str_hash(kv->key) + (kv->type == KV_STRING ? str_hash(kv->s) : 0);
        if (kv->type == KV_ARRAY) walk_array(c, kv);
        if (kv->key.n >= sizeof name || memchr(kv->key.p, 0, kv->key.n)) continue;
        snprintf(name, sizeof name, "%.*s", (int)kv->key.n, kv->key.p);
        assert_ptr_equal(container_kv(c, name), kv);
    }
    for (uint64_t i = 0; i < c->n_tensor; i++) {
        const struct file_tensor *t = &c->tensor[i];
        uint64_t bytes;
        assert_true(t->rank >= 0 && t->rank <= 4 && t->type < DTYPE_COUNT);
        assert_true(tensor_size(t, &bytes) && bytes == t->n_bytes);
        sink += str_hash(t->name) + str_hash((struct str){ t->data, t->n_bytes });
        if (t->name.n >= sizeof name || memchr(t->name.p, 0, t->name.n)) continue;
        snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.p);
        assert_ptr_equal(container_tensor(c, name), t);
    }
}

static void check_refusal(int status, const struct hearth_error *err)
{
    if (status != HEARTH_E_FORMAT && status != HEARTH_E_UNSUPPORTED && status != HEARTH_E_NOT_FOUND)
        fail_msg("refused as %s: %s", hearth_status_name(status), err->text);
    assert_int_equal(err->status, status);
    assert_true(err->text[0] != 0);
}

static struct container *container_new(const uint8_t *p, size_t n)
{
    struct container *c = mem_array(1, sizeof *c);
    arena_init(&c->arena, 64 << 20);
    c->path = "/nowhere/x";
    c->folder = "/nowhere";
    c->map = mem_array(1, sizeof *c->map);
    c->map[0] = (struct file_map){ p, n };
    c->n_map = 1;
    return c;
}

static void container_drop(struct container *c)
{
    c->map[0].n = 0; /* not ours to unmap */
    container_close(c);
}

/* Opens bytes in memory as container_open would after mapping them. True when they opened. */
static bool try_bytes(const uint8_t *p, size_t n)
{
    struct hearth_error err = { 0 };
    struct container *c = container_new(p, n);
    int status = 1;
    alarm(TRY_SECONDS);
    if (gguf_probe(c)) status = gguf_open(c, "/nowhere/x", &err);
    else if (safetensors_probe(c)) status = safetensors_open(c, "/nowhere/x", &err);
    else if (torch_probe(c)) status = torch_open(c, "/nowhere/x", &err);
    else if (rwkv_cpp_probe(c)) status = rwkv_cpp_open(c, "/nowhere/x", &err);
    else if (llama2c_probe(c)) status = llama2c_open(c, "/nowhere/x", &err);
    if (status < 0) check_refusal(status, &err);
    if (status == 0) walk(c);
    container_drop(c);
    alarm(0);
    n_tried++;
    n_opened += status == 0;
    return status == 0;
}

/* The same for the text of a config.json. */
static bool try_config(const uint8_t *p, size_t n)
{
    struct hearth_error err = { 0 };
    struct container *c = container_new(p, n);
    alarm(TRY_SECONDS);
    int status = kv_from_json(c, (struct str){ (const char *)p, n }, "", &err);
    if (status == 0) status = container_index(c, &err);
    if (status < 0) check_refusal(status, &err);
    if (status == 0) walk(c);
    container_drop(c);
    alarm(0);
    n_tried++;
    n_opened += status == 0;
    return status == 0;
}

typedef bool try_fn(const uint8_t *p, size_t n);

/* ---- ways to damage */

/* Cut at every byte of the first `meta` bytes, then at steps; the cut block is exactly as long as the file would be. */
static void damage_cut(const uint8_t *p, size_t n, size_t meta, try_fn *attempt)
{
    for (size_t cut = 0; cut < n; cut += cut < meta ? 1 : 1 + n / 64) {
        uint8_t *block = malloc(cut ? cut : 1);
        memcpy(block, p, cut);
        attempt(block, cut);
        free(block);
    }
}

static void damage_bytes(uint8_t *p, size_t n, size_t meta, try_fn *attempt)
{
    static const uint8_t values[] = { 0x00, 0x7f, 0x80, 0xff };
    const size_t end = meta < FIRST_BYTES ? meta : FIRST_BYTES;
    for (size_t at = 0; at < end; at++) {
        const uint8_t old = p[at];
        for (size_t i = 0; i < COUNT(values); i++) {
            p[at] = values[i];
            attempt(p, n);
        }
        p[at] = old;
    }
}

/* Counts, lengths, offsets, types that lie: every place that could be a field of 4 or 8 bytes, at the extremes. */
static void damage_fields(uint8_t *p, size_t n, size_t meta, try_fn *attempt)
{
    static const uint64_t wide[] = { 0, 1, UINT64_MAX, INT64_MAX, (uint64_t)1 << 31, (uint64_t)1 << 63 };
    static const uint32_t narrow[] = { 0, 1, UINT32_MAX, INT32_MAX, (uint32_t)1 << 31 };
    for (size_t at = 0; at + 4 <= meta; at++) {
        uint8_t old[8];
        const size_t room = n - at < 8 ? n - at : 8;
        memcpy(old, p + at, room);
        for (size_t i = 0; i < COUNT(narrow); i++) {
            memcpy(p + at, &narrow[i], 4);
            attempt(p, n);
        }
        memcpy(p + at, old, room);
        for (size_t i = 0; room == 8 && i < COUNT(wide); i++) {
            memcpy(p + at, &wide[i], 8);
            attempt(p, n);
        }
        memcpy(p + at, old, room);
    }
}

/* One to four flipped bits or changed bytes, mostly in the metadata. */
static void damage_flips(uint8_t *p, size_t n, size_t meta, try_fn *attempt)
{
    struct rng r;
    rng_seed(&r, 20240901);
    for (int i = 0; i < FLIPS; i++) {
        size_t at[4];
        uint8_t old[4];
        const int changes = 1 + (int)(rng_u32(&r) % 4);
        for (int k = 0; k < changes; k++) {
            at[k] = rng_u32(&r) % (rng_u32(&r) % 8 ? meta : n);
            old[k] = p[at[k]];
            p[at[k]] = rng_u32(&r) % 2 ? (uint8_t)(old[k] ^ 1u << rng_u32(&r) % 8) : (uint8_t)rng_u32(&r);
        }
        attempt(p, n);
        for (int k = changes - 1; k >= 0; k--) p[at[k]] = old[k];
    }
}

static void damage_all(const uint8_t *good, size_t n, size_t meta, try_fn *attempt)
{
    uint8_t *p = malloc(n);
    memcpy(p, good, n);
    n_tried = n_opened = 0;
    assert_true(attempt(p, n));
    damage_cut(p, n, meta, attempt);
    damage_bytes(p, n, meta, attempt);
    damage_fields(p, n, meta, attempt);
    damage_flips(p, n, meta, attempt);
    assert_memory_equal(p, good, n);
    free(p);
    print_message("# %d tried, %d opened\n", n_tried, n_opened);
    assert_true(n_opened > 1 && n_opened < n_tried);
}

/* ---- GGUF */

/* Where the data of the first tensor begin. */
static size_t gguf_meta(const uint8_t *p, size_t n)
{
    struct hearth_error err = { 0 };
    struct container *c = container_new(p, n);
    assert_ok(gguf_open(c, "x", &err), &err);
    size_t meta = n;
    for (uint64_t i = 0; i < c->n_tensor; i++) {
        const size_t at = (size_t)((const uint8_t *)c->tensor[i].data - p);
        if (at < meta) meta = at;
    }
    container_drop(c);
    return meta;
}

static void test_gguf_sample(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 3; version++) {
        struct gguf_make g;
        make_sample(&g, version);
        damage_all(g.p, g.n, gguf_meta(g.p, g.n), try_bytes);
        free(g.p);
    }
}

static void test_gguf_golden(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p = (uint8_t *)read_file(hearth_golden("text/llama2-gqa/model.gguf"), &n);
    damage_all(p, n, gguf_meta(p, n), try_bytes);
    free(p);
}

/* ---- JSON: numbers that lie, characters that break the structure */

static const char *const numbers[] = {
    "0", "1", "-1", "1.5", "4294967296", "9223372036854775807", "18446744073709551615", "99999999999999999999999999", "1e999",
    "NaN", "null", "\"1\"", "[1]", "{}", "",
};

/* Calls build(prefix, replacement, suffix) for every number of the text and every lie. */
static void damage_numbers(const char *text, size_t n, void (*build)(struct str before, const char *lie, struct str after))
{
    for (size_t at = 0; at < n;) {
        size_t end = at;
        while (end < n && text[end] >= '0' && text[end] <= '9') end++;
        for (size_t i = 0; end > at && i < COUNT(numbers); i++)
            build((struct str){ text, at }, numbers[i], (struct str){ text + end, n - end });
        at = end > at ? end : at + 1;
    }
}

static void damage_structure(uint8_t *p, size_t n, size_t from, size_t to, try_fn *attempt)
{
    static const char marks[] = "{}[]\",:\\0-e ";
    for (size_t at = from; at < to; at++) {
        const uint8_t old = p[at];
        for (const char *mark = marks; *mark; mark++) {
            p[at] = (uint8_t)*mark;
            attempt(p, n);
        }
        p[at] = old;
    }
}

static uint8_t *st_data; /* what follows the header, for st_build */
static size_t   st_n_data;

/* A safetensors file with this header; its length is set right, so that the header is really read. */
static void st_build(struct str before, const char *lie, struct str after)
{
    const uint64_t header = before.n + strlen(lie) + after.n;
    uint8_t *p = malloc(8 + header + st_n_data);
    memcpy(p, &header, 8);
    memcpy(p + 8, before.p, before.n);
    memcpy(p + 8 + before.n, lie, strlen(lie));
    memcpy(p + 8 + before.n + strlen(lie), after.p, after.n);
    memcpy(p + 8 + header, st_data, st_n_data);
    try_bytes(p, 8 + header + st_n_data);
    free(p);
}

static void test_safetensors(void **state)
{
    (void)state;
    size_t n;
    uint64_t header;
    uint8_t *p = (uint8_t *)read_file(hearth_golden("formats/safetensors-sharded/model-00002-of-00003.safetensors"), &n);
    memcpy(&header, p, 8);
    damage_all(p, n, 8 + header, try_bytes);
    uint8_t *block = malloc(n);
    memcpy(block, p, n);
    damage_structure(block, n, 8, 8 + header, try_bytes);
    free(block);
    st_data = p + 8 + header;
    st_n_data = n - 8 - header;
    damage_numbers((const char *)p + 8, header, st_build);
    free(p);
}

static void config_build(struct str before, const char *lie, struct str after)
{
    const size_t n = before.n + strlen(lie) + after.n;
    uint8_t *p = malloc(n ? n : 1);
    memcpy(p, before.p, before.n);
    memcpy(p + before.n, lie, strlen(lie));
    memcpy(p + before.n + strlen(lie), after.p, after.n);
    try_config(p, n);
    free(p);
}

static void test_config(void **state)
{
    (void)state;
    static const char extra[] = "{\"a\":{\"b\":[1,[2,\"\\ud83d\\udd25\",null],{\"c\":[]}],\"d\":{}},"
                                "\"e\":[],\"f\":-1.5e-05,\"g\\n\":\"\\u00e9\",\"h\":NaN}";
    size_t n;
    char *golden = read_file(hearth_golden("text/llama2-gqa/config.json"), &n);
    const struct str texts[] = { { golden, n }, STR(extra) };
    for (size_t i = 0; i < COUNT(texts); i++) {
        const struct str t = texts[i];
        damage_all((const uint8_t *)t.p, t.n, t.n, try_config);
        uint8_t *block = malloc(t.n);
        memcpy(block, t.p, t.n);
        damage_structure(block, t.n, 0, t.n, try_config);
        free(block);
        damage_numbers(t.p, t.n, config_build);
    }
    free(golden);
}

/* ---- llama2.c */

static void test_llama2c(void **state)
{
    (void)state;
    const char *path = hearth_shared("data/models/stories260K/stories260K.bin");
    if (!path) SKIP("no stories260K.bin here");
    size_t n;
    uint8_t *p = (uint8_t *)read_file(path, &n);
    damage_all(p, n, 28, try_bytes);

    /* Version 1: the same numbers behind its own header, as many bytes as it needs. */
    const int32_t size[7] = { 64, 172, 5, 8, 4, 512, 512 };
    const uint64_t values = 512 * 64 + 64 + 5 * (2 * 64 + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 172 * 64);
    const size_t room = 256 + 4 * values;
    uint8_t *v1 = calloc(room, 1);
    memcpy(v1, "24ka\1\0\0\0", 8);
    memcpy(v1 + 8, size, sizeof size);
    v1[36] = 1;
    damage_all(v1, room, 40, try_bytes);
    free(v1);
    free(p);
}

/* ---- PyTorch */

static void test_torch(void **state)
{
    (void)state;
    static const char *const names[] = { "formats/bin-views/nested.bin", "formats/bin-views/old.bin" };
    for (size_t i = 0; i < COUNT(names); i++) {
        size_t n;
        uint8_t *p = (uint8_t *)read_file(hearth_golden(names[i]), &n);
        damage_all(p, n, i ? 1100 : n, try_bytes); /* a zip archive has its directory at the end */
        free(p);
    }
}

/* ---- rwkv.cpp */

static void test_rwkv_cpp(void **state)
{
    (void)state;
    struct gguf_make g = { .version = 3 };
    make_u32(&g, 0x67676d66), make_u32(&g, 101);
    make_u32(&g, 256), make_u32(&g, 32), make_u32(&g, 2), make_u32(&g, 0);
    for (uint32_t i = 0; i < 3; i++) {
        make_u32(&g, 2), make_u32(&g, 3), make_u32(&g, i), make_u32(&g, 32), make_u32(&g, 2);
        make_bytes(&g, (const char[]){ 'a', 'b', (char)('c' + i) }, 3);
        for (uint32_t k = 0; k < (i == 0 ? 256u : i == 1 ? 128u : 36u); k++) make_bytes(&g, "x", 1);
    }
    damage_all(g.p, g.n, g.n, try_bytes);
    free(g.p);
}

/* ---- folders: the index of a sharded model, through real files */

static bool try_folder(const char *folder)
{
    struct container *c = NULL;
    struct hearth_error err = { 0 };
    alarm(TRY_SECONDS);
    const int status = container_open(&c, folder, &err);
    if (status < 0) check_refusal(status, &err);
    else walk(c);
    container_close(c);
    alarm(0);
    n_tried++;
    n_opened += status == 0;
    return status == 0;
}

static void test_index(void **state)
{
    (void)state;
    static const char *const parts[] = { "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                         "model-00003-of-00003.safetensors" };
    char folder[4096], index[4200], from[4096], to[4200];
    snprintf(folder, sizeof folder, "%s", test_scratch("index"));
    snprintf(index, sizeof index, "%s/model.safetensors.index.json", folder);
    assert_int_equal(mkdir(folder, 0777), 0);
    for (size_t i = 0; i < COUNT(parts); i++) {
        snprintf(from, sizeof from, "%s/%s", hearth_golden("formats/safetensors-sharded"), parts[i]);
        snprintf(to, sizeof to, "%s/%s", folder, parts[i]);
        assert_int_equal(symlink(from, to), 0);
    }
    size_t n;
    char *text = read_file(hearth_golden("formats/safetensors-sharded/model.safetensors.index.json"), &n);
    n_tried = n_opened = 0;
    for (size_t cut = 0; cut <= n; cut += 3) {
        write_file(index, text, cut);
        try_folder(folder);
    }
    struct rng r;
    rng_seed(&r, 7);
    static const char marks[] = "{}[]\",:\\/.0-a";
    for (int i = 0; i < 2000; i++) {
        const size_t at = rng_u32(&r) % n;
        const char old = text[at];
        text[at] = marks[rng_u32(&r) % (sizeof marks - 1)];
        write_file(index, text, n);
        try_folder(folder);
        text[at] = old;
    }
    write_file(index, text, n);
    assert_true(try_folder(folder));
    print_message("# %d tried, %d opened\n", n_tried, n_opened);
    free(text);
}

/* ---- many */

/* Counts only bounded by the file: opened or refused in a moment. */
static void test_many(void **state)
{
    (void)state;
    struct gguf_make g;
    make_header(&g, 3, 100000, 0);
    for (int i = 0; i < 100000; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        make_tensor(&g, name, 0, NULL, 0, 0);
    }
    make_align(&g, 32);
    make_bytes(&g, "1234", 4);
    assert_true(try_bytes(g.p, g.n));
    free(g.p);

    make_header(&g, 3, 0, 2000000);
    for (int i = 0; i < 2000000; i++) make_u64(&g, 0), make_u32(&g, 7), make_bytes(&g, "", 1);
    assert_false(try_bytes(g.p, g.n));
    free(g.p);
}

/* Keys chosen so that all want the same place in the index: refused, or a file of a million would take minutes. */
static void test_collisions(void **state)
{
    (void)state;
    enum { KEYS = 1500, SLOTS = 4096 };
    struct gguf_make g;
    struct rng r;
    rng_seed(&r, 3);
    make_header(&g, 3, 0, KEYS);
    for (int i = 0; i < KEYS;) {
        const uint32_t name[2] = { rng_u32(&r), rng_u32(&r) };
        if (str_hash((struct str){ (const char *)name, sizeof name }) % SLOTS != 0) continue;
        make_u64(&g, sizeof name), make_bytes(&g, name, sizeof name);
        make_u32(&g, 7), make_bytes(&g, "", 1);
        i++;
    }
    assert_false(try_bytes(g.p, g.n));
    free(g.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf_sample), cmocka_unit_test(test_gguf_golden), cmocka_unit_test(test_safetensors),
        cmocka_unit_test(test_config),      cmocka_unit_test(test_llama2c),     cmocka_unit_test(test_index),
        cmocka_unit_test(test_many),        cmocka_unit_test(test_collisions),  cmocka_unit_test(test_torch),
        cmocka_unit_test(test_rwkv_cpp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
