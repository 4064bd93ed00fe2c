/* Where the files in a zip archive lie. */
#ifndef FORMATS_ZIP_H
#define FORMATS_ZIP_H

#include "base/file.h"
#include "base/mem.h"

struct zip_entry {
    struct str name; /* where the file has it */
    uint64_t   offset, n; /* its bytes in the file, as they are stored */
    uint32_t   method;    /* 0: as they are; 8: deflated */
    bool       locked;    /* encrypted */
};

struct zip {
    struct zip_entry *entry; /* by name */
    uint64_t          n;
};

/* Every entry lies inside the file; no name occurs twice. zip_free also after an error. */
int  zip_read(struct zip *z, struct file_map m, struct hearth_error *err);
void zip_free(struct zip *z);

const struct zip_entry *zip_find(const struct zip *z, struct str name); /* NULL: absent */

#endif
