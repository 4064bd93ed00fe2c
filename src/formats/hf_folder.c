/* A Hugging Face folder: config.json and generation_config.json as key-values, the weights from safetensors or PyTorch files,
 * sharded or not. A folder with a single .gguf opens that. */
#include <dirent.h>

#include "formats/reader.h"

enum { PATH_MAX_BYTES = 1 << 16, CONFIG_MAX = 16 << 20, INDEX_MAX = 100 << 20 };

/* ---- configuration */

static const struct config {
    const char *file, *prefix;
} configs[] = {
    { "config.json", "" },
    { "generation_config.json", "generation." },
    { "sentence_bert_config.json", "sentence." },
    { "config_sentence_transformers.json", "sentence." },
};

static int config_read(struct container *c, const char *path, const char *prefix, struct hearth_error *err)
{
    struct file_map m;
    int status = container_map(c, path, &m, err);
    if (status < 0) return status;
    if (m.n > CONFIG_MAX) status = fail(err, HEARTH_E_FORMAT, "larger than %d MiB", CONFIG_MAX >> 20);
    else status = kv_from_json(c, (struct str){ (const char *)m.p, m.n }, prefix, err);
    if (status < 0) fail_in(err, "%s", path);
    return status;
}

int hf_configs_read(struct container *c, struct hearth_error *err)
{
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    c->keys_repeat = true;
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof configs / sizeof *configs; i++) {
        file_join(&path, c->folder, configs[i].file);
        if (path.failed) status = fail_memory(err, PATH_MAX_BYTES, "a file name");
        else if (file_kind(path.p) == FILE_REGULAR) status = config_read(c, path.p, configs[i].prefix, err);
    }
    buf_free(&path);
    return status;
}

/* ---- shards */

/* Kinds of files that weights come in. */
static const struct kind {
    const char *index, *suffix;
    int (*read)(struct container *c, struct file_map m, struct hearth_error *err); /* adds the tensors of a part */
    const char *whole_name, *sharded_name; /* of the format, for people */
} kinds[] = {
    { "model.safetensors.index.json", ".safetensors", safetensors_read, "safetensors folder", "safetensors folder, sharded" },
    { "pytorch_model.bin.index.json", ".bin", torch_read, "PyTorch folder", "PyTorch folder, sharded" },
};

struct shards {
    struct container    *c;
    const struct kind   *kind;
    struct buf           name, part, path; /* of the entry at hand: tensor, file, path of the file */
    const char         **opened;
    uint64_t             n_opened;
    struct hearth_error *err;
};

/* A part lies in the folder itself: no slash, no way up, nothing hidden. */
static bool part_name_safe(struct str s)
{
    return s.n > 0 && s.n < 256 && s.p[0] != '.' && !memchr(s.p, '/', s.n) && !memchr(s.p, '\\', s.n) && !memchr(s.p, 0, s.n);
}

/* Entries of one part stand together as a rule, so the last one opened is asked first. */
static bool part_opened(const struct shards *s)
{
    for (uint64_t i = s->n_opened; i > 0; i--)
        if (str_is(buf_str(&s->part), s->opened[i - 1])) return true;
    return false;
}

static int part_open(struct shards *s)
{
    if (part_opened(s)) return 0;
    if (!part_name_safe(buf_str(&s->part)))
        return fail(s->err, HEARTH_E_FORMAT, "the part '%.*s' is no plain file name", STR_ARG(buf_str(&s->part)));
    const char **opened = mem_resize(s->opened, s->n_opened + 1, sizeof *opened);
    if (!opened) return fail_memory(s->err, sizeof *opened, "a list of parts");
    s->opened = opened;
    opened[s->n_opened] = arena_strndup(&s->c->arena, s->part.p, s->part.n);
    if (!opened[s->n_opened]) return fail_memory(s->err, s->part.n, "a file name");
    file_join(&s->path, s->c->folder, opened[s->n_opened++]);
    if (s->path.failed) return fail_memory(s->err, PATH_MAX_BYTES, "a file name");
    struct file_map m;
    int status = container_map(s->c, s->path.p, &m, s->err);
    if (status == HEARTH_E_NOT_FOUND) return fail(s->err, status, "the part %s is missing: get it as well", s->path.p);
    if (status == 0) status = s->kind->read(s->c, m, s->err);
    if (status < 0) fail_in(s->err, "%s", s->part.p);
    return status;
}

static int part_check(struct shards *s)
{
    if (memchr(s->name.p, 0, s->name.n) || !container_tensor(s->c, s->name.p))
        return fail(s->err, HEARTH_E_FORMAT, "tensor %.*s is not in %.*s, which should hold it", STR_ARG(buf_str(&s->name)),
                    STR_ARG(buf_str(&s->part)));
    return 0;
}

static int name_read(struct shards *s, struct json *j, struct buf *out)
{
    if (j->text.n == 0 || j->text.n > PATH_MAX_BYTES) return json_fail(j, "an impossible name");
    buf_clear(out);
    json_text(j, out);
    return out->failed ? fail_memory(s->err, j->text.n, "a name") : 0;
}

/* Calls visit for each entry of weight_map; the opening brace was read. */
static int weight_map_walk(struct shards *s, struct json *j, int (*visit)(struct shards *s))
{
    for (enum json_kind kind; (kind = json_next(j)) != JSON_OBJECT_END;) {
        if (kind == JSON_ERROR) return HEARTH_E_FORMAT;
        int status = name_read(s, j, &s->name);
        if (status == 0 && json_next(j) != JSON_STRING) status = json_fail(j, "the name of a part was expected");
        if (status == 0) status = name_read(s, j, &s->part);
        if (status == 0) status = visit(s);
        if (status < 0) return status;
    }
    return 0;
}

static int index_walk(struct shards *s, struct str text, int (*visit)(struct shards *s))
{
    struct json j;
    bool found = false;
    json_init(&j, text, s->err);
    if (json_next(&j) != JSON_OBJECT) return json_fail(&j, "a JSON object was expected");
    for (enum json_kind kind; (kind = json_next(&j)) != JSON_OBJECT_END;) {
        if (kind == JSON_ERROR) return HEARTH_E_FORMAT;
        const bool wanted = !found && json_is(&j, "weight_map");
        int status;
        if (!wanted) status = json_skip(&j, kind);
        else if (json_next(&j) != JSON_OBJECT) status = json_fail(&j, "weight_map must be an object");
        else status = weight_map_walk(s, &j, visit);
        if (status < 0) return status;
        found |= wanted;
    }
    if (json_next(&j) != JSON_END) return HEARTH_E_FORMAT;
    return found ? 0 : fail(s->err, HEARTH_E_FORMAT, "no weight_map");
}

/* Opens every part that the index names, then looks whether every tensor it names is there. */
static int sharded_open(struct container *c, const char *path, const struct kind *kind, struct hearth_error *err)
{
    struct file_map m;
    struct shards s = { .c = c, .kind = kind, .err = err };
    buf_init(&s.name, PATH_MAX_BYTES);
    buf_init(&s.part, PATH_MAX_BYTES);
    buf_init(&s.path, PATH_MAX_BYTES);
    int status = container_map(c, path, &m, err);
    const struct str text = { (const char *)m.p, m.n };
    if (status == 0 && m.n > INDEX_MAX) status = fail(err, HEARTH_E_FORMAT, "larger than %d MiB", INDEX_MAX >> 20);
    if (status == 0) status = index_walk(&s, text, part_open);
    if (status == 0) status = hf_configs_read(c, err);
    if (status == 0) status = container_index(c, err);
    if (status == 0) status = index_walk(&s, text, part_check);
    if (status < 0) fail_in(err, "%s", path);
    mem_free(s.opened);
    buf_free(&s.name);
    buf_free(&s.part);
    buf_free(&s.path);
    c->format = kind->sharded_name;
    return status;
}

/* ---- one file */

/* "model-00002-of-00005.safetensors" */
static bool is_shard(const char *file, const char *suffix)
{
    const struct str s = str_from(file), end = str_from(suffix), pattern = STR("-00000-of-00000");
    if (s.n < pattern.n + end.n || !str_ends(s, end)) return false;
    for (size_t i = 0; i < pattern.n; i++) {
        const char is = s.p[s.n - end.n - pattern.n + i], want = pattern.p[i];
        if (want == '0' ? is < '0' || is > '9' : is != want) return false;
    }
    return true;
}

/* The parts behind the index; the one that was mapped is mapped again with them. */
static int parts_open(struct container *c, const char *index, const struct kind *kind, struct hearth_error *err)
{
    file_unmap(&c->map[0]);
    c->n_map = 0;
    c->file_bytes = 0;
    const int status = sharded_open(c, index, kind, err);
    return status < 0 ? status : 1;
}

int hf_parts_open(struct container *c, const char *file, struct hearth_error *err)
{
    int status = 0;
    struct buf index;
    buf_init(&index, PATH_MAX_BYTES);
    for (size_t i = 0; status == 0 && i < sizeof kinds / sizeof *kinds; i++) {
        if (!is_shard(file, kinds[i].suffix)) continue;
        file_join(&index, c->folder, kinds[i].index);
        if (index.failed) status = fail_memory(err, PATH_MAX_BYTES, "a file name");
        else if (file_kind(index.p) == FILE_REGULAR) status = parts_open(c, index.p, &kinds[i], err);
    }
    buf_free(&index);
    return status;
}

int safetensors_open(struct container *c, const char *file, struct hearth_error *err)
{
    int status = hf_parts_open(c, file, err);
    if (status) return status < 0 ? status : 0;
    c->format = "safetensors";
    status = safetensors_read(c, c->map[0], err);
    if (status == 0) status = hf_configs_read(c, err);
    return status < 0 ? status : container_index(c, err);
}

/* ---- folders */

static int whole_open(struct container *c, const char *path, const struct kind *kind, struct hearth_error *err)
{
    const int status = container_open_file(c, path, err);
    if (kind) c->format = kind->whole_name;
    return status;
}

/* What a folder may hold, best first. */
static const struct weights {
    const char *file;
    int (*open)(struct container *c, const char *path, const struct kind *kind, struct hearth_error *err);
    const struct kind *kind; /* NULL: the file's own format says what it is */
} weights[] = {
    { "model.safetensors.index.json", sharded_open, &kinds[0] },
    { "model.safetensors", whole_open, &kinds[0] },
    { "pytorch_model.bin.index.json", sharded_open, &kinds[1] },
    { "pytorch_model.bin", whole_open, &kinds[1] },
};

/* Else a file of any name that is the only one of its kind. */
static const struct weights only[] = {
    { ".gguf", whole_open, NULL },
    { ".safetensors", whole_open, &kinds[0] },
    { ".pth", whole_open, NULL }, /* RWKV-LM */
};

static const char *const unsupported[] = {
    "consolidated.00.pth", "tf_model.h5", "flax_model.msgpack",
};

/* Ends so, and is no later part of a split file: "-00002-of-00005.gguf". */
static bool is_whole(struct str name, struct str suffix)
{
    if (!str_ends(name, suffix) || str_starts(name, STR("consolidated."))) return false; /* Meta's layout, refused by name */
    const struct str stem = str_sub(name, 0, name.n - suffix.n), part = STR("-00001-of-00000");
    if (stem.n < part.n || memcmp(stem.p + stem.n - part.n + 6, "-of-", 4) != 0) return true;
    return memcmp(stem.p + stem.n - part.n, part.p, 6) == 0;
}

/* How many such files the folder has; the path of one of them goes to out. */
static int whole_count(const char *folder, const char *suffix, struct buf *out)
{
    DIR *dir = opendir(folder);
    if (!dir) return 0;
    int n = 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (!is_whole(str_from(entry->d_name), str_from(suffix))) continue;
        n++;
        file_join(out, folder, entry->d_name);
    }
    closedir(dir);
    return n;
}

static int folder_refuse(const char *folder, struct buf *path, struct hearth_error *err)
{
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
        file_join(path, folder, unsupported[i]);
        if (path->failed) return fail_memory(err, PATH_MAX_BYTES, "a file name");
        if (file_kind(path->p) == FILE_REGULAR)
            return fail(err, HEARTH_E_UNSUPPORTED,
                        "%s holds its weights as %s, which is not supported yet: use safetensors or GGUF", folder,
                        unsupported[i]);
    }
    return fail(err, HEARTH_E_NOT_FOUND,
                "%s holds no model: looked for model.safetensors.index.json, model.safetensors, pytorch_model.bin.index.json, "
                "pytorch_model.bin, a .gguf, .safetensors or .pth file",
                folder);
}

bool hf_folder_probe(const struct container *c)
{
    return c->n_map == 0;
}

/* Finds the weights and the way to open them; *found is NULL when there are none. */
static int weights_find(const char *folder, struct buf *path, const struct weights **found, struct hearth_error *err)
{
    *found = NULL;
    for (size_t i = 0; i < sizeof weights / sizeof *weights && !*found; i++) {
        file_join(path, folder, weights[i].file);
        if (path->failed) return fail_memory(err, PATH_MAX_BYTES, "a file name");
        if (file_kind(path->p) == FILE_REGULAR) *found = &weights[i];
    }
    for (size_t i = 0; i < sizeof only / sizeof *only && !*found; i++) {
        const int n = whole_count(folder, only[i].file, path);
        if (n > 1) return fail(err, HEARTH_E_ARG, "%s holds %d %s files: name the one you mean", folder, n, only[i].file);
        if (n == 1) *found = &only[i];
    }
    return path->failed ? fail_memory(err, PATH_MAX_BYTES, "a file name") : 0;
}

int hf_folder_open(struct container *c, const char *folder, struct hearth_error *err)
{
    const struct weights *found;
    struct buf path;
    buf_init(&path, PATH_MAX_BYTES);
    int status = weights_find(folder, &path, &found, err);
    if (status == 0) status = found ? found->open(c, path.p, found->kind, err) : folder_refuse(folder, &path, err);
    buf_free(&path);
    return status;
}
