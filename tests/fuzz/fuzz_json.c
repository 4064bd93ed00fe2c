/* The JSON reader itself: reading token by token and skipping the whole must agree, and what is written is read again. */
#include "fuzz.h"

#include "base/json.h"

static void check_again(struct str text)
{
    struct buf written, again;
    struct json j;
    buf_init(&written, (size_t)1 << 30);
    buf_init(&again, (size_t)1 << 30);
    buf_json_string(&written, text);
    json_init(&j, buf_str(&written), NULL);
    if (json_next(&j) != JSON_STRING) fuzz_fail("a written string is not read");
    json_text(&j, &again);
    if (utf8_valid(text) && !str_eq(buf_str(&again), text)) fuzz_fail("a string was read as another");
    if (json_next(&j) != JSON_END) fuzz_fail("more than was written");
    buf_free(&written);
    buf_free(&again);
}

static bool read_all(struct str src, struct hearth_error *err)
{
    struct json j;
    struct buf text;
    enum json_kind kind;
    buf_init(&text, (size_t)1 << 30);
    json_init(&j, src, err);
    while ((kind = json_next(&j)) != JSON_END && kind != JSON_ERROR) {
        if (kind != JSON_KEY && kind != JSON_STRING) continue;
        buf_clear(&text);
        json_text(&j, &text);
        if (text.failed || text.n > 3 * j.text.n) fuzz_fail("a text of %zu bytes from %zu", text.n, j.text.n);
        check_again(buf_str(&text));
    }
    buf_free(&text);
    return kind == JSON_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct str src = { (const char *)p, n };
    struct hearth_error err = { 0 };
    const bool sound = read_all(src, &err);
    if (!sound) fuzz_check_refusal(err.status, &err);
    struct json j;
    json_init(&j, src, NULL);
    const bool skipped = json_skip(&j, json_next(&j)) == 0 && json_next(&j) == JSON_END;
    if (sound != skipped) fuzz_fail("reading %s, skipping %s", sound ? "went well" : "failed", skipped ? "went well" : "failed");
    return 0;
}
