/* Reading what a folder says about its vectors, and making them. Sums in double, one text at a time: the cost is nothing beside
 * the model's. */
#include "engine/sentence.h"

#include <math.h>
#include <stdio.h>

#include "engine/folder_json.h"

/* ---- pooling */

/* Words of 1_Pooling/config.json: the newer name, and the older key that is true. In the order in which the older ones join. */
static const struct {
    enum hearth_pooling kind;
    const char *name, *older;
} pooling_names[SENTENCE_POOLINGS] = {
    { HEARTH_POOLING_CLS, "cls", "pooling_mode_cls_token" },
    { HEARTH_POOLING_MAX, "max", "pooling_mode_max_tokens" },
    { HEARTH_POOLING_MEAN, "mean", "pooling_mode_mean_tokens" },
    { HEARTH_POOLING_MEAN_SQRT, "mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens" },
    { HEARTH_POOLING_WEIGHTED, "weightedmean", "pooling_mode_weightedmean_tokens" },
    { HEARTH_POOLING_LAST, "lasttoken", "pooling_mode_lasttoken" },
};

static int add_pooling(struct sentence *s, const struct json *j, struct hearth_error *err)
{
    for (int i = 0; i < SENTENCE_POOLINGS; i++)
        if (json_is(j, pooling_names[i].name) && s->n_pooling < SENTENCE_POOLINGS) {
            s->pooling[s->n_pooling++] = pooling_names[i].kind;
            return 0;
        }
    return fail(err, HEARTH_E_UNSUPPORTED, "pooling \"%.*s\" is not known", STR_ARG(j->text));
}

static int read_pooling(struct sentence *s, struct str src, struct hearth_error *err)
{
    struct json j;
    bool include = true;
    int status = 0;
    enum json_kind kind = json_member(&j, src, "pooling_mode", err);
    if (kind == JSON_STRING) status = add_pooling(s, &j, err);
    if (kind == JSON_ARRAY)
        while (!status && (kind = json_next(&j)) == JSON_STRING) status = add_pooling(s, &j, err);
    const bool older = !s->n_pooling;
    for (int i = 0; older && i < SENTENCE_POOLINGS; i++) {
        bool on = false;
        json_member_bool(src, pooling_names[i].older, &on);
        if (on) s->pooling[s->n_pooling++] = pooling_names[i].kind;
    }
    if (!s->n_pooling && !status) s->pooling[s->n_pooling++] = HEARTH_POOLING_MEAN;
    json_member_bool(src, "include_prompt", &include);
    s->skip_prompt = !include;
    return status;
}

/* ---- dense layers */

static int copy_weights(const struct container *c, const char *name, int64_t rows, int64_t columns, float **out,
                        struct hearth_error *err)
{
    const struct file_tensor *f = container_tensor(c, name);
    const int rank = columns ? 2 : 1;
    const int64_t n = rows * (columns ? columns : 1);
    if (!f || f->rank != rank || f->dim[0] != (uint64_t)rows || (columns && f->dim[1] != (uint64_t)columns) ||
        type_of(f->type)->block != 1 || !type_of(f->type)->unpack)
        return fail(err, HEARTH_E_FORMAT, "%s has no usable tensor %s", c->path, name);
    *out = mem_array((uint64_t)n, sizeof **out);
    if (!*out) return fail_memory(err, (uint64_t)n * sizeof **out, "a dense layer");
    type_of(f->type)->unpack(*out, f->data, n);
    return 0;
}

/* "torch.nn.modules.activation.Tanh" */
static int read_activation(struct dense *d, struct str src, struct hearth_error *err)
{
    static const struct {
        const char *name;
        enum activation act;
        bool linear;
    } known[] = { { "Tanh", ACT_TANH, false }, { "Identity", ACT_TANH, true },    { "ReLU", ACT_RELU, false },
                  { "GELU", ACT_GELU, false }, { "Sigmoid", ACT_SIGMOID, false }, { "SiLU", ACT_SILU, false } };
    struct buf name;
    buf_init(&name, 1 << 16);
    int status = 0;
    d->act = ACT_TANH;
    if (json_member_text(src, "activation_function", &name)) {
        const char *dot = name.p ? memrchr(name.p, '.', name.n) : NULL;
        const struct str last = dot ? (struct str){ dot + 1, name.n - (size_t)(dot + 1 - name.p) } : buf_str(&name);
        status = fail(err, HEARTH_E_UNSUPPORTED, "a dense layer's activation %.*s is not supported", STR_ARG(last));
        for (size_t i = 0; i < sizeof known / sizeof *known && status; i++) {
            if (!str_is(last, known[i].name)) continue;
            d->act = known[i].act;
            d->linear = known[i].linear;
            status = 0;
        }
    }
    buf_free(&name);
    return status;
}

/* Modules may also work on the rows of tokens, or put their result elsewhere. */
static int check_places(struct str src, struct hearth_error *err)
{
    static const char *const keys[] = { "module_input_name", "module_output_name" };
    struct buf name;
    int status = 0;
    buf_init(&name, 4096);
    for (int i = 0; i < 2 && !status; i++) {
        buf_clear(&name);
        if (json_member_text(src, keys[i], &name) && !str_is(buf_str(&name), "sentence_embedding"))
            status = fail(err, HEARTH_E_UNSUPPORTED, "a module's %s is %.*s; only sentence_embedding is supported", keys[i], STR_ARG(buf_str(&name)));
    }
    buf_free(&name);
    return status;
}

static int read_dense(struct sentence *s, const char *folder, const char *module, struct str src, struct hearth_error *err)
{
    double in = 0, out = 0;
    bool bias = true, residual = false;
    struct container *c = NULL;
    struct buf path;
    if (s->n_dense == SENTENCE_DENSE) return fail(err, HEARTH_E_UNSUPPORTED, "more than %d dense layers", SENTENCE_DENSE);
    struct dense *d = &s->dense[s->n_dense++];
    json_member_number(src, "in_features", &in);
    json_member_number(src, "out_features", &out);
    json_member_bool(src, "bias", &bias);
    json_member_bool(src, "use_residual", &residual);
    if (!(in >= 1 && in <= 1 << 20 && out >= 1 && out <= 1 << 20))
        return fail(err, HEARTH_E_FORMAT, "a dense layer from %g to %g values makes no sense", in, out);
    if (residual) return fail(err, HEARTH_E_UNSUPPORTED, "a dense layer with use_residual is not supported yet");
    d->in = (int32_t)in;
    d->out = (int32_t)out;
    int status = read_activation(d, src, err);
    buf_init(&path, 1 << 16);
    buf_printf(&path, "%s/%s/model.safetensors", folder, module);
    if (!status && !path.failed && file_kind(path.p) != FILE_REGULAR) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s/pytorch_model.bin", folder, module);
    }
    if (!status && path.failed) status = fail_memory(err, 1 << 16, "a path");
    if (!status) status = container_open(&c, path.p, err);
    if (!status) status = copy_weights(c, "linear.weight", d->out, d->in, &d->w, err);
    if (!status && bias) status = copy_weights(c, "linear.bias", d->out, 0, &d->b, err);
    container_close(c);
    buf_free(&path);
    return status;
}

/* ---- modules.json */

struct module {
    struct buf path, type;
};

static bool path_is_safe(struct str p)
{
    return !memmem(p.p, p.n, "..", 2) && !(p.n && p.p[0] == '/') && !memchr(p.p, 0, p.n);
}

/* Its configuration is newer than most files. */
static int read_normalize(struct sentence *s, const char *folder, const char *path, struct hearth_error *err)
{
    struct file_map file;
    struct buf name;
    if (!path_is_safe(str_from(path)))
        return fail(err, HEARTH_E_FORMAT, "modules.json names the path %s, which leaves the folder", path);
    buf_init(&name, 1 << 16);
    buf_printf(&name, "%s/config.json", path);
    int status = name.failed ? fail_memory(err, 1 << 16, "a path") : *path ? folder_file(&file, folder, name.p, err) : 0;
    if (status > 0) {
        status = check_places((struct str){ (const char *)file.p, file.n }, err);
        file_unmap(&file);
    }
    buf_free(&name);
    s->normalize = true;
    return status;
}

static int read_module(struct sentence *s, const char *folder, const struct module *m, struct hearth_error *err)
{
    const struct str type = m->type.p ? buf_str(&m->type) : STR("");
    const char *dot = memrchr(type.p, '.', type.n);
    const struct str last = dot ? (struct str){ dot + 1, type.n - (size_t)(dot + 1 - type.p) } : type;
    const char *path = m->path.p ? m->path.p : "";
    struct file_map file = { 0 };
    struct buf name;
    if (str_is(last, "Transformer") || str_is(last, "Dropout")) return 0;
    if (str_is(last, "Normalize")) return read_normalize(s, folder, path, err);
    const bool pooling = str_is(last, "Pooling");
    if (!pooling && !str_is(last, "Dense"))
        return fail(err, HEARTH_E_UNSUPPORTED, "modules.json asks for a module %.*s, which is not supported", STR_ARG(last));
    if (s->normalize) return fail(err, HEARTH_E_UNSUPPORTED, "modules.json has a module after Normalize, which is not supported");
    if (pooling == (s->n_pooling > 0))
        return fail(err, HEARTH_E_UNSUPPORTED, "modules.json has a %.*s %s Pooling, which is not supported", STR_ARG(last), pooling ? "after a" : "before");
    if (!path_is_safe(str_from(path)))
        return fail(err, HEARTH_E_FORMAT, "modules.json names the path %s, which leaves the folder", path);
    buf_init(&name, 1 << 16);
    buf_printf(&name, "%s/config.json", path);
    int status = name.failed ? fail_memory(err, 1 << 16, "a path") : folder_file(&file, folder, name.p, err);
    if (status == 0) status = fail(err, HEARTH_E_NOT_FOUND, "the folder lacks %s", name.p);
    if (status > 0) {
        const struct str src = { (const char *)file.p, file.n };
        status = check_places(src, err);
        if (!status) status = pooling ? read_pooling(s, src, err) : read_dense(s, folder, path, src, err);
        file_unmap(&file);
    }
    buf_free(&name);
    return status;
}

/* One object of the list; the list's JSON goes on behind it. */
static int read_entry(struct json *j, struct module *m)
{
    for (;;) {
        enum json_kind kind = json_next(j);
        if (kind == JSON_OBJECT_END) return 0;
        if (kind != JSON_KEY) return json_fail(j, "an object is needed here");
        struct buf *to = json_is(j, "path") ? &m->path : json_is(j, "type") ? &m->type : NULL;
        kind = json_next(j);
        if (kind == JSON_ERROR) return j->err->status;
        if (to && kind == JSON_STRING) {
            buf_clear(to);
            json_text(j, to);
        } else {
            int status = json_skip(j, kind);
            if (status) return status;
        }
    }
}

static int read_modules(struct sentence *s, const char *folder, struct str src, struct hearth_error *err)
{
    struct json j;
    struct module m;
    int status = 0;
    buf_init(&m.path, 4096);
    buf_init(&m.type, 4096);
    json_init(&j, src, err);
    if (json_next(&j) != JSON_ARRAY) status = fail(err, HEARTH_E_FORMAT, "modules.json is not a list");
    while (!status) {
        const enum json_kind kind = json_next(&j);
        if (kind == JSON_ARRAY_END) break;
        if (kind != JSON_OBJECT) {
            status = json_fail(&j, "an object is needed here");
            break;
        }
        buf_clear(&m.path);
        buf_clear(&m.type);
        status = read_entry(&j, &m);
        if (!status && (m.path.failed || m.type.failed))
            status = fail(err, HEARTH_E_FORMAT, "modules.json names something longer than 4096 bytes");
        if (!status) status = read_module(s, folder, &m, err);
    }
    buf_free(&m.path);
    buf_free(&m.type);
    return status;
}

/* GGUF: 1 mean, 2 first, 3 last; its readers normalise. */
static void read_gguf(struct sentence *s, const struct model *m)
{
    static const enum hearth_pooling kinds[] = { HEARTH_POOLING_AUTO, HEARTH_POOLING_MEAN, HEARTH_POOLING_CLS,
                                                 HEARTH_POOLING_LAST };
    char key[128];
    const struct kv *name = container_kv(m->file, "general.architecture");
    if (!name || name->type != KV_STRING) return;
    snprintf(key, sizeof key, "%.*s.pooling_type", STR_ARG(name->s));
    const struct kv *kv = container_kv(m->file, key);
    s->normalize = true;
    if (kv && kv->type == KV_INT && kv->i >= 1 && kv->i <= 3) s->pooling[s->n_pooling++] = kinds[kv->i];
}

static int32_t whole(double x)
{
    return x >= 1 && x <= 1 << 26 ? (int32_t)x : 0;
}

int32_t model_max_tokens(const struct model *m)
{
    const struct kv *kv = container_kv(m->file, "sentence.max_seq_length");
    const int32_t limit = session_hard_limit(m);
    struct hearth_error err;
    struct file_map file;
    double tokens = kv && (kv->type == KV_INT || kv->type == KV_FLOAT) ? kv->f : 0;
    if (!tokens && folder_file(&file, m->file->folder, "tokenizer_config.json", &err) == 1) {
        json_member_number((struct str){ (const char *)file.p, file.n }, "model_max_length", &tokens);
        file_unmap(&file);
    }
    const int32_t said = whole(tokens), most = said ? said : m->arch.context;
    return limit && (!most || most > limit) ? limit : most;
}

int sentence_open(struct sentence *s, const struct model *m, struct hearth_error *err)
{
    const struct kv *lower = container_kv(m->file, "sentence.do_lower_case");
    struct file_map file;
    *s = (struct sentence){ .max_tokens = model_max_tokens(m) };
    if (lower && lower->type == KV_BOOL && lower->b)
        return fail(err, HEARTH_E_UNSUPPORTED, "sentence_bert_config.json sets do_lower_case, which is not supported");
    if (container_kv(m->file, "general.architecture")) {
        read_gguf(s, m);
        return 0;
    }
    int status = folder_file(&file, m->file->folder, "modules.json", err);
    if (status <= 0) return status;
    status = read_modules(s, m->file->folder, (struct str){ (const char *)file.p, file.n }, err);
    file_unmap(&file);
    if (status) sentence_free(s);
    return status;
}

void sentence_free(struct sentence *s)
{
    for (int i = 0; i < s->n_dense; i++) {
        mem_free(s->dense[i].w);
        mem_free(s->dense[i].b);
    }
    s->n_dense = 0;
}

/* ---- making a vector */

int sentence_width(const struct sentence *s, int32_t width, int32_t *out, struct hearth_error *err)
{
    int32_t n = width * s->n_pooling;
    for (int i = 0; i < s->n_dense; i++) {
        if (s->dense[i].in != n)
            return fail(err, HEARTH_E_FORMAT, "a dense layer wants %d values, but gets %d", s->dense[i].in, n);
        n = s->dense[i].out;
    }
    *out = n;
    return 0;
}

static void pool_weighted(const float *states, int32_t n, int32_t width, int32_t skip, enum hearth_pooling kind, float *y)
{
    double total = 0.0;
    for (int32_t r = skip; r < n; r++) total += kind == HEARTH_POOLING_WEIGHTED ? r + 1.0 : 1.0;
    if (kind == HEARTH_POOLING_MEAN_SQRT) total = sqrt(total);
    for (int32_t c = 0; c < width; c++) {
        double sum = 0.0;
        for (int32_t r = skip; r < n; r++)
            sum += (kind == HEARTH_POOLING_WEIGHTED ? r + 1.0 : 1.0) * (double)states[(int64_t)r * width + c];
        y[c] = (float)(sum / total);
    }
}

static void pool_one(enum hearth_pooling kind, const float *states, int32_t n, int32_t width, int32_t skip, float *y)
{
    if (kind == HEARTH_POOLING_CLS || kind == HEARTH_POOLING_LAST) {
        memcpy(y, states + (int64_t)(kind == HEARTH_POOLING_CLS ? skip : n - 1) * width, (size_t)width * sizeof *y);
    } else if (kind == HEARTH_POOLING_MAX) {
        for (int32_t c = 0; c < width; c++) {
            y[c] = states[(int64_t)skip * width + c];
            for (int32_t r = skip + 1; r < n; r++) y[c] = fmaxf(y[c], states[(int64_t)r * width + c]);
        }
    } else {
        pool_weighted(states, n, width, skip, kind, y);
    }
}

static void apply_dense(const struct dense *d, const float *x, float *y)
{
    for (int32_t o = 0; o < d->out; o++) {
        double sum = d->b ? (double)d->b[o] : 0.0;
        for (int32_t i = 0; i < d->in; i++) sum += (double)d->w[(int64_t)o * d->in + i] * (double)x[i];
        y[o] = d->linear ? (float)sum : activation_value(d->act, (float)sum);
    }
}

void sentence_pool(const struct sentence *s, const float *states, int32_t n, int32_t width, int32_t skip, float *vector)
{
    int32_t size = width * s->n_pooling;
    if (skip >= n) skip = 0; /* nothing but the prompt */
    for (int i = 0; i < s->n_pooling; i++) pool_one(s->pooling[i], states, n, width, skip, vector + (int64_t)i * width);
    for (int i = 0; i < s->n_dense; i++) { /* results go behind their inputs: the vector has room for both */
        float *y = vector + size;
        apply_dense(&s->dense[i], vector, y);
        size = s->dense[i].out;
        memmove(vector, y, (size_t)size * sizeof *y);
    }
    if (!s->normalize) return;
    double sum = 0.0;
    for (int32_t i = 0; i < size; i++) sum += (double)vector[i] * (double)vector[i];
    const double length = fmax(sqrt(sum), 1e-12);
    for (int32_t i = 0; i < size; i++) vector[i] = (float)((double)vector[i] / length);
}
