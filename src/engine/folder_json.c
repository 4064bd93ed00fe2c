/* Small JSON files beside a model. */
#include "engine/folder_json.h"

enum { FOLDER_JSON_MAX = 16 << 20, FOLDER_PATH_MAX = 1 << 16 };

int folder_file(struct file_map *m, const char *folder, const char *name, struct hearth_error *err)
{
    struct buf path;
    buf_init(&path, FOLDER_PATH_MAX);
    file_join(&path, folder, name);
    int status = path.failed ? fail(err, HEARTH_E_ARG, "the path of %s is too long", name) : file_kind(path.p) == FILE_REGULAR;
    if (status == 1) {
        const int mapped = file_map(m, path.p, err);
        if (mapped) status = mapped;
        else if (m->n > FOLDER_JSON_MAX) {
            file_unmap(m);
            status = fail(err, HEARTH_E_FORMAT, "%s is larger than %d MiB", name, FOLDER_JSON_MAX >> 20);
        }
    }
    buf_free(&path);
    return status;
}

enum json_kind json_member(struct json *j, struct str src, const char *key, struct hearth_error *err)
{
    json_init(j, src, err);
    if (json_next(j) != JSON_OBJECT) return JSON_END;
    for (;;) {
        enum json_kind kind = json_next(j);
        if (kind != JSON_KEY) return JSON_END;
        const bool found = json_is(j, key);
        kind = json_next(j);
        if (kind == JSON_ERROR || found) return kind == JSON_ERROR ? JSON_END : kind;
        if (json_skip(j, kind)) return JSON_END;
    }
}

void json_member_number(struct str src, const char *key, double *out)
{
    struct json j;
    struct hearth_error err;
    if (json_member(&j, src, key, &err) == JSON_NUMBER) *out = j.number;
}

void json_member_bool(struct str src, const char *key, bool *out)
{
    struct json j;
    struct hearth_error err;
    const enum json_kind kind = json_member(&j, src, key, &err);
    if (kind == JSON_TRUE || kind == JSON_FALSE) *out = kind == JSON_TRUE;
}

bool json_member_text(struct str src, const char *key, struct buf *out)
{
    struct json j;
    struct hearth_error err;
    if (json_member(&j, src, key, &err) != JSON_STRING) return false;
    buf_clear(out);
    json_text(&j, out);
    return !out->failed;
}
