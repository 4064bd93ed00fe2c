/* One step: gathers rows of several sequences into a ragged batch, gives them pages, records, plans, runs, reads logits. */
#include "engine/session.h"
#include "model/rope.h"

/* Rows a step asks logits of. */
static int32_t count_want(const struct part *parts, int n_parts)
{
    int32_t n = 0;
    for (int i = 0; i < n_parts; i++) n += parts[i].want;
    return n;
}

/* Tokens that are not padding. */
static int32_t count_tokens(const struct sequence *q, int32_t pad)
{
    int32_t n = 0;
    for (int32_t i = 0; i < q->n; i++) n += q->ids[i] != pad;
    return n;
}

/* Rows of a part that results are asked of, into wanted: the last ones; of encoders those named, all, or the first. */
static int32_t gather_wanted(const struct hearth_session *s, const struct part *p, int32_t first, int32_t *wanted)
{
    const struct arch *a = &s->model->m->arch;
    int32_t n = 0;
    if (a->n_layer) {
        for (int32_t j = p->n - p->want; j < p->n; j++) wanted[n++] = first + j;
        return n;
    }
    if (p->rows) {
        for (int32_t j = 0; j < p->n_rows; j++) wanted[n++] = first + p->rows[j];
        return n;
    }
    for (int32_t j = 0; j < (head_is_whole(a->head) ? 1 : p->n); j++) wanted[n++] = first + j;
    return n;
}

/* Fills the ragged table; rows of part i follow those of part i - 1. */
static int32_t gather_rows(struct hearth_session *s, const struct part *parts, int n_parts)
{
    const struct arch *a = &s->model->m->arch;
    int32_t row = 0, want = 0;
    int32_t *ids = s->host, *positions = ids + s->max_rows, *set = positions + s->max_rows, *wanted = set + s->max_rows, *types = wanted + s->max_rows;
    for (int i = 0; i < n_parts; i++) {
        const struct part *p = &parts[i];
        struct ragged_seq *r = &s->ragged_seq[i];
        *r = (struct ragged_seq){ .first = row, .rows = p->n, .position = s->seq[p->seq].n, .source = s->seq[p->seq].n_source };
        int32_t counted = a->pad_positions ? count_tokens(&s->seq[p->seq], a->pad) : 0;
        cache_describe(s->cache, p->seq, r);
        want += gather_wanted(s, p, row, wanted + want);
        for (int32_t j = 0; j < p->n; j++, row++) {
            ids[row] = p->ids[j];
            positions[row] = a->pad_positions ? (p->ids[j] == a->pad ? a->pad : a->pad + ++counted) : r->position + j;
            set[row] = i;
            s->row_seq[row] = i;
            types[row] = p->types ? p->types[j] : 0;
        }
    }
    s->ragged.n_seq = n_parts;
    s->ragged.n_rows = row;
    s->n_want = want;
    return row;
}

static void put_input(struct hearth_session *s, struct tensor *t, int rank, const int64_t *dim, const void *values)
{
    tensor_shape(t, t->type, rank, dim);
    s->model->backend->write(s->model->backend, t->data, values, (uint64_t)tensor_bytes(t));
}

static void put_inputs(struct hearth_session *s, struct step *in, const struct part *parts, int n_parts, int32_t rows, int32_t want)
{
    const struct arch *a = &s->model->m->arch;
    const struct rope *const *ropes = s->model->m->rope;
    const int64_t n = rows, m = want;
    put_input(s, &s->ids, 1, &n, s->host);
    in->ids = &s->ids;
    if (arch_has_positions(a)) {
        put_input(s, &s->positions, 1, &n, s->host + s->max_rows);
        in->positions = &s->positions;
    }
    if (a->n_type) {
        put_input(s, &s->types, 1, &n, s->host + 4 * s->max_rows);
        in->types = &s->types;
    }
    if (a->position == POSITION_ROTARY) {
        put_input(s, &s->set, 1, &n, s->host + 2 * s->max_rows);
        in->set = &s->set;
        for (int k = 0; k < MODEL_ROPES; k++) {
            if (!ropes[k]) continue;
            const int64_t half = ropes[k]->part / 2;
            for (int i = 0; i < n_parts; i++) rope_frequencies(ropes[k], a, parts[i].rope_length, s->frequencies + i * half);
            put_input(s, &s->freq[k], 2, (int64_t[]){ n_parts, half }, s->frequencies);
            in->frequencies[k] = &s->freq[k];
        }
    }
    if (want < rows || !a->n_layer) {
        put_input(s, &s->want, 1, &m, s->host + 3 * s->max_rows);
        in->want = &s->want;
    }
}

static int read_logits(struct hearth_session *s, const struct tensor *logits, struct hearth_error *err)
{
    const int64_t n = tensor_count(logits);
    if (n > s->logits_room) {
        float *p = mem_resize(s->logits, (uint64_t)n, sizeof *p);
        if (!p) return fail_memory(err, (uint64_t)n * sizeof *p, "the logits");
        s->logits = p;
        s->logits_room = n;
    }
    s->model->backend->read(s->model->backend, s->logits, logits->data, (uint64_t)n * sizeof *s->logits);
    return 0;
}

/* Takes back what a failed step may have written: whole sequences when states cannot be rewound. */
static void undo_step(struct hearth_session *s, const struct part *parts, int n_parts)
{
    for (int i = 0; i < n_parts; i++) {
        const int32_t n = s->seq[parts[i].seq].n;
        session_trim(s, parts[i].seq, s->model->m->state_group >= 0 ? 0 : n);
    }
}

/* Inputs, tape, run, logits: what needs the backend. */
static int compute_step(struct hearth_session *s, const struct part *parts, int n_parts, const volatile int *cancel, struct hearth_error *err)
{
    struct step in = { 0 };
    const int32_t want = count_want(parts, n_parts), rows = gather_rows(s, parts, n_parts);
    /* A step without logits still needs one row at the end: its cache writes are what counts. */
    if (!want) s->host[3 * s->max_rows] = rows - 1;
    put_inputs(s, &in, parts, n_parts, rows, want ? want : 1);
    tape_begin(s->tape, &s->ragged);
    struct tensor *logits = decoder_record(s->tape, s->model->m, &in);
    int status = tape_plan(s->tape, &logits, 1, err);
    if (!status) status = tape_run(s->tape, cancel, err);
    if (!status && want) status = read_logits(s, logits, err);
    return status;
}

int session_step(struct hearth_session *s, const struct part *parts, int n_parts, const volatile int *cancel, struct hearth_error *err)
{
    int status = 0;
    int64_t rows = 0;
    for (int i = 0; i < n_parts; i++) rows += parts[i].n;
    if (n_parts < 1 || n_parts > s->n_seq || rows > s->max_rows)
        return fail(err, HEARTH_E_INTERNAL, "a step of %d parts and %lld rows, but the session was made for %d and %d", n_parts, (long long)rows, s->n_seq, s->max_rows);
    for (int i = 0; i < n_parts && !status; i++)
        status = cache_extend(s->cache, parts[i].seq, s->seq[parts[i].seq].n, s->seq[parts[i].seq].n + parts[i].n, err);
    if (status) return status;
    pthread_mutex_lock(&s->model->turn);
    status = compute_step(s, parts, n_parts, cancel, err);
    pthread_mutex_unlock(&s->model->turn);
    if (status) {
        undo_step(s, parts, n_parts);
        return status;
    }
    for (int i = 0; i < n_parts; i++) {
        struct sequence *q = &s->seq[parts[i].seq];
        memcpy(q->ids + q->n, parts[i].ids, (size_t)parts[i].n * sizeof *q->ids);
        q->n += parts[i].n;
    }
    return 0;
}

static int read_floats(struct hearth_session *s, const struct tensor *t, float **out, int64_t *room, struct hearth_error *err)
{
    const int64_t n = tensor_count(t);
    if (n > *room) {
        float *p = mem_resize(*out, (uint64_t)n, sizeof *p);
        if (!p) return fail_memory(err, (uint64_t)n * sizeof *p, "what the model computed");
        *out = p;
        *room = n;
    }
    s->model->backend->read(s->model->backend, *out, t->data, (uint64_t)n * sizeof **out);
    return 0;
}

void encoded_free(struct encoded *e)
{
    mem_free(e->states);
    mem_free(e->logits);
    *e = (struct encoded){ 0 };
}

static int compute_texts(struct hearth_session *s, const struct part *parts, int n_parts, bool states, bool logits, struct encoded *out,
                         const volatile int *cancel, struct hearth_error *err)
{
    struct step in = { .headless = !logits };
    const int32_t rows = gather_rows(s, parts, n_parts);
    put_inputs(s, &in, parts, n_parts, rows, s->n_want);
    tape_begin(s->tape, &s->ragged);
    struct tensor *last = (s->model->m->arch.n_layer ? decoder_record : encoder_record)(s->tape, s->model->m, &in), *keep[2] = { last, in.states };
    int status = tape_plan(s->tape, keep, 2, err);
    if (!status) status = tape_run(s->tape, cancel, err);
    if (!status && states) status = read_floats(s, in.states, &out->states, &out->room_states, err);
    if (!status && logits) status = read_floats(s, last, &out->logits, &out->room_logits, err);
    if (status) return status;
    out->columns = last->dim[1];
    return 0;
}

int session_read(struct hearth_session *s, const struct part *parts, int n_parts, bool states, bool logits, struct encoded *out,
                 const volatile int *cancel, struct hearth_error *err)
{
    int64_t rows = 0;
    for (int i = 0; i < n_parts; i++) rows += parts[i].n;
    if (n_parts < 1 || n_parts > s->n_seq || rows > s->max_rows || rows < n_parts)
        return fail(err, HEARTH_E_INTERNAL, "a step of %d texts and %lld rows, but the session was made for %d and %d", n_parts, (long long)rows, s->n_seq, s->max_rows);
    int status = 0;
    for (int i = 0; i < n_parts && !status && s->model->m->arch.n_layer; i++) { /* decoders begin anew */
        session_trim(s, parts[i].seq, 0);
        status = cache_extend(s->cache, parts[i].seq, 0, parts[i].n, err);
    }
    if (status) return status;
    pthread_mutex_lock(&s->model->turn);
    status = compute_texts(s, parts, n_parts, states, logits, out, cancel, err);
    pthread_mutex_unlock(&s->model->turn);
    return status;
}

static int compute_states(struct hearth_session *s, const struct part *part, float *states, const volatile int *cancel, struct hearth_error *err)
{
    struct step in = { 0 };
    gather_rows(s, part, 1);
    put_inputs(s, &in, part, 1, part->n, part->n);
    tape_begin(s->tape, &s->ragged);
    struct tensor *out = encoder_record(s->tape, s->model->m, &in);
    int status = tape_plan(s->tape, &out, 1, err);
    if (!status) status = tape_run(s->tape, cancel, err);
    if (!status && states) s->model->backend->read(s->model->backend, states, out->data, (uint64_t)tensor_bytes(out));
    return status;
}

int session_encode(struct hearth_session *s, int32_t seq, const int32_t *ids, int32_t n, float *states, const volatile int *cancel, struct hearth_error *err)
{
    const struct part part = { .seq = seq, .ids = ids, .n = n };
    session_trim(s, seq, 0);
    if (n > s->context) return fail(err, HEARTH_E_CONTEXT, "the source has %d tokens, but a sequence may hold %d", n, s->context);
    int status = cache_extend_source(s->cache, seq, n, err);
    if (status) return status;
    pthread_mutex_lock(&s->model->turn);
    status = compute_states(s, &part, states, cancel, err);
    pthread_mutex_unlock(&s->model->turn);
    if (!status) s->seq[seq].n_source = n;
    return status;
}

void session_trim(struct hearth_session *s, int32_t seq, int32_t n)
{
    cache_trim(s->cache, seq, n);
    s->seq[seq].n = n;
    if (n == 0) s->seq[seq].n_source = 0;
}
