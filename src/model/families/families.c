/* The table of families, and finding the row of a container. */
#include <stdio.h>

#include "model/family.h"

#define FAMILY(row) extern const struct family row;
#include "model/families/families.def"
#undef FAMILY

static const struct family *const table[] = {
#define FAMILY(row) &row,
#include "model/families/families.def"
#undef FAMILY
};

const struct family *family_row(int i) { return i >= 0 && (size_t)i < sizeof table / sizeof *table ? table[i] : NULL; }

static bool contains(const char *const *list, struct str name)
{
    for (; list && *list; list++)
        if (str_is(name, *list)) return true;
    return false;
}

static const struct family_head *find_head(const struct family *f, struct str name)
{
    for (const struct family_head *h = f->encoder_heads; h && h->name; h++)
        if (str_is(name, h->name)) return h;
    return NULL;
}

/* architectures[0] of a Hugging Face file. */
static bool first_architecture(const struct container *c, struct str *name)
{
    const struct kv *list = container_kv(c, "architectures");
    struct kv_iter it;
    struct kv first;
    if (!list || list->type != KV_ARRAY || container_kv(c, "general.architecture")) return false;
    kv_iterate(&it, c, list);
    if (!kv_next(&it, &first) || first.type != KV_STRING) return false;
    *name = first.s;
    return true;
}

enum head_kind family_head_kind(const struct family *f, const struct container *c)
{
    struct str name;
    const bool gguf = container_kv(c, "general.architecture") != NULL;
    if (!f->encoder_heads) return HEAD_NONE;
    if (first_architecture(c, &name)) {
        const struct family_head *h = find_head(f, name);
        return h ? h->kind : HEAD_NONE;
    }
    for (const struct family_head *h = f->encoder_heads; h->name; h++) {
        const char *marker = gguf ? h->gguf : h->hf;
        if (marker && container_tensor(c, marker)) return h->kind;
    }
    return HEAD_NONE;
}

static void list_supported(bool gguf, struct buf *b)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (const char *const *n = gguf ? table[i]->gguf_archs : table[i]->hf_types; n && *n; n++)
            buf_printf(b, "%s%s", b->n ? ", " : "", *n);
}

/* Encoders of 2019 (SciBERT's folder) name no type, but their tensors begin with it: "bert.embeddings.word_embeddings.weight". */
static const struct family *by_prefix(const struct container *c)
{
    char name[128];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct family *f = table[i];
        if (!f->encoder_heads || !f->prefix || !f->n_model_weights || !f->model_weights[0].hf) continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(f->model_weights[0].hf, "|"), f->model_weights[0].hf);
        if (container_tensor(c, name)) return f;
    }
    return NULL;
}

int family_find(const struct family **out, const struct container *c, struct hearth_error *err)
{
    const struct kv *arch = container_kv(c, "general.architecture"), *type = container_kv(c, "model_type"), *name = arch ? arch : type;
    const struct family *other = NULL;
    struct str head = { 0 };
    if (!name && container_kv(c, "hidden_size") && (*out = by_prefix(c))) return 0;
    if (!name || name->type != KV_STRING)
        return fail(err, HEARTH_E_FORMAT,
                    "%s says neither model_type nor general.architecture: it is weights without a description", c->path);
    bool known = false;
    const bool has_head = first_architecture(c, &head);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) { /* rows may share a type and differ in their heads or tensors */
        if (!contains(arch ? table[i]->gguf_archs : table[i]->hf_types, name->s)) continue;
        known = true;
        if (table[i]->claims && !table[i]->claims(c)) continue;
        *out = table[i];
        if (!has_head || contains(table[i]->heads, head) || find_head(table[i], head)) return 0;
        other = table[i];
    }
    if (other)
        return fail(err, HEARTH_E_UNSUPPORTED, "the model is a %.*s; of this family only %s and its like are supported", STR_ARG(head),
                    other->heads ? other->heads[0] : other->encoder_heads[0].name);
    if (known)
        return fail(err, HEARTH_E_UNSUPPORTED, "the tensors of %s are of no version of %.*s that is supported", c->path,
                    STR_ARG(name->s));
    struct buf b;
    buf_init(&b, 4096);
    list_supported(arch != NULL, &b);
    int status = fail(err, HEARTH_E_UNSUPPORTED, "%s \"%.*s\" is not supported; supported are: %s",
                      arch ? "architecture" : "model_type", STR_ARG(name->s), b.p ? b.p : "");
    buf_free(&b);
    return status;
}
