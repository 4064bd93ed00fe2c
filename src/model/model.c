/* Opening a model: container, family, axes, weights, layer table, cache groups. */
#include "model/model.h"

#include <math.h>

#include "base/file.h"
#include "base/half.h"
#include "model/blocks/blocks.h"
#include "model/rope.h"

#define SMALL_TENSOR (64 << 10) /* bytes; larger ones are matrices, which wait until they are used */
#define ARENA_CAP (256u << 20) /* tensor structs and f32 vectors of the largest models stay far below */

/* GGUF and llama2.c state the vocabulary by the embedding's shape. */
static int vocabulary_size(struct model *m, struct hearth_error *err)
{
    if (m->arch.patch || (m->arch.n_vocab && !container_kv(m->file, "general.architecture"))) return 0;
    const struct file_tensor *f = container_tensor(m->file, "token_embd.weight");
    if (!f) f = container_tensor(m->file, "emb.weight"); /* RWKV's own names */
    if (!f || f->rank != 2 || f->dim[0] < 1 || f->dim[0] > 1 << 24)
        return fail(err, HEARTH_E_FORMAT, "%s has no usable tensor token_embd.weight", m->file->path);
    m->arch.n_vocab = (int32_t)f->dim[0];
    return 0;
}

static int check_heads(const struct arch *a, struct hearth_error *err)
{
    const int32_t wide = a->key_width > a->value_width ? a->key_width : a->value_width;
    return wide > 1024 ? fail(err, HEARTH_E_UNSUPPORTED, "heads of %d values are wider than the 1024 that attention handles", wide) : 0;
}

/* One half of a model, or all of it, from the object that the configuration points at. */
static int read_half(struct model *m, const struct config *c, struct arch *a, struct hearth_error *err)
{
    *a = m->family->initial;
    if (m->family->encoder_heads) a->head = family_head_kind(m->family, m->file);
    int status = config_read(c, m->family->keys, a, err);
    if (!status && a == &m->arch) status = vocabulary_size(m, err);
    if (!status) status = config_guards(c, m->family->guards, err);
    if (!status && m->family->finish) status = m->family->finish(a, c, err);
    return status ? status : check_heads(a, err);
}

/* An encoder with numbers of its own; the layers that the keys count are its. */
static int own_encoder_axes(struct model *m, const struct config *c, struct hearth_error *err)
{
    struct arch *a = &m->arch, *e = &m->encoder;
    struct config own = *c;
    own.nested = m->family->nested_encoder;
    int status = read_half(m, &own, e, err);
    a->n_encoder_layer = e->n_encoder_layer = e->n_layer;
    e->n_layer = a->n_layer;
    a->encoder_width = e->width;
    a->encoder_vocab = e->n_vocab;
    return status;
}

/* The encoder's numbers: the model's, but for those that its family found to differ. */
static int encoder_axes(struct model *m, struct hearth_error *err)
{
    struct arch *e = &m->encoder;
    *e = m->arch;
    if (e->encoder_ff_width) e->ff_width = e->encoder_ff_width;
    if (!e->encoder_heads) return 0;
    if (e->width % e->encoder_heads) return fail(err, HEARTH_E_FORMAT, "width %d is not a multiple of %d heads", e->width, e->encoder_heads);
    e->n_head = e->n_kv = e->encoder_heads;
    e->key_width = e->value_width = e->width / e->n_head;
    return check_heads(e, err);
}

/* What routing takes for granted. */
static int check_experts(const struct arch *a, struct hearth_error *err)
{
    const int groups = a->expert_groups > 1 ? a->expert_groups : 1, used = groups > 1 ? a->expert_groups_used : 1;
    if (!a->n_expert) return 0;
    if (a->n_expert_used < 1 || a->n_expert_used > a->n_expert)
        return fail(err, HEARTH_E_FORMAT, "%d of %d experts a token makes no sense", a->n_expert_used, a->n_expert);
    if (a->n_expert % groups) return fail(err, HEARTH_E_FORMAT, "%d experts do not fall into %d groups", a->n_expert, groups);
    if (used < 1 || used > groups) return fail(err, HEARTH_E_FORMAT, "%d of %d groups of experts a token makes no sense", used, groups);
    if (used * (a->n_expert / groups) < a->n_expert_used)
        return fail(err, HEARTH_E_FORMAT, "%d experts a token are more than the %d of %d groups", a->n_expert_used, used * (a->n_expert / groups), used);
    return 0;
}

static int read_axes(struct model *m, struct hearth_error *err)
{
    const struct kv *name = container_kv(m->file, "general.architecture");
    struct config c = { .c = m->file, .arena = &m->arena, .gguf = name != NULL, .nested = m->family->nested };
    if (name) c.architecture = name->s;
    int status = read_half(m, &c, &m->arch, err);
    if (!status) status = config_tokens(&c, &m->arch, err);
    if (!status) status = check_experts(&m->arch, err);
    if (status) return status;
    return m->family->nested_encoder ? own_encoder_axes(m, &c, err) : encoder_axes(m, err);
}

/* ---- weights */

#define TABLE_WIDTH 4096 /* of a table kept as f32 (heads of a bias table, states, kernels): wider ones are not */

static uint64_t vector_room(const struct container *c)
{
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < c->n_tensor; i++) { /* anything that may be bound as a vector or a small bias table */
        uint64_t n = 1;
        for (int d = 0; d < c->tensor[i].rank; d++) n *= c->tensor[i].dim[d];
        const uint64_t last = c->tensor[i].rank ? c->tensor[i].dim[c->tensor[i].rank - 1] : 1;
        if (n == last || last <= TABLE_WIDTH || n / last <= 8) bytes += n * sizeof(float) + 512; /* up to eight fields of one tensor, each rounded up */
    }
    return bytes + 64;
}

/* Vectors are read while the model opens, one here and one there: asked for together, a cold disk gives them in one go. */
static void fetch_vectors(const struct container *c)
{
    for (uint64_t i = 0; i < c->n_tensor; i++)
        if (c->tensor[i].n_bytes <= SMALL_TENSOR) file_will_need(c->tensor[i].data, c->tensor[i].n_bytes);
}

static int bind_layers(struct model *m, struct weight_loader *l, struct layer *layers, int n, const struct weight_name *names, int n_names, struct hearth_error *err)
{
    for (int i = 0; i < n; i++) {
        int status = weights_bind(l, names, n_names, i, &layers[i].w, err);
        if (!status && m->family->derive) status = m->family->derive(&m->arch, &layers[i].w, &m->arena, err);
        if (status) return status;
    }
    return 0;
}

static int bind_weights(struct model *m, struct hearth_error *err)
{
    const struct family *f = m->family;
    struct weight_loader l = { .c = m->file, .arch = &m->arch, .prefix = f->prefix, .arena = &m->arena, .backend = m->backend,
                               .owned = &m->owned };
    l.gguf = container_kv(m->file, "general.architecture") != NULL;
    l.vectors_room = m->vectors_bytes = vector_room(m->file);
    l.vectors = m->vectors = m->backend->alloc(m->backend, l.vectors_room);
    l.taken = mem_array(m->file->n_tensor, 1);
    fetch_vectors(m->file);
    m->layer = arena_array(&m->arena, (uint64_t)m->arch.n_layer, sizeof *m->layer);
    m->encoder_layer = arena_array(&m->arena, (uint64_t)m->arch.n_encoder_layer, sizeof *m->encoder_layer);
    m->derived = arena_array(&m->arena, (uint64_t)m->arch.n_layer + (uint64_t)m->arch.n_encoder_layer + 2, sizeof *m->derived); /* a bias by layer, or positions; the head */
    int status = !l.vectors || !l.taken || !m->layer || !m->encoder_layer || !m->derived ? fail_memory(err, l.vectors_room, "the layer table") : 0;
    if (!status) status = weights_bind(&l, f->model_weights, f->n_model_weights, -1, &m->w, err);
    if (!status) status = bind_layers(m, &l, m->layer, m->arch.n_layer, f->layer_weights, f->n_layer_weights, err);
    l.arch = &m->encoder;
    if (!status) status = bind_layers(m, &l, m->encoder_layer, m->arch.n_encoder_layer, f->encoder_weights, f->n_encoder_weights, err);
    if (!status) status = weights_check_surplus(&l, f->harmless, err);
    mem_free(l.taken);
    m->parameters = l.parameters;
    m->bytes = l.bytes;
    if (status || m->w.head || (m->arch.task == HEARTH_TASK_ENCODER && m->arch.head != HEAD_MASKED)) return status;
    if (!m->arch.tied) return fail(err, HEARTH_E_FORMAT, "the model lacks the tensor of its head, and does not say that embeddings serve as head");
    m->w.head = m->w.embed;
    return 0;
}

/* ---- derived tensors and tables */

/* f32 tensor in backend memory of its own, living with the model. */
static int make_derived(struct model *m, const char *name, int rank, const int64_t *dim, const float *values, struct tensor **out, struct hearth_error *err)
{
    struct tensor *t = arena_array(&m->arena, 1, sizeof *t);
    if (!t) return fail_memory(err, sizeof *t, name);
    tensor_shape(t, DTYPE_F32, rank, dim);
    t->name = name;
    t->index = t->producer = t->last_use = -1;
    const uint64_t bytes = (uint64_t)tensor_bytes(t);
    t->data = m->backend->alloc(m->backend, bytes);
    if (!t->data) return fail_memory(err, bytes, name);
    m->derived[m->n_derived++] = t;
    m->backend->write(m->backend, t->data, values, bytes);
    *out = t;
    return 0;
}

static int make_bucket_bias(struct model *m, const struct arch *a, const struct tensor *table, bool bidirectional, struct tensor **out, struct hearth_error *err)
{
    const int64_t dim[] = { a->n_head, 2 * (int64_t)a->bucket_distance + 1 };
    int status;
    float *host = mem_array((uint64_t)tensor_count(table), sizeof *host), *bias = mem_array((uint64_t)(dim[0] * dim[1]), sizeof *bias);
    if (!host || !bias) {
        status = fail_memory(err, (uint64_t)(dim[0] * dim[1]) * sizeof *bias, "the bias by distance");
    } else {
        m->backend->read(m->backend, host, table->data, (uint64_t)tensor_bytes(table));
        attention_buckets(a, host, bidirectional, bias);
        status = make_derived(m, "bias_by_distance", 2, dim, bias, out, err);
    }
    mem_free(host);
    mem_free(bias);
    return status;
}

/* Divisors of rotary frequencies that the file keeps as a tensor: f32 [part / 2]. */
static int read_divisors(struct model *m, const struct tensor *t, const float **out, struct hearth_error *err)
{
    const int n = m->arch.rope.part / 2;
    if (!t) return 0;
    float *divisors = arena_array(&m->arena, (uint64_t)n, sizeof *divisors);
    if (!divisors) return fail_memory(err, (uint64_t)n * sizeof *divisors, "rotary divisors");
    m->backend->read(m->backend, divisors, t->data, (uint64_t)n * sizeof *divisors);
    for (int i = 0; i < n; i++)
        if (!(divisors[i] > 0.0f)) return fail(err, HEARTH_E_FORMAT, "%s holds %g, which is no divisor", t->name, (double)divisors[i]);
    *out = divisors;
    return 0;
}

/* The bias of each layer: from its own table, or the first layer's for all, which may stand outside of it. */
static int make_layer_biases(struct model *m, const struct arch *a, struct layer *layers, int n, bool bidirectional, struct hearth_error *err)
{
    for (int i = 0; i < n; i++) {
        const struct tensor *table = i == 0 && bidirectional && m->w.encoder_buckets ? m->w.encoder_buckets : layers[i].w.attn_buckets;
        if (table) {
            int status = make_bucket_bias(m, a, table, bidirectional, &layers[i].bias, err);
            if (status) return status;
        } else if (i == 0 || a->buckets_by_layer) {
            return fail(err, HEARTH_E_FORMAT, "layer %d lacks its table of biases by distance", i);
        } else {
            layers[i].bias = layers[0].bias;
        }
    }
    return 0;
}

static int make_biases(struct model *m, struct hearth_error *err)
{
    if (!m->arch.buckets) return 0;
    int status = make_layer_biases(m, &m->arch, m->layer, m->arch.n_layer, false, err);
    return status ? status : make_layer_biases(m, &m->encoder, m->encoder_layer, m->arch.n_encoder_layer, true, err);
}

static int make_rope(struct model *m, struct hearth_error *err)
{
    const struct arch *a = &m->arch;
    if (a->position != POSITION_ROTARY) return 0;
    m->rope[ROPE_MAIN] = &a->rope;
    if (a->local_rope.part) m->rope[ROPE_LOCAL] = &a->local_rope;
    if (m->family->nested_encoder) m->rope[ROPE_ENCODER] = &m->encoder.rope;
    for (int i = 0; i < MODEL_ROPES; i++) m->rope_scale[i] = m->rope[i] ? rope_scale(m->rope[i], a) : 0.0f;
    int status = read_divisors(m, m->w.rope_divisors, &m->arch.rope.divisors, err);
    if (!status) status = read_divisors(m, m->w.rope_short, &m->arch.rope.short_factor, err);
    if (!status) status = read_divisors(m, m->w.rope_long, &m->arch.rope.long_factor, err);
    if (!status && a->rope.kind == ROPE_LONGROPE && (!a->rope.short_factor || !a->rope.long_factor))
        return fail(err, HEARTH_E_FORMAT, "the model lacks the factors of its rotary scaling longrope");
    return status;
}

/* Slopes of ALiBi: the powers of 2^(-max / n) for the n = 2^k heads at or above the model's; of more than it has, every second,
 * those of odd index first. */
static void alibi_slopes(const struct arch *a, float *slope)
{
    const double max = a->alibi_max != 0.0f ? (double)a->alibi_max : 8.0;
    int n = 1;
    while (n < a->n_head) n *= 2;
    for (int h = 0; h < a->n_head; h++) {
        const int power = n == a->n_head ? h + 1 : h < n / 2 ? 2 * (h + 1) : 2 * (h - n / 2) + 1;
        slope[h] = (float)exp2(-max * power / n);
        if (a->alibi_bf16) slope[h] = bf16_to_f32(f32_to_bf16(slope[h]));
        if (a->alibi_scale != 0.0f) slope[h] *= a->alibi_scale;
    }
}

/* Frequencies of the waves that are added to the embeddings: 10000^(-i / (half - 1)), in f32 as fairseq computes them. */
static void wave_frequencies(const struct arch *a, float *f)
{
    const int half = a->width / 2;
    const float step = (float)(log(10000.0) / (half - 1));
    for (int i = 0; i < half; i++) f[i] = expf((float)i * -step);
}

/* A table of positions that the file need not have: all sines, then all cosines, of position / 10000^(2i / width), in f64. */
static int make_wave_table(struct model *m, struct hearth_error *err)
{
    const struct arch *a = &m->arch;
    const int64_t n = (int64_t)a->context + a->position_offset, half = (a->width + 1) / 2;
    float *values = mem_array((uint64_t)n * (uint64_t)a->width, sizeof *values);
    if (!values) return fail_memory(err, (uint64_t)n * (uint64_t)a->width * sizeof *values, "positions");
    for (int64_t p = 0; p < n; p++)
        for (int64_t i = 0; i < a->width; i++) {
            const double angle = (double)p / pow(10000.0, 2.0 * (double)(i % half) / a->width);
            values[p * a->width + i] = (float)(i < half ? sin(angle) : cos(angle));
        }
    int status = make_derived(m, "position", 2, (int64_t[]){ n, a->width }, values, &m->w.position, err);
    mem_free(values);
    return status;
}

/* What makes rows of the head as long as 1, as torch's normalize does. */
static int make_head_lengths(struct model *m, struct hearth_error *err)
{
    const struct tensor *head = m->w.head;
    if (!m->arch.head_unit) return 0;
    const int64_t n = head->dim[0], width = head->dim[1];
    float *row = mem_array((uint64_t)width, sizeof *row), *values = mem_array((uint64_t)n, sizeof *values);
    int status = row && values ? 0 : fail_memory(err, (uint64_t)(n + width) * sizeof *row, "lengths of the head's rows");
    for (int64_t i = 0; i < n && !status; i++) {
        double sum = 0;
        type_of(head->type)->unpack(row, (const char *)head->data + i * head->stride[0], width);
        for (int64_t k = 0; k < width; k++) sum += (double)row[k] * (double)row[k];
        values[i] = (float)(1.0 / fmax(sqrt(sum), 1e-12));
    }
    if (!status) status = make_derived(m, "head_lengths", 1, &n, values, &m->head_lengths, err);
    mem_free(row);
    mem_free(values);
    return status;
}

/* The positions that are no weights. */
static int make_positions(struct model *m, struct hearth_error *err)
{
    const struct arch *a = &m->arch;
    const bool alibi = a->position == POSITION_ALIBI;
    if (a->wave_table && !m->w.position) return make_wave_table(m, err);
    if (!alibi && a->position != POSITION_WAVES) return 0;
    if (!alibi && (a->width % 2 || a->width < 4)) return fail(err, HEARTH_E_UNSUPPORTED, "sines and cosines of positions want an even width, not %d", a->width);
    const int64_t n = alibi ? a->n_head : a->width / 2;
    float *values = mem_array((uint64_t)n, sizeof *values);
    if (!values) return fail_memory(err, (uint64_t)n * sizeof *values, "positions");
    (alibi ? alibi_slopes : wave_frequencies)(a, values);
    int status = make_derived(m, alibi ? "alibi_slopes" : "wave_frequencies", 1, &n, values, alibi ? &m->slopes : &m->waves, err);
    mem_free(values);
    return status;
}

/* A table of positions whose first rows no text uses: the model sees it from the row of position 0 on. */
static void skip_positions(const struct model *m, struct tensor *t)
{
    if (!t || !m->arch.position_offset || m->arch.pad_positions) return;
    t->data = (char *)t->data + m->arch.position_offset * t->stride[0];
    t->dim[0] -= m->arch.position_offset;
}

static int add_group(struct model *m, struct cache_group g)
{
    m->group[m->n_group] = g;
    return m->n_group++;
}

/* Layers of a kind keep their keys and values together: those that see everything, and those with a window. */
static void group_layers(struct model *m, int32_t window)
{
    const struct arch *a = &m->arch;
    struct cache_group g = { .kind = window ? CACHE_WINDOW : CACHE_FULL, .n_kv = a->n_kv, .key_width = a->key_width,
                             .value_width = a->value_width, .window = window };
    for (int i = 0; i < a->n_layer; i++) {
        if (arch_window(a, i) != window) continue;
        m->layer[i].group = m->n_group;
        m->layer[i].group_layer = g.n_layer++;
    }
    if (g.n_layer) add_group(m, g);
}

/* Groups of keys and values or of states for the layers, one for cross attention. */
static void make_groups(struct model *m)
{
    const struct arch *a = &m->arch;
    const struct mixer_info *mixer = &mixer_table[a->mixer];
    m->cross_group = m->state_group = -1;
    if (a->n_layer == 0) return;
    if (mixer->state_width) {
        m->state_group = add_group(m, (struct cache_group){ .kind = CACHE_STATE, .n_layer = a->n_layer, .state_width = mixer->state_width(a) });
        for (int i = 0; i < a->n_layer; i++) m->layer[i].group_layer = i;
    } else {
        group_layers(m, 0);
        if (a->window) group_layers(m, a->window);
    }
    if (a->n_encoder_layer)
        m->cross_group = add_group(m, (struct cache_group){ .kind = CACHE_CROSS, .n_layer = a->n_layer - a->cross_first, .n_kv = a->n_kv,
                                                            .key_width = a->key_width, .value_width = a->value_width });
}

static void fill_layer(const struct model *m, struct layer *l, int i, bool decoder)
{
    const struct arch *a = decoder ? &m->arch : &m->encoder;
    l->arch = a;
    l->index = i;
    l->mixer = a->mixer;
    l->ffn = a->ffn == FFN_EXPERTS && !arch_has_experts(a, i) ? FFN_GATED : a->ffn;
    if (!decoder) l->group = -1;
    l->cross_layer = decoder && m->cross_group >= 0 && i >= a->cross_first ? i - a->cross_first : -1;
    l->window = arch_window(a, i);
    l->rope = l->window && m->rope[ROPE_LOCAL] ? ROPE_LOCAL : ROPE_MAIN;
    if (!decoder && m->rope[ROPE_ENCODER]) l->rope = ROPE_ENCODER;
    if (a->still_layers && a->still_layers[i]) l->rope = -1;
    l->attn_scale = a->attn_scale != 0.0f ? a->attn_scale : a->key_width ? 1.0f / sqrtf((float)a->key_width) : 1.0f;
    if (a->attn_scale_by_layer) l->attn_scale /= (float)(i + 1);
    l->branch_scale = a->residual_scale != 0.0f ? a->residual_scale : a->rescale_every && !a->rescaled ? ldexpf(1.0f, -(i / a->rescale_every)) : 1.0f;
    l->halve = a->rescale_every && (i + 1) % a->rescale_every == 0;
}

int model_open(struct model **out, const char *path, struct backend *backend, struct hearth_error *err)
{
    struct model *m = mem_array(1, sizeof *m);
    if (!m) return fail_memory(err, sizeof *m, "the model");
    m->backend = backend;
    arena_init(&m->arena, ARENA_CAP);
    int status = container_open(&m->file, path, err);
    if (!status) status = family_find(&m->family, m->file, err);
    if (!status) status = read_axes(m, err);
    if (!status) status = bind_weights(m, err);
    if (!status) status = make_biases(m, err);
    if (!status) status = make_rope(m, err);
    if (!status) status = make_positions(m, err);
    if (!status) status = make_head_lengths(m, err);
    if (status) {
        model_close(m);
        return status;
    }
    skip_positions(m, m->w.position);
    skip_positions(m, m->w.encoder_position);
    make_groups(m);
    for (int i = 0; i < m->arch.n_layer; i++) fill_layer(m, &m->layer[i], i, true);
    for (int i = 0; i < m->arch.n_encoder_layer; i++) fill_layer(m, &m->encoder_layer[i], i, false);
    *out = m;
    return 0;
}

void model_close(struct model *m)
{
    if (!m) return;
    if (m->vectors) m->backend->release(m->backend, m->vectors, m->vectors_bytes);
    for (struct owned *o = m->owned; o; o = o->next) m->backend->release(m->backend, o->data, o->bytes);
    for (int i = 0; i < m->n_derived; i++) m->backend->release(m->backend, m->derived[i]->data, (uint64_t)tensor_bytes(m->derived[i]));
    arena_free(&m->arena);
    container_close(m->file);
    mem_free(m);
}
