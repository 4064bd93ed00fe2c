/* Containers: real files of every format, and files made by hand for what the real ones do not have. */
#include "test.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>

#include "base/half.h"
#include "formats/container.h"
#include "gguf_make.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Paths that live to the end of the program: folder/name, and copies of what test.h gives (it re-uses its buffers). */
static const char *keep(char *path)
{
    static char *kept[500];
    static size_t n;
    assert_true(path && n < COUNT(kept));
    return kept[n++] = path;
}

static const char *below(const char *folder, const char *name)
{
    char *path = malloc(strlen(folder) + strlen(name) + 2);
    if (path) sprintf(path, "%s/%s", folder, name);
    return keep(path);
}

static const char *golden(const char *name)
{
    return keep(strdup(hearth_golden(name)));
}

static const char *scratch(const char *name)
{
    return keep(strdup(test_scratch(name)));
}

static const char *shared(const char *name)
{
    const char *path = hearth_shared(name);
    return path ? keep(strdup(path)) : NULL;
}

static struct container *open_ok(const char *path)
{
    struct container *c = NULL;
    struct hearth_error err = { 0 };
    assert_ok(container_open(&c, path, &err), &err);
    return c;
}

/* Must fail with the status, and say `says`. */
static void open_fails(const char *path, int status, const char *says)
{
    struct container *c = NULL;
    struct hearth_error err = { 0 };
    assert_fails(container_open(&c, path, &err), status, &err);
    assert_null(c);
    if (!strstr(err.text, says)) fail_msg("'%s' does not say '%s'", err.text, says);
    assert_int_equal(container_open(&c, path, NULL), status);
}

static const char *make_folder(const char *name)
{
    const char *path = scratch(name);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

static int64_t kv_int(const struct container *c, const char *key)
{
    const struct kv *kv = container_kv(c, key);
    if (!kv || kv->type != KV_INT) fail_msg("%s has no integer %s", c->path, key);
    assert_true(kv->f == (double)kv->i);
    return kv->i;
}

static double kv_float(const struct container *c, const char *key)
{
    const struct kv *kv = container_kv(c, key);
    if (!kv || kv->type != KV_FLOAT) fail_msg("%s has no float %s", c->path, key);
    return kv->f;
}

static void assert_kv_str(const struct container *c, const char *key, const char *expected)
{
    const struct kv *kv = container_kv(c, key);
    if (!kv || kv->type != KV_STRING || !str_is(kv->s, expected)) fail_msg("%s is not '%s' in %s", key, expected, c->path);
}

static void assert_kv_null(const struct container *c, const char *key)
{
    const struct kv *kv = container_kv(c, key);
    if (!kv || kv->type != KV_NULL) fail_msg("%s is not null in %s", key, c->path);
}

static const struct file_tensor *tensor(const struct container *c, const char *name)
{
    const struct file_tensor *t = container_tensor(c, name);
    if (!t) fail_msg("%s has no tensor %s", c->path, name);
    return t;
}

/* Value i of a tensor of floats. */
static float value(const struct file_tensor *t, uint64_t i)
{
    float f;
    uint16_t h;
    if (t->type == DTYPE_F32) return memcpy(&f, (const char *)t->data + 4 * i, 4), f;
    memcpy(&h, (const char *)t->data + 2 * i, 2);
    if (t->type == DTYPE_BF16) return bf16_to_f32(h);
    if (t->type != DTYPE_F16) fail_msg("%.*s is no float tensor", STR_ARG(t->name));
    return f16_to_f32(h);
}

static void assert_same_tensor(const struct file_tensor *a, const struct file_tensor *b)
{
    uint64_t n = 1;
    assert_int_equal(a->rank, b->rank);
    for (int i = 0; i < a->rank; i++) {
        assert_int_equal(a->dim[i], b->dim[i]);
        n *= a->dim[i];
    }
    if (a->type == b->type) {
        assert_int_equal(a->n_bytes, b->n_bytes);
        assert_memory_equal(a->data, b->data, a->n_bytes);
    }
    for (uint64_t i = 0; i < n; i++) assert_true(value(a, i) == value(b, i));
}

/* ---- real models */

static void test_gguf_and_folder_agree(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "token_embd.weight", "model.embed_tokens.weight" },
        { "output.weight", "lm_head.weight" },
        { "output_norm.weight", "model.norm.weight" },
        { "blk.2.attn_v.weight", "model.layers.2.self_attn.v_proj.weight" },
        { "blk.1.attn_output.weight", "model.layers.1.self_attn.o_proj.weight" },
        { "blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight" },
        { "blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight" },
    };
    const char *path = golden("text/llama2-gqa");
    struct container *folder = open_ok(path), *gguf = open_ok(below(path, "model.gguf"));
    for (size_t i = 0; i < COUNT(pairs); i++) assert_same_tensor(tensor(gguf, pairs[i][0]), tensor(folder, pairs[i][1]));
    assert_int_equal(gguf->n_tensor, folder->n_tensor);
    assert_string_equal(gguf->format, "gguf v3");
    assert_string_equal(folder->format, "safetensors folder");
    assert_string_equal(gguf->folder, path);
    assert_string_equal(folder->folder, path);

    const struct file_tensor *t = tensor(folder, "model.embed_tokens.weight");
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->dim[0], 512);
    assert_int_equal(t->dim[1], 32);
    assert_int_equal(t->type, DTYPE_BF16);

    assert_int_equal(kv_int(gguf, "llama.embedding_length"), kv_int(folder, "hidden_size"));
    assert_int_equal(kv_int(gguf, "llama.attention.head_count_kv"), kv_int(folder, "num_key_value_heads"));
    assert_true(fabs(kv_float(gguf, "llama.attention.layer_norm_rms_epsilon") - kv_float(folder, "rms_norm_eps")) < 1e-11);
    assert_kv_str(gguf, "general.architecture", "llama");
    assert_kv_str(folder, "model_type", "llama");
    assert_int_equal(kv_int(folder, "generation.eos_token_id"), 2);
    assert_kv_null(folder, "pad_token_id");
    assert_null(container_kv(folder, "no such key"));
    assert_null(container_tensor(folder, ""));
    assert_int_equal(container_kv(gguf, "tokenizer.ggml.tokens")->array.n, 512);
    container_close(gguf);
    container_close(folder);
    container_close(NULL);
}

/* Every golden folder, and its GGUF: opens, each tensor is there to its last byte. */
static void test_all_goldens(void **state)
{
    (void)state;
    const char *text = shared("golden/text");
    if (!text) text = golden("text");
    DIR *dir = opendir(text);
    assert_non_null(dir);
    int models = 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        const char *folder = below(text, entry->d_name);
        const char *const paths[] = { folder, below(folder, "model.gguf"), below(folder, "expected.safetensors") };
        for (size_t i = 0; i < COUNT(paths); i++) {
            if (access(paths[i], R_OK) != 0) continue;
            struct container *c = open_ok(paths[i]);
            uint64_t bytes = 0, sum = 0;
            for (uint64_t k = 0; k < c->n_tensor; k++) {
                const struct file_tensor *t = &c->tensor[k];
                for (uint64_t b = 0; b < t->n_bytes; b++) sum += ((const uint8_t *)t->data)[b];
                bytes += t->n_bytes;
                const struct type_info *type = type_of(t->type);
                assert_int_equal((uintptr_t)t->data % (uintptr_t)(type->block > 1 ? 2 : type->block_bytes), 0);
            }
            assert_true(c->n_tensor >= (i < 2 ? 15 : 2) && sum > 0 && bytes < c->file_bytes);
            if (i == 0) assert_int_equal(container_kv(c, "model_type")->type, KV_STRING);
            container_close(c);
        }
        models++;
    }
    closedir(dir);
    assert_true(models >= 12);
}

/* ---- configuration */

static void test_config(void **state)
{
    (void)state;
    const char *folder = make_folder("config");
    write_text(below(folder, "config.json"),
               "{\"a\":{\"b\":{\"c\":1}},\"list\":[1,\"tw\\u00f6\",null,2.5,true,[3,[4]],{\"x\":1}],\"ints\":[1,2],\"none\":[],"
               "\"big\":1000000000000000019884624838656,\"inf\":Infinity,"
               "\"s\":\"\\ud83d\\udd25\\n\",\"\\u0061b\":false,\"eps\":1e-05}");
    write_text(below(folder, "generation_config.json"), "{\"eos_token_id\":[1,106]}");
    static const char header[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}     ";
    const uint64_t n = sizeof header - 1;
    uint8_t file[8 + sizeof header - 1 + 8];
    memcpy(file, &n, 8);
    memcpy(file + 8, header, n);
    memcpy(file + 8 + n, (const float[]){ 1.5f, -2 }, 8);
    write_file(below(folder, "some name.safetensors"), file, sizeof file);

    /* The folder, and the file in it, give the same. */
    const char *const paths[] = { folder, below(folder, "some name.safetensors") };
    for (size_t p = 0; p < COUNT(paths); p++) {
        struct container *c = open_ok(paths[p]);
        assert_string_equal(c->folder, folder);
        assert_true(value(tensor(c, "w"), 1) == -2);
        assert_int_equal(kv_int(c, "a.b.c"), 1);
        assert_true(kv_float(c, "big") == 1e30);
        assert_true(isinf(kv_float(c, "inf")));
        assert_true(kv_float(c, "eps") == 1e-05);
        assert_kv_str(c, "s", "\xf0\x9f\x94\xa5\n");
        assert_int_equal(container_kv(c, "ab")->type, KV_BOOL);
        assert_false(container_kv(c, "ab")->b);
        assert_null(container_kv(c, "a"));
        assert_int_equal(container_kv(c, "ints")->array.element, KV_INT);
        assert_int_equal(container_kv(c, "none")->array.n, 0);

        struct kv_iter it, inner;
        struct kv v;
        static const enum kv_type types[] = { KV_INT, KV_STRING, KV_NULL, KV_FLOAT, KV_BOOL, KV_ARRAY, KV_NULL };
        kv_iterate(&it, c, container_kv(c, "list"));
        assert_int_equal(it.array.n, COUNT(types));
        assert_int_equal(it.array.element, KV_NULL);
        for (size_t i = 0; i < COUNT(types); i++) {
            assert_true(kv_next(&it, &v));
            assert_int_equal(v.type, types[i]);
            assert_int_equal(v.key.n, 0);
            if (i == 1) assert_true(str_is(v.s, "tw\xc3\xb6"));
            if (i == 3) assert_true(v.f == 2.5);
            if (i == 4) assert_true(v.b);
            if (i != 5) continue;
            kv_iterate(&inner, c, &v);
            assert_true(kv_next(&inner, &v) && v.type == KV_INT && v.i == 3);
            assert_true(kv_next(&inner, &v) && v.type == KV_ARRAY && v.array.n == 1);
            assert_false(kv_next(&inner, &v));
        }
        assert_false(kv_next(&it, &v));
        kv_iterate(&it, c, container_kv(c, "generation.eos_token_id"));
        assert_true(kv_next(&it, &v) && v.i == 1 && kv_next(&it, &v) && v.i == 106 && !kv_next(&it, &v));
        kv_iterate(&it, c, container_kv(c, "ab")); /* no array: no elements */
        assert_false(kv_next(&it, &v));
        container_close(c);
    }
    write_text(below(folder, "config.json"), "{\"a\":1,\"a\":2}"); /* Python takes the last */
    struct container *repeated = open_ok(folder);
    assert_int_equal(container_kv(repeated, "a")->i, 2);
    container_close(repeated);
    static const char *const bad[][2] = {
        { "{\"a\":1", "config.json" },
        { "[]", "config.json" },
        { "", "config.json" },
        { "{} {}", "config.json" },
        { "{\"a\":[[[[[[[[[[1]]]]]]]]]]}", "nested too deeply" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        write_text(below(folder, "config.json"), bad[i][0]);
        open_fails(folder, HEARTH_E_FORMAT, bad[i][1]);
    }
    char *deep = malloc(2000);
    memset(deep, 0, 2000);
    for (int i = 0; i < 300; i++) strcat(deep, "{\"a\":");
    write_text(below(folder, "config.json"), deep);
    open_fails(folder, HEARTH_E_FORMAT, "nested too deeply");
    strcpy(deep, "{\"");
    memset(deep + 2, 'k', 1500);
    strcpy(deep + 1502, "\":1}");
    write_text(below(folder, "config.json"), deep);
    open_fails(folder, HEARTH_E_FORMAT, "longer than 1024");
    free(deep);
}

/* ---- shards */

/* A folder whose files are links to those of the sharded golden. */
static const char *shards_copy(const char *name)
{
    static const char *const files[] = {
        "config.json", "model.safetensors.index.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
    };
    const char *folder = make_folder(name), *from = golden("formats/safetensors-sharded");
    for (size_t i = 0; i < COUNT(files); i++) assert_int_equal(symlink(below(from, files[i]), below(folder, files[i])), 0);
    return folder;
}

static void test_shards(void **state)
{
    (void)state;
    const char *parts = golden("formats/safetensors-sharded");
    struct container *c = open_ok(parts), *one = open_ok(below(parts, "model-00002-of-00003.safetensors"));
    assert_int_equal(c->n_tensor, 30);
    assert_int_equal(one->n_tensor, 30); /* any part opens all */
    assert_string_equal(c->format, "safetensors folder, sharded");
    assert_kv_str(c, "model_type", "llama");
    assert_same_tensor(tensor(c, "model.norm.weight"), tensor(one, "model.norm.weight"));
    container_close(one);
    container_close(c);

    const char *folder = shards_copy("shards");
    unlink(below(folder, "model-00002-of-00003.safetensors"));
    open_fails(folder, HEARTH_E_NOT_FOUND, "model-00002-of-00003.safetensors is missing");

    /* An index that lies. */
    static const struct {
        const char *index;
        int         status;
        const char *says;
    } cases[] = {
        { "{\"weight_map\":{\"model.norm.weight\":\"../shards/model-00003-of-00003.safetensors\"}}", HEARTH_E_FORMAT,
          "plain file name" },
        { "{\"weight_map\":{\"model.norm.weight\":\"..\"}}", HEARTH_E_FORMAT, "plain file name" },
        { "{\"weight_map\":{\"model.norm.weight\":\"/etc/passwd\"}}", HEARTH_E_FORMAT, "plain file name" },
        { "{\"weight_map\":{\"model.norm.weight\":\"a\\u0000b\"}}", HEARTH_E_FORMAT, "plain file name" },
        { "{\"weight_map\":{\"model.norm.weight\":1}}", HEARTH_E_FORMAT, "name of a part" },
        { "{\"weight_map\":{\"not.there\":\"model-00003-of-00003.safetensors\"}}", HEARTH_E_FORMAT, "not.there" },
        { "{\"weight_map\":[]}", HEARTH_E_FORMAT, "weight_map" },
        { "{\"metadata\":{}}", HEARTH_E_FORMAT, "weight_map" },
        { "{\"weight_map\":{\"a\":\"config.json\"}}", HEARTH_E_FORMAT, "config.json" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *index = below(folder, "model.safetensors.index.json");
        unlink(index);
        write_text(index, cases[i].index);
        open_fails(folder, cases[i].status, cases[i].says);
    }
    write_text(below(folder, "model.safetensors.index.json"),
               "{\"weight_map\":{\"model.norm.weight\":\"model-00003-of-00003.safetensors\"}}");
    c = open_ok(folder);
    assert_non_null(container_tensor(c, "model.norm.weight"));
    container_close(c);

    /* The same tensor in two parts. */
    const char *twice = shards_copy("twice");
    unlink(below(twice, "model-00002-of-00003.safetensors"));
    assert_int_equal(symlink(below(parts, "model-00001-of-00003.safetensors"), below(twice, "model-00002-of-00003.safetensors")),
                     0);
    open_fails(twice, HEARTH_E_FORMAT, "occurs twice");
}

/* ---- safetensors by hand */

static void safetensors_write(const char *path, const char *header, const void *data, size_t n_data)
{
    const uint64_t n = strlen(header);
    uint8_t *file = malloc(8 + n + n_data);
    memcpy(file, &n, 8);
    memcpy(file + 8, header, n);
    memcpy(file + 8 + n, data, n_data);
    write_file(path, file, 8 + n + n_data);
    free(file);
}

static void test_safetensors(void **state)
{
    (void)state;
    static const float data[6] = { 1, 2, 3, 4, 5, 6 };
    const char *path = scratch("x.safetensors");
    /* An odd header: the data lie at an odd address and are copied. Unknown members and metadata are passed over. */
    for (int odd = 0; odd < 8; odd++) {
        char header[400];
        snprintf(header, sizeof header,
                 "{\"__metadata__\":{\"a\":\"b\"},"
                 "\"x\\u0079\":{\"data_offsets\":[0,16],\"extra\":[{}],\"shape\":[1,2,1,1,2,1],\"dtype\":\"F32\"},"
                 "\"none\":{\"dtype\":\"I64\",\"shape\":[0,3],\"data_offsets\":[16,16]},"
                 "\"one\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[20,24]}}%*s", odd, "");
        safetensors_write(path, header, data, sizeof data);
        struct container *c = open_ok(path);
        assert_int_equal(c->n_tensor, 3);
        const struct file_tensor *t = tensor(c, "xy"), *one = tensor(c, "one"), *none = tensor(c, "none");
        assert_int_equal((uintptr_t)t->data % 4, 0);
        assert_memory_equal(t->data, data, 16);
        assert_int_equal(t->rank, 4);
        assert_true(t->dim[0] == 2 && t->dim[1] == 1 && t->dim[2] == 2 && t->dim[3] == 1);
        assert_int_equal(one->rank, 0);
        assert_true(value(one, 0) == 6);
        assert_int_equal(none->n_bytes, 0);
        container_close(c);
    }
    static const struct {
        const char *header;
        int         status;
        const char *says;
    } cases[] = {
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,20]}}", HEARTH_E_FORMAT, "offsets are 0 and 20" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[24,0]}}", HEARTH_E_FORMAT, "outside" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[7],\"data_offsets\":[0,28]}}", HEARTH_E_FORMAT, "cut short" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[4,28]}}", HEARTH_E_FORMAT, "cut short" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", HEARTH_E_FORMAT, "shape" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", HEARTH_E_FORMAT, "shape" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[-6],\"data_offsets\":[0,24]}}", HEARTH_E_FORMAT, "dimension" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,24]}}", HEARTH_E_FORMAT, "dimension" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":6,\"data_offsets\":[0,24]}}", HEARTH_E_FORMAT, "dimensions" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24,1]}}", HEARTH_E_FORMAT, "two offsets" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"shape\":[6],\"data_offsets\":[0,24]}}", HEARTH_E_FORMAT, "twice" },
        { "{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,24]}}", HEARTH_E_FORMAT, "without" },
        { "{\"x\":{\"dtype\":\"F7\",\"shape\":[6],\"data_offsets\":[0,24]}}", HEARTH_E_UNSUPPORTED, "F7" },
        { "{\"x\":{\"dtype\":7,\"shape\":[6],\"data_offsets\":[0,24]}}", HEARTH_E_FORMAT, "dtype" },
        { "{\"x\":[]}", HEARTH_E_FORMAT, "description" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
          "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
          HEARTH_E_FORMAT, "tensor x occurs twice" },
        { "{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
          "\"y\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[12,20]}}",
          HEARTH_E_FORMAT, "overlap" },
        { "{\"x\":{", HEARTH_E_FORMAT, "too early" },
        { "{} x", HEARTH_E_FORMAT, "JSON" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        safetensors_write(path, cases[i].header, data, sizeof data);
        open_fails(path, cases[i].status, cases[i].says);
    }
    write_file(path, "\xff\xff\xff\x7f\0\0\0\0{}", 10);
    open_fails(path, HEARTH_E_FORMAT, "header");
    write_file(path, "\x40\0\0\0\0\0\0\0{}", 10);
    open_fails(path, HEARTH_E_FORMAT, "cut short");
}

/* ---- GGUF by hand */

static void test_gguf_versions(void **state)
{
    (void)state;
    static const char *const names[] = { NULL, "gguf v1", "gguf v2", "gguf v3" };
    const char *path = scratch("sample.gguf");
    for (uint32_t version = 1; version <= 3; version++) {
        struct gguf_make g;
        make_sample(&g, version);
        write_file(path, g.p, g.n);
        free(g.p);
        struct container *c = open_ok(path);
        assert_string_equal(c->format, names[version]);
        assert_int_equal(c->n_kv, 17);
        assert_kv_str(c, "general.architecture", "sample");
        assert_int_equal(kv_int(c, "u8"), 255);
        assert_int_equal(kv_int(c, "i8"), -1);
        assert_int_equal(kv_int(c, "u16"), 65535);
        assert_int_equal(kv_int(c, "i16"), -1);
        assert_int_equal(kv_int(c, "u32"), UINT32_MAX);
        assert_int_equal(kv_int(c, "i32"), -1);
        assert_int_equal(kv_int(c, "u64"), (int64_t)1 << 40);
        assert_int_equal(kv_int(c, "i64"), -1);
        assert_true(kv_float(c, "u64 huge") == 18446744073709551615.0);
        assert_true(kv_float(c, "f32") == 0.5 && kv_float(c, "f64") == 0.25);
        assert_true(container_kv(c, "bool")->type == KV_BOOL && container_kv(c, "bool")->b);

        struct kv_iter it, inner;
        struct kv v;
        kv_iterate(&it, c, container_kv(c, "strings"));
        assert_int_equal(it.array.element, KV_STRING);
        assert_true(kv_next(&it, &v) && str_is(v.s, "a") && kv_next(&it, &v) && str_is(v.s, ""));
        assert_true(kv_next(&it, &v) && str_is(v.s, "ccc") && !kv_next(&it, &v));
        kv_iterate(&it, c, container_kv(c, "numbers"));
        assert_true(kv_next(&it, &v) && v.i == 1 && kv_next(&it, &v) && v.i == -2 && v.f == -2 && !kv_next(&it, &v));
        kv_iterate(&it, c, container_kv(c, "nested"));
        assert_int_equal(it.array.element, KV_ARRAY);
        assert_true(kv_next(&it, &v) && v.type == KV_ARRAY && v.array.n == 2);
        kv_iterate(&inner, c, &v);
        assert_true(kv_next(&inner, &v) && v.i == 7 && kv_next(&inner, &v) && v.i == 8 && !kv_next(&inner, &v));
        assert_true(kv_next(&it, &v) && v.array.element == KV_STRING);
        kv_iterate(&inner, c, &v);
        assert_true(kv_next(&inner, &v) && str_is(v.s, "in") && !kv_next(&it, &v));
        kv_iterate(&it, c, container_kv(c, "empty"));
        assert_false(kv_next(&it, &v));

        const struct file_tensor *a = tensor(c, "a"), *b = tensor(c, "b");
        assert_true(a->rank == 2 && a->dim[0] == 3 && a->dim[1] == 4 && a->type == DTYPE_F32);
        assert_true(value(a, 11) == 11);
        assert_true(b->rank == 1 && b->dim[0] == 64 && b->type == DTYPE_Q8_0 && b->n_bytes == 68);
        assert_int_equal(((const uint8_t *)b->data)[67], 67);
        container_close(c);
    }
}

static void test_gguf_refused(void **state)
{
    (void)state;
    const char *path = scratch("bad.gguf");
    static const struct {
        uint64_t    dim[2];
        uint32_t    rank, type;
        uint64_t    offset;
        int         status;
        const char *says;
    } cases[] = {
        { { 4, 2 }, 2, 0, 32, HEARTH_E_FORMAT, "outside" },
        { { 4, 2 }, 2, 0, 4, HEARTH_E_FORMAT, "aligned" },
        { { 4, 2 }, 5, 0, 0, HEARTH_E_FORMAT, "5 dimensions" },
        { { 33, 1 }, 2, 8, 0, HEARTH_E_FORMAT, "Q8_0" },
        { { 4, 2 }, 2, 4, 0, HEARTH_E_UNSUPPORTED, "type number 4" },
        { { 4, 2 }, 2, 77777, 0, HEARTH_E_UNSUPPORTED, "tensor it has type number 77777" },
        { { (uint64_t)1 << 32, (uint64_t)1 << 32 }, 2, 0, 0, HEARTH_E_FORMAT, "shape" },
        { { 4, 2 }, 2, 0, UINT64_MAX - 31, HEARTH_E_FORMAT, "outside" },
        { { 4, 2 }, 2, 0, (uint64_t)1 << 63, HEARTH_E_FORMAT, "outside" },
    };
    struct gguf_make g;
    for (size_t i = 0; i < COUNT(cases); i++) {
        make_header(&g, 3, 1, 1);
        make_kv_str(&g, "general.architecture", "x");
        make_tensor(&g, "it", cases[i].rank, (const uint64_t[5]){ cases[i].dim[0], cases[i].dim[1], 1, 1, 1 }, cases[i].type,
                    cases[i].offset);
        make_align(&g, 32);
        make_bytes(&g, (const float[8]){ 0 }, 32);
        write_file(path, g.p, g.n);
        free(g.p);
        open_fails(path, cases[i].status, cases[i].says);
    }
    static const uint32_t alignments[] = { 0, 1, 24, 1u << 21, UINT32_MAX };
    for (size_t i = 0; i < COUNT(alignments); i++) {
        make_header(&g, 3, 0, 1);
        make_kv_u32(&g, "general.alignment", alignments[i]);
        write_file(path, g.p, g.n);
        free(g.p);
        open_fails(path, HEARTH_E_FORMAT, "general.alignment");
    }
    make_header(&g, 3, 0, 2);
    make_kv_u32(&g, "a", 1);
    make_kv_u32(&g, "a", 1);
    write_file(path, g.p, g.n);
    free(g.p);
    open_fails(path, HEARTH_E_FORMAT, "key a occurs twice");
    make_header(&g, 3, 0, 1);
    make_key(&g, "deep", 9);
    for (int i = 0; i < 100; i++) make_u32(&g, 9), make_u64(&g, 1);
    write_file(path, g.p, g.n);
    free(g.p);
    open_fails(path, HEARTH_E_FORMAT, "nested too deeply");
    make_header(&g, 3, (uint64_t)1 << 60, 0);
    write_file(path, g.p, g.n);
    free(g.p);
    open_fails(path, HEARTH_E_FORMAT, "more than the file can hold");
    write_file(path, "GGUF\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
    open_fails(path, HEARTH_E_UNSUPPORTED, "big-endian");
    write_file(path, "GGUF\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24);
    open_fails(path, HEARTH_E_UNSUPPORTED, "version 4");
    write_file(path, "GGUF\3\0\0", 7);
    open_fails(path, HEARTH_E_FORMAT, "cut short");
}

/* A large vocabulary is walked, not copied: a handful of allocations whatever its size. */
static void test_gguf_vocabulary(void **state)
{
    (void)state;
    enum { TOKENS = 262144 };
    const char *path = scratch("vocabulary.gguf");
    struct gguf_make g;
    make_header(&g, 3, 0, 1);
    make_key(&g, "tokenizer.ggml.tokens", 9);
    make_u32(&g, 8);
    make_u64(&g, TOKENS);
    for (int i = 0; i < TOKENS; i++) {
        char text[16];
        snprintf(text, sizeof text, "tok%d", i);
        make_str(&g, text);
    }
    write_file(path, g.p, g.n);
    free(g.p);
    const uint64_t before = mem_count();
    struct container *c = open_ok(path);
    assert_true(mem_count() - before < 10);
    struct kv_iter it;
    struct kv v;
    int i = 0;
    for (kv_iterate(&it, c, container_kv(c, "tokenizer.ggml.tokens")); kv_next(&it, &v); i++) {
        char text[16];
        const int n = snprintf(text, sizeof text, "tok%d", i);
        assert_true(str_eq(v.s, (struct str){ text, (size_t)n }));
    }
    assert_int_equal(i, TOKENS);
    assert_true(mem_count() - before < 10);
    container_close(c);
}

static void write_part(const char *folder, int no, int count, int says_no, int tensors)
{
    struct gguf_make g;
    char name[64];
    make_header(&g, 3, 1, no == 0 ? 4 : 3);
    if (no == 0) make_kv_str(&g, "general.architecture", "split");
    make_kv_u32(&g, "split.no", (uint32_t)says_no);
    make_kv_u32(&g, "split.count", (uint32_t)count);
    make_kv_u32(&g, "split.tensors.count", (uint32_t)tensors);
    snprintf(name, sizeof name, "t%d", no);
    make_tensor(&g, name, 1, (const uint64_t[]){ 8 }, 0, 0);
    make_align(&g, 32);
    for (int i = 0; i < 8; i++) make_bytes(&g, &(float){ (float)(100 * no + i) }, 4);
    snprintf(name, sizeof name, "m-%05d-of-%05d.gguf", no + 1, count);
    write_file(below(folder, name), g.p, g.n);
    free(g.p);
}

static void test_gguf_split(void **state)
{
    (void)state;
    const char *folder = make_folder("split");
    for (int i = 0; i < 3; i++) write_part(folder, i, 3, i, 3);
    const char *const paths[] = { folder, below(folder, "m-00001-of-00003.gguf"), below(folder, "m-00002-of-00003.gguf") };
    for (size_t p = 0; p < COUNT(paths); p++) {
        struct container *c = open_ok(paths[p]);
        assert_int_equal(c->n_tensor, 3);
        assert_int_equal(c->n_kv, 4);
        assert_kv_str(c, "general.architecture", "split");
        assert_int_equal(kv_int(c, "split.no"), 0);
        assert_true(value(tensor(c, "t2"), 7) == 207);
        container_close(c);
    }
    write_part(folder, 1, 3, 2, 3);
    open_fails(paths[1], HEARTH_E_FORMAT, "not part 2 of 3");
    unlink(paths[2]);
    open_fails(paths[1], HEARTH_E_NOT_FOUND, "m-00002-of-00003.gguf");
    write_part(folder, 1, 3, 1, 3);
    write_part(folder, 0, 3, 0, 4);
    open_fails(paths[2], HEARTH_E_FORMAT, "3 tensors together, not 4");
    assert_int_equal(rename(paths[1], below(folder, "other.gguf")), 0);
    open_fails(below(folder, "other.gguf"), HEARTH_E_NOT_FOUND, "-00001-of-00003.gguf");
}

/* ---- llama2.c */

static void put(struct gguf_make *g, const struct container *c, const char *name)
{
    const struct file_tensor *t = tensor(c, name);
    make_bytes(g, t->data, t->n_bytes);
}

static void put_layers(struct gguf_make *g, const struct container *c, const char *format)
{
    for (int i = 0; i < 5; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%d.%s", i, format);
        put(g, c, name);
    }
}

/* The same weights in the order of version 1. */
static void version1_make(struct gguf_make *g, const struct container *c, uint32_t version, int tied)
{
    static const char *const norms[] = { "attn_norm.weight", "ffn_norm.weight" };
    static const char *const layers[] = { "attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight",
                                          "ffn_gate.weight", "ffn_down.weight", "ffn_up.weight" };
    static const char *const sizes[] = { "embedding_length", "feed_forward_length", "block_count", "attention.head_count",
                                         "attention.head_count_kv", "vocab_size", "context_length" };
    *g = (struct gguf_make){ .version = 3 };
    make_u32(g, 0x616b3432);
    make_u32(g, version);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char key[64];
        snprintf(key, sizeof key, "llama2c.%s", sizes[i]);
        make_u32(g, (uint32_t)kv_int(c, key));
    }
    make_bytes(g, &(uint8_t){ (uint8_t)tied }, 1);
    while (g->n < 256) make_bytes(g, "", 1);
    for (size_t i = 0; i < COUNT(norms); i++) put_layers(g, c, norms[i]);
    put(g, c, "output_norm.weight");
    put(g, c, "token_embd.weight");
    for (size_t i = 0; i < COUNT(layers); i++) put_layers(g, c, layers[i]);
    if (!tied) put(g, c, "token_embd.weight");
}

static void test_llama2c(void **state)
{
    (void)state;
    const char *path = shared("data/models/stories260K/stories260K.bin");
    if (!path) SKIP("no stories260K.bin here");
    struct container *c = open_ok(path);
    assert_string_equal(c->format, "llama2.c");
    assert_kv_str(c, "general.architecture", "llama2c");
    assert_int_equal(kv_int(c, "llama2c.embedding_length"), 64);
    assert_int_equal(kv_int(c, "llama2c.feed_forward_length"), 172);
    assert_int_equal(kv_int(c, "llama2c.block_count"), 5);
    assert_int_equal(kv_int(c, "llama2c.attention.head_count"), 8);
    assert_int_equal(kv_int(c, "llama2c.attention.head_count_kv"), 4);
    assert_int_equal(kv_int(c, "llama2c.vocab_size"), 512);
    assert_int_equal(kv_int(c, "llama2c.context_length"), 512);
    assert_int_equal(c->n_tensor, 2 + 5 * 9);
    assert_null(container_tensor(c, "output.weight"));
    const struct file_tensor *k = tensor(c, "blk.4.attn_k.weight"), *down = tensor(c, "blk.0.ffn_down.weight");
    assert_true(k->rank == 2 && k->dim[0] == 32 && k->dim[1] == 64);
    assert_true(down->dim[0] == 64 && down->dim[1] == 172);
    /* Norm weights are around one, the table of cosines behind them begins with ones: the order is right. */
    const struct file_tensor *norm = tensor(c, "output_norm.weight");
    double sum = 0;
    for (uint64_t i = 0; i < 64; i++) sum += value(norm, i);
    assert_true(sum / 64 > 0.5 && sum / 64 < 20);
    const float *cosines = (const float *)norm->data + 64;
    for (int i = 0; i < 4; i++) assert_true(cosines[i] == 1);

    /* Version 1, tied and not: every tensor the same; so are the tensors of an untied legacy file. */
    const char *copy = scratch("copy.bin");
    struct gguf_make g;
    for (int tied = 0; tied <= 1; tied++) {
        version1_make(&g, c, 1, tied);
        write_file(copy, g.p, g.n);
        struct container *v1 = open_ok(copy);
        assert_string_equal(v1->format, "llama2.c v1");
        assert_int_equal(v1->n_tensor, c->n_tensor + !tied);
        for (uint64_t i = 0; i < c->n_tensor; i++) {
            char name[64];
            snprintf(name, sizeof name, "%.*s", STR_ARG(c->tensor[i].name));
            assert_same_tensor(&c->tensor[i], tensor(v1, name));
        }
        if (!tied) assert_same_tensor(tensor(v1, "output.weight"), tensor(c, "token_embd.weight"));
        container_close(v1);
        write_file(copy, g.p, g.n - 4);
        open_fails(copy, HEARTH_E_FORMAT, "do not agree with its header");
        free(g.p);
    }
    version1_make(&g, c, 2, 1);
    write_file(copy, g.p, g.n);
    open_fails(copy, HEARTH_E_UNSUPPORTED, "version 2");
    free(g.p);

    size_t n;
    char *old = read_file(path, &n);
    g = (struct gguf_make){ .version = 3 };
    make_bytes(&g, old, n);
    memcpy(g.p + 20, &(int32_t){ -512 }, 4);
    put(&g, c, "token_embd.weight");
    write_file(copy, g.p, g.n);
    struct container *untied = open_ok(copy);
    assert_same_tensor(tensor(untied, "output.weight"), tensor(c, "token_embd.weight"));
    assert_same_tensor(tensor(untied, "output_norm.weight"), norm);
    assert_int_equal(kv_int(untied, "llama2c.vocab_size"), 512);
    container_close(untied);
    free(g.p);
    write_file(copy, old, n - 4); /* a size that does not match the header: not recognised */
    open_fails(copy, HEARTH_E_UNSUPPORTED, "no format hearth knows");
    free(old);
    container_close(c);

    static const char *const others[] = { "data/models/babyllama/babyllama-tok105.bin",
                                          "data/models/llama2xs/llama2xs-280K.bin" };
    for (size_t i = 0; i < COUNT(others); i++) {
        c = open_ok(shared(others[i]));
        assert_int_equal(c->n_tensor, 47);
        container_close(c);
    }
}

/* ---- what is not a model */

static void test_unknown(void **state)
{
    (void)state;
    static const struct {
        const char *name, *content;
        int         status;
        const char *says;
    } cases[] = {
        { "u1", "", HEARTH_E_FORMAT, "empty" },
        { "u2", "Once upon a time", HEARTH_E_UNSUPPORTED, "4f 6e 63 65" },
        { "u3", "PK\3\4....", HEARTH_E_FORMAT, "zip" },
        { "u4", "\x80\2\x8a\x0al\xfc\x9c", HEARTH_E_FORMAT, "pickle" },
        { "u5", "lmgg", HEARTH_E_UNSUPPORTED, "ggml" },
        { "u6", "fmgg\1", HEARTH_E_UNSUPPORTED, "ggmf" },
        { "u7", "tjgg\3", HEARTH_E_UNSUPPORTED, "ggjt" },
        { "u8", "<!DOCTYPE html>", HEARTH_E_UNSUPPORTED, "web page" },
        { "u9", "version https://git-lfs.github.com/spec/v1\n", HEARTH_E_UNSUPPORTED, "git lfs pull" },
        { "config.json", "{\"model_type\": \"x\"}", HEARTH_E_UNSUPPORTED, "folder" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *path = scratch(cases[i].name);
        write_text(path, cases[i].content);
        open_fails(path, cases[i].status, cases[i].says);
        open_fails(path, cases[i].status, cases[i].name);
    }
    open_fails(scratch("nowhere"), HEARTH_E_NOT_FOUND, "nowhere");
    open_fails("", HEARTH_E_NOT_FOUND, "open");
    open_fails("/dev/null", HEARTH_E_IO, "/dev/null");
}

static void test_folders(void **state)
{
    (void)state;
    const char *folder = make_folder("folders");
    open_fails(folder, HEARTH_E_NOT_FOUND, "model.safetensors.index.json, model.safetensors");
    write_text(below(folder, "tf_model.h5"), "\x89HDF");
    open_fails(folder, HEARTH_E_UNSUPPORTED, "tf_model.h5, which is not supported yet");
    struct gguf_make g;
    make_sample(&g, 3);
    write_file(below(folder, "one.gguf"), g.p, g.n);
    struct container *c = open_ok(folder);
    assert_string_equal(c->format, "gguf v3");
    assert_string_equal(c->folder, folder);
    container_close(c);
    write_file(below(folder, "two.gguf"), g.p, g.n);
    open_fails(folder, HEARTH_E_ARG, "2 .gguf files");
    free(g.p);

    /* A relative path without a slash lies in "."; slashes at the end of a folder do no harm. */
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    c = open_ok("one.gguf");
    assert_string_equal(c->folder, ".");
    container_close(c);
    assert_int_equal(chdir(here), 0);
    const char *model = golden("text/llama2-gqa");
    c = open_ok(below(model, "//"));
    assert_string_equal(c->folder, model);
    container_close(c);
}

/* ---- each allocation fails in turn: an error, no leak, no crash */

static void open_without_memory(const char *path)
{
    int failures = 0;
    for (uint64_t nth = 1;; nth++) {
        struct container *c = NULL;
        struct hearth_error err = { 0 };
        mem_fail_at(nth);
        const int status = container_open(&c, path, &err);
        mem_fail_at(0);
        container_close(c);
        if (status == 0) break;
        assert_fails(status, HEARTH_E_MEMORY, &err);
        failures++;
    }
    assert_true(failures >= 4);
}

static void test_no_memory(void **state)
{
    (void)state;
    const char *sample = scratch("memory.gguf");
    struct gguf_make g;
    make_sample(&g, 3);
    write_file(sample, g.p, g.n);
    free(g.p);
    open_without_memory(sample);
    const char *odd = scratch("odd.safetensors");
    safetensors_write(odd, "{\"\\u0061\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}} ", "01234", 5);
    open_without_memory(odd);
    static const char *const recorded[] = { "text/llama2-gqa",               "formats/safetensors-sharded",    "formats/bin-zip-sharded",
                                            "formats/torch-more/good-zip-2.pt", "formats/torch-more/good-old-2.pt", "formats/torch-more/rwkv.pth" };
    for (size_t i = 0; i < COUNT(recorded); i++) open_without_memory(golden(recorded[i]));
    const char *story = shared("data/models/stories260K/stories260K.bin");
    if (story) open_without_memory(story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf_and_folder_agree), cmocka_unit_test(test_all_goldens),   cmocka_unit_test(test_config),
        cmocka_unit_test(test_shards),                cmocka_unit_test(test_safetensors),   cmocka_unit_test(test_gguf_versions),
        cmocka_unit_test(test_gguf_refused),          cmocka_unit_test(test_gguf_vocabulary), cmocka_unit_test(test_gguf_split),
        cmocka_unit_test(test_llama2c),               cmocka_unit_test(test_unknown),       cmocka_unit_test(test_folders),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
