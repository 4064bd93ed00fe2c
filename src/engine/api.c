/* The public objects: models and tokenizers. */
#include "backends/cpu/cpu_backend.h"
#include "engine/session.h"
#include "text/infill.h"

int hearth_model_open(hearth_model **out, const char *path, const hearth_model_options *options, hearth_error *err)
{
    hearth_model_options o = { .size = sizeof o };
    if (options) memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    if (o.threads < 0 || o.threads > 1024) return fail(err, HEARTH_E_ARG, "%d threads: from 1 to 1024 are possible, 0 means one per core", o.threads);
    struct hearth_model *m = mem_array(1, sizeof *m);
    if (!m) return fail_memory(err, sizeof *m, "the model");
    m->arith = o.arith;
    pthread_mutex_init(&m->turn, NULL);
    pthread_mutex_init(&m->lock, NULL);
    int status = cpu_backend_new(&m->backend, &(struct cpu_options){ .threads = o.threads, .arith = o.arith, .cpu_mask = o.cpu_mask }, err);
    if (!status) status = model_open(&m->m, path, m->backend, err);
    if (status) {
        hearth_model_close(m);
        return status;
    }
    *out = m;
    return 0;
}

void hearth_model_close(hearth_model *m)
{
    if (!m) return;
    tokenizer_close(m->tokenizer);
    model_close(m->m);
    cpu_backend_free(m->backend);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->turn);
    mem_free(m);
}

/* A model without a tokenizer still computes; the sentence is kept for those who ask for text. What failed for want of memory
 * is tried again. */
int model_tokenizer(struct hearth_model *m, const struct tokenizer **out, struct hearth_error *err)
{
    pthread_mutex_lock(&m->lock);
    if (!m->looked) m->looked = tokenizer_open_model(&m->tokenizer, m->m->file, &m->no_tokenizer) != HEARTH_E_MEMORY;
    *out = m->tokenizer;
    const int status = *out ? 0 : fail(err, m->no_tokenizer.status, "%s", m->no_tokenizer.text);
    pthread_mutex_unlock(&m->lock);
    return status;
}

void hearth_model_info_get(const hearth_model *model, hearth_model_info *info)
{
    const struct model *m = model->m;
    const hearth_model_info full = {
        .size = info->size, .family = m->family->name, .task = m->arch.task, .parameters = m->parameters, .bytes = m->bytes,
        .layers = m->arch.n_layer ? m->arch.n_layer : m->arch.n_encoder_layer, .width = m->arch.width, .vocab = m->arch.n_vocab, .context = m->arch.context,
        .bos = m->arch.bos, .eos = m->arch.eos, .start = m->arch.start,
    };
    memcpy(info, &full, info->size < sizeof full ? info->size : sizeof full);
}

int hearth_model_tokenizer(hearth_model *m, const hearth_tokenizer **out, hearth_error *err)
{
    return model_tokenizer(m, (const struct tokenizer **)(void *)out, err);
}

int hearth_tokenizer_open(hearth_tokenizer **out, const char *path, hearth_error *err)
{
    return tokenizer_open_file((struct tokenizer **)(void *)out, path, err);
}

void hearth_tokenizer_close(hearth_tokenizer *t) { tokenizer_close((struct tokenizer *)(void *)t); }

int hearth_encode(const hearth_tokenizer *t, const char *text, size_t n_bytes, int special, int32_t **ids, size_t *n, hearth_error *err)
{
    return hearth_encode_long(t, text, n_bytes, special, NULL, ids, n, err);
}

int hearth_encode_long(const hearth_tokenizer *t, const char *text, size_t n_bytes, int special, const volatile int *cancel, int32_t **ids,
                       size_t *n, hearth_error *err)
{
    struct ids v = { 0 };
    struct text_watch watch = { .cancel = cancel };
    int status = tokenizer_encode_watched(tokenizer_of(t), (struct str){ text, n_bytes }, special != 0, &watch, &v, err);
    if (!status && !v.id) { /* an empty text: still a block to free */
        v.id = mem_array(1, sizeof *v.id);
        if (!v.id) status = fail_memory(err, sizeof *v.id, "token ids");
    }
    if (status) {
        ids_free(&v);
        return status;
    }
    *ids = v.id;
    *n = v.n;
    return 0;
}

int hearth_encode_infill(const hearth_tokenizer *t, const char *prefix, size_t n_prefix, const char *suffix, size_t n_suffix, hearth_infill *out,
                         hearth_error *err)
{
    struct infill in;
    *out = (hearth_infill){ 0 };
    int status = tokenizer_infill(tokenizer_of(t), (struct str){ prefix, n_prefix }, (struct str){ suffix, n_suffix }, &in, err);
    if (status) return status;
    out->ids = in.ids.id;
    out->n_ids = in.ids.n;
    out->n_ends = (size_t)in.n_ends;
    memcpy(out->ends, in.ends, sizeof in.ends);
    return 0;
}

int hearth_decode(const hearth_tokenizer *t, const int32_t *ids, size_t n, char **text, size_t *n_bytes, hearth_error *err)
{
    return hearth_decode_long(t, ids, n, NULL, text, n_bytes, err);
}

int hearth_decode_long(const hearth_tokenizer *t, const int32_t *ids, size_t n, const volatile int *cancel, char **text, size_t *n_bytes,
                       hearth_error *err)
{
    struct text_watch watch = { .cancel = cancel };
    struct buf b;
    struct tokenizer_info info;
    tokenizer_info(tokenizer_of(t), &info);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= info.n_vocab)
            return fail(err, HEARTH_E_ARG, "token id %d (number %zu) is outside the tokenizer's vocabulary of %d", ids[i], i, info.n_vocab);
    buf_init(&b, (size_t)1 << 31);
    int status = tokenizer_decode_text(tokenizer_of(t), ids, n, true, &watch, &b, err);
    buf_puts(&b, ""); /* ends in 0, also when there is no text */
    if (!status && (b.failed || !b.p)) status = fail_memory(err, b.n, "the text");
    if (status) {
        buf_free(&b);
        return status;
    }
    *text = b.p;
    *n_bytes = b.n;
    return 0;
}
