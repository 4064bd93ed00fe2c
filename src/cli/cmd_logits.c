/* hearth logits: the logits of every position, into a file. */
#include "hearth_inspect.h"

#include "cli/cli.h"

const char cmd_logits_about[] =
    "Writes the logits of every position of the given ids to a safetensors file: `logits` f32\n"
    "[ids, vocabulary]. Encoder-decoders also give `encoder_last_hidden_state`, encoders\n"
    "`last_hidden_state`. The file appears whole or not at all.\n"
    "\n"
    "  hearth logits models/tale --ids \"1 403 407\" --output out.safetensors --exact\n"
    "  hearth logits t5 --ids @source.txt --decoder-ids \"0 12 7\" -o out.safetensors\n";

const struct option cmd_logits_options[] = {
    OPT_STRING("ids", 'i', ids, "IDS", "token ids, \"1 5 7\" or @FILE; encoder-decoders: of the source"),
    OPT_STRING("decoder-ids", 0, decoder_ids, "IDS", "ids of the target; without them just its start token"),
    OPT_STRING("output", 'o', output, "FILE", "where to write"),
    OPTS_MODEL(HEARTH_ARITH_AUTO),
    OPTS_COMMON,
};

static void logits_progress(void *user, int64_t done, int64_t total) { progress_show(user, done, total); }

int cmd_logits(const struct settings *s, struct hearth_error *err)
{
    if (!s->ids) return fail(err, HEARTH_E_ARG, "--ids is missing: token ids such as \"1 5 7\", or @FILE");
    if (!s->output) return fail(err, HEARTH_E_ARG, "--output is missing: the safetensors file to write");
    struct id_list ids = { 0 }, decoder_ids = { 0 };
    hearth_model *m = NULL;
    int status = id_list_read(&ids, s->ids, "--ids", err);
    if (!status && s->decoder_ids) status = id_list_read(&decoder_ids, s->decoder_ids, "--decoder-ids", err);
    if (!status) status = cli_model_open(&m, s, s->words.v[0], err);
    if (!status) {
        struct progress p;
        const volatile int *cancel = interrupt_watch(false);
        progress_start(&p, s->quiet ? NULL : &s->terminal, "logits");
        status = hearth_logits(m, ids.id, ids.n, decoder_ids.id, decoder_ids.n, s->output, logits_progress, &p, cancel, err);
        progress_end(&p);
        if (status == HEARTH_E_CANCELLED && interrupt_seen()) status = EXIT_INTERRUPTED;
    }
    hearth_model_close(m);
    id_list_free(&ids);
    id_list_free(&decoder_ids);
    return status;
}
