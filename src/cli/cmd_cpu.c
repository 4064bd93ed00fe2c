/* hearth cpu: which kernels this machine gets. */
#include "hearth_inspect.h"

#include "cli/cli.h"

const char cmd_cpu_about[] =
    "Shows the processor's features that matter to hearth, those that may be used, and which kernels\n"
    "serve each type of weights: in exact arithmetic (f32), with weights and activations rounded to bf16,\n"
    "with activations rounded to int8 (i8), and for matrices that are stored input-major.\n"
    "\n"
    "  hearth cpu\n"
    "  hearth cpu --cpu-mask avx2,fma,f16c\n"
    "      what a processor with these features would use\n";

const struct option cmd_cpu_options[] = {
    OPTS_CPU_MASK,
    OPTS_JSON,
    OPTS_COMMON,
};

int cmd_cpu(const struct settings *s, struct hearth_error *err)
{
    struct output_user user = { .terminal = &s->terminal };
    return output_status(&user, hearth_cpu(s->cpu_mask, s->json, output_write, &user, err), err);
}
