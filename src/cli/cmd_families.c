/* hearth families: which kinds of models can be run. */
#include "hearth_inspect.h"

#include "cli/cli.h"

const char cmd_families_about[] =
    "Lists the families of models that hearth runs, with real models of each. A Hugging Face folder is\n"
    "recognised by model_type and architectures of its config.json, a GGUF file by its architecture.\n"
    "\n"
    "  hearth families\n"
    "  hearth families --json | jq '.[].model_types[]'\n";

const struct option cmd_families_options[] = {
    OPTS_JSON,
    OPTS_COMMON,
};

int cmd_families(const struct settings *s, struct hearth_error *err)
{
    struct output_user user = { .terminal = &s->terminal };
    return output_status(&user, hearth_families(s->json, output_write, &user, err), err);
}
