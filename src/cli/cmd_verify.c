/* hearth verify: compares a model with the reference values in its folder. */
#include "hearth_inspect.h"

#include "cli/cli.h"

const char cmd_verify_about[] =
    "Computes the text in FOLDER's expected.safetensors and compares every tensor that the file has a\n"
    "reference for, the logits, and the greedy ids. The first operation that goes astray is named\n"
    "with its line in the source. Exit code 0: all equal within the limit, 1: something differs.\n"
    "\n"
    "  hearth verify models/tale\n"
    "  hearth verify models/tale --arith auto --limit 0.01\n"
    "      how far the fast arithmetic is from the reference\n";

const struct option cmd_verify_options[] = {
    OPT_FLOAT("limit", limit, 1e-4, 0, 1e30, "largest error allowed, as a share of the reference's range"),
    OPTS_JSON,
    OPTS_MODEL(HEARTH_ARITH_F32),
    OPTS_COMMON,
};

int cmd_verify(const struct settings *s, struct hearth_error *err)
{
    struct output_user user = { .terminal = &s->terminal };
    const hearth_model_options options = cli_model_options(s);
    int differs = 0;
    const int status = hearth_verify(s->words.v[0], &options, s->limit, s->json, output_write, &user, &differs, err);
    if (status) return output_status(&user, status, err);
    return differs ? EXIT_DIFFERS : 0;
}
