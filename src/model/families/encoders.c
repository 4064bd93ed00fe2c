/* Helpers of the families of encoders. */
#include "model/families/encoders.h"

#include <stdio.h>

int encoder_labels(struct arch *a, const struct config *c, const char *names, struct hearth_error *err)
{
    char name[128];
    const struct file_tensor *f = NULL;
    if (a->head == HEAD_NONE || a->head == HEAD_MASKED) return 0;
    for (const char *at = names; !f && *at; at += strcspn(at, "|"), at += *at == '|') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "|"), at);
        f = container_tensor(c->c, name);
    }
    if (!f || f->rank < 1 || f->dim[0] < 1 || f->dim[0] > 1 << 20) return fail(err, HEARTH_E_FORMAT, "the model has no usable %s", name);
    a->n_label = (int32_t)f->dim[0];
    return 0;
}
