/* hearth inspect: what a model file or folder holds. */
#include "hearth_inspect.h"

#include "cli/cli.h"

const char cmd_inspect_about[] =
    "Shows what a file or folder holds: its keys and values, tensors with shape, type and size, the\n"
    "tokenizer, the licence. Nothing is computed, and the family need not be one that hearth can run.\n"
    "\n"
    "  hearth inspect models/tale\n"
    "  hearth inspect model.gguf --json | jq '.tensors | length'\n";

const struct option cmd_inspect_options[] = {
    OPTS_JSON,
    OPTS_COMMON,
};

int cmd_inspect(const struct settings *s, struct hearth_error *err)
{
    struct output_user user = { .terminal = &s->terminal };
    return output_status(&user, hearth_inspect(s->words.v[0], s->json, output_write, &user, err), err);
}
