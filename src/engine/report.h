/* Text and JSON going out through a hearth_write callback, for inspect, explain and verify. */
#ifndef ENGINE_REPORT_H
#define ENGINE_REPORT_H

#include "base/str.h"
#include "hearth_inspect.h"

struct report {
    hearth_write *write;
    void         *user;
    struct buf    b;      /* what has not gone out yet */
    bool          stopped;
};

void report_init(struct report *r, hearth_write *write, void *user);
void report_printf(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_string(struct report *r, struct str s); /* as a JSON string */
/* Sends the rest; an error when memory ran out or the writer stopped. */
int report_finish(struct report *r, hearth_error *err);

#endif
