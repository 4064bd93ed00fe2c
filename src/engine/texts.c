/* Whole texts through a model, several in a step. */
#include "engine/texts.h"

#include "engine/sentence.h"

enum { STEP_TEXTS = 32, STEP_ROWS = 1024 }; /* of a step; one text may be longer */

static int join(struct buf *out, struct str prefix, const char *text, size_t n, struct hearth_error *err)
{
    buf_clear(out);
    buf_put(out, prefix.p, prefix.n);
    buf_put(out, text, n);
    return out->failed ? fail_memory(err, prefix.n + n, "a text") : 0;
}

static int read_text(struct texts *t, const struct tokenizer *tokenizer, const hearth_text *text, struct str prefix, size_t i,
                     struct buf *joined, struct hearth_error *err)
{
    const struct str second = { text->second, text->n_second };
    int status = join(joined, prefix, text->text, text->n, err);
    const struct str first = joined->p ? buf_str(joined) : STR("");
    const size_t most = t->most ? (size_t)t->most : SIZE_MAX / 4;
    if (!status)
        status = tokenizer_encode_most(tokenizer, first, text->second ? &second : NULL, most, &t->ids[i], &t->types[i],
                                       &t->cut[i], err);
    if (!status && !t->ids[i].n)
        status = fail(err, HEARTH_E_ARG, "text %zu is empty, and the tokenizer puts nothing around it", i + 1);
    return status;
}

static int check_types(const struct model *m, struct ids *types)
{
    for (size_t i = 0; i < types->n; i++)
        if (types->id[i] < 0 || types->id[i] >= m->arch.n_type) types->id[i] = 0; /* models that know one kind, or none */
    return 0;
}

static int read_texts(struct texts *t, hearth_model *m, const hearth_text *texts, struct str prefix, int32_t *longest,
                      int64_t *all, struct hearth_error *err)
{
    const struct tokenizer *tokenizer;
    struct buf joined;
    int status = model_tokenizer(m, &tokenizer, err);
    buf_init(&joined, (size_t)1 << 30);
    for (size_t i = 0; i < t->n && !status; i++) {
        status = read_text(t, tokenizer, &texts[i], prefix, i, &joined, err);
        if (!status && t->ids[i].n > 1 << 24) status = fail(err, HEARTH_E_CONTEXT, "text %zu has %zu tokens", i + 1, t->ids[i].n);
        if (!status) status = check_ids(&m->m->arch, t->ids[i].id, t->ids[i].n, err);
        if (status) break;
        check_types(m->m, &t->types[i]);
        if ((int32_t)t->ids[i].n > *longest) *longest = (int32_t)t->ids[i].n;
        *all += (int64_t)t->ids[i].n;
    }
    buf_free(&joined);
    return status;
}

int texts_open(struct texts *t, hearth_model *m, const hearth_text *texts, size_t n, struct str prefix, int32_t most,
               struct hearth_error *err)
{
    const int32_t limit = session_hard_limit(m->m), said = model_max_tokens(m->m);
    int32_t longest = 1;
    int64_t all = 0;
    *t = (struct texts){ .n = n, .most = most ? most : said };
    if (m->m->arch.task == HEARTH_TASK_ENCODER_DECODER)
        return fail(err, HEARTH_E_UNSUPPORTED, "a %s model turns texts into texts: use `run` for it", m->m->family->name);
    if (!n || n > 1 << 24) return fail(err, HEARTH_E_ARG, "%zu texts were given; from 1 to %d are possible", n, 1 << 24);
    if (most < 0 || (limit && most > limit))
        return fail(err, HEARTH_E_ARG, "texts of %d tokens were asked for, but the model has positions for %d", most, limit);
    t->ids = mem_array(n, sizeof *t->ids);
    t->types = mem_array(n, sizeof *t->types);
    t->cut = mem_array(n, sizeof *t->cut);
    int status = t->ids && t->types && t->cut ? 0 : fail_memory(err, n * sizeof *t->ids, "texts");
    if (!status) status = read_texts(t, m, texts, prefix, &longest, &all, err);
    const int64_t rows = all < STEP_ROWS ? all : longest > STEP_ROWS ? longest : STEP_ROWS;
    const hearth_session_options o = {
        .size = sizeof o, .sequences = n < STEP_TEXTS ? (int32_t)n : STEP_TEXTS, .context = longest, .chunk = (int32_t)rows
    };
    if (!status) status = session_new(&t->session, m, &o, false, err);
    if (status) texts_free(t);
    return status;
}

void texts_free(struct texts *t)
{
    for (size_t i = 0; t->ids && t->types && i < t->n; i++) {
        ids_free(&t->ids[i]);
        ids_free(&t->types[i]);
    }
    mem_free(t->ids);
    mem_free(t->types);
    mem_free(t->cut);
    hearth_session_free(t->session);
    *t = (struct texts){ 0 };
}

/* ---- steps */

struct run {
    struct texts *t;
    texts_pick *pick;
    void *user;
    struct part part[STEP_TEXTS];
    int32_t *rows; /* of the step's texts, one after another */
    int32_t n_rows;
    struct encoded out;
};

/* Texts from `from` on that fit one step; returns how many. */
static int gather_texts(struct run *r, size_t from)
{
    const struct texts *t = r->t;
    int n = 0;
    int32_t total = 0, at = 0;
    while (n < t->session->n_seq && from + (size_t)n < t->n) {
        const struct ids *ids = &t->ids[from + (size_t)n];
        if (n && total + (int32_t)ids->n > t->session->chunk) break;
        struct part *p = &r->part[n];
        *p = (struct part){ .seq = n,
                            .ids = ids->id,
                            .n = (int32_t)ids->n,
                            .types = t->types[from + (size_t)n].id,
                            .rope_length = (int32_t)ids->n,
                            .want = (int32_t)ids->n };
        if (r->pick) {
            p->rows = r->rows + at;
            p->n_rows = r->pick(r->user, ids, r->rows + at);
            at += p->n_rows;
        }
        total += p->n;
        n++;
    }
    return n;
}

int texts_run(struct texts *t, bool states, texts_pick *pick, texts_take *take, void *user, const volatile int *cancel,
              struct hearth_error *err)
{
    struct run r = { .t = t, .pick = pick, .user = user };
    const bool whole = !states && head_is_whole(t->session->model->m->arch.head);
    int status = 0;
    r.rows = mem_array((uint64_t)t->session->max_rows, sizeof *r.rows);
    if (!r.rows) return fail_memory(err, (uint64_t)t->session->max_rows * sizeof *r.rows, "rows");
    for (size_t from = 0; from < t->n && !status;) {
        const int n = gather_texts(&r, from);
        int64_t at = 0;
        status = session_read(t->session, r.part, n, states, !states, &r.out, cancel, err);
        const float *values = states ? r.out.states : r.out.logits;
        for (int i = 0; i < n && !status; i++) {
            const int64_t rows = states || (!whole && !pick) ? r.part[i].n : whole ? 1 : r.part[i].n_rows;
            status = take(user, from + (size_t)i, values + at * r.out.columns, rows, r.out.columns, err);
            at += rows;
        }
        from += (size_t)n;
    }
    encoded_free(&r.out);
    mem_free(r.rows);
    return status;
}
