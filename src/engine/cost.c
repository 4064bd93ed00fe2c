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

static void add_record(const struct walk *w, const struct op_record *r)
{
    switch (r->op) {
    case OP_EMBED:
        w->cost->weight_bytes += tensor_bytes(r->in[0]) / tensor_rows(r->in[0]) * w->n;
        break;
    case OP_LINEAR:
        add_products(w, r->in[0], tensor_rows(r->in[1]), 1, 1);
        break;
    case OP_EXPERTS:
        add_products(w, r->in[0], w->n, r->in[2]->dim[1], r->in[0]->dim[0]);
        break;
    case OP_ATTENTION:
        add_attention(w, r);
        break;
    case OP_TOKEN_SHIFT:
        w->cost->cache_bytes += tensor_width(r->in[0]) * (int64_t)sizeof(float);
        break;
    case OP_WKV4: /* numerator, denominator, exponent */
        w->cost->cache_bytes += 3 * tensor_width(r->in[0]) * (int64_t)sizeof(float);
        break;
    default: /* norms and the like: vectors, too small to count */
        break;
    }
}

static int walk_tape(const struct walk *w, hearth_error *err)
{
    const struct tape *t = w->s->tape;
    *w->cost = (hearth_cost){ 0 };
    if (t->status) return fail(err, t->status, "%s", t->err.text);
    for (int i = 0; i < t->n_record; i++) add_record(w, &t->record[i]);
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
