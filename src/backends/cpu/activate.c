/* Activations that show in the time of a prompt: those of the kernel table, rows over threads. The others run their reference. */
#include "backends/cpu/cpu_int.h"
#include "ops/ops_int.h"

typedef void row_fn(float *y, const float *x, const float *gate, int64_t n);

struct activate {
    const struct op_record *r;
    row_fn                 *row; /* NULL: the reference's */
};

static void activate_part(void *arg, int64_t begin, int64_t end, int thread)
{
    const struct activate *a = arg;
    const struct tensor *x = a->r->in[0], *gate = a->r->in[1], *y = a->r->out[0];
    (void)thread;
    for (int64_t i = begin; i < end; i++) {
        if (a->row)
            a->row(ROW(y, i), ROW(x, i), gate ? ROW(gate, i) : NULL, tensor_width(y));
        else
            activation_row((enum activation)a->r->p.i[0], ROW(y, i), ROW(x, i), gate ? ROW(gate, i) : NULL, tensor_width(y));
    }
}

void cpu_activate_run(struct cpu_backend *b, const struct op_record *r, const struct ragged *g)
{
    row_fn *const rows[ACT_COUNT] = { [ACT_SILU] = b->kernels.silu, [ACT_GELU_TANH] = b->kernels.gelu_tanh };
    struct activate a = { r, rows[r->p.i[0]] };
    (void)g;
    threads_run(b->pool, tensor_rows(r->out[0]), CPU_SMALL / 8 / (tensor_width(r->out[0]) + 1) + 1, activate_part, &a);
}
