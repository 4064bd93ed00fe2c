/* Binding tensors of a file to fields, with shapes checked against the configuration. */
#include "model/weights.h"

#include <stdio.h>

#include "quant/mxfp4/mxfp4.h"

enum weight_dim { DIM_ONE, DIM_VOCAB, DIM_POSITIONS, DIM_EMBED, DIM_WIDTH, DIM_QNORM, DIM_KNORM, DIM_QUERY, DIM_KEY, DIM_VALUE,
                  DIM_HEADOUT, DIM_HEADS, DIM_BUCKETS, DIM_FF, DIM_EXPERTS, DIM_EXPERT_FF, DIM_EXPERT_FF2, DIM_EXPERT_WIDTH,
                  DIM_SHARED_FF, DIM_RNN, DIM_ROPE, DIM_QRANK, DIM_KVRANK, DIM_NOPE, DIM_LATENTQ, DIM_LATENTKV, DIM_LATENTKVB,
                  DIM_LATENTOUT, DIM_HEAD_KVRANK, DIM_HEAD_VALUE, DIM_MAMBA_IN, DIM_MAMBA_X, DIM_KERNEL, DIM_DTRANK, DIM_NSTATE,
                  DIM_PATCH, DIM_LABELS, DIM_MIXES, DIM_MIX_WIDTH, DIM_MIXRANK, DIM_MIXRANKS, DIM_DECAYRANK, DIM_RATERANK,
                  DIM_CARRYRANK, DIM_GATERANK, DIM_SSD_IN, DIM_SSD_CONV, DIM_SUM, DIM_TYPES, DIM_HEAD, DIM_ENCODER_VOCAB,
                  DIM_ENCODER_WIDTH, DIM_COUNT };

static const struct {
    const char *name; /* for sentences */
    enum weight_dim stack; /* a matrix for each of these (experts, heads); 0: one matrix */
} weight_dims[DIM_COUNT] = {
    [DIM_ONE] = { .name = "1" }, [DIM_VOCAB] = { .name = "vocabulary" }, [DIM_POSITIONS] = { .name = "positions" },
    [DIM_EMBED] = { .name = "width of the embeddings" }, [DIM_QNORM] = { .name = "normalised queries" },
    [DIM_KNORM] = { .name = "normalised keys" },
    [DIM_WIDTH] = { .name = "width" }, [DIM_QUERY] = { .name = "heads * key width" },
    [DIM_KEY] = { .name = "kv heads * key width" }, [DIM_VALUE] = { .name = "kv heads * value width" },
    [DIM_HEADOUT] = { .name = "heads * value width" }, [DIM_HEADS] = { .name = "heads" }, [DIM_BUCKETS] = { .name = "buckets" },
    [DIM_FF] = { .name = "feed-forward width" }, [DIM_EXPERTS] = { .name = "experts" },
    [DIM_EXPERT_FF] = { "width of an expert", DIM_EXPERTS }, [DIM_EXPERT_FF2] = { "twice the width of an expert", DIM_EXPERTS },
    [DIM_EXPERT_WIDTH] = { "width", DIM_EXPERTS },
    [DIM_SHARED_FF] = { .name = "width of the shared experts" }, [DIM_RNN] = { .name = "recurrent width" },
    [DIM_ROPE] = { .name = "half the rotary part" }, [DIM_QRANK] = { .name = "q_lora_rank" },
    [DIM_KVRANK] = { .name = "kv_lora_rank" }, [DIM_NOPE] = { .name = "key width without rotary part" },
    [DIM_LATENTQ] = { .name = "heads * key width" }, [DIM_LATENTKV] = { .name = "kv_lora_rank + rotary part" },
    [DIM_LATENTKVB] = { .name = "heads * (key + value width)" }, [DIM_LATENTOUT] = { .name = "heads * value width" },
    [DIM_HEAD_KVRANK] = { "kv_lora_rank", DIM_HEADS }, [DIM_HEAD_VALUE] = { "value width", DIM_HEADS },
    [DIM_MAMBA_IN] = { .name = "twice the inner width" }, [DIM_MAMBA_X] = { .name = "dt rank + twice the state size" },
    [DIM_KERNEL] = { .name = "convolution kernel" }, [DIM_DTRANK] = { .name = "dt rank" },
    [DIM_NSTATE] = { .name = "state size" }, [DIM_PATCH] = { .name = "values of a patch" }, [DIM_LABELS] = { .name = "labels" },
    [DIM_MIXES] = { .name = "mixes" }, [DIM_MIX_WIDTH] = { "width", DIM_MIXES }, [DIM_MIXRANK] = { .name = "rank of the mixes" },
    [DIM_MIXRANKS] = { .name = "ranks of all mixes" }, [DIM_DECAYRANK] = { .name = "rank of the decay" },
    [DIM_RATERANK] = { .name = "rank of the learning rate" }, [DIM_CARRYRANK] = { .name = "rank of the carried value" },
    [DIM_GATERANK] = { .name = "rank of the gate" }, [DIM_SSD_IN] = { .name = "gate, convolution and heads" },
    [DIM_SSD_CONV] = { .name = "inner width and two states a group" },
    [DIM_SUM] = { .name = "width of the embeddings' sum" }, [DIM_TYPES] = { .name = "token types" },
    [DIM_HEAD] = { .name = "width of the head" },
    [DIM_ENCODER_VOCAB] = { .name = "vocabulary of the encoder" }, [DIM_ENCODER_WIDTH] = { .name = "width of the encoder" },
};

static const struct {
    const char     *name;
    enum weight_dim rows, columns;
    size_t          offset;
} weight_table[WEIGHT_COUNT] = {
#define OFFSET_MODEL(field) offsetof(struct model_weights, field)
#define OFFSET_LAYER(field) offsetof(struct layer_weights, field)
#define WEIGHT(scope, field, rows, columns) { #field, DIM_##rows, DIM_##columns, OFFSET_##scope(field) },
#include "model/weights.def"
#undef WEIGHT
};

static int64_t dim_of(const struct arch *a, enum weight_dim d)
{
    const int64_t expert_ff = a->expert_ff_width ? a->expert_ff_width : a->ff_width;
    const int64_t embed = a->embed_width ? a->embed_width : a->width;
    const int64_t values[DIM_COUNT] = {
        [DIM_ONE] = 1, [DIM_VOCAB] = a->n_vocab, [DIM_POSITIONS] = (int64_t)a->context + a->position_offset,
        [DIM_WIDTH] = a->width, [DIM_EMBED] = embed,
        [DIM_QNORM] = (a->qk_norm == QK_NORM_HEAD ? 1 : (int64_t)a->n_head) * a->key_width,
        [DIM_KNORM] = (a->qk_norm == QK_NORM_HEAD ? 1 : (int64_t)a->n_kv) * a->key_width,
        [DIM_QUERY] = (int64_t)a->n_head * a->key_width, [DIM_KEY] = (int64_t)a->n_kv * a->key_width,
        [DIM_VALUE] = (int64_t)a->n_kv * a->value_width, [DIM_HEADOUT] = (int64_t)a->n_head * a->value_width, [DIM_HEADS] = a->n_head,
        [DIM_BUCKETS] = a->buckets, [DIM_FF] = a->ff_width, [DIM_EXPERTS] = a->n_expert, [DIM_EXPERT_WIDTH] = a->width,
        [DIM_EXPERT_FF] = expert_ff, [DIM_EXPERT_FF2] = 2 * expert_ff,
        [DIM_SHARED_FF] = a->shared_ff_width ? a->shared_ff_width : (int64_t)a->n_shared_expert * expert_ff,
        [DIM_RNN] = a->rnn_width, [DIM_ROPE] = a->rope.part / 2,
        [DIM_QRANK] = a->q_rank, [DIM_KVRANK] = a->kv_rank, [DIM_NOPE] = a->nope_width, [DIM_LATENTKV] = (int64_t)a->kv_rank + a->rope.part,
        [DIM_LATENTQ] = a->n_head * ((int64_t)a->nope_width + a->rope.part),
        [DIM_LATENTKVB] = a->n_head * ((int64_t)a->nope_width + a->latent_value_width),
        [DIM_LATENTOUT] = (int64_t)a->n_head * a->latent_value_width, [DIM_HEAD_KVRANK] = a->kv_rank,
        [DIM_HEAD_VALUE] = a->latent_value_width,
        [DIM_MAMBA_IN] = 2 * (int64_t)a->rnn_width, [DIM_MAMBA_X] = (int64_t)a->dt_rank + 2 * (int64_t)a->n_state,
        [DIM_KERNEL] = a->conv_kernel,
        [DIM_DTRANK] = a->dt_rank, [DIM_NSTATE] = a->n_state, [DIM_PATCH] = (int64_t)a->channels * a->patch * a->patch,
        [DIM_LABELS] = a->n_label,
        [DIM_MIXES] = 5, [DIM_MIX_WIDTH] = a->width, [DIM_MIXRANK] = a->mix_rank, [DIM_MIXRANKS] = 5 * (int64_t)a->mix_rank,
        [DIM_DECAYRANK] = a->decay_rank, [DIM_RATERANK] = a->rate_rank, [DIM_CARRYRANK] = a->carry_rank, [DIM_GATERANK] = a->gate_rank,
        [DIM_SSD_IN] = 2 * (int64_t)a->rnn_width + 2 * (int64_t)a->state_groups * a->n_state + a->n_head,
        [DIM_SSD_CONV] = (int64_t)a->rnn_width + 2 * (int64_t)a->state_groups * a->n_state,
        [DIM_SUM] = a->project_last ? embed : a->width, [DIM_TYPES] = a->n_type, [DIM_HEAD] = a->head == HEAD_MASKED ? embed : a->width,
        [DIM_ENCODER_VOCAB] = a->encoder_vocab ? a->encoder_vocab : a->n_vocab,
        [DIM_ENCODER_WIDTH] = a->encoder_width ? a->encoder_width : a->width,
    };
    return values[d];
}

/* Expands %d and %e of one alternative. */
static void expand_name(char *out, size_t size, const char *from, size_t n, int layer, int expert)
{
    size_t used = 0;
    for (size_t i = 0; i < n && used + 1 < size; i++) {
        if (from[i] == '%' && i + 1 < n && (from[i + 1] == 'd' || from[i + 1] == 'e')) {
            used += (size_t)snprintf(out + used, size - used, "%d", from[i + 1] == 'd' ? layer : expert);
            i++;
        } else {
            out[used++] = from[i];
        }
    }
    out[used < size ? used : size - 1] = 0;
}

/* The file's tensor for a name; text gets the first alternative, for sentences. */
static const struct file_tensor *find_tensor(const struct weight_loader *l, const char *names, int layer, int expert, char text[256])
{
    char name[256];
    const struct file_tensor *f = NULL;
    const size_t prefix = l->prefix ? strlen(l->prefix) : 0;
    for (const char *at = names; !f && *at; at += strcspn(at, "|"), at += *at == '|') {
        expand_name(name, sizeof name, at, strcspn(at, "|"), layer, expert);
        if (at == names) memcpy(text, name, sizeof name);
        f = container_tensor(l->c, name);
        if (!f && prefix && strncmp(name, l->prefix, prefix) == 0) f = container_tensor(l->c, name + prefix);
    }
    if (f) l->taken[f - l->c->tensor] = 1;
    return f;
}

/* One tensor struct from one file tensor, seen as [rows, columns] (dims of size 1 in front are dropped). */
static int check_matrix(const struct file_tensor *f, int64_t rows, int64_t columns, const char *what, struct hearth_error *err)
{
    uint64_t dim[4], n = 0;
    struct file_tensor flat = *f; /* a convolution that covers its whole input: [out, channels, rows, columns] is a matrix */
    if (columns > 1 && f->rank == 4 && f->dim[1] * f->dim[2] * f->dim[3] == (uint64_t)columns) {
        flat.rank = 2;
        flat.dim[1] = (uint64_t)columns;
        f = &flat;
    }
    if (columns == 1) { /* a vector may be stored as [heads, width of a head] */
        dim[0] = n = 1;
        for (int i = 0; i < f->rank; i++) dim[0] *= f->dim[i];
    } else if (rows == 1) {
        dim[0] = 1;
        dim[1] = f->rank ? f->dim[f->rank - 1] : 0;
        n = 2;
    } else {
        for (int i = 0; i < f->rank; i++) /* sizes of 1 between or before the two do not count ([channels, 1, kernel]) */
            if (f->dim[i] != 1 || f->rank <= 2) dim[n++] = f->dim[i];
    }
    if (columns == 1 ? dim[0] != (uint64_t)rows : n != 2 || dim[0] != (uint64_t)rows || dim[1] != (uint64_t)columns)
        return fail(err, HEARTH_E_FORMAT, "tensor %.*s is [%llu, %llu], but the configuration (%s) makes it [%lld, %lld]", STR_ARG(f->name),
                    n ? (unsigned long long)dim[0] : 1ull, n > 1 ? (unsigned long long)dim[1] : 1ull, what, (long long)rows,
                    (long long)columns);
    if (columns > 1 ? !type_is_weight(f->type) : !type_of(f->type)->unpack)
        return fail(err, HEARTH_E_UNSUPPORTED, "tensor %.*s has type %s, which is not a type of weights", STR_ARG(f->name),
                    type_of(f->type)->name);
    return 0;
}

static struct tensor *new_tensor(struct weight_loader *l, enum weight_id id, int layer)
{
    struct tensor *t = arena_array(l->arena, 1, sizeof *t);
    if (!t) return NULL;
    t->name = weight_table[id].name;
    t->index = layer;
    t->producer = t->last_use = -1;
    return t;
}

/* Where a field's part of a fused tensor lies: rows first .. first + rows, or the same in each of `groups` blocks of `block`
 * rows (rows then counts those of one block). */
struct part {
    int64_t first, rows, groups, block;
};

/* Vectors (and small tables of biases) are unpacked to f32 once: `values` has the tensor's. */
static int keep_vector(struct weight_loader *l, struct tensor *t, const float *values, int rank, const int64_t *dim,
                       struct hearth_error *err)
{
    tensor_shape(t, DTYPE_F32, rank, dim);
    const uint64_t n = (uint64_t)tensor_count(t), bytes = (n * sizeof(float) + 63) / 64 * 64;
    if (l->vectors_used + bytes > l->vectors_room) return fail(err, HEARTH_E_INTERNAL, "room for vectors was counted wrong at %s", t->name);
    t->data = l->vectors + l->vectors_used;
    l->backend->write(l->backend, t->data, values, n * sizeof *values);
    l->vectors_used += bytes;
    return 0;
}

static int unpack_vector(const struct file_tensor *f, int64_t first, int64_t n, float *values, struct hearth_error *err)
{
    const struct type_info *type = type_of(f->type);
    if (type->block != 1) return fail(err, HEARTH_E_UNSUPPORTED, "vector %.*s has block type %s", STR_ARG(f->name), type->name);
    type->unpack(values, (const char *)f->data + first * type->block_bytes, n);
    return 0;
}

static int make_vector(struct weight_loader *l, struct tensor *t, const struct file_tensor *f, const struct part *p, bool plus_one,
                       int rank, const int64_t *dim, struct hearth_error *err)
{
    const int64_t n = p->groups * p->rows;
    float *values = arena_array(l->arena, (uint64_t)n, sizeof *values);
    if (!values) return fail_memory(err, (uint64_t)n * sizeof *values, "a vector of weights");
    int status = 0;
    for (int64_t g = 0; g < p->groups && !status; g++)
        status = unpack_vector(f, g * p->block + p->first, p->rows, values + g * p->rows, err);
    for (int64_t i = 0; plus_one && i < n; i++) values[i] += 1.0f;
    return status ? status : keep_vector(l, t, values, rank, dim, err);
}

/* A part of a matrix in place; in-major ones are columns of the stored [in, out], those in groups [groups, rows, columns]. */
static int make_matrix(struct tensor *t, const struct file_tensor *f, const struct part *p, int64_t columns, bool in_major,
                       struct hearth_error *err)
{
    const struct type_info *type = type_of(f->type);
    const int64_t stored = in_major ? (int64_t)(f->dim[f->rank - 1]) : columns;
    if (stored % type->block || (in_major && type->block != 1))
        return fail(err, HEARTH_E_FORMAT, "tensor %.*s: rows of %lld values do not fit blocks of %s", STR_ARG(f->name),
                    (long long)stored, type->name);
    const int64_t row_bytes = stored / type->block * type->block_bytes;
    if (p->groups > 1) {
        tensor_shape(t, f->type, 3, (int64_t[]){ p->groups, p->rows, columns });
        t->stride[0] = p->block * row_bytes;
        t->data = (char *)(uintptr_t)f->data + p->first * row_bytes;
        return 0;
    }
    tensor_shape(t, f->type, 2, (int64_t[]){ p->rows, columns });
    if (in_major) {
        t->stride[0] = type->block_bytes;
        t->stride[1] = row_bytes;
    }
    t->data = (char *)(uintptr_t)f->data + p->first * t->stride[0];
    return 0;
}

static void count_weight(struct weight_loader *l, const struct tensor *t)
{
    l->parameters += tensor_count(t);
    l->bytes += tensor_bytes(t);
}

/* Whether this weight is stored [in, out] in this container. */
static bool is_in_major(const struct weight_loader *l, unsigned flags)
{
    return (!l->gguf && (flags & WEIGHT_IN_MAJOR)) || (l->arch->in_major && (flags & WEIGHT_LOW_RANK));
}

static void *own(struct weight_loader *l, uint64_t bytes, struct hearth_error *err)
{
    struct owned *o = arena_array(l->arena, 1, sizeof *o);
    void *data = o ? l->backend->alloc(l->backend, bytes) : NULL;
    if (!data) {
        fail_memory(err, bytes, "weights laid out anew");
        return NULL;
    }
    *o = (struct owned){ *l->owned, data, bytes };
    *l->owned = o;
    return data;
}

/* gpt-oss: blocks u8 [n, rows, columns / 32, 16] and their scales u8 [n, rows, columns / 32] become blocks as GGUF has them. */
static int bind_mxfp4(struct weight_loader *l, const struct file_tensor *blocks, const struct file_tensor *scales, int64_t n, int64_t rows,
                      int64_t columns, struct tensor *t, void **slab, struct hearth_error *err)
{
    const uint64_t want = (uint64_t)(n * rows * (columns / MXFP4_BLOCK));
    if (columns % MXFP4_BLOCK || blocks->type != DTYPE_U8 || scales->type != DTYPE_U8 ||
        blocks->n_bytes != want * MXFP4_BLOCK / 2 || scales->n_bytes != want)
        return fail(err, HEARTH_E_FORMAT,
                    "tensor %.*s has %llu bytes and its scales %llu, but the configuration makes it [%lld, %lld, %lld]",
                    STR_ARG(blocks->name), (unsigned long long)blocks->n_bytes, (unsigned long long)scales->n_bytes, (long long)n,
                    (long long)rows, (long long)columns);
    struct mxfp4 *out = own(l, want * sizeof *out, err);
    struct mxfp4 piece[64];
    if (!out) return HEARTH_E_MEMORY;
    for (uint64_t i = 0; i < want; i += 64) {
        const uint64_t count = want - i < 64 ? want - i : 64;
        for (uint64_t k = 0; k < count; k++)
            mxfp4_from_pairs(&piece[k], (const uint8_t *)blocks->data + (i + k) * (MXFP4_BLOCK / 2),
                             ((const uint8_t *)scales->data)[i + k]);
        l->backend->write(l->backend, out + i, piece, count * sizeof *piece);
    }
    tensor_shape(t, DTYPE_MXFP4, 3, (int64_t[]){ n, rows, columns });
    for (int64_t e = 0; e < n; e++) slab[e] = (char *)out + e * t->stride[0];
    return 0;
}

/* The pair of tensors that MXFP4 is kept in; both NULL when the file has the weight itself. */
static void find_mxfp4(struct weight_loader *l, const struct weight_name *w, const char *name, int layer, const struct file_tensor *pair[2])
{
    static const char *const endings[] = { "_blocks", "_scales" };
    char both[256], text[256];
    pair[0] = pair[1] = NULL;
    for (int i = 0; i < 2 && !l->gguf && (w->flags & WEIGHT_MXFP4); i++) {
        snprintf(both, sizeof both, "%s%s", name, endings[i]);
        pair[i] = find_tensor(l, both, layer, 0, text);
    }
}

/* Matrices of one type and shape, a file tensor each, or stacked in one; `p` says which rows of each. */
static int bind_pieces(struct weight_loader *l, const struct weight_name *w, const char *name, const struct file_tensor *first,
                       int layer, int64_t n, const struct part *p, int64_t columns, struct tensor *t, void **slab,
                       struct hearth_error *err)
{
    const bool stacked = first->rank == 3, in_major = is_in_major(l, w->flags);
    char text[256];
    struct file_tensor part = *first;
    struct tensor one = { 0 };
    if (stacked) {
        if (first->dim[0] != (uint64_t)n)
            return fail(err, HEARTH_E_FORMAT, "tensor %.*s has %llu %s, the configuration %lld", STR_ARG(first->name),
                        (unsigned long long)first->dim[0], weight_dims[weight_dims[weight_table[w->id].rows].stack].name,
                        (long long)n);
        part.rank = 2;
        part.dim[0] = first->dim[1];
        part.dim[1] = first->dim[2];
    }
    for (int64_t e = 0; e < n; e++) {
        const struct file_tensor *f = stacked ? &part : find_tensor(l, name, layer, (int)e, text);
        if (!f) return fail(err, HEARTH_E_FORMAT, "the model lacks tensor %s", text);
        if (f->type != first->type) return fail(err, HEARTH_E_UNSUPPORTED, "tensor %s has another type than expert 0", text);
        int status = check_matrix(f, in_major ? columns : p->block, in_major ? p->block : columns,
                                  weight_dims[weight_table[w->id].rows].name, err);
        if (!status) status = make_matrix(&one, f, p, columns, in_major, err);
        if (status) return status;
        slab[e] = stacked ? (char *)one.data + e * (tensor_bytes(&one) / p->rows * p->block) : one.data;
    }
    tensor_shape(t, first->type, 3, (int64_t[]){ n, p->rows, columns });
    memcpy(t->stride + 1, one.stride, 2 * sizeof *one.stride);
    return 0;
}

/* Experts or heads: one stacked tensor [n, rows, columns], or a tensor each; `p` says which of its rows. */
static int bind_stack(struct weight_loader *l, const struct weight_name *w, const char *name, const struct part *p, int layer,
                      struct tensor **out, struct hearth_error *err)
{
    const enum weight_dim stack = weight_dims[weight_table[w->id].rows].stack;
    const int64_t n = dim_of(l->arch, stack), columns = dim_of(l->arch, weight_table[w->id].columns);
    char text[256];
    const struct file_tensor *pair[2], *first = NULL;
    find_mxfp4(l, w, name, layer, pair);
    const bool mxfp4 = pair[0] && pair[1];
    if (!mxfp4) first = find_tensor(l, name, layer, 0, text);
    if (!mxfp4 && !first && (w->flags & WEIGHT_OPTIONAL)) return 0;
    if (!mxfp4 && !first) return fail(err, HEARTH_E_FORMAT, "the model lacks tensor %s", text);
    struct tensor *t = new_tensor(l, w->id, layer);
    void **slab = arena_array(l->arena, (uint64_t)n, sizeof *slab);
    if (!t || !slab) return fail_memory(err, (uint64_t)n * sizeof *slab, "experts");
    int status = mxfp4 ? bind_mxfp4(l, pair[0], pair[1], n, p->rows, columns, t, slab, err)
                       : bind_pieces(l, w, name, first, layer, n, p, columns, t, slab, err);
    if (status) return status;
    t->slab = slab;
    count_weight(l, t);
    *out = t;
    return 0;
}

/* Small matrices that ops want as f32: tables of biases, convolution kernels, decays. */
static bool is_table(enum weight_id id)
{
    const enum weight_dim rows = weight_table[id].rows, columns = weight_table[id].columns;
    return rows == DIM_BUCKETS || (rows == DIM_EXPERTS && weight_dims[columns].stack) || columns == DIM_KERNEL ||
           columns == DIM_NSTATE;
}

static int bind_part(struct weight_loader *l, const struct weight_name *w, const struct file_tensor *f, const struct part *p,
                     int layer, struct tensor **out, struct hearth_error *err)
{
    const int64_t rows = dim_of(l->arch, weight_table[w->id].rows), columns = dim_of(l->arch, weight_table[w->id].columns);
    struct tensor *t = new_tensor(l, w->id, layer);
    if (!t) return fail_memory(err, sizeof *t, "a tensor");
    int status;
    if (is_table(w->id))
        status = make_vector(l, t, f, &(struct part){ .rows = rows * columns, .groups = 1 }, false, 2, (int64_t[]){ rows, columns }, err);
    else if (weight_table[w->id].columns == DIM_ONE)
        status = make_vector(l, t, f, p, !l->gguf && (w->flags & WEIGHT_PLUS_ONE), 1, &rows, err);
    else
        status = make_matrix(t, f, p, columns, is_in_major(l, w->flags), err);
    if (status) return status;
    count_weight(l, t);
    *out = t;
    return 0;
}

/* A vector made of one tensor a head. */
static int bind_heads(struct weight_loader *l, const struct weight_name *w, const char *name, int layer, struct tensor **out,
                      struct hearth_error *err)
{
    const int64_t rows = dim_of(l->arch, weight_table[w->id].rows), n = rows / l->arch->key_width, width = l->arch->key_width;
    char text[256];
    struct tensor *t = new_tensor(l, w->id, layer);
    float *values = arena_array(l->arena, (uint64_t)rows, sizeof *values);
    if (!t || !values) return fail_memory(err, (uint64_t)rows * sizeof *values, "a vector of weights");
    for (int64_t i = 0; i < n; i++) {
        const struct file_tensor *f = find_tensor(l, name, layer, (int)i, text);
        if (!f) return fail(err, HEARTH_E_FORMAT, "the model lacks tensor %s", text);
        int status = check_matrix(f, width, 1, "width of a head", err);
        if (!status) status = unpack_vector(f, 0, width, values + i * width, err);
        if (status) return status;
    }
    int status = keep_vector(l, t, values, 1, &rows, err);
    if (status) return status;
    count_weight(l, t);
    *out = t;
    return 0;
}

/* Whether the configuration says this weight exists: 1 yes, 0 no. */
static bool is_wanted(const struct arch *a, const struct weight_name *w, int layer)
{
    const bool dense = !arch_has_experts(a, layer);
    const unsigned flags = w->flags;
    if (w->when && *(const bool *)((const char *)a + w->when) == ((flags & WEIGHT_UNLESS) != 0)) return false;
    if ((flags & WEIGHT_QK_NORM) && a->qk_norm == QK_NORM_NONE) return false;
    if ((flags & WEIGHT_DENSE) && !dense) return false;
    if ((flags & WEIGHT_EXPERTS) && dense) return false;
    if ((flags & WEIGHT_SERIAL) && a->residual == RESIDUAL_PARALLEL) return false;
    if ((flags & WEIGHT_GATED) && a->ffn != FFN_GATED) return false;
    if ((flags & WEIGHT_SHARED) && !a->n_shared_expert) return false;
    if ((flags & WEIGHT_QRANK) && !a->q_rank) return false;
    if ((flags & WEIGHT_NOT_FIRST) && layer == 0) return false;
    if ((flags & WEIGHT_CROSS) && layer < a->cross_first) return false;
    if ((flags & WEIGHT_NO_QRANK) && a->q_rank) return false;
    if ((flags & WEIGHT_TYPES) && !a->n_type) return false;
    if (w->heads && !(w->heads & 1u << a->head)) return false;
    return true;
}

/* Rows names[0 .. n) share one tensor of the file. */
static int bind_shared(struct weight_loader *l, const struct weight_name *names, int n, const char *name, int layer, void *fields,
                       struct hearth_error *err)
{
    char text[256];
    int64_t rows = 0;
    const int64_t columns = dim_of(l->arch, weight_table[names[0].id].columns);
    const struct file_tensor *f = find_tensor(l, name, layer, 0, text);
    if (!f && (names[0].flags & WEIGHT_OPTIONAL)) return 0;
    if (!f) return fail(err, HEARTH_E_FORMAT, "the model lacks tensor %s", text);
    for (int i = 0; i < n; i++) rows += dim_of(l->arch, weight_table[names[i].id].rows);
    const bool in_major = is_in_major(l, names[0].flags) && columns > 1;
    struct part p = { .groups = (names[0].flags & WEIGHT_GROUPED) && l->arch->fused_groups ? l->arch->fused_groups : 1 };
    p.block = rows / p.groups;
    int status = check_matrix(f, in_major ? columns : rows, in_major ? rows : columns,
                              weight_dims[weight_table[names[0].id].rows].name, err);
    for (int i = 0; i < n && !status; i++) {
        p.rows = dim_of(l->arch, weight_table[names[i].id].rows);
        if (p.rows % p.groups)
            return fail(err, HEARTH_E_FORMAT, "%lld rows of %s do not fall into %lld groups", (long long)p.rows, text,
                        (long long)p.groups);
        p.rows /= p.groups;
        status = bind_part(l, &names[i], f, &p, layer, (struct tensor **)((char *)fields + weight_table[names[i].id].offset), err);
        p.first += p.rows;
    }
    return status;
}

/* Rows names[0 .. n) share one stack: gates above what they open, expert by expert. */
static int bind_stacks(struct weight_loader *l, const struct weight_name *names, int n, const char *name, int layer, void *fields,
                       struct hearth_error *err)
{
    struct part p = { .groups = 1 };
    int status = 0;
    for (int i = 0; i < n; i++) p.block += dim_of(l->arch, weight_table[names[i].id].rows);
    for (int i = 0; i < n && !status; i++) {
        p.rows = dim_of(l->arch, weight_table[names[i].id].rows);
        status = bind_stack(l, &names[i], name, &p, layer, (struct tensor **)((char *)fields + weight_table[names[i].id].offset), err);
        p.first += p.rows;
    }
    return status;
}

int weights_bind(struct weight_loader *l, const struct weight_name *names, int n_names, int layer, void *fields, struct hearth_error *err)
{
    for (int i = 0; i < n_names;) {
        const char *name = l->gguf ? names[i].gguf : names[i].hf;
        int n = 1, status = 0;
        while (name && i + n < n_names && (l->gguf ? names[i + n].gguf : names[i + n].hf) &&
               strcmp(l->gguf ? names[i + n].gguf : names[i + n].hf, name) == 0)
            n++;
        if (name && is_wanted(l->arch, &names[i], layer)) {
            struct tensor **field = (struct tensor **)((char *)fields + weight_table[names[i].id].offset);
            if (weight_dims[weight_table[names[i].id].rows].stack)
                status = bind_stacks(l, &names[i], n, name, layer, fields, err);
            else if (strstr(name, "%e"))
                status = bind_heads(l, &names[i], name, layer, field, err);
            else
                status = bind_shared(l, &names[i], n, name, layer, fields, err);
        }
        if (status) return status;
        i += n;
    }
    return 0;
}

int weights_check_surplus(const struct weight_loader *l, const char *const *harmless, struct hearth_error *err)
{
    for (uint64_t i = 0; i < l->c->n_tensor; i++) {
        const struct str name = l->c->tensor[i].name;
        bool known = l->taken[i];
        for (int w = 0; harmless && harmless[w] && !known; w++)
            known = memmem(name.p, name.n, harmless[w], strlen(harmless[w])) != NULL;
        if (!known)
            return fail(err, HEARTH_E_FORMAT, "the file holds tensor %.*s, which a model of this configuration does not have",
                        STR_ARG(name));
    }
    return 0;
}
