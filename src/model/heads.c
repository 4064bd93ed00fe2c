/* What stands behind an encoder's states, one row a kind: which rows go in, what happens to them, what they are multiplied with. */
#include "model/blocks/blocks.h"

enum rows { ROWS_WANTED, ROWS_FIRST, ROWS_MEAN };

static const struct {
    enum rows rows;
    bool      dense, norm, vocabulary; /* product and activation; a norm; logits of the vocabulary instead of labels */
} head_table[HEAD_COUNT] = {
    [HEAD_MASKED]      = { ROWS_WANTED, .dense = true, .norm = true, .vocabulary = true },
    [HEAD_FIRST]       = { ROWS_FIRST },
    [HEAD_FIRST_DENSE] = { ROWS_FIRST, .dense = true },
    [HEAD_FIRST_NORM]  = { ROWS_FIRST, .dense = true, .norm = true },
    [HEAD_MEAN_NORM]   = { ROWS_MEAN, .dense = true, .norm = true },
    [HEAD_ROWS]        = { ROWS_WANTED },
    [HEAD_ROWS_DENSE]  = { ROWS_WANTED, .dense = true },
    [HEAD_ROWS_NORM]   = { ROWS_WANTED, .dense = true, .norm = true },
};

bool head_is_whole(enum head_kind kind) { return head_table[kind].rows != ROWS_WANTED; }
bool head_is_masked(enum head_kind kind) { return head_table[kind].vocabulary; }

struct tensor *block_head(struct tape *t, const struct model *m, const struct step *s, struct tensor *x)
{
    const struct arch *a = &m->arch;
    const enum head_kind kind = a->head;
    if (kind == HEAD_NONE) return x;
    if (head_table[kind].rows == ROWS_MEAN) x = op_mean_rows(t, x, s->want ? s->want->dim[0] : 1);
    else if (s->want) x = op_rows(t, x, s->want);
    if (head_table[kind].dense) x = op_activate(t, a->head_act, op_linear(t, m->w.head_dense, x, m->w.head_dense_bias), NULL);
    if (head_table[kind].norm) x = block_norm(t, a, x, m->w.head_norm, m->w.head_norm_bias);
    x = head_table[kind].vocabulary ? op_linear(t, m->w.head, x, m->w.head_bias) : op_linear(t, m->w.classifier, x, m->w.classifier_bias);
    return tape_name(x, "logits", -1);
}
