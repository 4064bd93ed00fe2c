/* The reverse walk: goes over the recorded ops from the loss back to the start and lets each op's rule append the ops that carry
 * the gradient to its inputs. Where a tensor is used several times, its gradients are added. */
#include "ops/ops_int.h"

struct walk {
    struct tape          *t;
    int                   n_forward;      /* tensors before the walk began */
    struct tensor       **grad;           /* [n_forward]: of activations, NULL: none yet */
    struct tensor *const *of;             /* [n]: what is asked for, */
    struct tensor       **of_grad;        /* [n]: and its gradients so far */
    int                   n;
};

static void add_to(struct walk *w, struct tensor **sum, struct tensor *dx)
{
    *sum = *sum ? op_add_(w->t, *sum, dx) : dx;
}

static void give(struct walk *w, struct tensor *x, struct tensor *dx)
{
    if (!x || !dx || w->t->status) return;
    for (int i = 0; i < w->n; i++)
        if (w->of[i] == x) add_to(w, &w->of_grad[i], dx);
    const ptrdiff_t at = x - w->t->tensor;
    if (at < 0 || at >= w->n_forward) return; /* a weight or an input: only counted when asked for */
    if (x->base)
        tape_fail(w->t, HEARTH_E_UNSUPPORTED, "there is no gradient through a view of %s", x->name);
    else
        add_to(w, &w->grad[at], dx);
}

int gradient_record(struct tape *t, struct tensor *loss, struct tensor *seed, struct tensor *const *of, int n, struct tensor **grads, struct hearth_error *err)
{
    struct walk w = { .t = t, .n_forward = t->n_tensor, .of = of, .of_grad = grads, .n = n };
    const int n_record = t->n_record;
    if (t->status) return fail(err, t->status, "%s", t->err.text);
    w.grad = mem_array((uint64_t)w.n_forward, sizeof *w.grad);
    if (!w.grad) return fail_memory(err, (uint64_t)w.n_forward * sizeof *w.grad, "gradients");
    memset(grads, 0, (size_t)n * sizeof *grads);
    give(&w, loss, seed);
    for (int i = n_record - 1; i >= 0 && !t->status; i--) {
        const struct op_record *r = &t->record[i];
        struct tensor *dy = r->out[0] ? w.grad[r->out[0] - t->tensor] : NULL, *din[TAPE_INPUTS] = { 0 };
        if (!dy) continue; /* nothing of the loss came through here */
        t->layer = r->layer;
        if (op_table[r->op].gradient)
            op_table[r->op].gradient(t, r, dy, din);
        else
            tape_fail(t, HEARTH_E_UNSUPPORTED, "op %s has no gradient rule", op_table[r->op].name);
        for (int k = 0; k < TAPE_INPUTS; k++) give(&w, r->in[k], din[k]);
    }
    mem_free(w.grad);
    return t->status ? fail(err, t->status, "%s", t->err.text) : 0;
}
