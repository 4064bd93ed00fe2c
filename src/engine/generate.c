/* hearth_generate: several requests side by side, from known prefix to finished text. */
#include "base/cpu.h"
#include "engine/session.h"
#include "engine/stop.h"
#include "model/rope.h"
#include "sample/chain.h"
#include "text/detok.h"

/* One request while it runs. */
struct job {
    hearth_request      *r;
    int32_t              index;    /* of the request, and its sequence */
    const int32_t       *prompt;   /* the decoder's: for encoder-decoders the start token */
    int32_t              n_prompt, fed; /* prompt tokens that are in the cache */
    int32_t              rope_length;
    int32_t              next;     /* token to feed; valid once the prompt is through */
    int32_t              limit;    /* tokens to generate at most */
    int32_t             *anew;     /* [context] for the whole text, should it be computed again; NULL: never */
    bool                 active;
    struct sample_chain *chain;
    struct detok         detok;
    struct stop          stop;
    bool                 has_text; /* the model has a tokenizer */
};

struct generation {
    struct hearth_session *s;
    struct job            *job;  /* [n] */
    struct part           *part; /* [n] */
    struct job           **part_job;
    size_t                 n;
    hearth_callback       *callback;
    void                  *user;
    const volatile int    *cancel; /* the first request's that has one */
    uint64_t               start;
    hearth_timing          timing;
};

/* ---- starting a job */

/* How much of the prompt the sequence already knows, and frees the rest. At least one token is left to compute. */
static int32_t reuse_prefix(struct hearth_session *s, int32_t seq, const int32_t *ids, int32_t n, int32_t rope_length)
{
    struct sequence *q = &s->seq[seq];
    const struct model *m = s->model->m;
    int32_t same = 0;
    while (same < q->n && same < n - 1 && q->ids[same] == ids[same]) same++;
    const bool one_rope = rope_class(&m->arch.rope, &m->arch, q->rope_length) == rope_class(&m->arch.rope, &m->arch, rope_length) &&
                          rope_class(&m->arch.rope, &m->arch, q->n) == rope_class(&m->arch.rope, &m->arch, rope_length);
    if (!one_rope || !cache_can_resume(s->cache, seq, q->n, same)) same = 0;
    session_trim(s, seq, same);
    q->rope_length = rope_length;
    return same;
}

/* Encoder-decoders: the request's ids are the source; the decoder begins with its start token. */
static int prepare_source(struct generation *g, struct job *j, hearth_error *err)
{
    const struct arch *a = &g->s->model->m->arch;
    j->prompt = &a->start;
    j->n_prompt = 1;
    g->timing.prompt_tokens += (int64_t)j->r->n_ids;
    return session_encode(g->s, j->index, j->r->ids, (int32_t)j->r->n_ids, NULL, g->cancel, err);
}

static int check_request(const struct hearth_session *s, const hearth_request *r, hearth_error *err)
{
    const struct model *m = s->model->m;
    if (r->size < sizeof *r) return fail(err, HEARTH_E_ARG, "a request of %zu bytes is of another version of hearth.h", r->size);
    if (!r->n_ids) return fail(err, HEARTH_E_ARG, "the prompt is empty; give at least one token");
    if (r->max_tokens < 0) return fail(err, HEARTH_E_ARG, "%d tokens cannot be generated", r->max_tokens);
    if (r->n_ids > (size_t)s->context)
        return fail(err, HEARTH_E_CONTEXT, "the prompt has %zu tokens, but the context holds %d", r->n_ids, s->context);
    if (m->arch.n_encoder_layer && m->arch.start < 0)
        return fail(err, HEARTH_E_FORMAT, "the model does not say which token its decoder starts with (decoder_start_token_id)");
    return check_ids(&m->encoder, r->ids, r->n_ids, err);
}

static int start_job(struct generation *g, struct job *j, hearth_error *err)
{
    struct hearth_session *s = g->s;
    hearth_request *r = j->r;
    j->prompt = r->ids;
    j->n_prompt = (int32_t)r->n_ids;
    int status = 0;
    if (s->model->m->arch.n_encoder_layer)
        status = prepare_source(g, j, err);
    else
        j->fed = r->n_cached = reuse_prefix(s, j->index, j->prompt, j->n_prompt, j->n_prompt);
    if (status) return status;
    j->rope_length = j->n_prompt;
    r->n_prompt = (int32_t)r->n_ids;
    /* the last token need not be fed, so one more fits than positions are left */
    j->limit = s->context - j->n_prompt + 1;
    if (r->max_tokens && r->max_tokens < j->limit) j->limit = r->max_tokens;
    r->finish = HEARTH_FINISH_LENGTH;
    r->n_generated = 0;
    r->generated = mem_array((uint64_t)j->limit, sizeof *r->generated);
    if (!r->generated) return fail_memory(err, (uint64_t)j->limit * sizeof *r->generated, "the generated tokens");
    const struct arch *a = &s->model->m->arch;
    if (a->rope_anew && rope_class(&a->rope, a, s->context) != rope_class(&a->rope, a, j->n_prompt)) {
        j->anew = mem_array((uint64_t)s->context, sizeof *j->anew);
        if (!j->anew) return fail_memory(err, (uint64_t)s->context * sizeof *j->anew, "the text");
    }
    status = sample_chain_new(&j->chain, r->sampling, s->model->m->arch.n_vocab, err);
    if (status) return status;
    sample_chain_seed(j->chain, r->seed);
    for (int32_t i = 0; i < j->n_prompt; i++) sample_chain_accept(j->chain, j->prompt[i]);
    const struct tokenizer *tokenizer = NULL;
    if (g->callback || r->n_stop) { /* else nobody reads text */
        struct hearth_error why = { 0 };
        status = model_tokenizer(s->model, &tokenizer, &why);
        if (status == HEARTH_E_MEMORY) return fail(err, status, "%s", why.text);
        if (status && r->n_stop) return fail(err, HEARTH_E_ARG, "stop strings need a tokenizer, and %s", why.text);
    }
    if (tokenizer) {
        const int32_t last = j->prompt[j->n_prompt - 1]; /* after a bare start of text a leading space is only the tokenizer's */
        status = detok_init(&j->detok, tokenizer, last != s->model->m->arch.bos && last != s->model->m->arch.start, false, err);
        if (status) return status;
        j->has_text = true;
    }
    status = stop_init(&j->stop, r->stop, r->n_stop, err);
    j->active = true;
    return status;
}

static void end_job(struct job *j)
{
    sample_chain_free(j->chain);
    mem_free(j->anew);
    if (j->has_text) detok_free(&j->detok);
    stop_free(&j->stop);
}

/* ---- tokens out */

static int tell(struct generation *g, struct job *j, int32_t token, struct str text)
{
    if (!g->callback) return 0;
    const hearth_event e = { .request = j->index, .token = token, .text = text.p ? text.p : "", .n_text = text.n };
    return g->callback(g->user, &e);
}

static void finish_job(struct generation *g, struct job *j, enum hearth_finish why)
{
    j->active = false;
    j->r->finish = why;
    if (!j->has_text || why == HEARTH_FINISH_STOP) return;
    struct str text;
    const bool stopped = stop_push(&j->stop, detok_finish(&j->detok), &text);
    if (text.n) tell(g, j, -1, text);
    if (stopped) return;
    text = stop_finish(&j->stop);
    if (text.n) tell(g, j, -1, text);
}

static bool is_end(const struct arch *a, const hearth_request *r, int32_t token)
{
    for (size_t i = 0; i < r->n_ends; i++)
        if (r->ends[i] == token) return true;
    for (int i = 0; i < a->n_ends; i++)
        if (a->ends[i] == token) return true;
    return false;
}

static int take_token(struct generation *g, struct job *j, const float *logits, hearth_error *err)
{
    int32_t token;
    const struct arch *a = &g->s->model->m->arch;
    int status = sample_chain_pick(j->chain, logits, &token, err);
    if (status) return status;
    if (a->n_encoder_layer && a->forced_bos >= 0 && !j->r->n_generated) token = a->forced_bos;
    if (!g->timing.generated_tokens) g->timing.first_token_seconds = (double)(clock_ns() - g->start) * 1e-9;
    g->timing.generated_tokens++;
    j->next = token;
    if (!j->r->ignore_end && is_end(a, j->r, token)) {
        finish_job(g, j, HEARTH_FINISH_END);
        return 0;
    }
    sample_chain_accept(j->chain, token);
    j->r->generated[j->r->n_generated++] = token;
    struct str text = { 0 };
    const bool stopped = j->has_text && stop_push(&j->stop, detok_push(&j->detok, token), &text);
    const int cancelled = tell(g, j, token, text);
    if (stopped)
        finish_job(g, j, HEARTH_FINISH_STOP);
    else if (cancelled)
        finish_job(g, j, HEARTH_FINISH_CANCELLED);
    else if (j->r->n_generated >= j->limit)
        finish_job(g, j, HEARTH_FINISH_LENGTH);
    return 0;
}

/* ---- steps */

/* The next token makes the text so long that its rotary frequencies are others: where the architecture has it so, the whole text
 * is a prompt again. */
static void begin_anew(struct generation *g, struct job *j)
{
    const struct arch *a = &g->s->model->m->arch;
    struct sequence *q = &g->s->seq[j->index];
    const int32_t n = q->n + 1;
    if (!j->anew || !j->active || n > g->s->context || rope_class(&a->rope, a, n) == rope_class(&a->rope, a, q->n)) return;
    memcpy(j->anew, q->ids, (size_t)q->n * sizeof *j->anew);
    j->anew[n - 1] = j->next;
    session_trim(g->s, j->index, 0);
    j->prompt = j->anew;
    j->n_prompt = j->rope_length = q->rope_length = n;
    j->fed = 0;
}

/* A step takes the next token of every job that generates, and prompt tokens of the others up to the chunk. */
static int choose_parts(struct generation *g, bool *has_prompt)
{
    int n = 0;
    int32_t room = g->s->chunk;
    *has_prompt = false;
    for (size_t i = 0; i < g->n; i++) {
        struct job *j = &g->job[i];
        if (!j->active) continue;
        struct part *p = &g->part[n];
        *p = (struct part){ .seq = j->index, .rope_length = j->rope_length };
        if (j->fed == j->n_prompt) {
            p->ids = &j->next;
            p->n = p->want = 1;
            p->rope_length = g->s->seq[j->index].n + 1;
        } else {
            p->n = j->n_prompt - j->fed < room ? j->n_prompt - j->fed : room;
            if (!p->n) continue;
            p->ids = j->prompt + j->fed;
            p->want = j->fed + p->n == j->n_prompt;
            room -= p->n;
            *has_prompt = true;
            g->timing.prompt_tokens += p->n;
        }
        g->part_job[n++] = j;
    }
    return n;
}

static int run_step(struct generation *g, int n_parts, hearth_error *err)
{
    int status = session_step(g->s, g->part, n_parts, g->cancel, err);
    const float *logits = g->s->logits;
    for (int i = 0; i < n_parts && !status; i++) {
        struct job *j = g->part_job[i];
        if (j->fed < j->n_prompt) j->fed += g->part[i].n;
        if (!g->part[i].want) continue;
        status = take_token(g, j, logits, err);
        if (!status) begin_anew(g, j);
        logits += g->s->model->m->arch.n_vocab;
    }
    return status;
}

/* Prompt tokens of all jobs: computed or known, of how many. */
static void tell_progress(const struct generation *g)
{
    int64_t done = 0, total = 0;
    for (size_t i = 0; g->s->progress && i < g->n; i++) {
        done += g->job[i].fed;
        total += g->job[i].n_prompt;
    }
    if (g->s->progress) g->s->progress(g->s->progress_user, done, total);
}

static int run_jobs(struct generation *g, hearth_error *err)
{
    bool has_prompt;
    int n_parts;
    while ((n_parts = choose_parts(g, &has_prompt)) > 0) {
        const uint64_t from = clock_ns();
        int status = run_step(g, n_parts, err);
        if (has_prompt) tell_progress(g);
        *(has_prompt ? &g->timing.prompt_seconds : &g->timing.generate_seconds) += (double)(clock_ns() - from) * 1e-9;
        if (status == HEARTH_E_CANCELLED)
            for (size_t i = 0; i < g->n; i++)
                if (g->job[i].active) finish_job(g, &g->job[i], HEARTH_FINISH_CANCELLED);
        if (status && status != HEARTH_E_CANCELLED) return status;
    }
    return 0;
}

int hearth_generate(hearth_session *s, hearth_request *requests, size_t n, hearth_callback *callback, void *user, hearth_timing *timing, hearth_error *err)
{
    struct generation g = { .s = s, .n = n, .callback = callback, .user = user, .start = clock_ns() };
    if (n < 1 || n > (size_t)s->n_seq) return fail(err, HEARTH_E_ARG, "%zu requests at once, but the session has %d sequences", n, s->n_seq);
    for (size_t i = 0; i < n; i++) {
        int status = check_request(s, &requests[i], err);
        if (status) return status;
        requests[i].generated = NULL;
        requests[i].n_cached = 0;
        if (!g.cancel) g.cancel = requests[i].cancel;
    }
    int status = 0;
    g.job = mem_array(n, sizeof *g.job);
    g.part = mem_array(n, sizeof *g.part);
    g.part_job = mem_array(n, sizeof *g.part_job);
    if (!g.job || !g.part || !g.part_job) status = fail_memory(err, n * sizeof *g.job, "requests");
    for (size_t i = 0; i < n && !status; i++) {
        g.job[i].r = &requests[i];
        g.job[i].index = (int32_t)i;
        status = start_job(&g, &g.job[i], err);
    }
    g.timing.prompt_seconds = (double)(clock_ns() - g.start) * 1e-9; /* encoding sources */
    if (!status) status = run_jobs(&g, err);
    for (size_t i = 0; g.job && i < n; i++) {
        end_job(&g.job[i]);
        if (status) {
            mem_free(requests[i].generated);
            requests[i].generated = NULL;
        }
    }
    mem_free(g.job);
    mem_free(g.part);
    mem_free(g.part_job);
    if (timing) *timing = g.timing;
    return status;
}
