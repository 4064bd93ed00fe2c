/* GGUF v1, v2, v3, little-endian (github.com/ggml-org/ggml, docs/gguf.md), one file or split into -00001-of-0000N parts.
 * One pass checks the metadata; keys, strings and tensors stay where the map has them. */
#include <inttypes.h>
#include <stdio.h>

#include "formats/reader.h"

enum { NAME_MAX_BYTES = 65535, ALIGNMENT_DEFAULT = 32, ALIGNMENT_MAX = 1 << 20, PARTS_MAX = 2000 };

/* One file of perhaps several: where its keys and tensors begin in the container. */
struct part {
    struct container *c;
    struct file_map   m;
    struct cursor     r;
    uint32_t          version;
    uint64_t          n_kv, n_tensor, first_kv, first_tensor;
};

bool gguf_probe(const struct container *c)
{
    return c->n_map > 0 && c->map[0].n >= 4 && memcmp(c->map[0].p, "GGUF", 4) == 0;
}

static int fail_short(const struct part *p, const char *what, struct hearth_error *err)
{
    return fail(err, HEARTH_E_FORMAT,
                "%s at byte %" PRIu64 " runs past the end of the file: it is cut short or damaged, get it again",
                what, p->r.at);
}

/* ---- header */

static int header_read(struct part *p, struct hearth_error *err)
{
    struct cursor *r = &p->r;
    uint32_t magic;
    if (!cursor_u32(r, &magic) || !cursor_u32(r, &p->version)) return fail_short(p, "the header", err);
    if (memcmp(p->m.p, "GGUF", 4) != 0) return fail(err, HEARTH_E_FORMAT, "no GGUF file");
    if (p->version != 0 && (p->version & 0xffff) == 0)
        return fail(err, HEARTH_E_UNSUPPORTED, "a big-endian GGUF file, which is not supported: get the little-endian one");
    if (p->version == 0 || p->version > 3)
        return fail(err, HEARTH_E_UNSUPPORTED, "GGUF version %" PRIu32 " is not supported, only 1 to 3", p->version);
    r->narrow = p->version == 1;
    if (!cursor_count(r, &p->n_tensor) || !cursor_count(r, &p->n_kv)) return fail_short(p, "the header", err);
    /* The least a tensor and a key can take: lengths, types and an offset. */
    const uint64_t rest = r->n - r->at, length = r->narrow ? 4 : 8;
    if (p->n_tensor > rest / (length + 16) || p->n_kv > rest / (length + 5))
        return fail(err, HEARTH_E_FORMAT,
                    "the header counts %" PRIu64 " tensors and %" PRIu64 " keys, more than the file can hold", p->n_tensor,
                    p->n_kv);
    return 0;
}

/* ---- keys */

static int kv_add(struct part *p, struct hearth_error *err)
{
    struct kv *kv;
    uint32_t type;
    const int status = container_add_kv(p->c, &kv, err);
    if (status < 0) return status;
    if (!cursor_str(&p->r, &kv->key) || !cursor_u32(&p->r, &type)) return fail_short(p, "a key", err);
    if (kv->key.n > NAME_MAX_BYTES) return fail(err, HEARTH_E_FORMAT, "a key of %zu bytes: the file is damaged", kv->key.n);
    const uint64_t at = p->r.at;
    const char *wrong = value_read(&p->r, type, kv);
    if (wrong)
        return fail(err, HEARTH_E_FORMAT, "key %.*s (type %" PRIu32 ", value at byte %" PRIu64 "): %s", STR_ARG(kv->key), type,
                    at, wrong);
    return 0;
}

/* The integer `key` of this part; `missing` when absent, -1 when it is no integer. */
static int64_t part_int(const struct part *p, const char *key, int64_t missing)
{
    for (uint64_t i = p->first_kv; i < p->c->n_kv; i++) {
        const struct kv *kv = &p->c->kv[i];
        if (str_is(kv->key, key)) return kv->type == KV_INT ? kv->i : -1;
    }
    return missing;
}

/* ---- tensors */

/* Reads one row of the tensor list; its offset waits in n_bytes until the place of the data is known. */
static int tensor_add(struct part *p, struct hearth_error *err)
{
    struct cursor *r = &p->r;
    struct file_tensor *t;
    uint32_t rank, type;
    const int status = container_add_tensor(p->c, &t, err);
    if (status < 0) return status;
    if (!cursor_str(r, &t->name) || !cursor_u32(r, &rank)) return fail_short(p, "a tensor's name", err);
    if (t->name.n > NAME_MAX_BYTES)
        return fail(err, HEARTH_E_FORMAT, "a tensor name of %zu bytes: the file is damaged", t->name.n);
    if (rank > 4)
        return fail(err, HEARTH_E_FORMAT, "tensor %.*s has %" PRIu32 " dimensions, more than 4", STR_ARG(t->name), rank);
    t->rank = (int)rank;
    for (int i = t->rank - 1; i >= 0; i--)
        if (!cursor_count(r, &t->dim[i])) return fail_short(p, "a tensor's shape", err);
    if (!cursor_u32(r, &type) || !cursor_u64(r, &t->n_bytes)) return fail_short(p, "a tensor's offset", err);
    const int known = type_from_gguf(type);
    if (known < 0)
        return fail(err, HEARTH_E_UNSUPPORTED, "tensor %.*s has type number %" PRIu32 ", which hearth does not know",
                    STR_ARG(t->name), type);
    t->type = (enum dtype)known;
    return 0;
}

static int tensors_place(struct part *p, struct hearth_error *err)
{
    const int64_t alignment = part_int(p, "general.alignment", ALIGNMENT_DEFAULT);
    if (alignment < 8 || alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)) != 0)
        return fail(err, HEARTH_E_FORMAT, "general.alignment is no power of two from 8 to %d", ALIGNMENT_MAX);
    const uint64_t mask = (uint64_t)alignment - 1, start = (p->r.at + mask) & ~mask;
    for (uint64_t i = p->first_tensor; i < p->c->n_tensor; i++) {
        struct file_tensor *t = &p->c->tensor[i];
        uint64_t offset;
        if (t->n_bytes & mask)
            return fail(err, HEARTH_E_FORMAT, "tensor %.*s is not aligned to %" PRIi64 " bytes", STR_ARG(t->name), alignment);
        if (!size_add(start, t->n_bytes, &offset)) offset = UINT64_MAX; /* fits nowhere */
        const int status = tensor_place(t, p->m, offset, err);
        if (status < 0) return status;
    }
    return 0;
}

static int part_read(struct part *p, struct container *c, struct file_map m, struct hearth_error *err)
{
    *p = (struct part){ .c = c, .m = m, .r = { .p = m.p, .n = m.n }, .first_kv = c->n_kv, .first_tensor = c->n_tensor };
    int status = header_read(p, err);
    for (uint64_t i = 0; status == 0 && i < p->n_kv; i++) status = kv_add(p, err);
    for (uint64_t i = 0; status == 0 && i < p->n_tensor; i++) status = tensor_add(p, err);
    return status < 0 ? status : tensors_place(p, err);
}

/* ---- split files */

/* Cuts "-00002-of-00005.gguf" off the end of a path; false when it does not end so. */
static bool split_suffix(struct str path, uint64_t n_parts, struct str *prefix)
{
    char suffix[32];
    const size_t n = (size_t)snprintf(suffix, sizeof suffix, "-00000-of-%05" PRIu64 ".gguf", n_parts);
    if (path.n < n) return false;
    const char *tail = path.p + path.n - n;
    if (tail[0] != '-' || memcmp(tail + 6, suffix + 6, n - 6) != 0) return false;
    for (int i = 1; i <= 5; i++)
        if (tail[i] < '0' || tail[i] > '9') return false;
    *prefix = str_sub(path, 0, path.n - n);
    return true;
}

/* Opens part i of n; only the keys of the first stay, the others repeat or merely number the split. */
static int split_part(struct container *c, const char *path, int64_t i, int64_t n, struct hearth_error *err)
{
    struct part p;
    struct file_map m;
    int status = container_map(c, path, &m, err);
    if (status == HEARTH_E_NOT_FOUND)
        return fail(err, status, "part %" PRIi64 " of %" PRIi64 " is missing, it should be %s", i + 1, n, path);
    if (status == 0) status = part_read(&p, c, m, err);
    if (status == 0 && (part_int(&p, "split.no", -1) != i || part_int(&p, "split.count", -1) != n))
        status = fail(err, HEARTH_E_FORMAT, "it is not part %" PRIi64 " of %" PRIi64 " as its name says", i + 1, n);
    if (status < 0) {
        fail_in(err, "%s", path);
        return status;
    }
    if (i > 0) c->n_kv = p.first_kv;
    return 0;
}

/* `file` is any one of the parts. What was read of it is forgotten, then all are read in order. */
static int split_open(struct container *c, const char *file, int64_t n, struct hearth_error *err)
{
    struct str prefix;
    if (n > PARTS_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "split into %" PRIi64 " parts, more than %d", n, PARTS_MAX);
    if (!split_suffix(str_from(file), (uint64_t)n, &prefix))
        return fail(err, HEARTH_E_NOT_FOUND,
                    "one of %" PRIi64 " parts, but its name does not end in -00001-of-%05" PRIi64 ".gguf: cannot find the others",
                    n, n);
    file_unmap(&c->map[0]);
    c->n_map = 0;
    c->n_kv = c->n_tensor = c->file_bytes = 0;
    const size_t room = prefix.n + 32;
    char *path = arena_array(&c->arena, room, 1);
    if (!path) return fail_memory(err, room, "a file name");
    for (int64_t i = 0; i < n; i++) {
        snprintf(path, room, "%.*s-%05" PRIi64 "-of-%05" PRIi64 ".gguf", (int)prefix.n, prefix.p, i + 1, n);
        const int status = split_part(c, path, i, n, err);
        if (status < 0) return status;
    }
    return 0;
}

int gguf_open(struct container *c, const char *file, struct hearth_error *err)
{
    static const char *const names[] = { "gguf", "gguf v1", "gguf v2", "gguf v3" };
    struct part p;
    int status = part_read(&p, c, c->map[0], err);
    if (status < 0) return status;
    c->format = names[p.version];
    const int64_t n_parts = part_int(&p, "split.count", 0);
    if (n_parts > 1) status = split_open(c, file, n_parts, err);
    if (status < 0) return status;
    const int64_t n_tensors = part_int(&p, "split.tensors.count", -1); /* of the first part: its keys are in c now */
    if (n_parts > 1 && n_tensors >= 0 && (uint64_t)n_tensors != c->n_tensor)
        return fail(err, HEARTH_E_FORMAT, "its parts hold %" PRIu64 " tensors together, not %" PRIi64 " as they say",
                    c->n_tensor, n_tensors);
    return container_index(c, err);
}
