/* Files of rwkv.cpp (github.com/RWKV/rwkv.cpp, docs/FILE_FORMAT.md): six numbers, then one tensor behind the other, each with its
 * description before it and nothing padded. Names are RWKV-LM's. */
#include <inttypes.h>
#include <stdio.h>

#include "formats/reader.h"

enum { MAGIC = 0x67676d66, VERSION_MIN = 100, VERSION_MAX = 101, NAME_MAX_BYTES = 256 };

/* Numbers of types in the file. Blocks are those of GGUF since version 101; 100 had older ones. */
static const struct file_type {
    uint32_t    id;
    const char *name;
} file_types[] = {
    { 0, "F32" }, { 1, "F16" }, { 2, "Q4_0" }, { 3, "Q4_1" }, { 7, "Q5_0" }, { 8, "Q5_1" }, { 9, "Q8_0" },
};

/* Behind magic and version. */
static const char *const header_keys[] = { "vocab_size", "embedding_length", "block_count" };
enum { HEADER_KEYS = sizeof header_keys / sizeof *header_keys };

bool rwkv_cpp_probe(const struct container *c)
{
    uint32_t head[2];
    if (c->n_map == 0 || c->map[0].n < sizeof head) return false;
    memcpy(head, c->map[0].p, sizeof head);
    return head[0] == MAGIC && head[1] >= VERSION_MIN && head[1] <= VERSION_MAX;
}

static int cut_short(struct hearth_error *err)
{
    return fail(err, HEARTH_E_FORMAT, "cut short or damaged: get it again");
}

static int header_read(struct container *c, struct cursor *in, uint32_t *version, struct hearth_error *err)
{
    uint32_t magic, type;
    struct kv *kv;
    if (!cursor_u32(in, &magic) || !cursor_u32(in, version)) return cut_short(err);
    int status = container_add_kv(c, &kv, err);
    if (status < 0) return status;
    *kv = (struct kv){ .key = STR("general.architecture"), .type = KV_STRING, .s = STR("rwkv-cpp") };
    for (int i = 0; i < HEADER_KEYS; i++) {
        uint32_t n;
        char key[64];
        if (!cursor_u32(in, &n)) return cut_short(err);
        if (n == 0 || n > INT32_MAX) return fail(err, HEARTH_E_FORMAT, "its header has an impossible %s", header_keys[i]);
        status = container_add_kv(c, &kv, err);
        if (status < 0) return status;
        const size_t length = (size_t)snprintf(key, sizeof key, "rwkv-cpp.%s", header_keys[i]);
        const char *copy = arena_strndup(&c->arena, key, length);
        if (!copy) return fail_memory(err, length, "a key");
        *kv = (struct kv){ .key = { copy, length }, .type = KV_INT, .i = n, .f = n };
    }
    return cursor_u32(in, &type) ? 0 : cut_short(err); /* what most tensors have; each says its own */
}

static int type_read(struct file_tensor *t, uint32_t id, uint32_t version, struct hearth_error *err)
{
    for (size_t i = 0; i < sizeof file_types / sizeof *file_types; i++) {
        if (file_types[i].id != id) continue;
        const int type = type_from_name(str_from(file_types[i].name));
        if (type < 0)
            return fail(err, HEARTH_E_UNSUPPORTED, "tensor %.*s is %s, which hearth does not have yet", STR_ARG(t->name),
                        file_types[i].name);
        if (version < VERSION_MAX && type_of((enum dtype)type)->block > 1)
            return fail(err, HEARTH_E_UNSUPPORTED,
                        "a quantised file of version %" PRIu32 ", whose blocks rwkv.cpp itself no longer reads: convert the model again",
                        version);
        t->type = (enum dtype)type;
        return 0;
    }
    return fail(err, HEARTH_E_UNSUPPORTED, "tensor %.*s has type %" PRIu32 ", which hearth does not know", STR_ARG(t->name), id);
}

/* The file has the innermost dimension first. */
static int tensor_read(struct container *c, struct cursor *in, uint32_t version, struct hearth_error *err)
{
    uint32_t rank, length, type, dim;
    struct file_tensor *t;
    int status = container_add_tensor(c, &t, err);
    if (status < 0) return status;
    if (!cursor_u32(in, &rank) || !cursor_u32(in, &length) || !cursor_u32(in, &type)) return cut_short(err);
    if (rank > 4 || length == 0 || length > NAME_MAX_BYTES) return fail(err, HEARTH_E_FORMAT, "a damaged tensor: get it again");
    t->rank = (int)rank;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (!cursor_u32(in, &dim)) return cut_short(err);
        t->dim[i] = dim;
    }
    if (length > in->n - in->at) return cut_short(err);
    t->name = (struct str){ (const char *)in->p + in->at, length };
    in->at += length;
    status = type_read(t, type, version, err);
    if (status == 0) status = tensor_place(t, c->map[0], in->at, err);
    if (status < 0) return status;
    in->at += t->n_bytes;
    return tensor_align(c, t, err);
}

int rwkv_cpp_open(struct container *c, const char *file, struct hearth_error *err)
{
    (void)file;
    uint32_t version;
    struct cursor in = { .p = c->map[0].p, .n = c->map[0].n };
    int status = header_read(c, &in, &version, err);
    while (status == 0 && in.at < in.n) status = tensor_read(c, &in, version, err);
    c->format = "rwkv.cpp";
    return status < 0 ? status : container_index(c, err);
}
