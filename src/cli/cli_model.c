/* Opens the model that a command names, with the settings given. */
#include "cli/cli.h"

hearth_model_options cli_model_options(const struct settings *s)
{
    return (hearth_model_options){
        .size = sizeof(hearth_model_options),
        .threads = (int)s->threads,
        .arith = s->exact ? HEARTH_ARITH_F32 : (enum hearth_arith)s->arith,
        .cpu_mask = s->cpu_mask,
    };
}

int cli_model_open(hearth_model **out, const struct settings *s, const char *path, struct hearth_error *err)
{
    const hearth_model_options options = cli_model_options(s);
    return hearth_model_open(out, path, &options, err);
}
