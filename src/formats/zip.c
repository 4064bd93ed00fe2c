/* The directory of a zip archive, read by minizip from the mapping. Nothing is unpacked: what is wanted lies there as it is. */
#include "formats/zip.h"

#include <minizip/unzip.h>
#include <stdlib.h>

enum { ENTRIES_MAX = 1 << 20, NAME_MAX_BYTES = 1024 };

/* ---- the mapping as minizip's file */

struct stream {
    struct file_map m;
    uint64_t        at;
};

static void *stream_open(void *opaque, const void *path, int mode)
{
    (void)path, (void)mode;
    return opaque;
}

static uLong stream_read(void *opaque, void *file, void *out, uLong n)
{
    (void)opaque;
    struct stream *s = file;
    if (n > s->m.n - s->at) n = s->m.n - s->at;
    memcpy(out, s->m.p + s->at, n);
    s->at += n;
    return n;
}

static ZPOS64_T stream_tell(void *opaque, void *file)
{
    (void)opaque;
    return ((struct stream *)file)->at;
}

static long stream_seek(void *opaque, void *file, ZPOS64_T offset, int origin)
{
    (void)opaque;
    struct stream *s = file;
    const uint64_t from = origin == ZLIB_FILEFUNC_SEEK_CUR ? s->at : origin == ZLIB_FILEFUNC_SEEK_END ? s->m.n : 0;
    uint64_t at;
    if (!size_add(from, offset, &at) || at > s->m.n) return -1;
    s->at = at;
    return 0;
}

static int stream_close(void *opaque, void *file)
{
    (void)opaque, (void)file;
    return 0;
}

static int stream_error(void *opaque, void *file)
{
    (void)opaque, (void)file;
    return 0;
}

/* ---- entries */

static int damaged(struct hearth_error *err)
{
    return fail(err, HEARTH_E_FORMAT, "a zip archive that is cut short or damaged: get it again");
}

/* The entry that minizip stands at. Opening it compares its own header with the directory and finds where its bytes begin. */
static int entry_read(struct zip_entry *e, unzFile f, struct file_map m, struct arena *arena, struct hearth_error *err)
{
    unz_file_info64 info;
    char name[NAME_MAX_BYTES];
    uint64_t end;
    int method;
    if (unzGetCurrentFileInfo64(f, &info, name, sizeof name, NULL, 0, NULL, 0) != UNZ_OK) return damaged(err);
    if (info.size_filename >= sizeof name)
        return fail(err, HEARTH_E_UNSUPPORTED, "a zip archive with a name of %lu bytes", info.size_filename);
    if (unzOpenCurrentFile2(f, &method, NULL, 1) != UNZ_OK) return damaged(err);
    e->offset = unzGetCurrentFileZStreamPos64(f);
    unzCloseCurrentFile(f);
    e->n = info.compressed_size;
    e->method = (uint32_t)info.compression_method;
    e->locked = (info.flag & 1) != 0;
    if (!size_add(e->offset, e->n, &end) || end > m.n) return damaged(err);
    e->name = (struct str){ arena_strndup(arena, name, info.size_filename), info.size_filename };
    return e->name.p ? 0 : fail_memory(err, info.size_filename, "a name in a zip archive");
}

static int entries_read(struct zip *z, unzFile f, struct file_map m, struct arena *arena, struct hearth_error *err)
{
    uint64_t room = 0;
    int at = unzGoToFirstFile(f), status = 0;
    for (; at == UNZ_OK && status == 0; at = unzGoToNextFile(f)) {
        if (z->n == ENTRIES_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "a zip archive of more than %d entries", ENTRIES_MAX);
        if (z->n == room) {
            room = room ? 2 * room : 64;
            struct zip_entry *entry = mem_resize(z->entry, room, sizeof *entry);
            if (!entry) return fail_memory(err, room * sizeof *entry, "the directory of a zip archive");
            z->entry = entry;
        }
        status = entry_read(&z->entry[z->n], f, m, arena, err);
        z->n += status == 0;
    }
    return status < 0 ? status : at == UNZ_END_OF_LIST_OF_FILE ? 0 : damaged(err);
}

static int name_compare(struct str a, struct str b)
{
    const int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

static int by_name(const void *a, const void *b)
{
    return name_compare(((const struct zip_entry *)a)->name, ((const struct zip_entry *)b)->name);
}

int zip_read(struct zip *z, struct file_map m, struct arena *arena, struct hearth_error *err)
{
    struct stream s = { .m = m };
    zlib_filefunc64_def calls = { stream_open, stream_read, NULL, stream_tell, stream_seek, stream_close, stream_error, &s };
    *z = (struct zip){ 0 };
    unzFile f = unzOpen2_64("", &calls);
    if (!f) return damaged(err);
    int status = entries_read(z, f, m, arena, err);
    unzClose(f);
    if (status == 0 && z->n) qsort(z->entry, z->n, sizeof *z->entry, by_name);
    for (uint64_t i = 1; status == 0 && i < z->n; i++)
        if (str_eq(z->entry[i - 1].name, z->entry[i].name))
            status = fail(err, HEARTH_E_FORMAT, "a zip archive that has %.*s twice", STR_ARG(z->entry[i].name));
    return status;
}

void zip_free(struct zip *z)
{
    mem_free(z->entry);
    *z = (struct zip){ 0 };
}

const struct zip_entry *zip_find(const struct zip *z, struct str name)
{
    const struct zip_entry key = { .name = name };
    return z->n ? bsearch(&key, z->entry, z->n, sizeof key, by_name) : NULL;
}
