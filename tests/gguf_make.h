/* Writes GGUF files by hand, any version, so that tests can also write what no converter would. */
#ifndef TESTS_GGUF_MAKE_H
#define TESTS_GGUF_MAKE_H

#include "test.h"

struct gguf_make {
    uint8_t *p;
    size_t   n, room;
    uint32_t version;
};

static inline void make_bytes(struct gguf_make *g, const void *p, size_t n)
{
    if (g->n + n > g->room) {
        g->room = 2 * (g->n + n);
        g->p = realloc(g->p, g->room);
    }
    if (n) memcpy(g->p + g->n, p, n);
    g->n += n;
}

static inline void make_u32(struct gguf_make *g, uint32_t v)
{
    make_bytes(g, &v, sizeof v);
}

static inline void make_u64(struct gguf_make *g, uint64_t v)
{
    make_bytes(g, &v, sizeof v);
}

static inline void make_count(struct gguf_make *g, uint64_t v)
{
    if (g->version == 1) make_u32(g, (uint32_t)v);
    else make_u64(g, v);
}

static inline void make_str(struct gguf_make *g, const char *s)
{
    make_count(g, strlen(s));
    make_bytes(g, s, strlen(s));
}

static inline void make_header(struct gguf_make *g, uint32_t version, uint64_t n_tensor, uint64_t n_kv)
{
    *g = (struct gguf_make){ .version = version };
    make_bytes(g, "GGUF", 4);
    make_u32(g, version);
    make_count(g, n_tensor);
    make_count(g, n_kv);
}

/* A key and the type of its value; the value is to follow. */
static inline void make_key(struct gguf_make *g, const char *key, uint32_t type)
{
    make_str(g, key);
    make_u32(g, type);
}

static inline void make_kv_u32(struct gguf_make *g, const char *key, uint32_t v)
{
    make_key(g, key, 4);
    make_u32(g, v);
}

static inline void make_kv_str(struct gguf_make *g, const char *key, const char *v)
{
    make_key(g, key, 8);
    make_str(g, v);
}

/* dim in GGUF's order: the contiguous one first. */
static inline void make_tensor(struct gguf_make *g, const char *name, uint32_t rank, const uint64_t *dim, uint32_t type,
                               uint64_t offset)
{
    make_str(g, name);
    make_u32(g, rank);
    for (uint32_t i = 0; i < rank; i++) make_count(g, dim[i]);
    make_u32(g, type);
    make_u64(g, offset);
}

static inline void make_align(struct gguf_make *g, size_t alignment)
{
    static const uint8_t zero[64];
    make_bytes(g, zero, (alignment - g->n % alignment) % alignment);
}

/* Every type of value, nested arrays, two small tensors. */
static inline void make_sample(struct gguf_make *g, uint32_t version)
{
    make_header(g, version, 2, 17);
    make_kv_str(g, "general.architecture", "sample");
    make_key(g, "u8", 0), make_bytes(g, "\xff", 1);
    make_key(g, "i8", 1), make_bytes(g, "\xff", 1);
    make_key(g, "u16", 2), make_bytes(g, "\xff\xff", 2);
    make_key(g, "i16", 3), make_bytes(g, "\xff\xff", 2);
    make_key(g, "u32", 4), make_u32(g, UINT32_MAX);
    make_key(g, "i32", 5), make_u32(g, UINT32_MAX);
    make_key(g, "f32", 6), make_bytes(g, &(float){ 0.5f }, 4);
    make_key(g, "bool", 7), make_bytes(g, "\1", 1);
    make_key(g, "u64", 10), make_u64(g, (uint64_t)1 << 40);
    make_key(g, "u64 huge", 10), make_u64(g, UINT64_MAX);
    make_key(g, "i64", 11), make_u64(g, UINT64_MAX);
    make_key(g, "f64", 12), make_bytes(g, &(double){ 0.25 }, 8);
    make_key(g, "strings", 9), make_u32(g, 8), make_count(g, 3), make_str(g, "a"), make_str(g, ""), make_str(g, "ccc");
    make_key(g, "numbers", 9), make_u32(g, 3), make_count(g, 2), make_bytes(g, "\1\0\xfe\xff", 4);
    make_key(g, "nested", 9), make_u32(g, 9), make_count(g, 2);
    make_u32(g, 5), make_count(g, 2), make_u32(g, 7), make_u32(g, 8);
    make_u32(g, 8), make_count(g, 1), make_str(g, "in");
    make_key(g, "empty", 9), make_u32(g, 4), make_count(g, 0);
    make_tensor(g, "a", 2, (const uint64_t[]){ 4, 3 }, 0, 0);
    make_tensor(g, "b", 1, (const uint64_t[]){ 64 }, 8, 64);
    make_align(g, 32);
    for (int i = 0; i < 12; i++) make_bytes(g, &(float){ (float)i }, 4);
    make_align(g, 32);
    for (int i = 0; i < 68; i++) make_bytes(g, &(uint8_t){ (uint8_t)i }, 1);
}

#endif
