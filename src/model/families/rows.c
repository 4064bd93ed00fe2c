/* What families in the shape of LLaMA derive from their keys. */
#include "model/families/rows.h"

const char *const rows_harmless[] = { "rotary_emb.inv_freq", NULL };

/* GGUF says nothing about biases and ties: the tensors tell. */
static void read_tensors(struct arch *a, const struct container *c)
{
    a->tied = true; /* a head of its own is there or not */
    a->qkv_bias = container_tensor(c, "blk.0.attn_q.bias") || container_tensor(c, "blk.0.attn_qkv.bias");
    a->out_bias = container_tensor(c, "blk.0.attn_output.bias") != NULL;
    a->ffn_bias = container_tensor(c, "blk.0.ffn_up.bias") != NULL;
}

int rows_heads(struct arch *a, const struct config *c, struct hearth_error *err)
{
    if (!a->n_kv) a->n_kv = a->n_head;
    if (!a->key_width) a->key_width = a->width / a->n_head;
    if (!a->value_width) a->value_width = a->key_width;
    if (a->key_width < 1) return fail(err, HEARTH_E_FORMAT, "%d heads are more than the width %d", a->n_head, a->width);
    if (a->n_head % a->n_kv)
        return fail(err, HEARTH_E_FORMAT, "%d query heads cannot share %d key/value heads", a->n_head, a->n_kv);
    if (c->gguf) read_tensors(a, c->c);
    return 0;
}

/* With a scaling such a class would fail on part of a head; only longrope reads a factor of its own from GGUF. */
static const struct config_guard whole_heads[] = { WHOLE_HEAD_GUARDS, END_GUARDS };
static const struct config_guard factor_guards[] = { { NULL, "rope.scaling.attn_factor", "1" }, END_GUARDS };

int rows_heads_and_rope(struct arch *a, const struct config *c, struct hearth_error *err)
{
    int status = rows_heads(a, c, err);
    if (!status) status = config_rope(c, a, err);
    if (!status && a->rope.kind != ROPE_LONGROPE) status = config_guards(c, factor_guards, err);
    return status || a->rope.kind == ROPE_DEFAULT ? status : config_guards(c, whole_heads, err);
}
