/* Text out: standard output with every failure noticed, notes on standard error. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "cli/cli.h"

static int output_fail(struct hearth_error *err)
{
    if (errno == EPIPE) { /* the reader has what it wanted (`| head`) */
        if (err) *err = (struct hearth_error){ .status = HEARTH_E_IO };
        return HEARTH_E_IO;
    }
    return fail(err, HEARTH_E_IO, "cannot write to standard output: %s", strerror(errno));
}

int output_bytes(const void *p, size_t n, struct hearth_error *err)
{
    return n == 0 || fwrite(p, 1, n, stdout) == n ? 0 : output_fail(err);
}

static bool control(int32_t c)
{
    return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0);
}

int output_text(const struct terminal *t, struct str text, struct hearth_error *err)
{
    size_t good = 0; /* [good, at) can go out as it is */
    if (text.n == 0) return 0;
    for (size_t at = 0; at < text.n;) {
        const size_t from = at;
        const int32_t c = utf8_next(text, &at);
        if (c >= 0 && !(t->out && control(c))) continue;
        int status = output_bytes(text.p + good, from - good, err);
        if (!status) status = output_bytes("\xEF\xBF\xBD", 3, err);
        if (status) return status;
        good = at;
    }
    return output_bytes(text.p + good, text.n - good, err);
}

int output_buf(const struct terminal *t, const struct buf *b, struct hearth_error *err)
{
    if (b->failed) return fail_memory(err, b->n, "the output");
    return output_text(t, buf_str(b), err);
}

int output_flush(struct hearth_error *err)
{
    return fflush(stdout) == 0 ? 0 : output_fail(err);
}

int output_end(struct hearth_error *err)
{
    const int status = output_flush(err);
    if (status) return status;
    return fclose(stdout) == 0 ? 0 : output_fail(err); /* a network file system tells only now */
}

int output_write(void *user, const char *text, size_t n)
{
    struct output_user *u = user;
    return output_text(u->terminal, (struct str){ text, n }, &u->err);
}

int output_status(const struct output_user *user, int status, struct hearth_error *err)
{
    if (!user->err.status) return status;
    *err = user->err;
    return user->err.status;
}

void output_note(const struct terminal *t, const char *format, ...)
{
    struct buf line;
    buf_init(&line, 4096);
    terminal_dim(t->colour_err, true, &line);
    char text[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_puts(&line, text);
    terminal_dim(t->colour_err, false, &line);
    buf_char(&line, '\n');
    if (!line.failed) fwrite(line.p, 1, line.n, stderr);
    buf_free(&line);
}

void buf_json_number(struct buf *b, double x)
{
    if (isfinite(x)) buf_printf(b, "%.9g", x);
    else buf_puts(b, "null");
}
