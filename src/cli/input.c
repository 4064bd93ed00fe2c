/* Text in: whole files and standard input, lines, lists of token ids. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"

/* ---- bytes */

/* Appends what one read gives. Returns how many bytes (0: the end) or a negative status. */
static ssize_t input_some(int fd, const char *name, struct buf *out, struct hearth_error *err)
{
    char some[1 << 16];
    ssize_t n;
    do n = read(fd, some, sizeof some);
    while (n < 0 && errno == EINTR);
    if (n < 0) return fail(err, HEARTH_E_IO, "cannot read %s: %s", name, strerror(errno));
    if ((size_t)n > out->cap - out->n)
        return fail(err, HEARTH_E_ARG, "%s is larger than the %zu MiB that are allowed here", name, out->cap >> 20);
    buf_put(out, some, (size_t)n);
    return out->failed ? fail_memory(err, out->n, name) : n;
}

int input_all(const char *path, struct buf *out, struct hearth_error *err)
{
    int fd = 0;
    if (path && strcmp(path, "-") != 0) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return fail(err, errno == ENOENT || errno == ENOTDIR ? HEARTH_E_NOT_FOUND : HEARTH_E_IO, "cannot open %s: %s", path,
                        strerror(errno));
    }
    ssize_t n;
    do n = input_some(fd, fd ? path : "standard input", out, err);
    while (n > 0);
    if (fd) close(fd);
    return (int)n;
}

/* ---- lines */

void input_lines_start(struct input_lines *r)
{
    *r = (struct input_lines){ 0 };
    buf_init(&r->buf, INPUT_TEXT_MAX);
}

/* Drops the lines already given and reads on. */
static ssize_t input_lines_more(struct input_lines *r, struct hearth_error *err)
{
    if (r->at > 0) {
        r->buf.n -= r->at;
        memmove(r->buf.p, r->buf.p + r->at, r->buf.n);
        r->at = 0;
    }
    return input_some(0, "standard input", &r->buf, err);
}

int input_lines_next(struct input_lines *r, struct str *line, struct hearth_error *err)
{
    size_t seen = r->at; /* no newline before this place */
    for (;;) {
        const char *from = r->buf.p + seen, *newline = r->buf.n > seen ? memchr(from, '\n', r->buf.n - seen) : NULL;
        if (newline || (r->end && r->buf.n > r->at)) {
            const size_t to = newline ? (size_t)(newline - r->buf.p) : r->buf.n;
            *line = str_sub(buf_str(&r->buf), r->at, to);
            r->at = to + (newline != NULL);
            return 1;
        }
        if (r->end) return 0;
        seen = r->buf.n - r->at;
        const ssize_t n = input_lines_more(r, err);
        if (n < 0) return (int)n;
        r->end = n == 0;
    }
}

void input_lines_free(struct input_lines *r)
{
    buf_free(&r->buf);
}

/* ---- token ids */

void id_list_free(struct id_list *list)
{
    mem_free(list->id);
    *list = (struct id_list){ 0 };
}

int id_list_put(struct id_list *list, const int32_t *ids, size_t n, struct hearth_error *err)
{
    if (n > list->room - list->n) {
        const uint64_t room = 2 * (uint64_t)list->room + n + 16;
        int32_t *p = mem_resize(list->id, room, sizeof *p);
        if (!p) return fail_memory(err, room * sizeof *p, "token ids");
        list->id = p;
        list->room = room;
    }
    if (n) memcpy(list->id + list->n, ids, n * sizeof *ids);
    list->n += n;
    return 0;
}

static bool id_separator(char c)
{
    return c == ' ' || c == ',' || c == '\t' || c == '\n' || c == '\r';
}

static bool id_parse(struct str word, int32_t *id)
{
    int64_t x = 0;
    for (size_t i = 0; i < word.n && x <= INT32_MAX; i++) {
        if (word.p[i] < '0' || word.p[i] > '9') return false;
        x = x * 10 + (word.p[i] - '0');
    }
    *id = (int32_t)x;
    return word.n > 0 && x <= INT32_MAX;
}

static int id_list_words(struct id_list *list, struct str s, const char *what, struct hearth_error *err)
{
    /* A JSON array of ids, as `hearth generate` and `hearth tokenize --json` write it, is welcome. */
    while (s.n && id_separator(s.p[0])) s = str_sub(s, 1, s.n);
    while (s.n && id_separator(s.p[s.n - 1])) s.n--;
    if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') s = str_sub(s, 1, s.n - 1);
    for (size_t at = 0; at < s.n;) {
        if (id_separator(s.p[at])) {
            at++;
            continue;
        }
        const size_t from = at;
        while (at < s.n && !id_separator(s.p[at])) at++;
        int32_t id;
        const struct str word = str_sub(s, from, at);
        if (!id_parse(word, &id))
            return fail(err, HEARTH_E_ARG, "%s: '%.*s' (number %zu of the list) is no token id: a whole number from 0 to %d",
                        what, STR_ARG(word), list->n + 1, INT32_MAX);
        const int status = id_list_put(list, &id, 1, err);
        if (status) return status;
    }
    return 0;
}

int id_list_read(struct id_list *list, const char *text, const char *what, struct hearth_error *err)
{
    if (text[0] != '@') return id_list_words(list, str_from(text), what, err);
    struct buf b;
    buf_init(&b, INPUT_TEXT_MAX);
    int status = input_all(text + 1, &b, err);
    if (!status) status = id_list_words(list, buf_str(&b), what, err);
    buf_free(&b);
    return status;
}

void id_list_json(struct buf *out, const int32_t *ids, size_t n)
{
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) buf_printf(out, "%s%d", i ? ", " : "", ids[i]);
    buf_char(out, ']');
}
