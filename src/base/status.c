/* Error sentences, names of the codes, the version. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

static const struct {
    int         status;
    const char *name;
} status_names[] = {
    { HEARTH_OK, "HEARTH_OK" },
    { HEARTH_E_ARG, "HEARTH_E_ARG" },
    { HEARTH_E_MEMORY, "HEARTH_E_MEMORY" },
    { HEARTH_E_IO, "HEARTH_E_IO" },
    { HEARTH_E_NOT_FOUND, "HEARTH_E_NOT_FOUND" },
    { HEARTH_E_FORMAT, "HEARTH_E_FORMAT" },
    { HEARTH_E_UNSUPPORTED, "HEARTH_E_UNSUPPORTED" },
    { HEARTH_E_CONTEXT, "HEARTH_E_CONTEXT" },
    { HEARTH_E_CANCELLED, "HEARTH_E_CANCELLED" },
    { HEARTH_E_INTERNAL, "HEARTH_E_INTERNAL" },
};

const char *hearth_status_name(int status)
{
    for (size_t i = 0; i < sizeof status_names / sizeof *status_names; i++)
        if (status_names[i].status == status) return status_names[i].name;
    return "HEARTH_E_?";
}

const char *hearth_version(void)
{
    return HEARTH_VERSION;
}

/* Names from a hostile file end up in sentences: what is no UTF-8, or would move the cursor of a terminal, becomes '?'. */
static void text_clean(char *text)
{
    const struct str s = str_from(text);
    for (size_t at = 0; at < s.n;) {
        const size_t from = at;
        const int32_t c = utf8_next(s, &at);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0)) memset(text + from, '?', at - from);
    }
}

int fail(struct hearth_error *err, int status, const char *format, ...)
{
    if (!err) return status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    text_clean(err->text);
    err->status = status;
    return status;
}

int fail_in(struct hearth_error *err, const char *format, ...)
{
    if (!err) return HEARTH_E_INTERNAL;
    char old[sizeof err->text], where[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    vsnprintf(where, sizeof where, format, args);
    va_end(args);
    return fail(err, err->status, "%s: %s", where, old);
}

int fail_memory(struct hearth_error *err, uint64_t bytes, const char *what)
{
    return fail(err, HEARTH_E_MEMORY, "not enough memory for %s (%llu bytes)", what, (unsigned long long)bytes);
}
