/* Stop strings in a stream of text: what might be the beginning of one is held back until it is known. */
#ifndef ENGINE_STOP_H
#define ENGINE_STOP_H

#include "base/status.h"
#include "base/str.h"

struct stop {
    const char *const *strings; /* [n], borrowed */
    size_t             n;
    struct buf         held;    /* room for all text one push can leave, taken at start */
    size_t             given;   /* bytes of held that the last push released */
};

int stop_init(struct stop *s, const char *const *strings, size_t n, struct hearth_error *err);
void stop_free(struct stop *s);

/* Adds text. *out: what may be shown now, valid until the next call. Returns true when a stop string was completed: *out then
 * ends where it began. */
bool stop_push(struct stop *s, struct str text, struct str *out);
/* The end of the text: what was held back is shown. */
struct str stop_finish(struct stop *s);

#endif
