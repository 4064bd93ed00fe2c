/* hearth_inspect: what a file holds, whether or not its family is supported. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/report.h"
#include "engine/session.h"
#include "formats/container.h"

#define SHOWN 8 /* elements of an array, for people */

static void value_json(struct report *r, const struct container *c, const struct kv *kv, int depth);

static void array_json(struct report *r, const struct container *c, const struct kv *kv, int depth)
{
    struct kv_iter it;
    struct kv x;
    bool first = true;
    report_printf(r, "[");
    kv_iterate(&it, c, kv);
    while (depth < 4 && !r->stopped && kv_next(&it, &x)) {
        if (!first) report_printf(r, ", ");
        first = false;
        value_json(r, c, &x, depth + 1);
    }
    report_printf(r, "]");
}

static void number_json(struct report *r, double f)
{
    if (f - f != 0.0) /* JSON has no NaN and no infinity */
        report_printf(r, "null");
    else
        report_printf(r, "%.17g", f);
}

static void value_json(struct report *r, const struct container *c, const struct kv *kv, int depth)
{
    if (kv->type == KV_STRING) report_string(r, kv->s);
    if (kv->type == KV_INT) report_printf(r, "%" PRId64, kv->i);
    if (kv->type == KV_FLOAT) number_json(r, kv->f);
    if (kv->type == KV_BOOL) report_printf(r, kv->b ? "true" : "false");
    if (kv->type == KV_NULL) report_printf(r, "null");
    if (kv->type == KV_ARRAY) array_json(r, c, kv, depth);
}

/* A value on one line: long strings and arrays are cut and say how long they are. */
static void value_text(struct report *r, const struct container *c, const struct kv *kv)
{
    struct kv_iter it;
    struct kv x;
    if (kv->type == KV_STRING) {
        report_string(r, str_sub(kv->s, 0, kv->s.n > 80 ? 80 : kv->s.n));
        if (kv->s.n > 80) report_printf(r, "... (%zu bytes)", kv->s.n);
    } else if (kv->type == KV_ARRAY) {
        report_printf(r, "[");
        kv_iterate(&it, c, kv);
        for (int i = 0; i < SHOWN && kv_next(&it, &x); i++) {
            if (i) report_printf(r, ", ");
            if (x.type == KV_ARRAY)
                report_printf(r, "[%" PRIu64 " values]", x.array.n);
            else
                value_text(r, c, &x);
        }
        report_printf(r, "%s]", kv->array.n > SHOWN ? ", ..." : "");
        if (kv->array.n > SHOWN) report_printf(r, " (%" PRIu64 " values)", kv->array.n);
    } else if (kv->type == KV_FLOAT) {
        report_printf(r, "%g", kv->f);
    } else {
        value_json(r, c, kv, 0);
    }
}

static const struct kv *find_licence(const struct container *c)
{
    const struct kv *kv = container_kv(c, "general.license");
    return kv ? kv : container_kv(c, "license");
}

static void shape_text(const struct file_tensor *t, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < t->rank && n < size; i++) n += (size_t)snprintf(text + n, size - n, "%s%" PRIu64, i ? ", " : "", t->dim[i]);
    if (n < size) snprintf(text + n, size - n, "]");
}

static void inspect_text(struct report *r, const struct container *c, const struct tokenizer_info *tok, const char *why)
{
    uint64_t bytes = 0;
    const struct kv *licence = find_licence(c);
    for (uint64_t i = 0; i < c->n_tensor; i++) bytes += c->tensor[i].n_bytes;
    report_printf(r, "%s: %s, %.1f MB, %" PRIu64 " tensors of %.1f MB\n", c->path, c->format, (double)c->file_bytes / 1e6, c->n_tensor, (double)bytes / 1e6);
    report_printf(r, "licence: ");
    if (licence) value_text(r, c, licence);
    report_printf(r, "%s\n", licence ? "" : "not stated in the file");
    if (tok)
        report_printf(r, "tokenizer: %s from %s, %d tokens, bos %d, eos %d%s%s\n", tok->kind, tok->source, tok->n_vocab, tok->bos, tok->eos,
                      tok->add_bos ? ", adds bos" : "", tok->add_eos ? ", adds eos" : "");
    else
        report_printf(r, "tokenizer: %s\n", why);
    report_printf(r, "\nkeys\n");
    for (uint64_t i = 0; i < c->n_kv && !r->stopped; i++) {
        report_printf(r, "  %.*s = ", STR_ARG(c->kv[i].key));
        value_text(r, c, &c->kv[i]);
        report_printf(r, "\n");
    }
    report_printf(r, "\ntensors\n");
    for (uint64_t i = 0; i < c->n_tensor && !r->stopped; i++) {
        char shape[100];
        shape_text(&c->tensor[i], shape, sizeof shape);
        report_printf(r, "  %-6s %-22s %12" PRIu64 "  %.*s\n", type_of(c->tensor[i].type)->name, shape, c->tensor[i].n_bytes, STR_ARG(c->tensor[i].name));
    }
}

static void inspect_json(struct report *r, const struct container *c, const struct tokenizer_info *tok, const char *why)
{
    report_printf(r, "{\"path\": ");
    report_string(r, str_from(c->path));
    report_printf(r, ", \"format\": \"%s\", \"file_bytes\": %" PRIu64 ", \"licence\": ", c->format, c->file_bytes);
    const struct kv *licence = find_licence(c);
    if (licence) value_json(r, c, licence, 0);
    report_printf(r, "%s, \"tokenizer\": ", licence ? "" : "null");
    if (tok)
        report_printf(r, "{\"kind\": \"%s\", \"source\": \"%s\", \"n_vocab\": %d, \"bos\": %d, \"eos\": %d, \"add_bos\": %s, \"add_eos\": %s}", tok->kind,
                      tok->source, tok->n_vocab, tok->bos, tok->eos, tok->add_bos ? "true" : "false", tok->add_eos ? "true" : "false");
    else
        report_string(r, str_from(why));
    report_printf(r, ",\n\"keys\": {");
    for (uint64_t i = 0; i < c->n_kv && !r->stopped; i++) {
        report_printf(r, i ? ",\n  " : "\n  ");
        report_string(r, c->kv[i].key);
        report_printf(r, ": ");
        value_json(r, c, &c->kv[i], 0);
    }
    report_printf(r, "},\n\"tensors\": [");
    for (uint64_t i = 0; i < c->n_tensor && !r->stopped; i++) {
        char shape[100];
        shape_text(&c->tensor[i], shape, sizeof shape);
        report_printf(r, "%s{\"name\": ", i ? ",\n  " : "\n  ");
        report_string(r, c->tensor[i].name);
        report_printf(r, ", \"type\": \"%s\", \"shape\": %s, \"bytes\": %" PRIu64 "}", type_of(c->tensor[i].type)->name, shape, c->tensor[i].n_bytes);
    }
    report_printf(r, "]}\n");
}

int hearth_inspect(const char *path, int json, hearth_write *write, void *user, hearth_error *err)
{
    struct container *c;
    struct tokenizer *t = NULL;
    struct tokenizer_info info;
    struct report r;
    hearth_error why = { 0 };
    int status = container_open(&c, path, err);
    if (status) return status;
    if (!tokenizer_open_model(&t, c, &why)) tokenizer_info(t, &info);
    report_init(&r, write, user);
    (json ? inspect_json : inspect_text)(&r, c, t ? &info : NULL, why.text);
    status = report_finish(&r, err);
    tokenizer_close(t);
    container_close(c);
    return status;
}
