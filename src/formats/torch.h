/* What torch.save writes: a pickle that describes tensors as views of storages, and the bytes of those storages. */
#ifndef FORMATS_TORCH_H
#define FORMATS_TORCH_H

#include "formats/pickle.h"

struct storage {
    struct str     key, type_name;
    int            type;   /* enum dtype; -1: one that hearth does not know, type_name says which */
    uint64_t       values;
    const uint8_t *data;   /* NULL: the file does not have it */
    bool           aligned;
};

struct torch_reader {
    struct container    *c;
    struct file_map      m;
    struct pickle        p;
    struct storage      *storage; /* by key */
    uint64_t             n_storage, storage_room;
    uint64_t             copy_left; /* bytes that views and odd addresses may still have copied */
    struct hearth_error *err;
};

/* Fills the table of storages from all persistent ids; where they lie is for the caller to say. */
int             torch_storages(struct torch_reader *t);
struct storage *torch_storage(const struct torch_reader *t, struct str key); /* NULL: the pickle has none of this key */
/* Sets where a storage lies, `n` bytes at `offset`. */
int torch_storage_place(struct torch_reader *t, struct storage *s, uint64_t offset, uint64_t n);

/* Adds the tensors of the dictionary `root`, or of the one inside it that holds a model. */
int torch_tensors(struct torch_reader *t, uint32_t root);

#endif
