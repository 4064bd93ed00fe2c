/* What the tests of src/text share: opening, encoding, and reading recorded cases from JSON. */
#ifndef TESTS_TEXT_DATA_H
#define TESTS_TEXT_DATA_H

#include "test.h"

#include "base/json.h"
#include "base/mem.h"
#include "text/detok.h"
#include "text/tokenizer.h"

static inline struct tokenizer *text_open(const char *path)
{
    struct tokenizer   *t = NULL;
    struct hearth_error err = { 0 };
    const int           status = tokenizer_open_file(&t, path, &err);
    assert_ok(status, &err);
    return t;
}

static inline struct ids text_encode(const struct tokenizer *t, struct str text, bool special)
{
    struct ids          v = { 0 };
    struct hearth_error err = { 0 };
    const int           status = tokenizer_encode(t, text, special, &v, &err);
    assert_ok(status, &err);
    return v;
}

/* The whole text at once is what the stream made. */
static inline void text_assert_whole(const struct tokenizer *t, const struct ids *v, bool keep_special, const struct buf *stream)
{
    struct buf          whole;
    struct hearth_error err = { 0 };
    buf_init(&whole, 1 << 28);
    struct text_watch watch = { 0 };
    const int status = tokenizer_decode_text(t, v->id, v->n, !keep_special, &watch, &whole, &err);
    assert_ok(status, &err);
    if (!str_eq(buf_str(&whole), buf_str(stream)))
        fail_msg("a stream decodes to \"%.*s\", at once it is \"%.*s\"", STR_ARG(buf_str(stream)), STR_ARG(buf_str(&whole)));
    buf_free(&whole);
}

/* Through the streaming detokenizer; free out with buf_free. */
static inline void text_decode_as(const struct tokenizer *t, const struct ids *v, bool keep_special, struct buf *out)
{
    struct detok        d;
    struct hearth_error err = { 0 };
    const int           status = detok_init(&d, t, false, keep_special, &err);
    assert_ok(status, &err);
    buf_init(out, 1 << 28);
    const uint64_t allocations = mem_count();
    uint64_t       ours = 0;
    for (size_t i = 0; i <= v->n; i++) {
        const struct str piece = i < v->n ? detok_push(&d, v->id[i]) : detok_finish(&d);
        const uint64_t   before = mem_count();
        if (!utf8_valid(piece)) fail_msg("piece %zu is no valid UTF-8", i);
        buf_put(out, piece.p, piece.n);
        ours += mem_count() - before;
    }
    assert_int_equal(mem_count() - allocations, ours); /* pushing allocates nothing */
    detok_free(&d);
    text_assert_whole(t, v, keep_special, out);
}

static inline void text_decode(const struct tokenizer *t, const struct ids *v, struct buf *out)
{
    text_decode_as(t, v, false, out);
}

/* Fails with a readable report unless v holds these ids. */
static inline void text_assert_ids(const char *name, struct str text, const struct ids *v, const struct ids *expected)
{
    size_t i = 0;
    while (i < v->n && i < expected->n && v->id[i] == expected->id[i]) i++;
    if (i == v->n && i == expected->n) return;
    fail_msg("%s: \"%.*s\": id %zu is %d, expected %d (%zu ids, expected %zu)", name, STR_ARG(text), i, i < v->n ? v->id[i] : -1,
             i < expected->n ? expected->id[i] : -1, v->n, expected->n);
}

/* The array of numbers at the reader; the opening bracket was read. */
static inline struct ids text_read_ids(struct json *j)
{
    struct ids     v = { 0 };
    enum json_kind kind;
    while ((kind = json_next(j)) == JSON_NUMBER) {
        if (v.n == v.room) v.id = mem_resize(v.id, v.room = v.room * 2 + 64, sizeof *v.id);
        v.id[v.n++] = (int32_t)j->integer;
    }
    assert_int_equal(kind, JSON_ARRAY_END);
    return v;
}

/* The raw text of the value that follows. */
static inline struct str text_raw(struct json *j)
{
    struct json    begin = *j;
    enum json_kind kind = json_next(&begin);
    const size_t   length = kind == JSON_STRING ? begin.text.n + 2 : kind == JSON_NUMBER ? begin.text.n : 1;
    const size_t   from = begin.at - length;
    assert_int_equal(json_skip(j, JSON_KEY), 0);
    return (struct str){ j->src.p + from, j->at - from };
}

/* Standard output of a command; NULL when it fails. free() it. */
static inline char *text_command(const char *command, size_t *n)
{
    FILE  *f = popen(command, "r");
    size_t room = 1 << 20, used = 0, got;
    char  *p = malloc(room);
    while (f && p && (got = fread(p + used, 1, room - used, f)) > 0) {
        used += got;
        if (used == room) p = realloc(p, room *= 2);
    }
    if (!f || pclose(f) != 0 || used == 0) {
        free(p);
        return NULL;
    }
    *n = used;
    return p;
}

#endif
