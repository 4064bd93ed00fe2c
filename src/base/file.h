/* Files: read-only mappings, whole small files, atomic writes. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/status.h"
#include "base/str.h"

/* A whole file mapped read-only. The mapping stays when the file is renamed; a file that shrinks under us is the user's
 * doing and may still raise SIGBUS (documented in docs/design.md). */
struct file_map {
    const uint8_t *p;
    uint64_t       n;
};

int  file_map(struct file_map *m, const char *path, struct hearth_error *err);
void file_unmap(struct file_map *m);

/* Asks the system to read this part of a mapping soon, without waiting. A hint: nothing depends on it. */
void file_will_need(const void *p, uint64_t n);

enum file_kind { FILE_NONE, FILE_REGULAR, FILE_FOLDER, FILE_OTHER };
enum file_kind file_kind(const char *path);

/* Appends folder + "/" + name to out (cleared first); out->p is the path. */
void file_join(struct buf *out, const char *folder, const char *name);

/* Writes a file atomically: a temporary beside it, fsync, rename, fsync of the folder. On failure the old file stays and the
 * temporary is removed. */
struct file_write;
int  file_write_open(struct file_write **out, const char *path, struct hearth_error *err);
int  file_write_put(struct file_write *w, const void *p, size_t n, struct hearth_error *err);
int  file_write_commit(struct file_write *w, struct hearth_error *err); /* frees w either way */
void file_write_cancel(struct file_write *w);

#endif
