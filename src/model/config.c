/* Reading a model's numbers from config.json or GGUF keys. */
#include "model/config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/rope.h"

static const struct kv *find_one(const struct config *c, struct str name);

/* A rope_scaling that says something stands for all of rope_parameters, as it does in the reference. */
static bool is_overruled(const struct config *c, struct str name)
{
    static const char *const scaling[] = { "rope_scaling.rope_type", "rope_scaling.type", "rope_scaling.factor" };
    if (c->gguf || !str_starts(name, STR("rope_parameters."))) return false;
    for (size_t i = 0; i < sizeof scaling / sizeof *scaling; i++)
        if (find_one(c, (struct str){ scaling[i], strlen(scaling[i]) })) return true;
    return false;
}

static const struct kv *find_one(const struct config *c, struct str name)
{
    char key[256];
    const struct kv *kv = NULL;
    if (is_overruled(c, name)) return NULL;
    if (!c->gguf && c->nested) {
        snprintf(key, sizeof key, "%s.%.*s", c->nested, STR_ARG(name));
        kv = container_kv(c->c, key);
    }
    if (c->gguf)
        snprintf(key, sizeof key, "%.*s.%.*s", STR_ARG(c->architecture), STR_ARG(name));
    else
        snprintf(key, sizeof key, "%.*s", STR_ARG(name));
    if (!kv) kv = container_kv(c->c, key);
    return kv && kv->type != KV_NULL ? kv : NULL;
}

const struct kv *config_find(const struct config *c, const char *hf, const char *gguf)
{
    const char *names = c->gguf ? gguf : hf;
    while (names && *names) {
        const size_t n = strcspn(names, "|");
        const struct kv *kv = find_one(c, (struct str){ names, n });
        if (kv) return kv;
        names += n + (names[n] == '|');
    }
    return NULL;
}

static int wrong_type(const struct kv *kv, const char *wanted, struct hearth_error *err)
{
    return fail(err, HEARTH_E_FORMAT, "the model's key %.*s is not %s", STR_ARG(kv->key), wanted);
}

int config_number(const struct config *c, const char *hf, const char *gguf, double initial, double *out, struct hearth_error *err)
{
    const struct kv *kv = config_find(c, hf, gguf);
    *out = initial;
    if (!kv) return 0;
    if ((kv->type != KV_INT && kv->type != KV_FLOAT) || isnan(kv->f)) return wrong_type(kv, "a number", err);
    *out = kv->f;
    return 0;
}

int config_bool(const struct config *c, const char *hf, const char *gguf, bool initial, bool *out, struct hearth_error *err)
{
    const struct kv *kv = config_find(c, hf, gguf);
    *out = initial;
    if (!kv) return 0;
    if (kv->type != KV_BOOL) return wrong_type(kv, "true or false", err);
    *out = kv->b;
    return 0;
}

bool config_own_code(const struct config *c) { return config_find(c, "auto_map.AutoModelForCausalLM|auto_map.AutoConfig", NULL) != NULL; }

int64_t config_rows(const struct config *c, const char *hf, const char *gguf)
{
    char name[128];
    for (const char *at = c->gguf ? gguf : hf; at && *at; at += strcspn(at, "|"), at += *at == '|') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "|"), at);
        const struct file_tensor *f = container_tensor(c->c, name);
        if (f && f->rank == 2 && f->dim[0] <= INT32_MAX) return (int64_t)f->dim[0];
    }
    return 0;
}

/* ---- rows of keys */

static int store_number(const struct config_key *key, const struct kv *kv, struct arch *a, struct hearth_error *err)
{
    char *field = (char *)a + key->offset;
    if (kv->type != KV_INT && kv->type != KV_FLOAT) return wrong_type(kv, "a number", err);
    if (!(kv->f >= key->min && kv->f <= key->max))
        return fail(err, HEARTH_E_FORMAT, "the model's key %.*s is %g, but only %g to %g makes sense", STR_ARG(kv->key), kv->f, key->min, key->max);
    if (key->kind == CONFIG_FLOAT) {
        *(float *)field = (float)kv->f;
    } else {
        if (kv->f != floor(kv->f)) return wrong_type(kv, "a whole number", err);
        *(int32_t *)field = (int32_t)kv->f;
    }
    return 0;
}

static int store_key(const struct config_key *key, const struct kv *kv, struct arch *a, struct hearth_error *err)
{
    char *field = (char *)a + key->offset;
    if (key->kind == CONFIG_BOOL) {
        if (kv->type != KV_BOOL) return wrong_type(kv, "true or false", err);
        *(bool *)field = kv->b;
        return 0;
    }
    if (key->kind == CONFIG_ACTIVATION) {
        const int act = kv->type == KV_STRING ? activation_from_name(kv->s) : -1;
        if (act < 0) return fail(err, HEARTH_E_UNSUPPORTED, "activation \"%.*s\" (key %.*s) is not known", STR_ARG(kv->s), STR_ARG(kv->key));
        *(enum activation *)field = (enum activation)act;
        return 0;
    }
    return store_number(key, kv, a, err);
}

int config_read(const struct config *c, const struct config_key *keys, struct arch *a, struct hearth_error *err)
{
    for (; keys->hf || keys->gguf; keys++) {
        const struct kv *kv = config_find(c, keys->hf, keys->gguf);
        if (kv) {
            int status = store_key(keys, kv, a, err);
            if (status) return status;
        } else if (keys->flags & (c->gguf ? CONFIG_GGUF_REQUIRED : CONFIG_HF_REQUIRED)) {
            return fail(err, HEARTH_E_FORMAT, "the model's configuration lacks %s", c->gguf ? keys->gguf : keys->hf);
        }
    }
    return 0;
}

/* ---- guards */

static bool is_neutral(const struct kv *kv, const char *neutral)
{
    if (!neutral) return false;
    if (kv->type == KV_STRING) return str_is(kv->s, neutral);
    if (kv->type == KV_BOOL) return strcmp(neutral, kv->b ? "true" : "false") == 0;
    if (kv->type == KV_INT || kv->type == KV_FLOAT) return kv->f == strtod(neutral, NULL);
    return false;
}

int config_guards(const struct config *c, const struct config_guard *guards, struct hearth_error *err)
{
    for (; guards && (guards->hf || guards->gguf); guards++) {
        const struct kv *kv = config_find(c, guards->hf, guards->gguf);
        if (!kv || is_neutral(kv, guards->neutral)) continue;
        return fail(err, HEARTH_E_UNSUPPORTED, "the model sets %.*s, which would change its results and is not supported yet%s%s",
                    STR_ARG(kv->key), guards->neutral ? "; it would have to be " : "", guards->neutral ? guards->neutral : "");
    }
    return 0;
}

/* ---- rotary */

/* Hugging Face keys in the newer form, then the older; GGUF suffix. */
struct rope_key {
    const char *hf, *gguf;
    size_t      offset; /* of a double in struct rope */
    double      initial;
};

static const struct rope_key rope_keys[] = {
    { "rope_parameters.rope_theta|rope_scaling.rope_theta|rope_theta", "rope.freq_base", offsetof(struct rope, theta), 0 },
    { "rope_parameters.factor|rope_scaling.factor", "rope.scaling.factor", offsetof(struct rope, factor), 0 },
    { "original_max_position_embeddings|rope_parameters.original_max_position_embeddings|rope_scaling.original_max_position_embeddings",
      "rope.scaling.original_context_length", offsetof(struct rope, original_context), 0 },
    { "rope_parameters.attention_factor|rope_scaling.attention_factor", "rope.scaling.yarn_attn_factor", offsetof(struct rope, attention_factor), 0 },
    { "rope_parameters.beta_fast|rope_scaling.beta_fast", "rope.scaling.yarn_beta_fast", offsetof(struct rope, beta_fast), 32 },
    { "rope_parameters.beta_slow|rope_scaling.beta_slow", "rope.scaling.yarn_beta_slow", offsetof(struct rope, beta_slow), 1 },
    { "rope_parameters.mscale|rope_scaling.mscale", NULL, offsetof(struct rope, mscale), 0 },
    { "rope_parameters.mscale_all_dim|rope_scaling.mscale_all_dim", NULL, offsetof(struct rope, mscale_all_dim), 0 },
    { "rope_parameters.low_freq_factor|rope_scaling.low_freq_factor", NULL, offsetof(struct rope, low_freq_factor), 0 },
    { "rope_parameters.high_freq_factor|rope_scaling.high_freq_factor", NULL, offsetof(struct rope, high_freq_factor), 0 },
};

static int read_factors(const struct config *c, const char *hf, int32_t n, const float **out, struct hearth_error *err)
{
    const struct kv *kv = config_find(c, hf, NULL);
    if (!kv || kv->type != KV_ARRAY || kv->array.n != (uint64_t)n)
        return fail(err, HEARTH_E_FORMAT, "longrope wants %s with %d numbers, the model gives %llu", hf, n,
                    kv && kv->type == KV_ARRAY ? (unsigned long long)kv->array.n : 0ull);
    float *f = arena_array(c->arena, (uint64_t)n, sizeof *f);
    if (!f) return fail_memory(err, (uint64_t)n * sizeof *f, "rotary factors");
    struct kv_iter it;
    struct kv x;
    kv_iterate(&it, c->c, kv);
    for (int i = 0; i < n && kv_next(&it, &x); i++) {
        if ((x.type != KV_INT && x.type != KV_FLOAT) || !(x.f > 0.0)) return fail(err, HEARTH_E_FORMAT, "%s holds something that is no positive number", hf);
        f[i] = (float)x.f;
    }
    *out = f;
    return 0;
}

/* Where the numbers of a rope stand. Newer Hugging Face files may have one set a kind of layer. */
struct rope_place {
    const struct config *c;
    const char          *scope; /* "full_attention": rope_parameters.full_attention.*; NULL: no such thing */
    bool                 alone; /* only there */
};

/* hf: alternatives, the first with a dot being "rope_parameters.X". */
static const struct kv *rope_find(const struct rope_place *p, const char *hf, const char *gguf)
{
    char name[160];
    const struct kv *kv = NULL;
    if (hf && p->scope && !p->c->gguf) {
        const char *last = strchr(hf, '.') + 1;
        snprintf(name, sizeof name, "rope_parameters.%s.%.*s", p->scope, (int)strcspn(last, "|"), last);
        kv = config_find(p->c, name, NULL);
    }
    return kv || p->alone ? kv : config_find(p->c, hf, gguf);
}

/* A kind that the family has set already stays. */
static int rope_kind_of(const struct rope_place *p, struct rope *r, struct hearth_error *err)
{
    if (r->kind != ROPE_DEFAULT) return 0;
    const struct kv *kind = rope_find(p, "rope_parameters.rope_type|rope_parameters.type|rope_scaling.rope_type|rope_scaling.type", "rope.scaling.type");
    if (!kind) return 0;
    const int k = kind->type == KV_STRING ? rope_kind_from_name(kind->s) : -1;
    if (k < 0) return fail(err, HEARTH_E_UNSUPPORTED, "rotary scaling \"%.*s\" is not known", STR_ARG(kind->s));
    r->kind = (enum rope_kind)k;
    return 0;
}

static int rope_numbers(const struct rope_place *p, struct rope *r, struct hearth_error *err)
{
    for (size_t i = 0; i < sizeof rope_keys / sizeof *rope_keys; i++) {
        const struct rope_key *key = &rope_keys[i];
        const struct kv *kv = rope_find(p, key->hf, key->gguf);
        double *field = (double *)((char *)r + key->offset);
        *field = key->initial;
        if (!kv) continue;
        if ((kv->type != KV_INT && kv->type != KV_FLOAT) || isnan(kv->f)) return wrong_type(kv, "a number", err);
        *field = kv->f;
    }
    const struct kv *truncate = rope_find(p, "rope_parameters.truncate|rope_scaling.truncate", NULL);
    if (truncate && truncate->type != KV_BOOL) return wrong_type(truncate, "true or false", err);
    r->no_truncate = truncate && !truncate->b;
    return 0;
}

/* What a kind needs must be there and make sense. */
static int check_rope(const struct rope *r, struct hearth_error *err)
{
    const char *kind = rope_kind_name(r->kind);
    if (!(r->theta > 1.0 && r->theta < 1e30)) return fail(err, HEARTH_E_FORMAT, "rope_theta %g makes no sense", r->theta);
    if (r->part < 2 || r->part % 2) return fail(err, HEARTH_E_FORMAT, "rotary part %d of a head is not an even number", r->part);
    if (r->kind == ROPE_LONGROPE && !(r->factor > 0.0 && r->factor < 1e6)) /* below 1 it has no effect */
        return fail(err, HEARTH_E_FORMAT, "rotary scaling %s wants a positive factor, the model gives %g", kind, r->factor);
    if (r->kind != ROPE_DEFAULT && r->kind != ROPE_LONGROPE && !(r->factor >= 1.0 && r->factor < 1e6))
        return fail(err, HEARTH_E_FORMAT, "rotary scaling %s wants a factor of at least 1, the model gives %g", kind, r->factor);
    if (r->kind == ROPE_DYNAMIC && r->part < 4) return fail(err, HEARTH_E_FORMAT, "dynamic rotary scaling wants heads of at least 4 values");
    if (!(r->original_context >= 1.0)) return fail(err, HEARTH_E_FORMAT, "rotary scaling %s wants a trained context, the model gives %g", kind, r->original_context);
    if (r->kind == ROPE_LLAMA3 && !(r->low_freq_factor > 0.0 && r->high_freq_factor > r->low_freq_factor))
        return fail(err, HEARTH_E_FORMAT, "llama3 rotary scaling wants 0 < low_freq_factor (%g) < high_freq_factor (%g)", r->low_freq_factor, r->high_freq_factor);
    if (r->kind == ROPE_YARN && !(r->beta_fast > 0.0 && r->beta_slow > 0.0))
        return fail(err, HEARTH_E_FORMAT, "yarn rotary scaling wants positive beta_fast (%g) and beta_slow (%g)", r->beta_fast, r->beta_slow);
    return 0;
}

static int read_rope(const struct rope_place *p, struct arch *a, struct rope *r, struct hearth_error *err)
{
    const double theta = r->theta, original = r->original_context;
    int status = rope_kind_of(p, r, err);
    if (!status) status = rope_numbers(p, r, err);
    if (status) return status;
    if (r->theta == 0.0) r->theta = theta;
    if (r->original_context == 0.0) r->original_context = original != 0.0 ? original : a->context;
    if (r->factor == 0.0 && (r->kind == ROPE_YARN || r->kind == ROPE_LONGROPE)) r->factor = a->context / r->original_context;
    if (r->beta_fast == 0.0) r->beta_fast = 32.0;
    if (r->beta_slow == 0.0) r->beta_slow = 1.0;
    if (r->kind == ROPE_LONGROPE && p->c->gguf) { /* its factors are tensors */
        status = config_number(p->c, NULL, "rope.scaling.attn_factor", 0, &r->attention_factor, err);
        if (status) return status;
    } else if (r->kind == ROPE_LONGROPE) {
        status = read_factors(p->c, "rope_parameters.short_factor|rope_scaling.short_factor", r->part / 2, &r->short_factor, err);
        if (!status) status = read_factors(p->c, "rope_parameters.long_factor|rope_scaling.long_factor", r->part / 2, &r->long_factor, err);
        if (status) return status;
    }
    return check_rope(r, err);
}

int config_rope(const struct config *c, struct arch *a, struct hearth_error *err)
{
    double part;
    int status = config_number(c, NULL, "rope.dimension_count", (double)a->key_width, &part, err);
    if (status) return status;
    if (!(part >= 2 && part <= a->key_width) || a->rope.part > a->key_width)
        return fail(err, HEARTH_E_FORMAT, "rotary part %g of heads that are %d wide", a->rope.part ? a->rope.part : part, a->key_width);
    if (a->rope.part == 0) a->rope.part = (int32_t)part;
    return read_rope(&(struct rope_place){ c, "full_attention", false }, a, &a->rope, err);
}

int config_local_rope(const struct config *c, struct arch *a, const char *theta, double initial, struct hearth_error *err)
{
    struct rope *r = &a->local_rope;
    *r = (struct rope){ .part = a->rope.part, .interleaved = a->rope.interleaved };
    int status = config_number(c, theta, theta, initial, &r->theta, err);
    return status ? status : read_rope(&(struct rope_place){ c, "sliding_attention", true }, a, r, err);
}

int config_partial_rotary(const struct config *c, struct arch *a, const char *older, double initial, struct hearth_error *err)
{
    char names[200];
    double share;
    snprintf(names, sizeof names, "rope_parameters.partial_rotary_factor|rope_scaling.partial_rotary_factor|%s", older);
    if (c->gguf) return 0; /* rope.dimension_count says it */
    int status = config_number(c, names, NULL, initial, &share, err);
    if (status) return status;
    if (!(share > 0.0 && share <= 1.0)) return fail(err, HEARTH_E_FORMAT, "a share of %g of each head cannot be rotary", share);
    a->rope.part = (int32_t)(a->key_width * share);
    return 0;
}

/* ---- layers */

static int read_layer_types(const struct config *c, const struct kv *kv, const struct arch *a, uint8_t *full, struct hearth_error *err)
{
    struct kv_iter it;
    struct kv x;
    int32_t i = 0;
    if (kv->type != KV_ARRAY) return wrong_type(kv, "a list", err);
    if (kv->array.n != (uint64_t)a->n_layer + (uint64_t)a->n_encoder_layer)
        return fail(err, HEARTH_E_FORMAT, "%.*s names %llu layers, but the model has %d", STR_ARG(kv->key), (unsigned long long)kv->array.n, a->n_layer + a->n_encoder_layer);
    for (kv_iterate(&it, c->c, kv); kv_next(&it, &x); i++) {
        const bool window = x.type == KV_STRING ? str_is(x.s, "sliding_attention") : x.type == KV_BOOL && x.b;
        if (x.type != KV_BOOL && x.type != KV_STRING) return wrong_type(kv, "a list of names", err);
        if (x.type == KV_STRING && !window && !str_is(x.s, "full_attention"))
            return fail(err, HEARTH_E_UNSUPPORTED, "%.*s names a kind of layer that is not supported: %.*s", STR_ARG(kv->key), STR_ARG(x.s));
        full[i] = !window;
    }
    return 0;
}

int config_layer_types(const struct config *c, struct arch *a, int period, int which, struct hearth_error *err)
{
    const struct kv *kv = config_find(c, "layer_types|sliding_window_pattern", "attention.sliding_window_pattern");
    const int32_t n = a->n_layer + a->n_encoder_layer;
    if (kv && kv->type == KV_INT) {
        if (kv->i < 0 || kv->i > 1024) return fail(err, HEARTH_E_FORMAT, "%.*s is %lld, which is no period of layers", STR_ARG(kv->key), (long long)kv->i);
        period = (int)kv->i;
        which = period - 1;
    }
    uint8_t *full = arena_array(c->arena, (uint64_t)n, 1);
    if (!full) return fail_memory(err, (uint64_t)n, "the layers");
    for (int32_t i = 0; i < n; i++) full[i] = period > 0 && i % period == which;
    a->full_layers = full;
    return kv && kv->type == KV_ARRAY ? read_layer_types(c, kv, a, full, err) : 0;
}

/* ---- special tokens */

static int add_end(struct arch *a, int64_t id)
{
    if (id < 0 || id >= a->n_vocab) return 0; /* files name tokens they do not have; such a token never comes */
    for (int i = 0; i < a->n_ends; i++)
        if (a->ends[i] == id) return 0;
    if (a->n_ends < (int)(sizeof a->ends / sizeof *a->ends)) a->ends[a->n_ends++] = (int32_t)id;
    return 0;
}

static void add_ends(const struct config *c, const struct kv *kv, struct arch *a)
{
    struct kv_iter it;
    struct kv x;
    if (kv && kv->type == KV_INT) add_end(a, kv->i);
    if (!kv || kv->type != KV_ARRAY) return;
    kv_iterate(&it, c->c, kv);
    while (kv_next(&it, &x))
        if (x.type == KV_INT) add_end(a, x.i);
}

static int32_t token_key(const struct config *c, const char *key, const struct arch *a, int32_t initial)
{
    const struct kv *kv = container_kv(c->c, key);
    return kv && kv->type == KV_INT && kv->i >= 0 && kv->i < a->n_vocab ? (int32_t)kv->i : initial;
}

int config_tokens(const struct config *c, struct arch *a, struct hearth_error *err)
{
    (void)err;
    add_ends(c, container_kv(c->c, "eos_token_id"), a);
    if (c->nested) add_ends(c, config_find(c, "eos_token_id", NULL), a);
    add_ends(c, container_kv(c->c, "generation.eos_token_id"), a);
    add_ends(c, container_kv(c->c, "tokenizer.ggml.eos_token_id"), a);
    add_ends(c, container_kv(c->c, "tokenizer.ggml.eot_token_id"), a);
    if (!a->n_ends && a->eos >= 0) add_end(a, a->eos);
    a->eos = a->n_ends ? a->ends[0] : -1;
    a->bos = token_key(c, c->gguf ? "tokenizer.ggml.bos_token_id" : "bos_token_id", a, a->bos < a->n_vocab ? a->bos : -1);
    a->pad = token_key(c, c->gguf ? "tokenizer.ggml.padding_token_id" : "pad_token_id", a, a->pad < a->n_vocab ? a->pad : -1);
    a->start = token_key(c, "generation.decoder_start_token_id", a, token_key(c, "decoder_start_token_id", a, a->start < a->n_vocab ? a->start : -1));
    a->forced_bos = token_key(c, "generation.forced_bos_token_id", a, token_key(c, "forced_bos_token_id", a, -1));
    const struct kv *start = config_find(c, NULL, "decoder_start_token_id");
    if (start && start->type == KV_INT && start->i >= 0 && start->i < a->n_vocab) a->start = (int32_t)start->i;
    return 0;
}
