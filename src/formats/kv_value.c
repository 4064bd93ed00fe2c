/* Key-values in GGUF's binary encoding: checked reading, and walking arrays where they lie. */
#include "formats/reader.h"

/* ---- bytes */

static bool cursor_take(struct cursor *r, void *out, uint64_t n)
{
    if (n > r->n - r->at) return false;
    memcpy(out, r->p + r->at, n);
    r->at += n;
    return true;
}

bool cursor_u32(struct cursor *r, uint32_t *out)
{
    return cursor_take(r, out, sizeof *out);
}

bool cursor_u64(struct cursor *r, uint64_t *out)
{
    return cursor_take(r, out, sizeof *out);
}

bool cursor_count(struct cursor *r, uint64_t *out)
{
    if (!r->narrow) return cursor_u64(r, out);
    uint32_t n = 0;
    const bool ok = cursor_u32(r, &n);
    *out = n;
    return ok;
}

bool cursor_str(struct cursor *r, struct str *out)
{
    uint64_t n;
    if (!cursor_count(r, &n) || n > r->n - r->at) return false;
    *out = (struct str){ (const char *)r->p + r->at, n };
    r->at += n;
    return true;
}

/* ---- values of fixed size */

static void int_set(struct kv *out, int64_t v)
{
    out->i = v;
    out->f = (double)v;
}

static void load_u8(struct kv *out, const uint8_t *p)
{
    int_set(out, *p);
}

static void load_i8(struct kv *out, const uint8_t *p)
{
    int_set(out, (int8_t)*p);
}

static void load_u16(struct kv *out, const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    int_set(out, v);
}

static void load_i16(struct kv *out, const uint8_t *p)
{
    int16_t v;
    memcpy(&v, p, sizeof v);
    int_set(out, v);
}

static void load_u32(struct kv *out, const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    int_set(out, v);
}

static void load_i32(struct kv *out, const uint8_t *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    int_set(out, v);
}

static void load_i64(struct kv *out, const uint8_t *p)
{
    int64_t v;
    memcpy(&v, p, sizeof v);
    int_set(out, v);
}

/* Beyond int64 it becomes a float, as such integers in JSON do. */
static void load_u64(struct kv *out, const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    if (v <= INT64_MAX) {
        int_set(out, (int64_t)v);
    } else {
        out->type = KV_FLOAT;
        out->f = (double)v;
    }
}

static void load_f32(struct kv *out, const uint8_t *p)
{
    float v;
    memcpy(&v, p, sizeof v);
    out->f = (double)v;
}

static void load_f64(struct kv *out, const uint8_t *p)
{
    memcpy(&out->f, p, sizeof out->f);
}

static void load_bool(struct kv *out, const uint8_t *p)
{
    out->b = *p != 0;
}

/* size 0: of varying size, no load. */
static const struct value_info {
    enum kv_type type;
    uint8_t      size;
    void (*load)(struct kv *out, const uint8_t *p);
} value_infos[VALUE_FILE_TYPES] = {
    [VALUE_U8] = { KV_INT, 1, load_u8 },        [VALUE_I8] = { KV_INT, 1, load_i8 },
    [VALUE_U16] = { KV_INT, 2, load_u16 },      [VALUE_I16] = { KV_INT, 2, load_i16 },
    [VALUE_U32] = { KV_INT, 4, load_u32 },      [VALUE_I32] = { KV_INT, 4, load_i32 },
    [VALUE_U64] = { KV_INT, 8, load_u64 },      [VALUE_I64] = { KV_INT, 8, load_i64 },
    [VALUE_F32] = { KV_FLOAT, 4, load_f32 },    [VALUE_F64] = { KV_FLOAT, 8, load_f64 },
    [VALUE_BOOL] = { KV_BOOL, 1, load_bool },   [VALUE_STRING] = { KV_STRING, 0, NULL },
    [VALUE_ARRAY] = { KV_ARRAY, 0, NULL },
};

/* ---- values */

static const char past_end[] = "it runs past the end of the file";

static const char *element_read(struct cursor *r, uint32_t type, struct kv *out, int depth);

/* Moves over n elements. Each takes at least a byte, so a lying n ends with the file. */
static const char *elements_skip(struct cursor *r, uint32_t type, uint64_t n, int depth)
{
    if (type < VALUE_FILE_TYPES && value_infos[type].size) {
        uint64_t bytes;
        if (!size_mul(n, value_infos[type].size, &bytes) || bytes > r->n - r->at) return past_end;
        r->at += bytes;
        return NULL;
    }
    struct kv ignored;
    for (uint64_t i = 0; i < n; i++) {
        const char *wrong = element_read(r, type, &ignored, depth);
        if (wrong) return wrong;
    }
    return NULL;
}

static bool element_type_known(const struct cursor *r, uint32_t type)
{
    return type < VALUE_FILE_TYPES || (r->packed && type == VALUE_ANY);
}

static const char *array_read(struct cursor *r, struct kv *out, int depth)
{
    uint32_t type;
    uint64_t n;
    if (depth == VALUE_DEPTH) return "arrays are nested too deeply";
    if (!cursor_u32(r, &type) || !cursor_count(r, &n)) return past_end;
    if (!element_type_known(r, type)) return "its elements have an unknown type";
    const uint64_t from = r->at;
    const char *wrong = elements_skip(r, type, n, depth + 1);
    if (wrong) return wrong;
    out->array.n = n;
    out->array.element = n == 0 || type == VALUE_ANY ? KV_NULL : value_infos[type].type;
    out->array.raw = (struct str){ (const char *)r->p + from, r->at - from };
    out->array.raw_type = type | (r->narrow ? VALUE_NARROW : 0);
    return NULL;
}

static const char *element_read(struct cursor *r, uint32_t type, struct kv *out, int depth)
{
    *out = (struct kv){ .type = KV_NULL };
    if (type == VALUE_ANY && r->packed && !cursor_u32(r, &type)) return past_end;
    if (type == VALUE_NULL && r->packed) return NULL;
    if (type >= VALUE_FILE_TYPES) return "it has an unknown type";
    const struct value_info *info = &value_infos[type];
    out->type = info->type;
    if (type == VALUE_ARRAY) return array_read(r, out, depth);
    if (type == VALUE_STRING) return cursor_str(r, &out->s) ? NULL : past_end;
    if (info->size > r->n - r->at) return past_end;
    info->load(out, r->p + r->at);
    r->at += info->size;
    return NULL;
}

const char *value_read(struct cursor *r, uint32_t type, struct kv *out)
{
    const struct str key = out->key;
    const char *wrong = element_read(r, type, out, 0);
    out->key = key;
    return wrong;
}

/* ---- walking arrays */

void kv_iterate(struct kv_iter *it, const struct container *c, const struct kv *array)
{
    *it = (struct kv_iter){ .c = c };
    if (array->type == KV_ARRAY) it->array = array->array;
}

bool kv_next(struct kv_iter *it, struct kv *out)
{
    if (it->index >= it->array.n) return false;
    const uint32_t type = it->array.raw_type & ~(uint32_t)VALUE_NARROW;
    struct cursor r = { .p = (const uint8_t *)it->array.raw.p, .n = it->array.raw.n, .at = it->at,
                        .narrow = it->array.raw_type & VALUE_NARROW, .packed = type == VALUE_ANY };
    if (element_read(&r, type, out, 0)) return false;
    it->at = r.at;
    it->index++;
    return true;
}
