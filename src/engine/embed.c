/* hearth_embed: texts to vectors. */
#include "engine/sentence.h"
#include "engine/texts.h"

#include <stdio.h>

struct embed {
    const struct sentence *how;
    hearth_embeddings *out;
    float *vector; /* room for the parts and the largest dense layer */
    int32_t skip;  /* tokens of the prompt */
};

/* The prompt of this name, or the folder's default one. */
static int find_prompt(const struct model *m, const hearth_embed_options *o, struct str *out, struct hearth_error *err)
{
    char key[300];
    const struct kv *name = container_kv(m->file, "sentence.default_prompt_name");
    *out = STR("");
    if (o->prefix) {
        *out = str_from(o->prefix);
        return 0;
    }
    if (o->prompt_name)
        snprintf(key, sizeof key, "sentence.prompts.%s", o->prompt_name);
    else if (name && name->type == KV_STRING && name->s.n < 200)
        snprintf(key, sizeof key, "sentence.prompts.%.*s", STR_ARG(name->s));
    else
        return 0;
    const struct kv *prompt = container_kv(m->file, key);
    if (!prompt || prompt->type != KV_STRING)
        return fail(err, HEARTH_E_ARG, "the model's folder has no prompt \"%s\" (config_sentence_transformers.json)",
                    key + sizeof "sentence.prompts." - 1);
    *out = prompt->s;
    return 0;
}

/* What the caller asks for beats what the folder says. */
static int choose_way(struct sentence *s, const struct model *m, const hearth_embed_options *o, struct hearth_error *err)
{
    if (o->pooling < HEARTH_POOLING_AUTO || o->pooling > HEARTH_POOLING_LAST)
        return fail(err, HEARTH_E_ARG, "there is no pooling %d", (int)o->pooling);
    if (o->pooling) {
        s->pooling[0] = o->pooling;
        s->n_pooling = 1;
    } else if (!s->n_pooling) {
        s->pooling[s->n_pooling++] = m->arch.n_layer ? HEARTH_POOLING_LAST : HEARTH_POOLING_MEAN;
    }
    if (o->normalize) s->normalize = o->normalize > 0;
    return 0;
}

/* Tokens that a prompt alone takes, without the one that ends a text. */
static int prompt_tokens(hearth_model *m, struct str prompt, int32_t *out, struct hearth_error *err)
{
    const struct tokenizer *t;
    struct ids all = { 0 }, bare = { 0 };
    int status = model_tokenizer(m, &t, err);
    if (!status) status = tokenizer_encode(t, prompt, true, &all, err);
    if (!status) status = tokenizer_encode(t, prompt, false, &bare, err);
    if (!status) *out = (int32_t)all.n - (all.n > bare.n && bare.n && all.id[all.n - 1] != bare.id[bare.n - 1] ? 1 : 0);
    ids_free(&all);
    ids_free(&bare);
    return status;
}

static int take_states(void *user, size_t text, const float *rows, int64_t n_rows, int64_t columns, struct hearth_error *err)
{
    struct embed *e = user;
    (void)err;
    sentence_pool(e->how, rows, (int32_t)n_rows, (int32_t)columns, e->skip, e->vector);
    memcpy(e->out->values + text * (size_t)e->out->width, e->vector, (size_t)e->out->width * sizeof(float));
    return 0;
}

static int make_room(struct embed *e, const struct sentence *s, int32_t width, size_t n, struct hearth_error *err)
{
    uint64_t room = (uint64_t)width * (uint64_t)s->n_pooling, bytes;
    for (int i = 0; i < s->n_dense; i++)
        if ((uint64_t)s->dense[i].in + (uint64_t)s->dense[i].out > room)
            room = (uint64_t)s->dense[i].in + (uint64_t)s->dense[i].out;
    if (!size_mul(n, (uint64_t)e->out->width, &bytes)) return fail(err, HEARTH_E_MEMORY, "so many vectors do not fit memory");
    e->vector = mem_array(room, sizeof *e->vector);
    e->out->values = mem_array(bytes, sizeof *e->out->values);
    e->out->n_tokens = mem_array(n, sizeof *e->out->n_tokens);
    e->out->n_cut = mem_array(n, sizeof *e->out->n_cut);
    return e->vector && e->out->values && e->out->n_tokens && e->out->n_cut
               ? 0
               : fail_memory(err, bytes * sizeof(float), "the vectors");
}

int hearth_embed(hearth_model *m, const hearth_text *texts, size_t n, const hearth_embed_options *options, hearth_embeddings *out,
                 hearth_error *err)
{
    hearth_embed_options o = { .size = sizeof o };
    struct sentence s = { 0 };
    struct texts t = { 0 };
    struct str prompt;
    struct embed e = { .how = &s, .out = out };
    if (options) memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    *out = (hearth_embeddings){ .size = sizeof *out, .n = n };
    if (m->m->arch.patch)
        return fail(err, HEARTH_E_UNSUPPORTED, "a %s model reads pictures, which is not there yet", m->m->family->name);
    int status = find_prompt(m->m, &o, &prompt, err);
    if (!status) status = sentence_open(&s, m->m, err);
    if (status) return status;
    status = choose_way(&s, m->m, &o, err);
    if (!status) status = sentence_width(&s, m->m->arch.width, &out->width, err);
    if (!status && s.skip_prompt && prompt.n) status = prompt_tokens(m, prompt, &e.skip, err);
    if (!status) status = texts_open(&t, m, texts, n, prompt, o.max_tokens ? o.max_tokens : s.max_tokens, err);
    if (!status) status = make_room(&e, &s, m->m->arch.width, n, err);
    for (size_t i = 0; i < n && !status; i++) {
        out->n_tokens[i] = (int32_t)t.ids[i].n;
        out->n_cut[i] = (int32_t)t.cut[i];
    }
    if (!status) status = texts_run(&t, true, NULL, take_states, &e, o.cancel, err);
    texts_free(&t);
    sentence_free(&s);
    mem_free(e.vector);
    if (status) hearth_embeddings_free(out);
    return status;
}

void hearth_embeddings_free(hearth_embeddings *e)
{
    if (!e) return;
    mem_free(e->values);
    mem_free(e->n_tokens);
    mem_free(e->n_cut);
    *e = (hearth_embeddings){ .size = e->size };
}
