/* Helpers of the families of encoders. */
#include "model/families/encoders.h"

#include <stdio.h>

static const struct file_tensor *first_of(const struct container *c, const char *names, char name[128])
{
    const struct file_tensor *f = NULL;
    for (const char *at = names; !f && *at; at += strcspn(at, "|"), at += *at == '|') {
        snprintf(name, 128, "%.*s", (int)strcspn(at, "|"), at);
        f = container_tensor(c, name);
    }
    return f;
}

bool encoder_has_embed(const struct config *c, const char *encoder, const char *decoder)
{
    char name[128];
    const struct file_tensor *a = first_of(c->c, encoder, name), *b = first_of(c->c, decoder, name);
    return a && b && a != b && (a->n_bytes != b->n_bytes || memcmp(a->data, b->data, a->n_bytes) != 0);
}

int encoder_labels(struct arch *a, const struct config *c, const char *names, struct hearth_error *err)
{
    char name[128];
    if (a->head == HEAD_NONE || a->head == HEAD_MASKED) return 0;
    const struct file_tensor *f = first_of(c->c, names, name);
    if (!f || f->rank < 1 || f->dim[0] < 1 || f->dim[0] > 1 << 20) return fail(err, HEARTH_E_FORMAT, "the model has no usable %s", name);
    a->n_label = (int32_t)f->dim[0];
    return 0;
}
