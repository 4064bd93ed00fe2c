/* hearth_logits: logits of every position into a safetensors file, written as they are computed. */
#include <stdio.h>

#include "base/file.h"
#include "engine/session.h"
#include "hearth_inspect.h"

/* Header of the file: JSON padded with spaces to a multiple of 8, after its length. */
static int write_header(struct file_write *w, const struct model *m, size_t n_states, size_t n_rows, hearth_error *err)
{
    const uint64_t states = (uint64_t)n_states * (uint64_t)m->encoder.width * sizeof(float), logits = (uint64_t)n_rows * (uint64_t)m->arch.n_vocab * sizeof(float);
    char text[512];
    int n = snprintf(text + 8, sizeof text - 16, "{");
    if (n_states)
        n += snprintf(text + 8 + n, sizeof text - 16 - (size_t)n, "\"encoder_last_hidden_state\":{\"dtype\":\"F32\",\"shape\":[%zu,%d],\"data_offsets\":[0,%llu]},",
                      n_states, m->encoder.width, (unsigned long long)states);
    n += snprintf(text + 8 + n, sizeof text - 16 - (size_t)n, "\"logits\":{\"dtype\":\"F32\",\"shape\":[%zu,%d],\"data_offsets\":[%llu,%llu]}}", n_rows, m->arch.n_vocab,
                  (unsigned long long)states, (unsigned long long)(states + logits));
    while (n % 8) text[8 + n++] = ' ';
    const uint64_t length = (uint64_t)n;
    memcpy(text, &length, sizeof length); /* little-endian machines only, as all of the readers */
    return file_write_put(w, text, (size_t)n + 8, err);
}

static int write_encoder(struct hearth_session *s, struct file_write *w, const int32_t *ids, size_t n, const volatile int *cancel, hearth_error *err)
{
    const uint64_t count = n * (uint64_t)s->model->m->encoder.width;
    float *states = mem_array(count, sizeof *states);
    if (!states) return fail_memory(err, count * sizeof *states, "the encoder's states");
    int status = session_encode(s, 0, ids, (int32_t)n, states, cancel, err);
    if (!status) status = file_write_put(w, states, count * sizeof *states, err);
    mem_free(states);
    return status;
}

static int write_rows(struct hearth_session *s, struct file_write *w, const int32_t *ids, size_t n, const volatile int *cancel, hearth_error *err)
{
    for (size_t at = 0; at < n;) {
        struct part p = { .seq = 0, .ids = ids + at, .rope_length = (int32_t)n };
        p.n = p.want = (int32_t)(n - at < (size_t)s->chunk ? n - at : (size_t)s->chunk);
        int status = session_step(s, &p, 1, cancel, err);
        if (!status) status = file_write_put(w, s->logits, (size_t)p.n * (size_t)s->model->m->arch.n_vocab * sizeof(float), err);
        if (status) return status;
        at += (size_t)p.n;
        if (s->progress) s->progress(s->progress_user, (int64_t)at, (int64_t)n);
    }
    return 0;
}

/* Header, then what follows it: `last_hidden_state`, and `logits` of models with a head: [n, columns], or [labels] of a whole text. */
static int write_texts(struct file_write *w, const struct model *m, size_t n, const struct encoded *e, hearth_error *err)
{
    const bool has_head = m->arch.head != HEAD_NONE;
    const uint64_t states = (uint64_t)n * (uint64_t)m->arch.width * sizeof(float);
    const size_t rows = head_is_whole(m->arch.head) ? 1 : n;
    const uint64_t logits = (uint64_t)rows * (uint64_t)e->columns * sizeof(float);
    char text[512];
    int used = snprintf(text + 8, sizeof text - 16, "{\"last_hidden_state\":{\"dtype\":\"F32\",\"shape\":[%zu,%d],\"data_offsets\":[0,%llu]}", n, m->arch.width,
                        (unsigned long long)states);
    if (has_head) {
        char shape[64];
        if (head_is_whole(m->arch.head)) snprintf(shape, sizeof shape, "%lld", (long long)e->columns);
        else snprintf(shape, sizeof shape, "%zu,%lld", rows, (long long)e->columns);
        used += snprintf(text + 8 + used, sizeof text - 16 - (size_t)used, ",\"logits\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%llu,%llu]}", shape,
                         (unsigned long long)states, (unsigned long long)(states + logits));
    }
    text[8 + used++] = '}';
    while (used % 8) text[8 + used++] = ' ';
    const uint64_t length = (uint64_t)used;
    memcpy(text, &length, sizeof length);
    int status = file_write_put(w, text, (size_t)used + 8, err);
    if (!status) status = file_write_put(w, e->states, states, err);
    return status || !has_head ? status : file_write_put(w, e->logits, logits, err);
}

/* An encoder reads its text in one step. */
static int encoder_logits(hearth_model *model, const int32_t *ids, size_t n, const char *output, const volatile int *cancel, hearth_error *err)
{
    const struct model *m = model->m;
    const struct part all = { .ids = ids, .n = (int32_t)n, .rope_length = (int32_t)n };
    struct encoded e = { 0 };
    struct file_write *w = NULL;
    hearth_session *s = NULL;
    int status = check_ids(&m->encoder, ids, n, err);
    if (!status) status = session_new(&s, model, &(hearth_session_options){ .size = sizeof(hearth_session_options), .context = (int32_t)n }, false, err);
    if (!status) status = session_read(s, &all, 1, true, true, &e, cancel, err);
    if (!status) status = file_write_open(&w, output, err);
    if (!status) status = write_texts(w, m, n, &e, err);
    if (!status) {
        status = file_write_commit(w, err);
        w = NULL;
    }
    if (w) file_write_cancel(w);
    encoded_free(&e);
    hearth_session_free(s);
    return status;
}

int hearth_logits(hearth_model *model, const int32_t *ids, size_t n, const int32_t *decoder_ids, size_t n_decoder, const char *output,
                  hearth_progress *progress, void *user, const volatile int *cancel, hearth_error *err)
{
    const struct model *m = model->m;
    const bool has_encoder = m->arch.n_encoder_layer > 0;
    struct file_write *w = NULL;
    hearth_session *s = NULL;
    if (!n || n > 1 << 24) return fail(err, HEARTH_E_ARG, "%zu token ids were given; from 1 to %d are possible", n, 1 << 24);
    if (n_decoder && !has_encoder) return fail(err, HEARTH_E_ARG, "decoder ids were given, but a %s model has no encoder", m->family->name);
    if (m->arch.task == HEARTH_TASK_ENCODER) {
        if (n_decoder) return fail(err, HEARTH_E_ARG, "decoder ids were given, but a %s model has no decoder", m->family->name);
        return encoder_logits(model, ids, n, output, cancel, err);
    }
    if (has_encoder && !n_decoder) {
        if (m->arch.start < 0) return fail(err, HEARTH_E_ARG, "the model does not say its decoder's first token: give decoder ids");
        decoder_ids = &m->arch.start;
        n_decoder = 1;
    }
    const int32_t *rows = has_encoder ? decoder_ids : ids;
    const size_t n_rows = has_encoder ? n_decoder : n, context = n > n_rows ? n : n_rows;
    int status = check_ids(&m->encoder, ids, n, err);
    if (!status && has_encoder) status = check_ids(&m->arch, decoder_ids, n_decoder, err);
    if (!status) status = hearth_session_new(&s, model, &(hearth_session_options){ .size = sizeof(hearth_session_options), .context = (int32_t)context }, err);
    if (!status) hearth_session_progress(s, progress, user);
    if (!status) status = file_write_open(&w, output, err);
    if (!status) status = write_header(w, m, has_encoder ? n : 0, n_rows, err);
    if (!status && has_encoder) status = write_encoder(s, w, ids, n, cancel, err);
    if (!status) status = write_rows(s, w, rows, n_rows, cancel, err);
    if (!status) {
        status = file_write_commit(w, err);
        w = NULL;
    }
    if (w) file_write_cancel(w);
    hearth_session_free(s);
    return status;
}
