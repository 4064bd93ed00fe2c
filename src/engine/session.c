/* Sessions: making one, reserving all it will need, and letting it go. */
#include "engine/session.h"

#define DEFAULT_CONTEXT 2048 /* of models without a length of their own */
#define DEFAULT_CHUNK   256
#define MIN_CHUNK       16
#define MAX_CONTEXT     (1 << 26)
#define STEP_BYTES      (16 << 20) /* of activations that a step should stay within, when the caller does not choose the chunk */

int32_t session_hard_limit(const struct model *m)
{
    return m->arch.position == POSITION_LEARNED || m->arch.context_is_limit ? m->arch.context : 0;
}

int check_ids(const struct arch *a, const int32_t *ids, size_t n, struct hearth_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= a->n_vocab)
            return fail(err, HEARTH_E_ARG, "token id %d (number %zu) is outside the model's vocabulary of %d", ids[i], i, a->n_vocab);
    return 0;
}

static int choose_lengths(struct hearth_session *s, const hearth_session_options *o, struct hearth_error *err)
{
    const struct model *m = s->model->m;
    const int32_t limit = session_hard_limit(m);
    s->n_seq = o->sequences ? o->sequences : 1;
    s->context = o->context ? o->context : m->arch.context ? m->arch.context : DEFAULT_CONTEXT;
    s->chunk = o->chunk ? o->chunk : DEFAULT_CHUNK;
    if (s->n_seq < 1 || s->n_seq > 1024) return fail(err, HEARTH_E_ARG, "%d sequences: from 1 to 1024 can be served", s->n_seq);
    if (s->chunk < 1 || s->chunk > 1 << 20) return fail(err, HEARTH_E_ARG, "a chunk of %d tokens makes no sense", s->chunk);
    if (s->context < 1 || s->context > MAX_CONTEXT) return fail(err, HEARTH_E_ARG, "a context of %d tokens: from 1 to %d is possible", s->context, MAX_CONTEXT);
    if (limit && s->context > limit)
        return fail(err, HEARTH_E_CONTEXT, "a context of %d tokens was asked for, but the model has positions for %d", s->context, limit);
    if (s->chunk > (int64_t)s->context * s->n_seq) s->chunk = s->context * s->n_seq;
    /* An encoder takes the whole source in one step. */
    const int32_t prompt = m->arch.n_encoder_layer && s->context > s->chunk ? s->context : s->chunk;
    s->max_rows = prompt + s->n_seq;
    return 0;
}

static int make_sequences(struct hearth_session *s, struct hearth_error *err)
{
    s->seq = mem_array((uint64_t)s->n_seq, sizeof *s->seq);
    if (!s->seq) return fail_memory(err, (uint64_t)s->n_seq * sizeof *s->seq, "sequences");
    for (int i = 0; i < s->n_seq; i++) {
        s->seq[i].ids = mem_array((uint64_t)s->context, sizeof(int32_t));
        if (!s->seq[i].ids) return fail_memory(err, (uint64_t)s->context * sizeof(int32_t), "a sequence");
    }
    return 0;
}

static struct tensor input_tensor(const char *name, enum dtype type, void *data)
{
    return (struct tensor){ .name = name, .type = type, .data = data, .index = -1, .producer = -1, .last_use = -1 };
}

static const char *const frequency_names[MODEL_ROPES] = { "frequencies", "local_frequencies", "encoder_frequencies" };

static uint64_t rope_half(const struct model *m, int i) { return m->rope[i] ? (uint64_t)m->rope[i]->part / 2 : 0; }

/* Backend memory for the step's inputs, one after another. */
static int make_inputs(struct hearth_session *s, struct hearth_error *err)
{
    const uint64_t rows = ((uint64_t)s->max_rows * sizeof(int32_t) + 63) / 64 * 64;
    const struct arch *a = &s->model->m->arch;
    uint64_t half = 1; /* frequencies of a text, for all ropes */
    for (int i = 0; i < MODEL_ROPES; i++) half += rope_half(s->model->m, i);
    s->inputs_bytes = 5 * rows + (uint64_t)s->n_seq * half * sizeof(float);
    s->inputs = s->model->backend->alloc(s->model->backend, s->inputs_bytes);
    s->host = mem_array(5 * (uint64_t)s->max_rows, sizeof *s->host);
    s->row_seq = mem_array((uint64_t)s->max_rows, sizeof *s->row_seq);
    s->ragged_seq = mem_array((uint64_t)s->n_seq, sizeof *s->ragged_seq);
    s->frequencies = mem_array((uint64_t)s->n_seq * half, sizeof *s->frequencies);
    s->logits_room = a->n_layer ? (int64_t)s->n_seq * a->n_vocab : 1;
    s->logits = mem_array((uint64_t)s->logits_room, sizeof *s->logits);
    if (!s->inputs || !s->host || !s->row_seq || !s->ragged_seq || !s->frequencies || !s->logits)
        return fail_memory(err, s->inputs_bytes, "the inputs of a step");
    s->ids = input_tensor("ids", DTYPE_I32, s->inputs);
    s->positions = input_tensor("positions", DTYPE_I32, s->inputs + rows);
    s->set = input_tensor("frequency_set", DTYPE_I32, s->inputs + 2 * rows);
    s->want = input_tensor("want", DTYPE_I32, s->inputs + 3 * rows);
    s->types = input_tensor("types", DTYPE_I32, s->inputs + 4 * rows);
    char *at = s->inputs + 5 * rows;
    for (int i = 0; i < MODEL_ROPES; i++) {
        s->freq[i] = input_tensor(frequency_names[i], DTYPE_F32, at);
        at += (uint64_t)s->n_seq * rope_half(s->model->m, i) * sizeof(float);
    }
    s->ragged.seq = s->ragged_seq;
    s->ragged.row_seq = s->row_seq;
    s->ragged.group = cache_groups(s->cache);
    s->ragged.n_group = s->model->m->n_group;
    return 0;
}

/* Inputs as a step of n rows would have them, with whatever values. */
static struct step describe_step(struct hearth_session *s, int64_t n, int64_t want)
{
    const struct arch *a = &s->model->m->arch;
    struct step in = { .ids = &s->ids, .want = &s->want };
    tensor_shape(&s->ids, DTYPE_I32, 1, &n);
    tensor_shape(&s->positions, DTYPE_I32, 1, &n);
    tensor_shape(&s->set, DTYPE_I32, 1, &n);
    tensor_shape(&s->types, DTYPE_I32, 1, &n);
    tensor_shape(&s->want, DTYPE_I32, 1, &want);
    if (arch_has_positions(a)) in.positions = &s->positions;
    if (a->n_type) in.types = &s->types;
    if (a->position == POSITION_ROTARY) {
        in.set = &s->set;
        for (int i = 0; i < MODEL_ROPES; i++) {
            if (!s->model->m->rope[i]) continue;
            tensor_shape(&s->freq[i], DTYPE_F32, 2, (int64_t[]){ s->n_seq, (int64_t)rope_half(s->model->m, i) });
            in.frequencies[i] = &s->freq[i];
        }
    }
    return in;
}

struct tensor *session_record(struct hearth_session *s, int64_t n, int64_t want)
{
    struct step in = describe_step(s, n, want);
    tape_begin(s->tape, &s->ragged);
    s->ragged.n_seq = 0;
    return decoder_record(s->tape, s->model->m, &in);
}

struct tensor *session_record_source(struct hearth_session *s, int64_t n)
{
    struct step in = describe_step(s, n, 1);
    if (!head_is_whole(s->model->m->arch.head)) in.want = NULL;
    tape_begin(s->tape, &s->ragged);
    return encoder_record(s->tape, s->model->m, &in);
}

/* Plans the largest step without running it, so that later steps find their memory. */
static int reserve_step(struct hearth_session *s, struct hearth_error *err)
{
    if (!s->model->m->arch.n_layer) return 0; /* encoders: texts of any length in one step, planned when they come */
    struct tensor *keep = session_record(s, s->chunk + s->n_seq - 1, s->n_seq);
    pthread_mutex_lock(&s->model->turn);
    int status = tape_plan(s->tape, &keep, 1, err);
    pthread_mutex_unlock(&s->model->turn);
    return status;
}

/* Wide models take shorter chunks: the memory of a step grows with its rows. */
static void shorten_chunk(struct hearth_session *s)
{
    if (s->tape->planned_bytes <= STEP_BYTES || !s->model->m->arch.n_layer) return;
    const int64_t fits = s->chunk * (int64_t)STEP_BYTES / s->tape->planned_bytes;
    s->chunk = fits > MIN_CHUNK ? (int32_t)fits : s->chunk < MIN_CHUNK ? s->chunk : MIN_CHUNK;
}

int session_new(hearth_session **out, hearth_model *model, const hearth_session_options *options, bool run_now, struct hearth_error *err)
{
    hearth_session_options o = { .size = sizeof o };
    if (options) memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if (model->m->arch.patch) return fail(err, HEARTH_E_UNSUPPORTED, "a %s model reads pictures, which is not there yet", model->m->family->name);
    struct hearth_session *s = mem_array(1, sizeof *s);
    if (!s) return fail_memory(err, sizeof *s, "the session");
    s->model = model;
    const enum dtype type = o.cache == HEARTH_CACHE_F32 || (o.cache == HEARTH_CACHE_AUTO && model->arith == HEARTH_ARITH_F32) ? DTYPE_F32 : DTYPE_F16;
    int status = choose_lengths(s, &o, err);
    if (!status) status = cache_new(&s->cache, model->m, s->n_seq, s->context, s->chunk, type, err);
    if (!status) status = tape_new(&s->tape, model->backend, run_now, err);
    if (!status) status = make_sequences(s, err);
    if (!status) status = make_inputs(s, err);
    if (!status && !run_now) status = reserve_step(s, err);
    if (!status && !o.chunk) shorten_chunk(s);
    if (status) {
        hearth_session_free(s);
        return status;
    }
    *out = s;
    return 0;
}

int hearth_session_new(hearth_session **out, hearth_model *m, const hearth_session_options *options, hearth_error *err)
{
    if (m->m->arch.task == HEARTH_TASK_ENCODER)
        return fail(err, HEARTH_E_UNSUPPORTED, "a %s model writes no text: it gives embeddings, labels or missing words", m->m->family->name);
    return session_new(out, m, options, false, err);
}

void hearth_session_free(hearth_session *s)
{
    if (!s) return;
    for (int i = 0; s->seq && i < s->n_seq; i++) mem_free(s->seq[i].ids);
    if (s->inputs) s->model->backend->release(s->model->backend, s->inputs, s->inputs_bytes);
    cache_free(s->cache);
    tape_free(s->tape);
    mem_free(s->seq);
    mem_free(s->host);
    mem_free(s->row_seq);
    mem_free(s->ragged_seq);
    mem_free(s->frequencies);
    mem_free(s->logits);
    mem_free(s);
}

void hearth_session_progress(hearth_session *s, hearth_progress *progress, void *user)
{
    s->progress = progress;
    s->progress_user = user;
}

int32_t hearth_session_context(const hearth_session *s) { return s->context; }
