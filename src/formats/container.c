/* Opening any file or folder: finds the format, holds what its reader found, finds keys and tensors by name. */
#include "formats/container.h"

#include "formats/reader.h"

enum { ENTRIES_MAX = 1 << 20, MAPS_MAX = 4096, PROBES_MAX = 1000 };
#define ARENA_CAP ((uint64_t)256 << 20)

static const struct format formats[] = {
#define FORMAT(name, probe, open) { name, probe, open },
#include "formats/formats.def"
#undef FORMAT
};

/* ---- what a reader adds */

int container_map(struct container *c, const char *path, struct file_map *out, struct hearth_error *err)
{
    if (c->n_map == MAPS_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "the model has more than %d files", MAPS_MAX);
    struct file_map *map = mem_resize(c->map, (uint64_t)c->n_map + 1, sizeof *map);
    if (!map) return fail_memory(err, sizeof *map, "a list of files");
    c->map = map;
    const int status = file_map(&map[c->n_map], path, err);
    if (status < 0) return status;
    c->file_bytes += map[c->n_map].n;
    if (out) *out = map[c->n_map];
    c->n_map++;
    return 0;
}

/* Makes room for one more in a list of n; lists have room for 16, 32, 64, ... entries, so n alone tells when one is full. */
static int list_grow(void **list, uint64_t n, uint64_t size, const char *what, struct hearth_error *err)
{
    if (n == ENTRIES_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "more than %d %s", ENTRIES_MAX, what);
    if (n != 0 && (n < 16 || (n & (n - 1)) != 0)) return 0;
    void *p = mem_resize(*list, n ? 2 * n : 16, size);
    if (!p) return fail_memory(err, 2 * n * size, what);
    *list = p;
    return 0;
}

int container_add_kv(struct container *c, struct kv **out, struct hearth_error *err)
{
    void *list = c->kv;
    const int status = list_grow(&list, c->n_kv, sizeof *c->kv, "keys", err);
    c->kv = list;
    if (status < 0) return status;
    *out = &c->kv[c->n_kv++];
    **out = (struct kv){ .type = KV_NULL };
    return 0;
}

int container_add_tensor(struct container *c, struct file_tensor **out, struct hearth_error *err)
{
    void *list = c->tensor;
    const int status = list_grow(&list, c->n_tensor, sizeof *c->tensor, "tensors", err);
    c->tensor = list;
    if (status < 0) return status;
    *out = &c->tensor[c->n_tensor++];
    **out = (struct file_tensor){ .rank = 0 };
    return 0;
}

bool tensor_size(const struct file_tensor *t, uint64_t *bytes)
{
    uint64_t values = 1;
    for (int i = 0; i < t->rank; i++) /* a dimension of 0 must not hide that the others overflow */
        if (t->dim[i] && !size_mul(values, t->dim[i], &values)) return false;
    if (!type_row_bytes(t->type, t->rank ? t->dim[t->rank - 1] : 1, bytes)) return false;
    for (int i = 0; i + 1 < t->rank; i++)
        if (!size_mul(*bytes, t->dim[i], bytes)) return false;
    return true;
}

int tensor_place(struct file_tensor *t, struct file_map m, uint64_t offset, struct hearth_error *err)
{
    uint64_t end;
    if (!tensor_size(t, &t->n_bytes))
        return fail(err, HEARTH_E_FORMAT, "tensor %.*s has a shape that does not fit its type %s", STR_ARG(t->name),
                    type_of(t->type)->name);
    if (!size_add(offset, t->n_bytes, &end) || end > m.n)
        return fail(err, HEARTH_E_FORMAT,
                    "tensor %.*s (%llu bytes at %llu) lies outside the file of %llu bytes, cut short or damaged: get it again",
                    STR_ARG(t->name), (unsigned long long)t->n_bytes, (unsigned long long)offset, (unsigned long long)m.n);
    t->data = m.p + offset;
    return 0;
}

int tensor_align(struct container *c, struct file_tensor *t, struct hearth_error *err)
{
    const struct type_info *type = type_of(t->type);
    const uintptr_t size = type->block > 1 ? 2 : (uintptr_t)type->block_bytes;
    if ((uintptr_t)t->data % size == 0 || t->n_bytes == 0) return 0;
    c->arena.cap += t->n_bytes;
    void *copy = arena_array(&c->arena, t->n_bytes, 1);
    if (!copy) return fail_memory(err, t->n_bytes, "a tensor that is not aligned in its file");
    memcpy(copy, t->data, t->n_bytes);
    t->data = copy;
    return 0;
}

/* ---- names */

/* A hash table over n names, open addressing, entries are index + 1; half of the slots stay free. */
struct names {
    uint32_t  **slot;
    uint64_t   *n_slots;
    const char *entries; /* structs that begin with their struct str */
    uint64_t    n, size;
    const char *what;
    bool        repeat; /* a name given again replaces the earlier one, as Python reads JSON; else it is an error */
};

static struct str name_at(const struct names *t, uint64_t i)
{
    struct str name;
    memcpy(&name, t->entries + i * t->size, sizeof name);
    return name;
}

/* The slot of a name, or the free one where it would go; UINT64_MAX after too many probes, which only names made to collide
 * can cause. */
static uint64_t name_slot(const struct names *t, struct str name)
{
    const uint64_t mask = *t->n_slots - 1, hash = str_hash(name);
    for (uint64_t i = 0; i < PROBES_MAX; i++) {
        const uint64_t at = (hash + i) & mask;
        const uint32_t entry = (*t->slot)[at];
        if (entry == 0 || str_eq(name_at(t, entry - 1), name)) return at;
    }
    return UINT64_MAX;
}

static int names_index(const struct names *t, struct hearth_error *err)
{
    uint64_t slots = 16;
    while (slots < 2 * t->n) slots *= 2;
    *t->slot = mem_array(slots, sizeof **t->slot);
    *t->n_slots = slots;
    if (!*t->slot) return fail_memory(err, slots * sizeof **t->slot, "an index of names");
    for (uint64_t i = 0; i < t->n; i++) {
        const struct str name = name_at(t, i);
        const uint64_t at = name_slot(t, name);
        if (at == UINT64_MAX) return fail(err, HEARTH_E_FORMAT, "the names of its %ss are made to collide", t->what);
        if ((*t->slot)[at] && !t->repeat) return fail(err, HEARTH_E_FORMAT, "%s %.*s occurs twice", t->what, STR_ARG(name));
        (*t->slot)[at] = (uint32_t)i + 1;
    }
    return 0;
}

static const void *names_find(const struct names *t, const char *name)
{
    const uint64_t at = name_slot(t, str_from(name));
    const uint32_t entry = at == UINT64_MAX ? 0 : (*t->slot)[at];
    return entry ? t->entries + (entry - 1) * t->size : NULL;
}

static struct names kv_names(const struct container *c)
{
    struct container *w = (struct container *)(uintptr_t)c;
    return (struct names){ &w->kv_index, &w->kv_slots, (const char *)c->kv, c->n_kv, sizeof *c->kv, "key",
                           c->keys_repeat };
}

static struct names tensor_names(const struct container *c)
{
    struct container *w = (struct container *)(uintptr_t)c;
    return (struct names){ &w->tensor_index, &w->tensor_slots, (const char *)c->tensor, c->n_tensor, sizeof *c->tensor,
                           "tensor", false };
}

int container_index(struct container *c, struct hearth_error *err)
{
    const struct names kv = kv_names(c), tensor = tensor_names(c);
    const int status = names_index(&kv, err);
    return status < 0 ? status : names_index(&tensor, err);
}

const struct kv *container_kv(const struct container *c, const char *key)
{
    const struct names names = kv_names(c);
    return names_find(&names, key);
}

const struct file_tensor *container_tensor(const struct container *c, const char *name)
{
    const struct names names = tensor_names(c);
    return names_find(&names, name);
}

/* ---- opening */

/* Files that people try and that hearth cannot open (yet): how they begin, and the sentence. */
static const struct refusal {
    const char *magic;
    const char *sentence;
} refusals[] = {
    { "lmgg", "is a ggml file of 2023, which is not supported yet: use a GGUF version" },
    { "fmgg", "is a ggmf file of 2023 (llama.cpp), which is not supported yet: use a GGUF version" },
    { "tjgg", "is a ggjt file of 2023, which is not supported yet: use a GGUF version" },
    { "algg", "is a ggla LoRA adapter of 2023, which is not supported yet" },
    { "\x89HDF", "is an HDF5 file (Keras, TensorFlow), which is not supported: use a safetensors or GGUF version" },
    { "version https://git-lfs", "is a Git LFS pointer, not the file itself: fetch it with 'git lfs pull' or download it again" },
    { "<!DOCTYPE", "is a web page, not a model: the download went wrong, get it again" },
    { "<html", "is a web page, not a model: the download went wrong, get it again" },
    { "{", "is a JSON text: give the folder it lies in, or the file with the weights" },
};

static int unknown_file(struct file_map m, const char *path, struct hearth_error *err)
{
    const struct str head = { (const char *)m.p, m.n < 64 ? m.n : 64 };
    if (m.n == 0) return fail(err, HEARTH_E_FORMAT, "%s is empty: get it again", path);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (str_starts(head, str_from(refusals[i].magic)))
            return fail(err, HEARTH_E_UNSUPPORTED, "%s %s", path, refusals[i].sentence);
    struct buf known, bytes;
    buf_init(&known, 200);
    buf_init(&bytes, 200);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) buf_printf(&known, "%s%s", i ? ", " : "", formats[i].name);
    for (size_t i = 0; i < 8 && i < head.n; i++) buf_printf(&bytes, "%s%02x", i ? " " : "", m.p[i]);
    const int status = fail(err, HEARTH_E_UNSUPPORTED, "%s (first bytes %s) is in no format hearth knows: %s", path,
                            bytes.p ? bytes.p : "", known.p ? known.p : "");
    buf_free(&known);
    buf_free(&bytes);
    return status;
}

/* The first format that knows what c holds so far: map[0], or nothing but a folder. */
static const struct format *format_find(const struct container *c)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (formats[i].probe(c)) return &formats[i];
    return NULL;
}

int container_open_file(struct container *c, const char *path, struct hearth_error *err)
{
    int status = container_map(c, path, NULL, err);
    if (status < 0) return status;
    const struct format *format = format_find(c);
    if (!format) return unknown_file(c->map[0], path, err);
    status = format->open(c, path, err);
    if (status < 0) fail_in(err, "%s", path);
    return status;
}

/* Sets path and folder; a file without a slash lies in ".". */
static int paths_set(struct container *c, const char *path, enum file_kind kind)
{
    const struct str p = str_from(path);
    size_t n = p.n;
    if (kind != FILE_FOLDER)
        while (n > 0 && path[n - 1] != '/') n--;
    while (n > 1 && path[n - 1] == '/') n--;
    c->path = arena_strndup(&c->arena, path, p.n);
    c->folder = n ? arena_strndup(&c->arena, path, n) : ".";
    return c->path && c->folder ? 0 : HEARTH_E_MEMORY;
}

int container_open(struct container **out, const char *path, struct hearth_error *err)
{
    struct hearth_error scratch;
    if (!err) err = &scratch;
    *out = NULL;
    const enum file_kind kind = file_kind(path);
    struct container *c = mem_array(1, sizeof *c);
    if (!c) return fail_memory(err, sizeof *c, "opening a model");
    arena_init(&c->arena, ARENA_CAP);
    int status = paths_set(c, path, kind);
    if (status < 0) fail_memory(err, strlen(path), "a path");
    else status = kind == FILE_FOLDER ? format_find(c)->open(c, path, err) : container_open_file(c, path, err);
    if (status < 0) {
        container_close(c);
        return status;
    }
    *out = c;
    return 0;
}

void container_close(struct container *c)
{
    if (!c) return;
    for (int i = 0; i < c->n_map; i++) file_unmap(&c->map[i]);
    mem_free(c->map);
    mem_free(c->kv);
    mem_free(c->tensor);
    mem_free(c->kv_index);
    mem_free(c->tensor_index);
    arena_free(&c->arena);
    mem_free(c);
}
