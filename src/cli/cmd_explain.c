/* hearth explain: how a model is computed. */
#include "hearth_inspect.h"

#include "cli/cli.h"

const char cmd_explain_about[] =
    "Shows the resolved table of layers and every operation of one step: name, shapes, types, bytes\n"
    "and the line of the source that asked for it. The list is the one that the model runs from.\n"
    "\n"
    "  hearth explain models/tale\n"
    "      one step of one token: writing\n"
    "  hearth explain models/tale --tokens 256\n"
    "      a step of 256 tokens: reading a prompt\n";

const struct option cmd_explain_options[] = {
    OPT_INT("tokens", 'n', tokens, 1, 1, 1 << 20, "tokens in the step"),
    OPTS_JSON,
    OPTS_MODEL(HEARTH_ARITH_AUTO),
    OPTS_COMMON,
};

int cmd_explain(const struct settings *s, struct hearth_error *err)
{
    struct output_user user = { .terminal = &s->terminal };
    hearth_model *m = NULL;
    int status = cli_model_open(&m, s, s->words.v[0], err);
    if (!status) status = output_status(&user, hearth_explain(m, (int)s->tokens, s->json, output_write, &user, err), err);
    hearth_model_close(m);
    return status;
}
