/* Output of the inspection tools. */
#include "engine/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/status.h"

void report_init(struct report *r, hearth_write *write, void *user)
{
    *r = (struct report){ .write = write, .user = user };
    buf_init(&r->b, 1 << 24);
}

static void send_full(struct report *r, size_t limit)
{
    if (r->b.n < limit || r->stopped || r->b.failed) return;
    r->stopped = r->b.n && r->write(r->user, r->b.p, r->b.n) != 0;
    buf_clear(&r->b);
}

void report_printf(struct report *r, const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    buf_puts(&r->b, text);
    send_full(r, 1 << 14);
}

void report_string(struct report *r, struct str s)
{
    buf_json_string(&r->b, s);
    send_full(r, 1 << 14);
}

int report_finish(struct report *r, hearth_error *err)
{
    const bool failed = r->b.failed;
    send_full(r, 0);
    buf_free(&r->b);
    if (failed) return fail_memory(err, 1 << 24, "the report");
    return r->stopped ? fail(err, HEARTH_E_CANCELLED, "the reader of the report stopped") : 0;
}
