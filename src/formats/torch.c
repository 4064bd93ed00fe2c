/* Tensors from the description in a pickle. Of what the pickle would call, the few functions that make tensors are known by
 * name; a tensor made by another one is refused. */
#include "formats/torch.h"

#include <inttypes.h>
#include <stdlib.h>

enum { RANK_MAX = 16, UNWRAP_MAX = 4, LOOK_MAX = 200 };

/* ---- storages */

static const struct storage_type {
    const char *name;
    enum dtype  type;
} storage_types[] = {
    { "FloatStorage", DTYPE_F32 }, { "HalfStorage", DTYPE_F16 },  { "BFloat16Storage", DTYPE_BF16 }, { "DoubleStorage", DTYPE_F64 },
    { "LongStorage", DTYPE_I64 },  { "IntStorage", DTYPE_I32 },   { "ShortStorage", DTYPE_I16 },     { "CharStorage", DTYPE_I8 },
    { "ByteStorage", DTYPE_U8 },   { "BoolStorage", DTYPE_BOOL },
};

/* "torch.HalfStorage", "torch.cuda.HalfStorage"; -1: none of ours. */
static int storage_type(struct str name)
{
    const struct str prefixes[] = { STR("torch."), STR("cuda.") };
    for (size_t i = 0; i < 2; i++)
        if (str_starts(name, prefixes[i])) name = str_sub(name, prefixes[i].n, name.n);
    for (size_t i = 0; i < sizeof storage_types / sizeof *storage_types; i++)
        if (str_is(name, storage_types[i].name)) return storage_types[i].type;
    return -1;
}

static bool is_kind(const struct pickle_value *v, enum pickle_kind kind)
{
    return v && v->kind == kind;
}

/* A persistent id: ("storage", class, key, place, number of values, and in the oldest files a view). */
static int storage_describe(const struct torch_reader *t, const struct pickle_value *id, struct storage *s)
{
    const struct pickle_value *const what = pickle_item(&t->p, id, 0), *const type = pickle_item(&t->p, id, 1),
                              *const key = pickle_item(&t->p, id, 2), *const n = pickle_item(&t->p, id, 4);
    if (id->kind != PICKLE_TUPLE || !is_kind(what, PICKLE_TEXT) || !str_is(what->s, "storage") || !is_kind(type, PICKLE_GLOBAL) ||
        !is_kind(key, PICKLE_TEXT) || !is_kind(n, PICKLE_INT) || n->i < 0)
        return fail(t->err, HEARTH_E_FORMAT, "a damaged file: a persistent id that describes no storage");
    *s = (struct storage){ .key = key->s, .type_name = type->s, .type = storage_type(type->s), .values = (uint64_t)n->i };
    return 0;
}

static int storage_add(struct torch_reader *t, const struct storage *s)
{
    if (t->n_storage == t->storage_room) {
        const uint64_t room = t->storage_room ? 2 * t->storage_room : 64;
        struct storage *more = mem_resize(t->storage, room, sizeof *more);
        if (!more) return fail_memory(t->err, room * sizeof *more, "a list of storages");
        t->storage = more;
        t->storage_room = room;
    }
    t->storage[t->n_storage++] = *s;
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct str x = ((const struct storage *)a)->key, y = ((const struct storage *)b)->key;
    const int order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    return order ? order : x.n < y.n ? -1 : x.n > y.n;
}

int torch_storages(struct torch_reader *t)
{
    for (uint64_t i = 1; i < t->p.n_value; i++) {
        struct storage s;
        const struct pickle_value *v = pickle_at(&t->p, (uint32_t)i);
        if (v->kind != PICKLE_PERSISTENT) continue;
        int status = storage_describe(t, pickle_at(&t->p, v->of), &s);
        if (status == 0) status = storage_add(t, &s);
        if (status < 0) return status;
    }
    if (t->n_storage) qsort(t->storage, t->n_storage, sizeof *t->storage, by_key);
    uint64_t n = 0;
    for (uint64_t i = 0; i < t->n_storage; i++) { /* each tensor describes its storage again */
        const struct storage *s = &t->storage[i];
        if (n && str_eq(t->storage[n - 1].key, s->key)) {
            if (t->storage[n - 1].values == s->values && str_eq(t->storage[n - 1].type_name, s->type_name)) continue;
            return fail(t->err, HEARTH_E_FORMAT, "a damaged file: storage %.*s is described twice, not in the same way",
                        STR_ARG(s->key));
        }
        t->storage[n++] = *s;
    }
    t->n_storage = n;
    return 0;
}

struct storage *torch_storage(const struct torch_reader *t, struct str key)
{
    const struct storage wanted = { .key = key };
    return t->n_storage ? bsearch(&wanted, t->storage, t->n_storage, sizeof wanted, by_key) : NULL;
}

int torch_storage_place(struct torch_reader *t, struct storage *s, uint64_t offset, uint64_t n)
{
    uint64_t bytes, end;
    if (s->type < 0) return 0; /* a tensor that needs it is refused */
    if (!size_mul(s->values, (uint64_t)type_of((enum dtype)s->type)->block_bytes, &bytes) || bytes > n || !size_add(offset, n, &end) ||
        end > t->m.n)
        return fail(t->err, HEARTH_E_FORMAT,
                    "storage %.*s (%" PRIu64 " %.*s at %" PRIu64 ") lies outside the file, cut short or damaged: get it again",
                    STR_ARG(s->key), s->values, STR_ARG(s->type_name), offset);
    s->data = t->m.p + offset;
    return 0;
}

/* Memory that dies with the container. All copies together take no more than a few times the file. */
static void *copy_take(struct torch_reader *t, uint64_t bytes, struct str name)
{
    if (bytes > t->copy_left) {
        fail(t->err, HEARTH_E_FORMAT, "%.*s: views of one storage that would take far more memory than the file", STR_ARG(name));
        return NULL;
    }
    t->copy_left -= bytes;
    t->c->arena.cap += bytes + 64; /* it counts in whole lines */
    void *p = arena_array(&t->c->arena, bytes, 1);
    if (!p) fail_memory(t->err, bytes, "a tensor that is not as it should be in its file");
    return p;
}

/* The old form puts storages at any address: copied when the first tensor needs it, so that its values can be read. */
static int storage_align(struct torch_reader *t, struct storage *s)
{
    const uint64_t size = (uint64_t)type_of((enum dtype)s->type)->block_bytes;
    if (s->aligned || (uintptr_t)s->data % size == 0 || s->values == 0) return 0;
    void *copy = copy_take(t, s->values * size, s->key);
    if (!copy) return t->err->status;
    memcpy(copy, s->data, s->values * size);
    s->data = copy;
    s->aligned = true;
    return 0;
}

/* ---- views */

struct view {
    int      rank;
    uint64_t dim[RANK_MAX], stride[RANK_MAX], offset; /* in values of the storage */
};

/* A tuple of sizes. Returns how many, -1 when it is none. */
static int sizes_read(const struct torch_reader *t, const struct pickle_value *v, uint64_t out[RANK_MAX])
{
    int n = 0;
    if (!v || (v->kind != PICKLE_TUPLE && v->kind != PICKLE_LIST) || v->n > RANK_MAX) return -1;
    uint32_t cell = v->first;
    for (const struct pickle_value *item; (item = pickle_next(&t->p, &cell)); n++) {
        if (item->kind != PICKLE_INT || item->i < 0) return -1;
        out[n] = (uint64_t)item->i;
    }
    return n;
}

static bool view_empty(const struct view *v)
{
    for (int i = 0; i < v->rank; i++)
        if (v->dim[i] == 0) return true;
    return false;
}

/* Whether every value that the view reaches is one of the n of its storage. */
static bool view_inside(const struct view *v, uint64_t n)
{
    uint64_t last = v->offset;
    if (view_empty(v)) return true;
    for (int i = 0; i < v->rank; i++) {
        uint64_t step;
        if (!size_mul(v->dim[i] - 1, v->stride[i], &step) || !size_add(last, step, &last)) return false;
    }
    return last < n;
}

static bool view_contiguous(const struct view *v)
{
    uint64_t next = 1;
    for (int i = v->rank - 1; i >= 0; i--) {
        if (v->dim[i] != 1 && v->stride[i] != next) return false;
        next *= v->dim[i];
    }
    return true;
}

/* n values `stride` values apart, one behind the other. */
static void gather(uint8_t *dst, const uint8_t *src, uint64_t n, uint64_t stride, uint64_t size)
{
    if (stride == 1) {
        memcpy(dst, src, n * size);
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *from = src + i * stride * size;
        if (size == 2) memcpy(dst + 2 * i, from, 2);
        else if (size == 4) memcpy(dst + 4 * i, from, 4);
        else memcpy(dst + i * size, from, size);
    }
}

/* Copies the values of a view in their order; none of its dimensions is 0. */
static void view_copy(uint8_t *dst, const struct view *v, const uint8_t *storage, uint64_t size)
{
    uint64_t at[RANK_MAX] = { 0 }, from = v->offset;
    const int last = v->rank - 1; /* a view without dimensions is contiguous and never comes here */
    for (int i = last; i >= 0; dst += v->dim[last] * size) {
        gather(dst, storage + from * size, v->dim[last], v->stride[last], size);
        for (i = last - 1; i >= 0; i--) {
            from += v->stride[i];
            if (++at[i] < v->dim[i]) break;
            from -= v->stride[i] * v->dim[i];
            at[i] = 0;
        }
    }
}

/* Of more than four dimensions the outermost are taken together, as with safetensors. */
static bool shape_set(struct file_tensor *ft, const struct view *v)
{
    uint64_t outer = 1;
    const int folded = v->rank > 4 ? v->rank - 3 : 0;
    for (int i = 0; i < folded; i++)
        if (!size_mul(outer, v->dim[i], &outer)) return false;
    ft->rank = 0;
    if (folded) ft->dim[ft->rank++] = outer;
    for (int i = folded; i < v->rank; i++) ft->dim[ft->rank++] = v->dim[i];
    return tensor_size(ft, &ft->n_bytes);
}

/* ---- tensors */

/* The functions that make tensors. tensor: the argument that is the tensor; -1: this one makes it; -2: it calls its first
 * argument with those in its third. */
static const struct rebuild {
    const char *name;
    int         tensor;
} rebuilds[] = {
    { "torch._utils._rebuild_tensor_v2", -1 },
    { "torch._utils._rebuild_tensor", -1 },
    { "torch._utils._rebuild_parameter", 0 },
    { "torch._utils._rebuild_parameter_with_state", 0 },
    { "torch._tensor._rebuild_from_type_v2", -2 },
    { "torch._tensor._rebuild_from_type", -2 },
};

static const struct rebuild *rebuild_find(const struct pickle_value *of)
{
    for (size_t i = 0; is_kind(of, PICKLE_GLOBAL) && i < sizeof rebuilds / sizeof *rebuilds; i++)
        if (str_is(of->s, rebuilds[i].name)) return &rebuilds[i];
    return NULL;
}

static int tensor_refuse(const struct torch_reader *t, struct str name, const struct pickle_value *of)
{
    const struct str what = is_kind(of, PICKLE_GLOBAL) ? of->s : STR("something without a name");
    return fail(t->err, HEARTH_E_UNSUPPORTED, "tensor %.*s is made by %.*s, which hearth does not know and does not run", STR_ARG(name),
                STR_ARG(what));
}

/* Finds the arguments of the function that makes the tensor: (storage, offset, sizes, strides, ...). */
static int tensor_args(const struct torch_reader *t, struct str name, const struct pickle_value *v, const struct pickle_value **out)
{
    for (int i = 0; i < UNWRAP_MAX && is_kind(v, PICKLE_CALL); i++) {
        const struct pickle_value *of = pickle_at(&t->p, v->of), *args = pickle_at(&t->p, v->args);
        const struct rebuild *r = rebuild_find(of);
        if (r && r->tensor == -2) {
            of = pickle_item(&t->p, args, 0);
            args = pickle_item(&t->p, args, 2);
            r = rebuild_find(of);
        }
        if (!r || r->tensor == -2 || !args) return tensor_refuse(t, name, of);
        *out = args;
        if (r->tensor == -1) return 0;
        v = pickle_item(&t->p, args, (uint32_t)r->tensor);
    }
    return fail(t->err, HEARTH_E_FORMAT, "tensor %.*s: a damaged description", STR_ARG(name));
}

/* The oldest files describe a view of a storage inside the persistent id: (key, offset, number of values). */
static bool view_in_id(const struct torch_reader *t, const struct pickle_value *id, uint64_t *offset, uint64_t *values)
{
    const struct pickle_value *const view = pickle_item(&t->p, id, 5);
    if (!view || view->kind == PICKLE_NONE) return true;
    const struct pickle_value *const from = pickle_item(&t->p, view, 1), *const n = pickle_item(&t->p, view, 2);
    uint64_t end;
    if (!is_kind(from, PICKLE_INT) || !is_kind(n, PICKLE_INT) || from->i < 0 || n->i < 0) return false;
    if (!size_add((uint64_t)from->i, (uint64_t)n->i, &end) || end > *values || !size_add(*offset, (uint64_t)from->i, offset)) return false;
    *values = end;
    return true;
}

/* Places the tensor: where the storage has it, or copied when it is not contiguous there. */
static int view_place(struct torch_reader *t, struct file_tensor *ft, const struct view *v, struct storage *s)
{
    ft->type = (enum dtype)s->type;
    if (!shape_set(ft, v)) return fail(t->err, HEARTH_E_FORMAT, "tensor %.*s: an impossible shape", STR_ARG(ft->name));
    ft->data = t->m.p;
    if (ft->n_bytes == 0) return 0;
    const int status = storage_align(t, s);
    if (status < 0) return status;
    const uint64_t size = (uint64_t)type_of(ft->type)->block_bytes;
    ft->data = s->data + v->offset * size;
    if (view_contiguous(v)) return 0;
    void *copy = copy_take(t, ft->n_bytes, ft->name);
    if (!copy) return t->err->status;
    view_copy(copy, v, s->data, size);
    ft->data = copy;
    return 0;
}

static int tensor_add(struct torch_reader *t, struct str name, const struct pickle_value *call)
{
    const struct pickle_value *args = NULL;
    struct file_tensor *ft;
    struct view v;
    int status = tensor_args(t, name, call, &args);
    if (status < 0) return status;
    const struct pickle_value *const from = pickle_item(&t->p, args, 0), *const offset = pickle_item(&t->p, args, 1);
    v.rank = sizes_read(t, pickle_item(&t->p, args, 2), v.dim);
    if (!is_kind(from, PICKLE_PERSISTENT) || !is_kind(offset, PICKLE_INT) || offset->i < 0 || v.rank < 0 ||
        sizes_read(t, pickle_item(&t->p, args, 3), v.stride) != v.rank)
        return fail(t->err, HEARTH_E_FORMAT, "tensor %.*s: a damaged description", STR_ARG(name));
    const struct pickle_value *const id = pickle_at(&t->p, from->of);
    struct storage *s = torch_storage(t, pickle_item(&t->p, id, 2)->s);
    if (s->type < 0)
        return fail(t->err, HEARTH_E_UNSUPPORTED, "tensor %.*s lies in a %.*s, a type which hearth does not know", STR_ARG(name),
                    STR_ARG(s->type_name));
    if (!s->data)
        return fail(t->err, HEARTH_E_FORMAT, "tensor %.*s: the file lacks its storage %.*s: get it again", STR_ARG(name),
                    STR_ARG(s->key));
    v.offset = (uint64_t)offset->i;
    uint64_t values = s->values;
    if (!view_in_id(t, id, &v.offset, &values) || !view_inside(&v, values))
        return fail(t->err, HEARTH_E_FORMAT, "tensor %.*s reaches beyond the %" PRIu64 " values of its storage", STR_ARG(name), values);
    status = container_add_tensor(t->c, &ft, t->err);
    if (status < 0) return status;
    ft->name = name;
    return view_place(t, ft, &v, s);
}

/* ---- dictionaries */

/* Walks a dictionary, or an OrderedDict, which Python 2 writes as a call with a list of pairs. */
struct pairs {
    uint32_t cell;
    bool     listed;
};

static bool pairs_begin(const struct torch_reader *t, const struct pickle_value *v, struct pairs *it)
{
    *it = (struct pairs){ .cell = v->first };
    if (v->keyed) return true;
    const struct pickle_value *const of = pickle_at(&t->p, v->of);
    if (v->kind != PICKLE_CALL || of->kind != PICKLE_GLOBAL || !str_is(of->s, "collections.OrderedDict")) return false;
    const struct pickle_value *const list = v->args ? pickle_item(&t->p, pickle_at(&t->p, v->args), 0) : NULL;
    *it = (struct pairs){ .cell = is_kind(list, PICKLE_LIST) ? list->first : 0, .listed = true };
    return true;
}

static bool pairs_next(const struct torch_reader *t, struct pairs *it, const struct pickle_value **key, const struct pickle_value **value)
{
    const struct pickle_value *item = pickle_next(&t->p, &it->cell);
    *key = item && it->listed ? pickle_item(&t->p, item, 0) : item;
    *value = item && it->listed ? pickle_item(&t->p, item, 1) : pickle_next(&t->p, &it->cell);
    return *key && *value;
}

/* Whether a storage is among the arguments of a call, whatever it calls. `left` bounds the search. */
static bool holds_storage(const struct torch_reader *t, const struct pickle_value *v, int depth, int *left)
{
    if (v->kind == PICKLE_PERSISTENT) return true;
    if (depth == 0 || --*left < 0) return false;
    if (v->kind == PICKLE_CALL) return v->args && holds_storage(t, pickle_at(&t->p, v->args), depth - 1, left);
    if (v->kind != PICKLE_TUPLE) return false;
    uint32_t cell = v->first;
    for (const struct pickle_value *item; (item = pickle_next(&t->p, &cell)) && *left >= 0;)
        if (holds_storage(t, item, depth - 1, left)) return true;
    return false;
}

static bool is_tensor(const struct torch_reader *t, const struct pickle_value *v)
{
    struct pairs it;
    int left = LOOK_MAX;
    return v->kind == PICKLE_CALL && !pairs_begin(t, v, &it) && holds_storage(t, v, 2 * UNWRAP_MAX, &left);
}

static bool holds_tensors(const struct torch_reader *t, const struct pickle_value *v)
{
    struct pairs it;
    const struct pickle_value *key, *value;
    if (!pairs_begin(t, v, &it)) return false;
    while (pairs_next(t, &it, &key, &value))
        if (is_tensor(t, value)) return true;
    return false;
}

/* Where training programs put the weights, beside their step counts and optimizers. */
static const char *const inside[] = { "model", "state_dict", "module", "model_state_dict" };

static const struct pickle_value *model_find(const struct torch_reader *t, const struct pickle_value *root)
{
    struct pairs it;
    const struct pickle_value *key, *value;
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        if (!pairs_begin(t, root, &it)) return NULL;
        while (pairs_next(t, &it, &key, &value))
            if (key->kind == PICKLE_TEXT && str_is(key->s, inside[i]) && holds_tensors(t, value)) return value;
    }
    return holds_tensors(t, root) ? root : NULL;
}

int torch_tensors(struct torch_reader *t, uint32_t root)
{
    struct pairs it;
    const struct pickle_value *key, *value, *const model = model_find(t, pickle_at(&t->p, root));
    if (!model)
        return fail(t->err, HEARTH_E_UNSUPPORTED,
                    "it holds no dictionary of tensors, nor one as model, state_dict, module or model_state_dict");
    pairs_begin(t, model, &it);
    while (pairs_next(t, &it, &key, &value)) {
        if (!is_tensor(t, value)) continue;
        if (key->kind != PICKLE_TEXT) return fail(t->err, HEARTH_E_FORMAT, "a tensor without a name");
        const int status = tensor_add(t, key->s, value);
        if (status < 0) return status;
    }
    return 0;
}
