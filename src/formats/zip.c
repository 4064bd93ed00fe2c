/* The directory of a zip archive, also with 64-bit sizes. Nothing is unpacked: what is wanted lies in the mapping as it is. The
 * libraries do not serve here: libzip does not tell where an entry lies, minizip 1.1 misreads sizes of 4 GiB and more. Layout:
 * APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.3. */
#include "formats/zip.h"

#include <stdlib.h>

enum {
    ENTRIES_MAX = 1 << 20,
    END_BYTES = 22, END64_BYTES = 56, LOCATOR_BYTES = 20, ENTRY_BYTES = 46, LOCAL_BYTES = 30,
    COMMENT_MAX = UINT16_MAX, EXTRA_ZIP64 = 1,
};

static int damaged(struct hearth_error *err)
{
    fail(err, HEARTH_E_FORMAT, "a zip archive that is cut short or damaged: get it again");
    return HEARTH_E_FORMAT;
}

/* A number of `bytes` bytes at p, least byte first. */
static uint64_t number(const uint8_t *p, int bytes)
{
    uint64_t n = 0;
    memcpy(&n, p, (size_t)bytes);
    return n;
}

/* n bytes at `offset`; NULL where the file has not so many. */
static const uint8_t *bytes_at(struct file_map m, uint64_t offset, uint64_t n)
{
    return offset <= m.n && n <= m.n - offset ? m.p + offset : NULL;
}

/* ---- the end, which says where the directory lies */

/* Only a comment may follow the end. */
static const uint8_t *end_find(struct file_map m)
{
    for (uint64_t comment = 0; comment <= COMMENT_MAX && comment + END_BYTES <= m.n; comment++) {
        const uint8_t *p = m.p + m.n - END_BYTES - comment;
        if (memcmp(p, "PK\5\6", 4) == 0 && number(p + 20, 2) == comment) return p;
    }
    return NULL;
}

/* Takes what does not fit there from the larger end, which a locator right before it points to. */
static int directory_find(struct file_map m, uint64_t *n, uint64_t *offset, struct hearth_error *err)
{
    const uint8_t *end = end_find(m);
    if (!end) return damaged(err);
    *n = number(end + 10, 2);
    *offset = number(end + 16, 4);
    if (*n < UINT16_MAX && *offset < UINT32_MAX) return 0;
    if (end - m.p < LOCATOR_BYTES || memcmp(end - LOCATOR_BYTES, "PK\6\7", 4) != 0) return 0; /* it just has that many */
    const uint8_t *wide = bytes_at(m, number(end - LOCATOR_BYTES + 8, 8), END64_BYTES);
    if (!wide || memcmp(wide, "PK\6\6", 4) != 0) return damaged(err);
    *n = number(wide + 32, 8);
    *offset = number(wide + 48, 8);
    return 0;
}

/* ---- entries */

/* Sizes and offset that do not fit into 32 bits stand in an extra field, those that do not and in this order. */
static bool extra_read(const uint8_t *p, uint64_t n, uint64_t *const value[3])
{
    while (n >= 4) {
        const uint64_t id = number(p, 2), length = number(p + 2, 2);
        if (length > n - 4) return false;
        const uint8_t *at = p + 4, *const end = at + length;
        for (int i = 0; id == EXTRA_ZIP64 && i < 3; i++) {
            if (*value[i] != UINT32_MAX) continue;
            if (end - at < 8) return false;
            *value[i] = number(at, 8);
            at += 8;
        }
        if (id == EXTRA_ZIP64) return true;
        p = end;
        n -= 4 + length;
    }
    return true;
}

/* The entry at *offset of the directory, which moves behind it. The bytes themselves lie behind a header of their own. */
static int entry_read(struct zip_entry *e, struct file_map m, uint64_t *offset, struct hearth_error *err)
{
    const uint8_t *p = bytes_at(m, *offset, ENTRY_BYTES);
    if (!p || memcmp(p, "PK\1\2", 4) != 0) return damaged(err);
    const uint64_t name = number(p + 28, 2), extra = number(p + 30, 2), comment = number(p + 32, 2);
    if (!bytes_at(m, *offset, ENTRY_BYTES + name + extra + comment)) return damaged(err);
    uint64_t stored = number(p + 20, 4), whole = number(p + 24, 4), local = number(p + 42, 4);
    if (!extra_read(p + ENTRY_BYTES + name, extra, (uint64_t *const[]){ &whole, &stored, &local })) return damaged(err);
    *offset += ENTRY_BYTES + name + extra + comment;
    const uint8_t *own = bytes_at(m, local, LOCAL_BYTES);
    if (!own || memcmp(own, "PK\3\4", 4) != 0 || number(own + 26, 2) != name) return damaged(err);
    const uint64_t before = LOCAL_BYTES + name + number(own + 28, 2);
    if (!bytes_at(m, local, before) || memcmp(own + LOCAL_BYTES, p + ENTRY_BYTES, name) != 0) return damaged(err);
    *e = (struct zip_entry){ .name = { (const char *)p + ENTRY_BYTES, name }, .offset = local + before, .n = stored,
                             .method = (uint32_t)number(p + 10, 2), .locked = (p[8] & 1) != 0 };
    return bytes_at(m, e->offset, stored) ? 0 : damaged(err);
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

int zip_read(struct zip *z, struct file_map m, struct hearth_error *err)
{
    uint64_t n, offset;
    *z = (struct zip){ 0 };
    int status = directory_find(m, &n, &offset, err);
    if (status < 0) return status;
    if (n > ENTRIES_MAX) return fail(err, HEARTH_E_UNSUPPORTED, "a zip archive of more than %d entries", ENTRIES_MAX);
    if (n > m.n / ENTRY_BYTES) return damaged(err);
    z->entry = mem_array(n, sizeof *z->entry);
    if (!z->entry) return fail_memory(err, n * sizeof *z->entry, "the directory of a zip archive");
    for (; z->n < n && status == 0; z->n++) status = entry_read(&z->entry[z->n], m, &offset, err);
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
