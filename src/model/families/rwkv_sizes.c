/* Sizes of RWKV models from the shapes of their tensors. */
#include "model/families/rwkv_sizes.h"

#include <stdio.h>

#define SIZE_MOST (1 << 24)

/* One row for each way of naming tensors. */
static const struct { const char *embed, *layer, *key, *ffn_key; } names[] = {
    { "emb.weight", "blocks.%d.ln1.weight", "blocks.0.att.key.weight", "blocks.0.ffn.key.weight" },
    { "token_embd.weight", "blk.%d.attn_norm.weight", "blk.0.time_mix_key.weight", "blk.0.channel_mix_key.weight" },
    { "rwkv.embeddings.weight", "rwkv.blocks.%d.ln1.weight", "rwkv.blocks.0.attention.key.weight",
      "rwkv.blocks.0.feed_forward.key.weight" },
    { "model.embeddings.weight", "model.layers.%d.attn_norm.weight", "model.layers.0.attn.k_proj.weight", "model.layers.0.ffn.key.weight" },
};

static const struct file_tensor *find(const struct container *c, const char *alternatives)
{
    char name[128];
    const struct file_tensor *f = NULL;
    for (const char *at = alternatives; !f && *at; at += strcspn(at, "|"), at += *at == '|') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "|"), at);
        f = container_tensor(c, name);
    }
    return f;
}

int64_t rwkv_dim(const struct container *c, const char *alternatives, int axis)
{
    const struct file_tensor *f = find(c, alternatives);
    if (!f || axis >= f->rank) return 0;
    return f->dim[axis] < SIZE_MOST ? (int64_t)f->dim[axis] : SIZE_MOST;
}

bool rwkv_is_cpp(const struct config *c) { return c->gguf && str_is(c->architecture, "rwkv-cpp"); }

bool rwkv_claims(const struct container *c, const char *name)
{
    return !container_tensor(c, "emb.weight") || container_tensor(c, name);
}

static int fill(int32_t *field, int64_t size, const char *what, struct hearth_error *err)
{
    if (*field == 0) *field = (int32_t)size;
    if (*field < 1 || *field >= SIZE_MOST) return fail(err, HEARTH_E_FORMAT, "neither configuration nor tensors tell a usable %s", what);
    return 0;
}

static int32_t count_layers(const struct container *c, const char *format)
{
    char name[128];
    for (int32_t n = 0; n < 1024; n++) {
        int at = (int)strcspn(format, "%");
        snprintf(name, sizeof name, "%.*s%d%s", at, format, (int)n, format + at + 2);
        if (!container_tensor(c, name)) return n;
    }
    return 1024;
}

int rwkv_sizes(struct arch *a, const struct config *c, const char *heads, struct hearth_error *err)
{
    size_t n = 0;
    double head = 0;
    while (n < sizeof names / sizeof *names && !container_tensor(c->c, names[n].embed)) n++;
    if (n == sizeof names / sizeof *names) return fail(err, HEARTH_E_FORMAT, "the model has no tensor of embeddings under a name of RWKV");
    int status = fill(&a->n_vocab, rwkv_dim(c->c, names[n].embed, 0), "vocabulary", err);
    if (!status) status = fill(&a->width, rwkv_dim(c->c, names[n].embed, 1), "width", err);
    if (!status) status = fill(&a->n_layer, count_layers(c->c, names[n].layer), "number of layers", err);
    if (!status) status = fill(&a->rnn_width, rwkv_dim(c->c, names[n].key, 0), "width of the recurrent part", err);
    if (!status) status = fill(&a->ff_width, rwkv_dim(c->c, names[n].ffn_key, 0), "feed-forward width", err);
    if (!status) status = config_number(c, NULL, "wkv.head_size", 0, &head, err);
    if (status || !heads) return status;
    a->n_head = head >= 1 && head <= a->rnn_width ? a->rnn_width / (int32_t)head : 0;
    status = fill(&a->n_head, rwkv_dim(c->c, heads, 0), "number of heads", err);
    if (!status && (a->rnn_width % a->n_head || a->rnn_width / a->n_head > 1024))
        return fail(err, HEARTH_E_FORMAT, "a width of %d does not fall into %d heads of at most 1024 values", a->rnn_width, a->n_head);
    a->in_major = !rwkv_is_cpp(c) && n != 1; /* llama.cpp and rwkv.cpp turn them over */
    return status;
}

int rwkv_rank(const struct arch *a, const struct config *c, const char *alternatives, int parts, int32_t *out, struct hearth_error *err)
{
    const int64_t n = rwkv_dim(c->c, alternatives, a->in_major ? 1 : 0);
    if (n < parts || n % parts || n / parts > 1 << 16)
        return fail(err, HEARTH_E_FORMAT, "tensor %.*s is not there or has no usable rank", (int)strcspn(alternatives, "|"), alternatives);
    *out = (int32_t)(n / parts);
    return 0;
}
