/* Small JSON files beside a model, read where they are needed. */
#ifndef ENGINE_FOLDER_JSON_H
#define ENGINE_FOLDER_JSON_H

#include "base/file.h"
#include "base/json.h"

/* 1: mapped; 0: there is no such file; negative: it cannot be read or is larger than 16 MiB. */
int folder_file(struct file_map *m, const char *folder, const char *name, struct hearth_error *err);

/* The value of a key of the outermost object: j stands at it, its kind is returned; JSON_END: there is none. */
enum json_kind json_member(struct json *j, struct str src, const char *key, struct hearth_error *err);

/* Number, truth or text of such a key; untouched when it is absent, null or of another kind. */
void json_member_number(struct str src, const char *key, double *out);
void json_member_bool(struct str src, const char *key, bool *out);
bool json_member_text(struct str src, const char *key, struct buf *out);

#endif
