/* What a prompt and a token of the answer need at least: bytes to read and products to do, counted on the tape that the runner
 * uses. */
#include "backends/cpu/cpu_backend.h"
#include "engine/session.h"
#include "hearth_inspect.h"

/* A step of n rows from position `first` on, over a source of so many tokens. */
struct walk {
    const struct hearth_session *s;
    int64_t                      first, n, source;
    hearth_cost                 *cost;
};

/* n rows with a weight of which `used` of `all` matrices take part in each. */
static void add_products(const struct walk *w, const struct tensor *weight, int64_t rows, int64_t used, int64_t all)
{
    const int64_t products = tensor_count(weight) / all * used * rows, read = rows * used < all ? rows * used : all;
    *(cpu_backend_rounds(w->s->model->backend, weight) ? &w->cost->products_i8 : &w->cost->products_f32) += products;
    w->cost->weight_bytes += tensor_bytes(weight) / all * read;
}

/* Keys that row i of the step sees. */
static int64_t seen(const struct walk *w, const struct op_record *r, const struct cache_group *g, int64_t i)
{
    const int64_t before = w->first + i + 1;
    if (!g) return w->n;
    if (g->kind == CACHE_CROSS) return w->source;
    return r->p.i[4] && g->window && g->window < before ? g->window : before;
}

static void add_attention(const struct walk *w, const struct op_record *r)
{
    const struct cache_group *g = r->in[1] ? NULL : &w->s->ragged.group[r->p.i[0]];
    const int64_t each = tensor_width(r->in[0]) + tensor_width(r->out[0]);
    for (int64_t i = 0; i < w->n; i++) w->cost->products_f32 += each * seen(w, r, g, i);
    if (g) w->cost->cache_bytes += seen(w, r, g, w->n - 1) * g->n_kv * (g->key_bytes + g->value_bytes);
}

static void add_embed(const struct walk *w, const struct op_record *r)
{
    w->cost->weight_bytes += tensor_bytes(r->in[0]) / tensor_rows(r->in[0]) * w->n;
}

static void add_linear(const struct walk *w, const struct op_record *r) { add_products(w, r->in[0], tensor_rows(r->in[1]), 1, 1); }

/* A matrix for each head, all of them used by each row. */
static void add_heads(const struct walk *w, const struct op_record *r) { add_products(w, r->in[0], w->n, 1, 1); }

static void add_experts(const struct walk *w, const struct op_record *r)
{
    add_products(w, r->in[0], w->n, r->in[2]->dim[1], r->in[0]->dim[0]);
}

static void add_state(const struct walk *w, int64_t floats) { w->cost->cache_bytes += floats * (int64_t)sizeof(float); }

static void add_token_shift(const struct walk *w, const struct op_record *r) { add_state(w, tensor_width(r->in[0])); }

/* Numerator, denominator, exponent. */
static void add_wkv4(const struct walk *w, const struct op_record *r) { add_state(w, 3 * tensor_width(r->in[0])); }

static void add_conv_state(const struct walk *w, const struct op_record *r) { add_state(w, tensor_count(r->in[1]) - r->in[1]->dim[0]); }

static void add_ssm_scan(const struct walk *w, const struct op_record *r) { add_state(w, tensor_count(r->in[4])); }

/* A matrix for each head: [head, head], [n_state, head]. */
static void add_wkv(const struct walk *w, const struct op_record *r) { add_state(w, tensor_width(r->in[0]) * (tensor_width(r->in[0]) / r->p.i[3])); }

static void add_ssd(const struct walk *w, const struct op_record *r) { add_state(w, tensor_width(r->in[0]) * (tensor_width(r->in[2]) / r->p.i[3])); }

/* Ops without a row handle vectors only, too small to count. */
static void (*const costs[OP_COUNT])(const struct walk *w, const struct op_record *r) = {
    [OP_EMBED] = add_embed, [OP_LINEAR] = add_linear, [OP_HEADS] = add_heads, [OP_EXPERTS] = add_experts, [OP_ATTENTION] = add_attention,
    [OP_TOKEN_SHIFT] = add_token_shift, [OP_WKV4] = add_wkv4, [OP_CONV_STATE] = add_conv_state, [OP_SSM_SCAN] = add_ssm_scan,
    [OP_WKV5] = add_wkv, [OP_WKV7] = add_wkv, [OP_SSD] = add_ssd,
};

static int walk_tape(const struct walk *w, hearth_error *err)
{
    const struct tape *t = w->s->tape;
    *w->cost = (hearth_cost){ 0 };
    if (t->status) return fail(err, t->status, "%s", t->err.text);
    for (int i = 0; i < t->n_record; i++)
        if (costs[t->record[i].op]) costs[t->record[i].op](w, &t->record[i]);
    return 0;
}

int hearth_session_cost(hearth_session *s, int32_t n_prompt, int32_t n_generate, hearth_cost *prompt, hearth_cost *token,
                        hearth_error *err)
{
    const bool encodes = s->model->m->arch.n_encoder_layer > 0;
    if (n_prompt < 1 || n_generate < 1) return fail(err, HEARTH_E_ARG, "%d tokens after %d make no sense", n_generate, n_prompt);
    if (encodes)
        session_record_source(s, n_prompt);
    else
        session_record(s, n_prompt, 1);
    int status = walk_tape(&(struct walk){ .s = s, .n = n_prompt, .cost = prompt }, err);
    if (status) return status;
    session_record(s, 1, 1);
    const int64_t middle = n_generate / 2 + (encodes ? 0 : n_prompt);
    return walk_tape(&(struct walk){ .s = s, .first = middle, .n = 1, .source = n_prompt, .cost = token }, err);
}
