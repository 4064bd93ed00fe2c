/* Weights of llama2.c (github.com/karpathy/llama2.c, export.py): the legacy layout, known by a header whose implied size is
 * exactly the file's, and version 1. Keys and tensors get the names GGUF files use; as there, rows of wq and wk are in the
 * order of pairs (2i, 2i + 1). */
#include <inttypes.h>
#include <stdio.h>

#include "formats/reader.h"

enum { MAGIC = 0x616b3432, LEGACY_BYTES = 28, HEADER_BYTES = 256 };

/* The seven integers of the header in their order, then sizes that follow from them. */
enum size {
    DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, VOCAB, CONTEXT, HEADER_SIZES,
    KV_DIM = HEADER_SIZES, ROPE, ONE, SIZES,
};

struct model {
    uint64_t size[SIZES];
    bool     tied; /* the classifier is the token embedding */
};

static const char *const size_keys[HEADER_SIZES] = {
    [DIM] = "embedding_length",       [HIDDEN] = "feed_forward_length",         [LAYERS] = "block_count",
    [HEADS] = "attention.head_count", [KV_HEADS] = "attention.head_count_kv",   [VOCAB] = "vocab_size",
    [CONTEXT] = "context_length",
};

/* Order in the file. name NULL: skipped; with %: once a layer, all layers together; rows ONE: a vector. */
struct piece {
    const char *name;
    enum size   rows, cols;
    bool        untied; /* only there when the classifier is its own */
};

static const struct piece legacy[] = {
    { "token_embd.weight", VOCAB, DIM, false },
    { "blk.%d.attn_norm.weight", ONE, DIM, false },
    { "blk.%d.attn_q.weight", DIM, DIM, false },
    { "blk.%d.attn_k.weight", KV_DIM, DIM, false },
    { "blk.%d.attn_v.weight", KV_DIM, DIM, false },
    { "blk.%d.attn_output.weight", DIM, DIM, false },
    { "blk.%d.ffn_norm.weight", ONE, DIM, false },
    { "blk.%d.ffn_gate.weight", HIDDEN, DIM, false },
    { "blk.%d.ffn_down.weight", DIM, HIDDEN, false },
    { "blk.%d.ffn_up.weight", HIDDEN, DIM, false },
    { "output_norm.weight", ONE, DIM, false },
    { NULL, CONTEXT, ROPE, false }, /* freq_cis_real */
    { NULL, CONTEXT, ROPE, false }, /* freq_cis_imag */
    { "output.weight", VOCAB, DIM, true },
    { 0 },
};

static const struct piece version1[] = {
    { "blk.%d.attn_norm.weight", ONE, DIM, false },
    { "blk.%d.ffn_norm.weight", ONE, DIM, false },
    { "output_norm.weight", ONE, DIM, false },
    { "token_embd.weight", VOCAB, DIM, false },
    { "blk.%d.attn_q.weight", DIM, DIM, false },
    { "blk.%d.attn_k.weight", KV_DIM, DIM, false },
    { "blk.%d.attn_v.weight", KV_DIM, DIM, false },
    { "blk.%d.attn_output.weight", DIM, DIM, false },
    { "blk.%d.ffn_gate.weight", HIDDEN, DIM, false },
    { "blk.%d.ffn_down.weight", DIM, HIDDEN, false },
    { "blk.%d.ffn_up.weight", HIDDEN, DIM, false },
    { "output.weight", VOCAB, DIM, true },
    { 0 },
};

static bool piece_end(const struct piece *p)
{
    return !p->name && p->rows == p->cols;
}

/* ---- header */

/* Takes the seven integers at p; false when no model can have them. `legacy` marks an untied classifier by a negative
 * vocabulary. */
static bool header_read(struct model *m, const uint8_t *p, bool is_legacy)
{
    for (int i = 0; i < HEADER_SIZES; i++) {
        int32_t v;
        memcpy(&v, p + 4 * i, sizeof v);
        if (i == VOCAB && is_legacy) {
            m->tied = v > 0;
            if (v < 0 && v != INT32_MIN) v = -v;
        }
        if (v <= 0) return false;
        m->size[i] = (uint64_t)v;
    }
    const uint64_t *s = m->size;
    const uint64_t head = s[DIM] / s[HEADS];
    if (s[DIM] % s[HEADS] != 0 || s[HEADS] % s[KV_HEADS] != 0 || head == 0 || head % 2 != 0) return false;
    m->size[KV_DIM] = head * s[KV_HEADS];
    m->size[ROPE] = head / 2;
    m->size[ONE] = 1;
    return true;
}

/* Bytes of all pieces together; false when that overflows. */
static bool pieces_size(const struct model *m, const struct piece *p, uint64_t *total)
{
    *total = 0;
    for (; !piece_end(p); p++) {
        if (p->untied && m->tied) continue;
        const uint64_t times = p->name && strchr(p->name, '%') ? m->size[LAYERS] : 1;
        uint64_t bytes;
        if (!size_mul(m->size[p->rows], m->size[p->cols], &bytes)) return false;
        if (!size_mul(bytes, sizeof(float) * times, &bytes) || !size_add(*total, bytes, total)) return false;
    }
    return true;
}

static bool is_versioned(struct file_map f)
{
    uint32_t magic;
    if (f.n < 8) return false;
    memcpy(&magic, f.p, sizeof magic);
    return magic == MAGIC;
}

static bool is_legacy(struct file_map f, struct model *m)
{
    uint64_t bytes;
    return f.n > LEGACY_BYTES && header_read(m, f.p, true) && pieces_size(m, legacy, &bytes) && bytes == f.n - LEGACY_BYTES;
}

bool llama2c_probe(const struct container *c)
{
    struct model m;
    return c->n_map > 0 && (is_versioned(c->map[0]) || is_legacy(c->map[0], &m));
}

/* ---- keys and tensors */

static int kvs_add(struct container *c, const struct model *m, struct hearth_error *err)
{
    struct kv *kv;
    int status = container_add_kv(c, &kv, err);
    if (status < 0) return status;
    *kv = (struct kv){ .key = STR("general.architecture"), .type = KV_STRING, .s = STR("llama2c") };
    for (int i = 0; i < HEADER_SIZES; i++) {
        char key[64];
        status = container_add_kv(c, &kv, err);
        if (status < 0) return status;
        const int n = snprintf(key, sizeof key, "llama2c.%s", size_keys[i]);
        const char *copy = arena_strndup(&c->arena, key, (size_t)n);
        if (!copy) return fail_memory(err, (uint64_t)n, "a key");
        *kv = (struct kv){ .key = { copy, (size_t)n }, .type = KV_INT, .i = (int64_t)m->size[i], .f = (double)m->size[i] };
    }
    return 0;
}

/* The tensor of one piece (and layer) at *at, which moves behind it. */
static int tensor_add(struct container *c, const struct model *m, const struct piece *p, int layer, uint64_t *at,
                      struct hearth_error *err)
{
    char name[64];
    struct file_tensor *t;
    int status = container_add_tensor(c, &t, err);
    if (status < 0) return status;
    int n;
    if (layer < 0) n = snprintf(name, sizeof name, "%s", p->name);
    else n = snprintf(name, sizeof name, "blk.%d.%s", layer, p->name + sizeof "blk.%d." - 1);
    t->name = (struct str){ arena_strndup(&c->arena, name, (size_t)n), (size_t)n };
    if (!t->name.p) return fail_memory(err, (uint64_t)n, "a tensor's name");
    t->type = DTYPE_F32;
    if (p->rows != ONE) t->dim[t->rank++] = m->size[p->rows];
    t->dim[t->rank++] = m->size[p->cols];
    status = tensor_place(t, c->map[0], *at, err);
    *at += t->n_bytes;
    return status;
}

static int tensors_add(struct container *c, const struct model *m, const struct piece *p, uint64_t at, struct hearth_error *err)
{
    int status = 0;
    for (; !piece_end(p) && status == 0; p++) {
        if (p->untied && m->tied) continue;
        if (!p->name) {
            at += m->size[p->rows] * m->size[p->cols] * sizeof(float);
            continue;
        }
        const bool layered = strchr(p->name, '%') != NULL;
        const int last = layered ? (int)m->size[LAYERS] : 0;
        for (int layer = layered ? 0 : -1; layer < last && status == 0; layer++) status = tensor_add(c, m, p, layer, &at, err);
    }
    return status;
}

/* ---- opening */

static int version1_read(struct model *m, struct file_map f, struct hearth_error *err)
{
    uint32_t version;
    uint64_t bytes;
    memcpy(&version, f.p + 4, sizeof version);
    if (version != 1)
        return fail(err, HEARTH_E_UNSUPPORTED,
                    "a llama2.c file of version %" PRIu32 " (2 is int8), which is not supported yet: use the float version",
                    version);
    if (f.n < HEADER_BYTES) return fail(err, HEARTH_E_FORMAT, "cut short inside its header: get it again");
    if (!header_read(m, f.p + 8, false)) return fail(err, HEARTH_E_FORMAT, "a llama2.c header with impossible sizes");
    m->tied = f.p[8 + 4 * HEADER_SIZES] != 0;
    if (!pieces_size(m, version1, &bytes) || bytes != f.n - HEADER_BYTES)
        return fail(err, HEARTH_E_FORMAT, "a llama2.c file whose %" PRIu64 " bytes do not agree with its header: get it again",
                    f.n);
    return 0;
}

int llama2c_open(struct container *c, const char *file, struct hearth_error *err)
{
    (void)file;
    struct model m;
    const struct file_map f = c->map[0];
    const bool versioned = is_versioned(f);
    c->format = versioned ? "llama2.c v1" : "llama2.c";
    if (versioned) {
        const int status = version1_read(&m, f, err);
        if (status < 0) return status;
    } else if (!is_legacy(f, &m)) {
        return fail(err, HEARTH_E_FORMAT, "no llama2.c file");
    }
    int status = kvs_add(c, &m, err);
    if (status == 0) status = tensors_add(c, &m, versioned ? version1 : legacy, versioned ? HEADER_BYTES : LEGACY_BYTES, err);
    return status < 0 ? status : container_index(c, err);
}
