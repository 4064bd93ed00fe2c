/* PyTorch's files of weights (.bin, .pth, .pt). Since version 1.6 a zip archive: NAME/data.pkl, which describes the tensors, and
 * NAME/data/KEY for each storage, as it is in memory. Before: five pickles (a magic number, a version, facts about the machine,
 * the object, the keys of the storages), then for each key a count and the values. Files of RWKV-LM are known by the names of
 * their tensors. Layouts: torch/serialization.py. */
#include <inttypes.h>

#include "formats/torch.h"
#include "formats/zip.h"

enum { OLD_VERSION = 1001, COPY_FREE = 16 << 20, PATH_MAX_BYTES = 4096 };

/* ---- the form before 1.6 */

static const char old_magic[10] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"; /* a number, least byte first */
#define OLD_MAGIC_TEXT "119547037146038801333356" /* the same in protocols 0 and 1 */

static bool is_zip(struct file_map m)
{
    return m.n >= 4 && memcmp(m.p, "PK\3\4", 4) == 0;
}

bool torch_probe(const struct container *c)
{
    if (c->n_map == 0) return false;
    const struct file_map m = c->map[0];
    const struct str head = { (const char *)m.p, m.n };
    const bool pickle = m.n >= 3 && m.p[0] == 0x80 && m.p[1] >= 2 && m.p[1] <= 5 && m.p[2] != 0; /* 80 02 00 00: a number, 640 */
    return is_zip(m) || pickle || str_starts(head, STR("L" OLD_MAGIC_TEXT));
}

static int old_head(struct torch_reader *t, struct cursor *in)
{
    uint32_t magic, version;
    int status = pickle_read(&t->p, in, &magic, t->err);
    if (status < 0) return status;
    const struct pickle_value *v = pickle_at(&t->p, magic);
    if (v->kind != PICKLE_NUMBER ||
        !(str_eq(v->s, (struct str){ old_magic, sizeof old_magic }) || str_eq(v->s, STR(OLD_MAGIC_TEXT))))
        return fail(t->err, HEARTH_E_UNSUPPORTED, "a Python pickle that torch.save did not write: use a safetensors or GGUF version");
    status = pickle_read(&t->p, in, &version, t->err);
    if (status < 0) return status;
    v = pickle_at(&t->p, version);
    if (v->kind != PICKLE_INT || v->i != OLD_VERSION)
        return fail(t->err, HEARTH_E_UNSUPPORTED, "a file of an unknown version of torch.save: use a safetensors or GGUF version");
    return 0;
}

static int big_endian(const struct torch_reader *t)
{
    return fail(t->err, HEARTH_E_UNSUPPORTED, "it was written by a big-endian machine, which is not supported: use a safetensors version");
}

static int old_system(struct torch_reader *t, struct cursor *in)
{
    uint32_t root;
    const int status = pickle_read(&t->p, in, &root, t->err);
    if (status < 0) return status;
    const struct pickle_value *key, *value, *const v = pickle_at(&t->p, root);
    uint32_t cell = v->keyed ? v->first : 0;
    while ((key = pickle_next(&t->p, &cell)) && (value = pickle_next(&t->p, &cell)))
        if (key->kind == PICKLE_TEXT && str_is(key->s, "little_endian") && value->kind == PICKLE_BOOL && !value->i) return big_endian(t);
    return 0;
}

/* A count and the values for each key, in the order of the list. */
static int old_storages(struct torch_reader *t, struct cursor *in, uint32_t keys)
{
    const struct pickle_value *key, *const list = pickle_at(&t->p, keys);
    if (list->kind != PICKLE_LIST) return fail(t->err, HEARTH_E_FORMAT, "a damaged file: no list of storages");
    uint32_t cell = list->first;
    while ((key = pickle_next(&t->p, &cell))) {
        uint64_t n, bytes;
        struct storage *s = key->kind == PICKLE_TEXT ? torch_storage(t, key->s) : NULL;
        if (!s) return fail(t->err, HEARTH_E_FORMAT, "a damaged file: a storage that nothing describes");
        if (s->type < 0)
            return fail(t->err, HEARTH_E_UNSUPPORTED, "it has a %.*s, a type which hearth does not know", STR_ARG(s->type_name));
        if (!cursor_u64(in, &n)) return fail(t->err, HEARTH_E_FORMAT, "cut short before storage %.*s: get it again", STR_ARG(key->s));
        if (!size_mul(n, (uint64_t)type_of((enum dtype)s->type)->block_bytes, &bytes)) bytes = UINT64_MAX;
        const int status = torch_storage_place(t, s, in->at, bytes);
        if (status < 0) return status;
        in->at += bytes; /* the storage lies inside the file, so this does too */
    }
    return 0;
}

static int old_read(struct torch_reader *t)
{
    struct cursor in = { .p = t->m.p, .n = t->m.n };
    uint32_t root, keys;
    int status = old_head(t, &in);
    if (status == 0) status = old_system(t, &in);
    if (status == 0) status = pickle_read(&t->p, &in, &root, t->err);
    if (status == 0) status = torch_storages(t);
    if (status == 0) status = pickle_read(&t->p, &in, &keys, t->err);
    if (status == 0) status = old_storages(t, &in, keys);
    return status < 0 ? status : torch_tensors(t, root);
}

/* ---- the zip form */

/* data.pkl lies in the one folder that the archive has. */
static const struct zip_entry *description_find(const struct zip *z)
{
    const struct str name = STR("/data.pkl");
    for (uint64_t i = 0; i < z->n; i++) {
        const struct str s = z->entry[i].name;
        if (str_ends(s, name) && !memchr(s.p, '/', s.n - name.n)) return &z->entry[i];
    }
    return NULL;
}

static int entry_check(const struct torch_reader *t, const struct zip_entry *e)
{
    if (e->method == 0 && !e->locked) return 0;
    return fail(t->err, HEARTH_E_UNSUPPORTED, "its %.*s is compressed or encrypted, as torch.save does not do it: unpack it and zip it with -0",
                STR_ARG(e->name));
}

/* The entry of this name below the folder; names of thousands of bytes are in no archive. */
static const struct zip_entry *entry_find(const struct zip *z, struct str folder, const char *between, struct str name)
{
    char path[PATH_MAX_BYTES];
    const size_t n = strlen(between);
    if (folder.n + n > sizeof path || name.n > sizeof path - folder.n - n) return NULL;
    memcpy(path, folder.p, folder.n);
    memcpy(path + folder.n, between, n);
    memcpy(path + folder.n + n, name.p, name.n);
    return zip_find(z, (struct str){ path, folder.n + n + name.n });
}

static int zip_storages(struct torch_reader *t, const struct zip *z, struct str folder)
{
    for (uint64_t i = 0; i < t->n_storage; i++) {
        struct storage *s = &t->storage[i];
        const struct zip_entry *e = entry_find(z, folder, "/data/", s->key);
        if (!e) continue; /* refused when a tensor needs it */
        int status = entry_check(t, e);
        if (status == 0) status = torch_storage_place(t, s, e->offset, e->n);
        if (status < 0) return status;
    }
    return 0;
}

static int archive_read(struct torch_reader *t, const struct zip *z)
{
    uint32_t root;
    const struct zip_entry *const e = description_find(z);
    if (!e) return fail(t->err, HEARTH_E_UNSUPPORTED, "a zip archive without data.pkl, so no file of weights");
    const struct str folder = str_sub(e->name, 0, e->name.n - strlen("/data.pkl"));
    if (entry_find(z, folder, "/", STR("constants.pkl")))
        return fail(t->err, HEARTH_E_UNSUPPORTED, "a TorchScript program, not a file of weights: use a safetensors or GGUF version");
    const struct zip_entry *const order = entry_find(z, folder, "/", STR("byteorder"));
    if (order && order->n == 3 && memcmp(t->m.p + order->offset, "big", 3) == 0) return big_endian(t);
    struct cursor in = { .p = t->m.p + e->offset, .n = e->n };
    int status = entry_check(t, e);
    if (status == 0) status = pickle_read(&t->p, &in, &root, t->err);
    if (status == 0) status = torch_storages(t);
    if (status == 0) status = zip_storages(t, z, folder);
    return status < 0 ? status : torch_tensors(t, root);
}

static int zipped_read(struct torch_reader *t)
{
    struct zip z;
    int status = zip_read(&z, t->m, t->err);
    if (status == 0) status = archive_read(t, &z);
    zip_free(&z);
    return status;
}

int torch_read(struct container *c, struct file_map m, struct hearth_error *err)
{
    struct torch_reader t = { .c = c, .m = m, .p.arena = &c->arena, .err = err };
    if (!size_mul(m.n, 2, &t.copy_left) || !size_add(t.copy_left, COPY_FREE, &t.copy_left)) t.copy_left = UINT64_MAX;
    const int status = is_zip(m) ? zipped_read(&t) : old_read(&t);
    pickle_free(&t.p);
    mem_free(t.storage);
    return status;
}

/* ---- opening a file by itself */

static bool has_tensor(const struct container *c, const char *name)
{
    for (uint64_t i = 0; i < c->n_tensor; i++)
        if (str_is(c->tensor[i].name, name)) return true;
    return false;
}

/* RWKV-LM's own files have no configuration: all follows from names and shapes. */
static bool is_rwkv(const struct container *c)
{
    return has_tensor(c, "emb.weight") && has_tensor(c, "blocks.0.att.receptance.weight") && has_tensor(c, "head.weight");
}

static int rwkv_open(struct container *c, struct hearth_error *err)
{
    struct kv *kv;
    const int status = container_add_kv(c, &kv, err);
    if (status < 0) return status;
    *kv = (struct kv){ .key = STR("general.architecture"), .type = KV_STRING, .s = STR("rwkv-native") };
    c->format = "RWKV-LM";
    return container_index(c, err);
}

int torch_open(struct container *c, const char *file, struct hearth_error *err)
{
    int status = hf_parts_open(c, file, err);
    if (status) return status < 0 ? status : 0;
    c->format = is_zip(c->map[0]) ? "PyTorch" : "PyTorch before 1.6";
    status = torch_read(c, c->map[0], err);
    if (status == 0 && is_rwkv(c)) return rwkv_open(c, err);
    if (status == 0) status = hf_configs_read(c, err);
    return status < 0 ? status : container_index(c, err);
}
