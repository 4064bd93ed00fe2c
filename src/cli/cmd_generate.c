/* hearth generate: greedy token ids after given ids, for comparing with other programs. */
#include "cli/cli.h"

const char cmd_generate_about[] =
    "Prints the N ids that the model finds likeliest after the given ones, each time the best token,\n"
    "as a JSON array. End tokens do not stop it. Encoder-decoders read the ids as the source and\n"
    "begin after the start token. For text use 'hearth run'.\n"
    "\n"
    "  hearth generate models/tale --ids \"1 403 407\" --n 24 --exact\n"
    "  hearth generate models/tale --ids @ids.txt --n 24\n";

const struct option cmd_generate_options[] = {
    OPT_STRING("ids", 'i', ids, "IDS", "token ids, \"1 5 7\" or @FILE; encoder-decoders: of the source"),
    OPT_INT("n", 'n', max_tokens, 16, 1, 1 << 24, "how many ids"),
    OPTS_MODEL(HEARTH_ARITH_AUTO),
    OPTS_CONTEXT,
    OPTS_CACHE,
    OPTS_COMMON,
};

struct generate {
    struct progress progress;
    int64_t         done, total;
};

static int generate_event(void *user, const hearth_event *event)
{
    struct generate *g = user;
    g->done += event->token >= 0;
    progress_show(&g->progress, g->done, g->total);
    return interrupt_seen();
}

static int generate_print(const struct settings *s, const hearth_request *q, struct hearth_error *err)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 30);
    id_list_json(&out, q->generated, (size_t)q->n_generated);
    buf_char(&out, '\n');
    int status = output_buf(&s->terminal, &out, err);
    buf_free(&out);
    if (!status && q->n_generated < q->max_tokens)
        status = fail(err, HEARTH_E_CONTEXT, "the context was full after %d of %d ids", q->n_generated, q->max_tokens);
    return status;
}

static int generate_run(const struct settings *s, hearth_session *session, hearth_request *q, struct hearth_error *err)
{
    struct generate g = { .total = s->max_tokens };
    progress_start(&g.progress, s->quiet ? NULL : &s->terminal, "generating");
    q->cancel = interrupt_watch(false);
    const int status = hearth_generate(session, q, 1, generate_event, &g, NULL, err);
    progress_end(&g.progress);
    interrupt_unwatch();
    if (interrupt_seen() && (status == 0 || status == HEARTH_E_CANCELLED)) return fail(err, HEARTH_E_CANCELLED, "interrupted");
    return status ? status : generate_print(s, q, err);
}

/* Just what is needed, unless told: the last id is not fed, and encoder-decoders keep source and target apart. */
static int32_t generate_context(const struct settings *s, const hearth_model *m, size_t n_ids)
{
    hearth_model_info info = { .size = sizeof info };
    hearth_model_info_get(m, &info);
    const uint64_t n = (uint64_t)s->max_tokens;
    const uint64_t need = info.task == HEARTH_TASK_LM ? n_ids + n - 1 : n_ids > n ? n_ids : n;
    return s->context ? (int32_t)s->context : need < INT32_MAX ? (int32_t)need : INT32_MAX;
}

int cmd_generate(const struct settings *s, struct hearth_error *err)
{
    if (!s->ids) return fail(err, HEARTH_E_ARG, "--ids is missing: token ids such as \"1 5 7\", or @FILE");
    struct id_list ids = { 0 };
    hearth_model *m = NULL;
    hearth_session *session = NULL;
    hearth_request q = { .size = sizeof q, .max_tokens = (int32_t)s->max_tokens, .ignore_end = 1 };
    int status = id_list_read(&ids, s->ids, "--ids", err);
    if (!status) status = cli_model_open(&m, s, s->words.v[0], err);
    if (status) goto done;
    const hearth_session_options options = {
        .size = sizeof options,
        .context = generate_context(s, m, ids.n),
        .chunk = (int32_t)s->chunk,
        .cache = (enum hearth_cache_type)s->cache_type,
    };
    status = hearth_session_new(&session, m, &options, err);
    if (status) goto done;
    q.ids = ids.id;
    q.n_ids = ids.n;
    status = generate_run(s, session, &q, err);
done:
    hearth_free(q.generated);
    hearth_session_free(session);
    hearth_model_close(m);
    id_list_free(&ids);
    return status;
}
