/* Python's pickles, read as data. A pickle is a program for a machine with a stack; ours only writes down what that program
 * would build. Nothing is imported, called or constructed: a call stays a note of what is called with what. */
#ifndef FORMATS_PICKLE_H
#define FORMATS_PICKLE_H

#include "formats/reader.h"

enum pickle_kind {
    PICKLE_NONE, PICKLE_BOOL, PICKLE_INT, PICKLE_TEXT, PICKLE_TUPLE, PICKLE_LIST, PICKLE_DICT,
    PICKLE_NUMBER,     /* an integer of more than 64 bits: s is the file's bytes of it */
    PICKLE_GLOBAL,     /* something in a Python module: s is "module.name" */
    PICKLE_CALL,       /* of: what is called; args: with what */
    PICKLE_PERSISTENT, /* something outside the pickle; of: its description */
    PICKLE_OTHER,      /* floats, bytes, sets: weights need none of them */
};

struct pickle_value {
    uint8_t  kind;  /* enum pickle_kind */
    bool     keyed; /* its items are keys and values by turns */
    uint32_t n, first, last; /* items: how many, cells of the first and the last */
    uint32_t of, args;
    union {
        int64_t    i; /* also of PICKLE_BOOL */
        struct str s;
    };
};

struct pickle_cell {
    uint32_t value, next;
};

/* Values are known by their number; 0 is none. Several pickles may be read into one after another. */
struct pickle {
    struct arena        *arena; /* takes the names of globals; texts stay where the file has them */
    struct pickle_value *value;
    struct pickle_cell  *cell;
    uint64_t             n_value, value_room, n_cell, cell_room;
};

/* Reads one pickle and moves behind it; *root is what it builds. Time and memory are bounded by its length. */
int  pickle_read(struct pickle *p, struct cursor *in, uint32_t *root, struct hearth_error *err);
void pickle_free(struct pickle *p);

static inline const struct pickle_value *pickle_at(const struct pickle *p, uint32_t value) { return &p->value[value]; }

/* Item i of a value, counted along its chain; none when there are fewer. */
const struct pickle_value *pickle_item(const struct pickle *p, const struct pickle_value *v, uint32_t i);
/* Walks the items: *cell begins as v->first; NULL at the end. */
const struct pickle_value *pickle_next(const struct pickle *p, uint32_t *cell);

#endif
