/* Files: read-only mappings, kinds, paths, atomic writes. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"

static int fail_errno(struct hearth_error *err, const char *action, const char *path)
{
    const int e = errno;
    const int status = e == ENOENT || e == ENOTDIR ? HEARTH_E_NOT_FOUND : e == ENOMEM ? HEARTH_E_MEMORY : HEARTH_E_IO;
    return fail(err, status, "cannot %s %s: %s", action, path, strerror(e));
}

int file_map(struct file_map *m, const char *path, struct hearth_error *err)
{
    *m = (struct file_map){ 0 };
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* NONBLOCK: a pipe must not hang us before we see what it is */
    if (fd < 0) return fail_errno(err, "open", path);
    int status = 0;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        status = fail_errno(err, "read", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = fail(err, HEARTH_E_IO, "%s is %s, a file is needed here", path,
                      S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    } else if (st.st_size == 0) {
        m->p = (const uint8_t *)"";
    } else {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) status = fail_errno(err, "map", path);
        else *m = (struct file_map){ p, (uint64_t)st.st_size };
    }
    close(fd);
    return status;
}

void file_unmap(struct file_map *m)
{
    if (m->n) munmap((void *)(uintptr_t)m->p, m->n);
    *m = (struct file_map){ 0 };
}

void file_will_need(const void *p, uint64_t n)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)p / page * page;
    posix_madvise((void *)from, (size_t)((uintptr_t)p + n - from), POSIX_MADV_WILLNEED);
}

enum file_kind file_kind(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) return FILE_NONE;
    return S_ISREG(st.st_mode) ? FILE_REGULAR : S_ISDIR(st.st_mode) ? FILE_FOLDER : FILE_OTHER;
}

void file_join(struct buf *out, const char *folder, const char *name)
{
    const struct str f = str_from(folder);
    buf_clear(out);
    buf_put(out, f.p, f.n);
    if (f.n && f.p[f.n - 1] != '/') buf_char(out, '/');
    buf_puts(out, name);
}

/* ---- atomic writes */

enum { WRITE_BUFFER = 1 << 16, WRITE_TRIES = 100 };

struct file_write {
    int    fd;
    char  *path, *temporary;
    size_t n; /* bytes waiting in pending */
    char   pending[WRITE_BUFFER];
};

static void file_write_free(struct file_write *w)
{
    mem_free(w->path);
    mem_free(w->temporary);
    mem_free(w);
}

int file_write_open(struct file_write **out, const char *path, struct hearth_error *err)
{
    *out = NULL;
    struct file_write *w = mem_array(1, sizeof *w);
    if (!w) return fail_memory(err, sizeof *w, "writing a file");
    const size_t room = strlen(path) + 32;
    w->fd = -1;
    w->path = mem_strdup(path);
    w->temporary = mem_array(room, 1);
    if (!w->path || !w->temporary) {
        file_write_free(w);
        return fail_memory(err, room, "a file name");
    }
    for (int i = 0; i < WRITE_TRIES && w->fd < 0; i++) {
        snprintf(w->temporary, room, "%s.tmp-%016llx", path, (unsigned long long)rng_entropy());
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd < 0 && errno != EEXIST) break;
    }
    if (w->fd < 0) {
        const int status = fail_errno(err, "write beside", path);
        file_write_free(w);
        return status;
    }
    *out = w;
    return 0;
}

static int write_all(struct file_write *w, const char *p, size_t n, struct hearth_error *err)
{
    while (n) {
        const ssize_t done = write(w->fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return fail_errno(err, "write", w->path);
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int write_pending(struct file_write *w, struct hearth_error *err)
{
    const size_t n = w->n;
    w->n = 0;
    return write_all(w, w->pending, n, err);
}

int file_write_put(struct file_write *w, const void *p, size_t n, struct hearth_error *err)
{
    if (n > WRITE_BUFFER - w->n) {
        const int status = write_pending(w, err);
        if (status < 0) return status;
    }
    if (n > WRITE_BUFFER) return write_all(w, p, n, err);
    if (n) memcpy(w->pending + w->n, p, n);
    w->n += n;
    return 0;
}

/* Makes the rename itself durable. Some file systems refuse to sync a folder; the file is in place all the same. */
static void folder_sync(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = 0;
    const int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

int file_write_commit(struct file_write *w, struct hearth_error *err)
{
    int status = write_pending(w, err);
    if (status == 0 && fsync(w->fd) != 0) status = fail_errno(err, "write", w->path);
    if (close(w->fd) != 0 && status == 0) status = fail_errno(err, "write", w->path);
    if (status == 0 && rename(w->temporary, w->path) != 0) status = fail_errno(err, "replace", w->path);
    if (status == 0) folder_sync(w->path);
    else unlink(w->temporary);
    file_write_free(w);
    return status;
}

void file_write_cancel(struct file_write *w)
{
    if (!w) return;
    close(w->fd);
    unlink(w->temporary);
    file_write_free(w);
}
