/* safetensors (github.com/huggingface/safetensors): 8 bytes of length, a JSON header, the data. */
#include <inttypes.h>
#include <stdlib.h>

#include "formats/reader.h"

#define HEADER_MAX ((uint64_t)100 << 20) /* as in the reference implementation */

bool safetensors_probe(const struct container *c)
{
    if (c->n_map == 0 || c->map[0].n < 10) return false;
    const uint8_t *p = c->map[0].p;
    return p[5] == 0 && p[6] == 0 && p[7] == 0 && p[8] == '{';
}

struct reader {
    struct container    *c;
    struct file_map      data; /* what follows the header */
    struct json          json;
    struct buf           text; /* a decoded name */
    struct hearth_error *err;
};

/* The name just read: where the file has it, or decoded into the arena. */
static int name_read(struct reader *r, struct str *out)
{
    *out = r->json.text;
    if (!r->json.escaped) return 0;
    buf_clear(&r->text);
    json_text(&r->json, &r->text);
    const char *copy = r->text.failed ? NULL : arena_strndup(&r->c->arena, r->text.p, r->text.n);
    *out = (struct str){ copy, r->text.n };
    return copy ? 0 : fail_memory(r->err, r->json.text.n, "a tensor's name");
}

static int dtype_read(struct reader *r, struct file_tensor *t)
{
    if (json_next(&r->json) != JSON_STRING) return json_fail(&r->json, "a dtype in quotes was expected");
    const int type = type_from_safetensors(r->json.text);
    if (type < 0)
        return fail(r->err, HEARTH_E_UNSUPPORTED, "tensor %.*s has dtype %.*s, which hearth does not know", STR_ARG(t->name),
                    STR_ARG(r->json.text));
    t->type = (enum dtype)type;
    return 0;
}

/* Of more than four dimensions (patch embeddings of video models) the outermost are taken together: same bytes, same order. */
static int shape_read(struct reader *r, struct file_tensor *t)
{
    if (json_next(&r->json) != JSON_ARRAY) return json_fail(&r->json, "a list of dimensions was expected");
    t->rank = 0;
    for (enum json_kind kind; (kind = json_next(&r->json)) != JSON_ARRAY_END;) {
        if (kind != JSON_NUMBER || !r->json.is_int || r->json.integer < 0) return json_fail(&r->json, "a dimension was expected");
        if (t->rank == 4) {
            if (!size_mul(t->dim[0], t->dim[1], &t->dim[0])) return json_fail(&r->json, "a shape too large");
            memmove(&t->dim[1], &t->dim[2], 2 * sizeof t->dim[0]);
            t->rank = 3;
        }
        t->dim[t->rank++] = (uint64_t)r->json.integer;
    }
    return 0;
}

static int offsets_read(struct reader *r, uint64_t offset[2])
{
    if (json_next(&r->json) != JSON_ARRAY) return json_fail(&r->json, "a pair of offsets was expected");
    for (int i = 0; i < 2; i++) {
        if (json_next(&r->json) != JSON_NUMBER || !r->json.is_int || r->json.integer < 0)
            return json_fail(&r->json, "an offset was expected");
        offset[i] = (uint64_t)r->json.integer;
    }
    if (json_next(&r->json) != JSON_ARRAY_END) return json_fail(&r->json, "just two offsets were expected");
    return 0;
}

/* The object behind a tensor's name. Its members come in any order, each once. */
static int tensor_read(struct reader *r, struct file_tensor *t)
{
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4, ALL = 7 };
    uint64_t offset[2] = { 0, 0 };
    unsigned seen = 0;
    if (json_next(&r->json) != JSON_OBJECT) return json_fail(&r->json, "a tensor's description was expected");
    for (enum json_kind kind; (kind = json_next(&r->json)) != JSON_OBJECT_END;) {
        if (kind == JSON_ERROR) return HEARTH_E_FORMAT;
        const unsigned what = json_is(&r->json, "dtype") ? DTYPE : json_is(&r->json, "shape") ? SHAPE
                            : json_is(&r->json, "data_offsets") ? OFFSETS : 0;
        if (seen & what) return json_fail(&r->json, "a member given twice");
        seen |= what;
        const int status = what == DTYPE ? dtype_read(r, t) : what == SHAPE ? shape_read(r, t)
                         : what == OFFSETS ? offsets_read(r, offset) : json_skip(&r->json, kind);
        if (status < 0) return status;
    }
    if (seen != ALL) return json_fail(&r->json, "a tensor without dtype, shape or data_offsets");
    const int status = tensor_place(t, r->data, offset[0], r->err);
    if (status < 0) return status;
    if (offset[1] < offset[0] || offset[1] - offset[0] != t->n_bytes)
        return fail(r->err, HEARTH_E_FORMAT,
                    "tensor %.*s takes %" PRIu64 " bytes by its shape, its offsets are %" PRIu64 " and %" PRIu64,
                    STR_ARG(t->name), t->n_bytes, offset[0], offset[1]);
    return 0;
}

static int header_read(struct reader *r)
{
    if (json_next(&r->json) != JSON_OBJECT) return json_fail(&r->json, "a JSON object was expected");
    for (enum json_kind kind; (kind = json_next(&r->json)) != JSON_OBJECT_END;) {
        if (kind == JSON_ERROR) return HEARTH_E_FORMAT;
        int status;
        if (json_is(&r->json, "__metadata__")) {
            status = json_skip(&r->json, kind);
        } else {
            struct file_tensor *t;
            status = container_add_tensor(r->c, &t, r->err);
            if (status == 0) status = name_read(r, &t->name);
            if (status == 0) status = tensor_read(r, t);
        }
        if (status < 0) return status;
    }
    return json_next(&r->json) == JSON_END ? 0 : HEARTH_E_FORMAT;
}

/* ---- no two tensors share bytes */

static int by_data(const void *a, const void *b)
{
    const struct file_tensor *const *x = a, *const *y = b;
    const uintptr_t p = (uintptr_t)(*x)->data, q = (uintptr_t)(*y)->data;
    return p < q ? -1 : p > q;
}

static int overlap_check(struct reader *r, uint64_t first)
{
    const uint64_t n = r->c->n_tensor - first;
    const struct file_tensor **sorted = mem_array(n, sizeof *sorted);
    if (!sorted) return fail_memory(r->err, n * sizeof *sorted, "a list of tensors");
    uint64_t filled = 0;
    for (uint64_t i = 0; i < n; i++)
        if (r->c->tensor[first + i].n_bytes) sorted[filled++] = &r->c->tensor[first + i];
    qsort(sorted, filled, sizeof *sorted, by_data);
    int status = 0;
    for (uint64_t i = 1; i < filled && status == 0; i++)
        if ((const char *)sorted[i - 1]->data + sorted[i - 1]->n_bytes > (const char *)sorted[i]->data)
            status = fail(r->err, HEARTH_E_FORMAT, "tensors %.*s and %.*s overlap", STR_ARG(sorted[i - 1]->name),
                          STR_ARG(sorted[i]->name));
    mem_free(sorted);
    return status;
}

int safetensors_read(struct container *c, struct file_map m, struct hearth_error *err)
{
    struct cursor head = { .p = m.p, .n = m.n };
    uint64_t n;
    if (!cursor_u64(&head, &n)) return fail(err, HEARTH_E_FORMAT, "too short for a safetensors file: get it again");
    if (n > HEADER_MAX) return fail(err, HEARTH_E_FORMAT, "no safetensors file: its header would take %" PRIu64 " bytes", n);
    if (n > m.n - 8)
        return fail(err, HEARTH_E_FORMAT,
                    "cut short: its header takes %" PRIu64 " bytes, the file has %" PRIu64 ": get it again", n, m.n);
    struct reader r = { .c = c, .data = { m.p + 8 + n, m.n - 8 - n }, .err = err };
    const uint64_t first = c->n_tensor;
    json_init(&r.json, (struct str){ (const char *)m.p + 8, n }, err);
    buf_init(&r.text, n);
    int status = header_read(&r);
    if (status == 0) status = overlap_check(&r, first);
    for (uint64_t i = first; status == 0 && i < c->n_tensor; i++) status = tensor_align(c, &c->tensor[i], err);
    buf_free(&r.text);
    return status;
}
