/* Configuration in JSON as key-values: {"a": {"b": 1}} becomes "a.b" = 1. Arrays are packed once into the encoding that
 * kv_value.c walks; objects inside arrays become nulls. */
#include "formats/reader.h"

enum { KEY_MAX = 1024, PACKED_MAX = 64 << 20 };

struct flatten {
    struct container    *c;
    struct json          json;
    struct buf           key;    /* prefix and name of the value at hand */
    struct buf           packed; /* the array at hand */
    struct hearth_error *err;
};

static int keep(struct flatten *f, const char *p, size_t n, struct str *out)
{
    const char *copy = arena_strndup(&f->c->arena, p, n);
    *out = (struct str){ copy, n };
    return copy ? 0 : fail_memory(f->err, n, "the configuration");
}

/* ---- arrays */

static void pack_u32(struct flatten *f, uint32_t v)
{
    buf_put(&f->packed, &v, sizeof v);
}

static void pack_u64(struct flatten *f, uint64_t v)
{
    buf_put(&f->packed, &v, sizeof v);
}

static int pack_elements(struct flatten *f, int depth, uint64_t *n, enum kv_type *element);

static int pack_nested(struct flatten *f, int depth)
{
    pack_u32(f, VALUE_ARRAY);
    pack_u32(f, VALUE_ANY);
    const size_t at = f->packed.n;
    uint64_t n;
    enum kv_type element;
    pack_u64(f, 0);
    const int status = pack_elements(f, depth + 1, &n, &element);
    if (status == 0 && !f->packed.failed) memcpy(f->packed.p + at, &n, sizeof n);
    return status;
}

static void pack_string(struct flatten *f)
{
    pack_u32(f, VALUE_STRING);
    const size_t at = f->packed.n;
    pack_u64(f, 0);
    json_text(&f->json, &f->packed);
    const uint64_t n = f->packed.n - at - sizeof n;
    if (!f->packed.failed) memcpy(f->packed.p + at, &n, sizeof n);
}

static void pack_number(struct flatten *f)
{
    pack_u32(f, f->json.is_int ? VALUE_I64 : VALUE_F64);
    if (f->json.is_int) buf_put(&f->packed, &f->json.integer, sizeof f->json.integer);
    else buf_put(&f->packed, &f->json.number, sizeof f->json.number);
}

static void pack_bool(struct flatten *f, bool b)
{
    pack_u32(f, VALUE_BOOL);
    buf_char(&f->packed, b);
}

static enum kv_type kv_type_of(const struct json *j, enum json_kind kind)
{
    switch (kind) {
    case JSON_STRING: return KV_STRING;
    case JSON_NUMBER: return j->is_int ? KV_INT : KV_FLOAT;
    case JSON_TRUE:
    case JSON_FALSE: return KV_BOOL;
    case JSON_ARRAY: return KV_ARRAY;
    default: return KV_NULL;
    }
}

static int pack_value(struct flatten *f, enum json_kind kind, int depth)
{
    if (kind == JSON_ARRAY) return pack_nested(f, depth);
    if (kind == JSON_STRING) pack_string(f);
    else if (kind == JSON_NUMBER) pack_number(f);
    else if (kind == JSON_TRUE || kind == JSON_FALSE) pack_bool(f, kind == JSON_TRUE);
    else pack_u32(f, VALUE_NULL);
    return json_skip(&f->json, kind);
}

/* Packs up to the closing bracket. *element: the type all have in common, else KV_NULL. */
static int pack_elements(struct flatten *f, int depth, uint64_t *n, enum kv_type *element)
{
    if (depth == VALUE_DEPTH) return json_fail(&f->json, "arrays nested too deeply");
    *n = 0;
    *element = KV_NULL;
    for (enum json_kind kind; (kind = json_next(&f->json)) != JSON_ARRAY_END; ++*n) {
        if (kind == JSON_ERROR) return HEARTH_E_FORMAT;
        const enum kv_type type = kv_type_of(&f->json, kind);
        *element = *n == 0 || *element == type ? type : KV_NULL;
        const int status = pack_value(f, kind, depth);
        if (status < 0) return status;
    }
    return f->packed.failed ? fail_memory(f->err, f->packed.n, "a list in the configuration") : 0;
}

static int array_set(struct flatten *f, struct kv *kv)
{
    buf_clear(&f->packed);
    const int status = pack_elements(f, 0, &kv->array.n, &kv->array.element);
    if (status < 0) return status;
    kv->array.raw_type = VALUE_ANY;
    return keep(f, f->packed.p, f->packed.n, &kv->array.raw);
}

/* ---- values */

static int string_set(struct flatten *f, struct kv *kv)
{
    kv->s = f->json.text;
    if (!f->json.escaped) return 0;
    buf_clear(&f->packed);
    json_text(&f->json, &f->packed);
    if (f->packed.failed) return fail_memory(f->err, f->json.text.n, "a text in the configuration");
    return keep(f, f->packed.p, f->packed.n, &kv->s);
}

static int value_add(struct flatten *f, enum json_kind kind)
{
    struct kv *kv;
    int status = container_add_kv(f->c, &kv, f->err);
    if (status == 0) status = keep(f, f->key.p, f->key.n, &kv->key);
    if (status < 0) return status;
    kv->type = kv_type_of(&f->json, kind);
    kv->b = kind == JSON_TRUE;
    if (kind == JSON_NUMBER) {
        kv->i = f->json.integer;
        kv->f = f->json.number;
    }
    return kind == JSON_STRING ? string_set(f, kv) : kind == JSON_ARRAY ? array_set(f, kv) : 0;
}

/* Adds the members up to the closing brace; f->key holds what stands before their names. */
static int object_add(struct flatten *f)
{
    const size_t prefix = f->key.n;
    for (enum json_kind kind; (kind = json_next(&f->json)) != JSON_OBJECT_END;) {
        if (kind == JSON_ERROR) return HEARTH_E_FORMAT;
        f->key.n = prefix;
        if (f->json.text.n >= KEY_MAX - prefix) return json_fail(&f->json, "a name longer than 1024 bytes");
        json_text(&f->json, &f->key);
        kind = json_next(&f->json);
        if (kind == JSON_ERROR) return HEARTH_E_FORMAT;
        if (kind == JSON_OBJECT) buf_char(&f->key, '.');
        if (f->key.failed) return fail_memory(f->err, KEY_MAX, "a name in the configuration");
        const int status = kind == JSON_OBJECT ? object_add(f) : value_add(f, kind);
        if (status < 0) return status;
    }
    return 0;
}

int kv_from_json(struct container *c, struct str text, const char *prefix, struct hearth_error *err)
{
    struct flatten f = { .c = c, .err = err };
    json_init(&f.json, text, err);
    buf_init(&f.key, KEY_MAX);
    buf_init(&f.packed, PACKED_MAX);
    buf_puts(&f.key, prefix);
    int status = json_next(&f.json) == JSON_OBJECT ? object_add(&f) : json_fail(&f.json, "no JSON object");
    if (status == 0 && json_next(&f.json) != JSON_END) status = HEARTH_E_FORMAT;
    buf_free(&f.key);
    buf_free(&f.packed);
    return status;
}
