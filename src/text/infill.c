/* Prompts for infilling, laid out by a table of token names. */
#include "text/infill.h"

#include <string.h>

#include "base/mem.h"

#define PARTS 6

/* What no token is called. */
static const char PREFIX[] = "prefix", SUFFIX[] = "suffix";

#define LIST(...) { __VA_ARGS__ }
static const struct {
    const char *parts[PARTS + 1];
    const char *ends[INFILL_ENDS + 1];
} layouts[] = {
#define INFILL(parts, ends) { LIST parts, LIST ends },
#include "text/infill.def"
#undef INFILL
};

static bool fits(const struct tokenizer *t, const char *const *parts)
{
    for (; *parts; parts++)
        if (*parts != PREFIX && *parts != SUFFIX && tokenizer_find(t, str_from(*parts)) < 0) return false;
    return true;
}

static int append(struct ids *out, const int32_t *id, size_t n, struct hearth_error *err)
{
    if (out->n + n > out->room) {
        const size_t room = 2 * (out->n + n) + 16;
        int32_t *p = mem_resize(out->id, room, sizeof *p);
        if (!p) return fail_memory(err, room * sizeof *p, "token ids");
        out->id = p;
        out->room = room;
    }
    if (n) memcpy(out->id + out->n, id, n * sizeof *id);
    out->n += n;
    return 0;
}

/* A suffix goes on in the middle of a text: where the tokenizer would put a space before it, it is read behind another sign,
 * whose tokens are taken off again (as Code Llama's own program does). */
static int encode_suffix(const struct tokenizer *t, struct str suffix, struct ids *out, struct hearth_error *err)
{
    static const char sign[] = "\xE2\x98\xBA", space[] = "\xE2\x96\x81";
    struct ids first = { 0 }, both = { 0 };
    struct buf b;
    buf_init(&b, (size_t)1 << 31);
    buf_puts(&b, sign);
    buf_put(&b, suffix.p, suffix.n);
    int status = b.failed ? fail_memory(err, suffix.n, "the suffix") : tokenizer_encode(t, str_from(sign), false, &first, err);
    if (!status) status = tokenizer_encode(t, buf_str(&b), false, &both, err);
    const struct str begins = !status && first.n ? tokenizer_content(t, first.id[0]) : (struct str){ NULL, 0 };
    const bool spaced = begins.n >= 3 && memcmp(begins.p, space, 3) == 0;
    if (!status && spaced && both.n >= first.n && memcmp(both.id, first.id, first.n * sizeof *first.id) == 0)
        status = append(out, both.id + first.n, both.n - first.n, err);
    else if (!status)
        status = tokenizer_encode(t, suffix, false, out, err);
    buf_free(&b);
    ids_free(&first);
    ids_free(&both);
    return status;
}

static int encode_parts(const struct tokenizer *t, const char *const *parts, struct str prefix, struct str suffix,
                        struct ids *out, struct hearth_error *err)
{
    int status = 0;
    for (; *parts && !status; parts++) {
        if (*parts == PREFIX) {
            status = tokenizer_encode(t, prefix, false, out, err);
        } else if (*parts == SUFFIX) {
            status = encode_suffix(t, suffix, out, err);
        } else {
            const int32_t id = tokenizer_find(t, str_from(*parts));
            status = append(out, &id, 1, err);
        }
    }
    return status;
}

int tokenizer_infill(const struct tokenizer *t, struct str prefix, struct str suffix, struct infill *out,
                     struct hearth_error *err)
{
    struct tokenizer_info info;
    size_t i = 0;
    *out = (struct infill){ 0 };
    while (i < sizeof layouts / sizeof *layouts && !fits(t, layouts[i].parts)) i++;
    if (i == sizeof layouts / sizeof *layouts)
        return fail(err, HEARTH_E_UNSUPPORTED, "the model's vocabulary has no tokens for infilling, such as <fim_prefix>; "
                    "it can only go on from the end of a text");
    tokenizer_info(t, &info);
    int status = info.add_bos && info.bos >= 0 ? append(&out->ids, &info.bos, 1, err) : 0;
    if (!status) status = encode_parts(t, layouts[i].parts, prefix, suffix, &out->ids, err);
    if (!status && info.add_eos && info.eos >= 0 && layouts[i].parts[0] == PREFIX && !layouts[i].parts[3])
        /* a source ends as sources do */
        status = append(&out->ids, &info.eos, 1, err);
    for (const char *const *end = layouts[i].ends; *end; end++) {
        const int32_t id = tokenizer_find(t, str_from(*end));
        if (id >= 0) out->ends[out->n_ends++] = id;
    }
    if (status) ids_free(&out->ids);
    return status;
}
